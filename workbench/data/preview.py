"""Shows exactly the tokens that a model sees of an example, and which of them it learns."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from workbench.data.sides import Side, Sides
from workbench.data.token_set import TokenSet
from workbench.engines.hf_tokenizer import HfTokenizer

#: Tokens of a sequence that are shown at most: nobody looks at more, and a row may have millions.
_MOST_TOKENS = 5000


class PreviewToken(Struct, frozen=True):
    """One token.

    Attributes:
        id: Its number in the vocabulary.
        text: What it stands for. A character that is split over several tokens is in the first of them.
        trained: Whether it is learned, where it is not cut.
        cut: Whether it stands behind the limit, so that the model never sees it.
    """

    id: int
    text: str
    trained: bool
    cut: bool


class PreviewRow(Struct, frozen=True, kw_only=True):
    """One example.

    Attributes:
        file, line: Where it stands.
        held_out: Whether it is kept for evaluation.
        used: Whether it is on any side; false where it is too long, or nothing of it would be learned.
        sequences: Its tokens; of a preference, those of the better answer and those of the worse one.
        more: How many tokens of each sequence are left out here, as there are too many to show.
    """

    file: str
    line: int
    held_out: bool
    used: bool
    sequences: tuple[tuple[PreviewToken, ...], ...]
    more: tuple[int, ...]


def preview(sides: Sides, tokenizer: HfTokenizer, *, offset: int = 0, count: int = 10) -> list[PreviewRow]:
    """Some examples as the model sees them, in the order of the files; held-out files come last.

    Args:
        tokenizer: That of the model.
        offset: How many examples to pass over.
    """
    return [_row(sides, tokens, number, tokenizer) for tokens, number in _places(sides, offset, count)]


def token_texts(pieces: Sequence[bytes]) -> list[str]:
    """The text of each token; joined they are the text of all.

    >>> fox = "🦊".encode()
    >>> token_texts([b"a", fox[:2], fox[2:] + b"b"])
    ['a', '🦊', 'b']
    """
    texts = [""] * len(pieces)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    begun = 0  # the token in which the character that is not complete yet began
    for number, piece in enumerate(pieces):
        is_waiting = bool(decoder.getstate()[0])
        found = decoder.decode(piece)
        if is_waiting:
            texts[begun] += found[:1]
        texts[number] += found[1:] if is_waiting else found
        if found or not is_waiting:
            begun = number
    if texts:
        texts[begun] += decoder.decode(b"", final=True)
    return texts


def _places(sides: Sides, offset: int, count: int) -> Iterator[tuple[TokenSet, int]]:
    before = 0
    for tokens in sides.token_sets:
        for number in range(max(offset - before, 0), min(offset + count - before, len(tokens))):
            yield tokens, number
        before += len(tokens)


def _row(sides: Sides, tokens: TokenSet, number: int, tokenizer: HfTokenizer) -> PreviewRow:
    step = 2 if tokens.meta.pairs else 1
    file, line = tokens.place(number)
    held_out = _has(sides.held_out, tokens, number)
    limit = sides.train.longest
    sequences, more = [], []
    for sequence in range(number * step, number * step + step):
        ids = tokens.ids(sequence)[:_MOST_TOKENS].tolist()
        trained = tokens.trained(sequence)[:_MOST_TOKENS].tolist()
        texts = token_texts([tokenizer.raw_piece(each) for each in ids])
        sequences.append(
            tuple(
                PreviewToken(id, text, bool(learned), place >= limit)
                for place, (id, text, learned) in enumerate(zip(ids, texts, trained, strict=True))
            )
        )
        more.append(int(tokens.lengths[sequence]) - len(ids))
    return PreviewRow(
        file=file,
        line=line,
        held_out=held_out,
        used=held_out or _has(sides.train, tokens, number),
        sequences=tuple(sequences),
        more=tuple(more),
    )


def _has(side: Side, tokens: TokenSet, number: int) -> bool:
    place = int(np.searchsorted(side.examples, number))
    return side.tokens is tokens and place < len(side.examples) and int(side.examples[place]) == number
