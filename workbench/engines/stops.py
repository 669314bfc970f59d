"""Text as it grows: joins bytes to characters, and holds back what may become a stop text."""

from __future__ import annotations

import codecs


class TextStream:
    """Turns the bytes of tokens into text that can be shown at once.

    A character that spans tokens appears when it is whole; what may be the beginning of a stop text is held
    back until it is clear.

    >>> stream = TextStream(("END",))
    >>> stream.push(b"a\\xc3"), stream.push(b"\\xa4 E"), stream.push(b"N"), stream.push(b"x")
    ('a', 'ä ', '', 'ENx')
    >>> stream.push(b"yENDz"), stream.stopped
    ('y', True)

    Args:
        stops: Texts that end the stream; empty ones are ignored.
    """

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._stops = tuple(each for each in stops if each)
        self._longest = max(map(len, self._stops), default=0)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""
        #: Whether a stop text was found; nothing follows.
        self.stopped = False

    def push(self, piece: bytes) -> str:
        """Add bytes; returns the text that is now certain."""
        return self._release(self._decode(piece), last=False)

    def finish(self) -> str:
        """The rest: text that was held back, and a broken character as U+FFFD."""
        return self._release(self._decode(b"", True), last=True)

    def _release(self, text: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        self._held = ""
        if not self._stops:
            return text
        found = min((at for at in map(text.find, self._stops) if at >= 0), default=-1)
        if found >= 0:
            self.stopped = True
            return text[:found]
        if last:
            return text
        keep = self._possible_stop(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _possible_stop(self, text: str) -> int:
        """How many characters at the end may be the beginning of a stop text."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
