"""Makes sure that the same token ids mean the same text to two models."""

from __future__ import annotations

from workbench.engines.base import Logits, Tokenizer
from workbench.errors import WorkbenchError


class VocabularyError(WorkbenchError):
    """Two models whose predictions can't be compared token by token.

    Attributes:
        token: The first token that they differ on.
    """

    kind = "vocabulary"

    def __init__(self, token: int, one: bytes, other: bytes) -> None:
        super().__init__(
            f"The models have different vocabularies: token {token} is “{_shown(one)}” in the reference"
            f" and “{_shown(other)}” in the other.",
            remedy="Compare models that come from the same base.",
        )
        self.token = token


def check_same_vocabulary(reference: Tokenizer, candidate: Tokenizer) -> int:
    """How many tokens, from 0 on, both models have.

    One vocabulary may be longer: many are padded to a round number, and formats leave the padding out or
    give it names of their own. A token that has no text in one of them is such padding.

    Raises:
        VocabularyError: A token stands for different texts.
    """
    common = min(reference.vocabulary, candidate.vocabulary)
    for token in range(common):
        one, other = reference.raw_piece(token), candidate.raw_piece(token)
        if one != other and one and other:
            raise VocabularyError(token, one, other)
    return common


def on_common_tokens(common: int, reference: Logits, candidate: Logits) -> tuple[Logits, Logits]:
    """Logits of the tokens that both have. An output layer may be padded further than its tokenizer."""
    width = min(common, reference.shape[-1], candidate.shape[-1])
    return reference[:, :width], candidate[:, :width]


def _shown(piece: bytes) -> str:
    """A token's text with line ends and parts of characters made visible.

    >>> _shown(b"a\\n\\xc3")
    'a\\\\n\\\\xc3'
    """
    return repr(piece.decode("utf-8", errors="surrogateescape"))[1:-1].replace("\\udc", "\\x")
