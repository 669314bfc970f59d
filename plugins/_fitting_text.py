"""The text that a quantization is fitted on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from workbench.plugin import calibration_text, plain_text


@dataclass(frozen=True, slots=True)
class FittingText:
    """A text that something is fitted on.

    Attributes:
        name: What it is called.
        sha256: Of its characters in UTF-8.
    """

    name: str
    text: str
    sha256: str


def fitting_text(path: Path | None) -> FittingText:
    """A file's text, or the one that ships with Tenfold for fitting, which no proof is measured on.

    Raises:
        DataError: The file is missing, no text, or empty.
    """
    text = calibration_text() if path is None else plain_text(path.expanduser())
    name = "Tenfold's calibration text" if path is None else path.name
    return FittingText(name, text, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest())
