"""Cuts a text's tokens into the windows in which models are compared.

The cut of llama.cpp's `llama-perplexity`: windows one after the other without overlap, where what is left
at the end belongs to none, and where a model begins its texts with a token of its own, that stands in the
place of the first token of every window. In a window the second half is scored: the first gives the context,
and a prediction without any says little about a model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import Tokenizer
from workbench.errors import WorkbenchError

#: Tokens of a window, as `llama-perplexity` has it unless told otherwise.
WIDTH = 512

#: Token ids, shape (windows, width).
Windows = NDArray[np.int32]


def windows_of_text(tokenizer: Tokenizer, text: str, width: int = WIDTH, most: int | None = None) -> Windows:
    """A text's windows, by a model's own tokenizer.

    Raises:
        WorkbenchError: The text is shorter than one window.
    """
    begin = tokenizer.encode("", begin=True)
    return windows_of(tokenizer.encode(text, begin=False), width, most, begin=begin[0] if begin else None)


def windows_of(
    ids: Sequence[int] | NDArray[np.integer],
    width: int = WIDTH,
    most: int | None = None,
    *,
    begin: int | None = None,
) -> Windows:
    """Windows of some tokens.

    Args:
        ids: The text's tokens, without any that mark its begin.
        width: How long a window is; at least 4.
        most: At most so many windows, from the begin; None for all.
        begin: The token with which the model begins its texts; None where it has none.

    Raises:
        WorkbenchError: There are fewer tokens than one window has.

    >>> windows_of(range(10, 19), 4).tolist()
    [[10, 11, 12, 13], [14, 15, 16, 17]]
    >>> windows_of(range(10, 19), 4, begin=1).tolist()
    [[1, 10, 11, 12], [1, 14, 15, 16]]
    """
    tokens = np.asarray(ids if begin is None else [begin, *ids], dtype=np.int32)
    count = len(tokens) // width
    if not count:
        raise WorkbenchError(
            f"The text has {len(tokens)} tokens; to compare models on it, it needs {width} at least.",
            remedy="Choose a longer text.",
        )
    count = min(count, most or count)
    found: Windows = tokens[: count * width].reshape(count, width).copy()
    if begin is not None:
        found[:, 0] = begin
    return found


def first_scored(width: int) -> int:
    """The first position of a window whose prediction is scored; the last is the one before its last token.

    >>> first_scored(512)
    256
    """
    return width // 2
