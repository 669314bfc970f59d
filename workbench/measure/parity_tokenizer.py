"""Looks for a tokenizer that a step changed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from workbench.chat.divergence import first_difference
from workbench.engines.base import Tokenizer
from workbench.measure.card import ParityCheck
from workbench.measure.parity_prompts import Prompt
from workbench.measure.parity_reading import Reading, quoted, written

NAME = "tokenizer"

#: Words of the vocabulary that are put through a tokenizer in one text.
_AT_ONCE = 512
#: Tokens that are quoted from a difference on.
_QUOTED = 4


def check_tokenizer(prompts: Sequence[Prompt], source: Reading, result: Reading) -> ParityCheck:
    """Compare the texts of all tokens, and the tokens of texts.

    The texts are those of the prompts, alone and in their conversations, and every word that the vocabulary
    has as one token: a merge that is missing or altered shows in the word that it makes.
    """
    shared = min(source.tokenizer.vocabulary, result.tokenizer.vocabulary)
    pieces = source.written(range(shared))
    words = list(_words(pieces))
    problem = (
        _other_pieces(pieces, source, result)
        or _other_tokens(prompts, source, result)
        or _other_words(words, source.tokenizer, result.tokenizer)
    )
    if problem is not None:
        return ParityCheck(name=NAME, result="failed", finding=problem)
    return ParityCheck(
        name=NAME,
        result="passed",
        finding=f"{shared:,} tokens stand for the same texts; {len(prompts)} texts and {len(words):,} words"
        " are split the same way.",
    )


def _other_pieces(pieces: Sequence[bytes], source: Reading, result: Reading) -> str | None:
    one, other, shared = source.tokenizer, result.tokenizer, len(pieces)
    altered = [token for token, piece in enumerate(pieces) if written(other, token) != piece]
    if altered:
        token = altered[0]
        return (
            f"Token {token} is {quoted(written(other, token))}, {quoted(pieces[token])} at the source;"
            f" {len(altered):,} of {shared:,} tokens differ."
        )
    # Vocabularies are padded to round numbers; what stands for nothing is missed by nobody.
    longer = max(one, other, key=lambda each: each.vocabulary)
    for token in range(shared, longer.vocabulary):
        piece = written(longer, token)
        if piece:
            what = "lacks" if longer is one else "has, unlike the source,"
            return f"It {what} token {token}, {quoted(piece)}."
    return None


def _other_tokens(prompts: Sequence[Prompt], source: Reading, result: Reading) -> str | None:
    """The same text in other tokens; another text is no fault of the tokenizer's."""
    views = (("text", source.bare, result.bare), ("conversation", source.conversations, result.conversations))
    for what, before, after in views:
        for prompt, one, other in zip(prompts, before, after, strict=True):
            if one is None or other is None or one == other:
                continue
            first, second = source.written(one), result.written(other)
            if b"".join(first) == b"".join(second):
                at = first_difference(first, second) or 0
                return (
                    f"The {what} of the prompt “{prompt.name}” is split into {_listed(second, at)},"
                    f" {_listed(first, at)} at the source."
                )
    return None


def _other_words(words: Sequence[str], one: Tokenizer, other: Tokenizer) -> str | None:
    for begin in range(0, len(words), _AT_ONCE):
        several = words[begin : begin + _AT_ONCE]
        # A line for each: no tokenizer's rule reaches over a line's end into a word.
        text = "\n".join(several)
        if one.encode(text, begin=False) == other.encode(text, begin=False):
            continue
        for word in several:
            before, after = (each.encode(word, begin=False) for each in (one, other))
            if before != after:
                pieces = [
                    [written(own, token) for token in tokens]
                    for own, tokens in ((one, before), (other, after))
                ]
                return (
                    f"The word “{word}” is split into {_listed(pieces[1], 0)},"
                    f" {_listed(pieces[0], 0)} at the source."
                )
    return None


def _words(pieces: Sequence[bytes]) -> Iterator[str]:
    """The words among a vocabulary's pieces, with the space before them where they have one.

    Letters alone, in the form into which a normalizer would bring them: how rare signs are cut apart is up to
    each library's version of Unicode, and no step's fault.
    """
    for piece in pieces:
        try:
            word = piece.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if word.removeprefix(" ").isalpha() and unicodedata.is_normalized("NFKC", word):
            yield word


def _listed(pieces: Sequence[bytes], at: int) -> str:
    """Some pieces from a place on.

    >>> _listed([b"a", b"b", b"c", b"d", b"e", b"f"], 1), _listed([b"a"], 1)
    ('“b” “c” “d” “e” …', 'nothing')
    """
    named = " ".join(map(quoted, pieces[at : at + _QUOTED]))
    return f"{named}{' …' if at + _QUOTED < len(pieces) else ''}" or "nothing"
