"""Saves charts and tables as PNG, SVG and CSV: a file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QBuffer, QIODevice, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

from ui.models.compare_figures import Table, csv_text
from ui.tokens import Tokens
from workbench.errors import WorkbenchError

#: What there is to save as.
ENDINGS = ("png", "svg", "csv")
#: A picture is drawn at this many pixels a point, and at least as large as a text's column is wide.
_SCALE = 2.0
_LEAST = QSize(640, 400)


class Drawing(Protocol):
    """What can be saved: it draws itself at any size, and has its figures as a table."""

    heading: str

    def draw(self, painter: QPainter, size: QSizeF, tokens: Tokens) -> object: ...

    def table(self) -> Table: ...

    def size(self) -> QSize: ...


def save(drawing: Drawing, path: Path, tokens: Tokens) -> None:
    """Save a drawing as what the file's ending says.

    Raises:
        WorkbenchError: The file can't be written, or its ending is none of .png, .svg and .csv.
    """
    size = drawing.size().expandedTo(_LEAST)
    match path.suffix.lower():
        case ".png":
            write(path, _png(drawing, size, tokens))
        case ".svg":
            write(path, _svg(drawing, size, tokens))
        case ".csv":
            write(path, csv_text(drawing.table()).encode())
        case other:
            raise WorkbenchError(
                f"A chart can't be saved as “{other or path.name}”.",
                remedy="Let the name end in .png, .svg or .csv.",
            )


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        WorkbenchError: It can't be written.
    """
    draft = path.with_name(f".{path.name}.partial")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)  # noqa: PTH105 - the one atomic step, named as such
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise WorkbenchError(
            f"{path} could not be saved: {error.strerror or error}.",
            remedy="Choose a folder that you may write to.",
        ) from error


def _png(drawing: Drawing, size: QSize, tokens: Tokens) -> bytes:
    image = QImage(size * _SCALE, QImage.Format.Format_ARGB32)
    image.setDevicePixelRatio(_SCALE)
    image.fill(QColor(tokens.card))
    painter = QPainter(image)
    drawing.draw(painter, QSizeF(size), tokens)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def _svg(drawing: Drawing, size: QSize, tokens: Tokens) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    made = QSvgGenerator()
    made.setOutputDevice(buffer)
    made.setSize(size)
    made.setViewBox(QRectF(0, 0, size.width(), size.height()))
    made.setTitle(drawing.heading)
    painter = QPainter(made)
    painter.fillRect(QRectF(0, 0, size.width(), size.height()), QColor(tokens.card))
    painter.setPen(Qt.PenStyle.SolidLine)
    drawing.draw(painter, QSizeF(size), tokens)
    painter.end()
    return bytes(buffer.data().data())
