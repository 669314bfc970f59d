"""Constrained output: which tokens may come next under a JSON schema, a grammar or an expression."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Tokenizer
from workbench.engines.errors import RequestError
from workbench.engines.request import Constraint
from workbench.errors import MissingExtraError

#: A schema or grammar longer than this is refused: compiling it would hold up every other request.
_LONGEST = 200_000


class Constrainer:
    """Compiles constraints for one tokenizer, with llguidance; its own tables are made on first use."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tables: Any = None

    def mask(self, constraint: Constraint) -> TokenMask:
        """The state of a constraint at its beginning.

        Raises:
            RequestError: The constraint is malformed, can't be fulfilled, or is too large.
            MissingExtraError: llguidance is not installed.
        """
        try:
            import llguidance
        except ImportError as error:
            raise MissingExtraError("llguidance, which constrained output needs,", "generate") from error
        grammar = _grammar(constraint, llguidance)
        if self._tables is None:
            self._tables = llguidance.LLTokenizer(_wrapped(self._tokenizer, llguidance))
        matcher = llguidance.LLMatcher(self._tables, grammar, log_level=0)
        if matcher.is_error():
            raise _malformed(constraint, matcher.get_error())
        return TokenMask(matcher, self._tokenizer.vocabulary)


class TokenMask:
    """Which tokens may come next; advanced by every accepted token."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._failed = ""

    @property
    def finished(self) -> bool:
        """Whether the text is complete and nothing but its end may follow."""
        return bool(self._matcher.is_stopped())

    def allowed(self) -> NDArray[np.bool_]:
        """For each token whether it may come next, shape (vocabulary,).

        Raises:
            RequestError: Nothing may: the constraint can't be fulfilled from here.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, bitorder="little").astype(np.bool_)
        if self._matcher.is_error() or not allowed.any():
            raise RequestError(
                "No token can follow: the constraint can't be fulfilled from here.",
                remedy="Loosen the schema or grammar.",
                details=self._matcher.get_error(),
            )
        return allowed

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Make forbidden tokens impossible, in place; `logits` has shape (vocabulary,)."""
        allowed = self.allowed()[: len(logits)]
        logits[: len(allowed)][~allowed] = -np.inf
        logits[len(allowed) :] = -np.inf

    def accept(self, token: int) -> None:
        """Advance past a token; one that ends the text is fine where the text is complete."""
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token)


def _grammar(constraint: Constraint, llguidance: Any) -> str:
    if len(constraint.text) > _LONGEST:
        raise RequestError(
            f"The {constraint.kind} has {len(constraint.text)} characters; at most {_LONGEST} are taken."
        )
    make: dict[str, Callable[[str], str]] = {
        "json-schema": lambda text: llguidance.LLMatcher.grammar_from_json_schema(
            text, overrides={"whitespace_flexible": False}
        ),
        "json": lambda _text: llguidance.LLMatcher.grammar_from_json_schema('{"type": "object"}'),
        "grammar": llguidance.LLMatcher.grammar_from_lark,
        "regex": llguidance.LLMatcher.grammar_from_regex,
    }
    try:
        if constraint.kind == "json-schema" and not isinstance(json.loads(constraint.text), dict | bool):
            raise _malformed(constraint, "A JSON schema is an object.")
        grammar = make[constraint.kind](constraint.text)
        problem = llguidance.LLMatcher.validate_grammar(grammar)
    except (ValueError, RecursionError) as error:
        raise _malformed(constraint, str(error)) from error
    if problem and not problem.startswith("WARNING"):
        raise _malformed(constraint, problem)
    return grammar


def _malformed(constraint: Constraint, details: str) -> RequestError:
    reason = details.strip().splitlines()[0] if details.strip() else "no reason was given"
    return RequestError(
        f"The {constraint.kind} can't be used: {reason[:300]}",
        remedy="Correct it and ask again.",
        details=details[:4000],
    )


def _wrapped(tokenizer: Tokenizer, llguidance: Any) -> Any:
    """The vocabulary in the form that llguidance wants: bytes of every token."""
    specials = [token for token in range(tokenizer.vocabulary) if tokenizer.is_special(token)]

    class _Vocabulary:
        eos_token_id = min(tokenizer.end_tokens, default=0)
        bos_token_id = None
        tokens = tuple(tokenizer.raw_piece(token) for token in range(tokenizer.vocabulary))
        special_token_ids = specials

        def __call__(self, text: bytes | str) -> list[int]:
            if isinstance(text, bytes):
                text = text.decode("utf-8", errors="replace")
            return tokenizer.encode(text, begin=False)

    wrapper = llguidance.TokenizerWrapper(_Vocabulary())
    wrapper._accepts_bytes = True
    return wrapper
