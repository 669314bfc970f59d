"""Hands a proof card over as a file: sealed JSON, a page, a picture, a table."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from PySide6.QtCore import QBuffer, QCoreApplication, QEvent, QIODevice, QPoint, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets.proof_card import ProofCard
from workbench.errors import WorkbenchError
from workbench.jobs.build import file_name
from workbench.measure.card import ENDING, Card, encode
from workbench.measure.export_html import page
from workbench.measure.export_markdown import markdown

#: Of each form: the ending of its files, and what a file dialog calls them.
_FILES = {
    "json": (ENDING, "Proof cards"),
    "html": (".proof.html", "Pages"),
    "png": (".proof.png", "Pictures"),
    "markdown": (".proof.md", "Markdown"),
}
#: How wide a card is in a picture, and how many pixels stand for one of the window's.
_WIDTH, _SCALE = 440, 2.0
_MARGIN = 24
#: Text that wraps knows its height only at the width that an earlier pass gave it.
_PASSES = 3


def ask_where(card: Card, form: str, parent: QWidget) -> Path | None:
    """Have the person choose a file; None where they think better of it."""
    ending, title = _FILES[form]
    start = file_name(card.subject.name) + ending
    chosen, _ = QFileDialog.getSaveFileName(
        parent, "Export proof", start, f"{title} (*{Path(ending).suffix})"
    )
    return Path(chosen) if chosen else None


def write_card(card: Card, form: str, path: Path, theme: Theme) -> None:
    """Write a card in a form, whole or not at all.

    Raises:
        WorkbenchError: The file can't be written.
    """
    match form:
        case "json":
            written = encode(card)
        case "html":
            written = page(card).encode()
        case "markdown":
            written = markdown(card).encode()
        case _:
            written = _png(picture(card, theme))
    draft = path.with_name(f".{uuid.uuid4().hex[:8]}.partial")
    try:
        draft.write_bytes(written)
        os.replace(draft, path)  # noqa: PTH105 - the one atomic step, named as such
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise WorkbenchError(
            f"The proof could not be saved as {path}: {error.strerror or error}.",
            remedy="Choose a folder that you may write to.",
        ) from error


def picture(card: Card, theme: Theme) -> QImage:
    """The card as a picture in the window's colours, with its conditions unfolded."""
    sheet = QWidget()
    column = QVBoxLayout(sheet)
    column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
    shown = ProofCard(theme, sheet, standalone=True)
    column.addWidget(shown)
    shown.show_card(card)
    sheet.resize(_WIDTH, _WIDTH)
    # Only what is shown is laid out whole: text that wraps, rows that appear.
    sheet.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    sheet.show()
    for _ in range(_PASSES):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        sheet.resize(_WIDTH, max(column.heightForWidth(_WIDTH), column.minimumSize().height()))
    image = QImage(QSize(sheet.size() * _SCALE), QImage.Format.Format_ARGB32)
    image.setDevicePixelRatio(_SCALE)
    image.fill(QColor(theme.tokens.card))
    painter = QPainter(image)
    sheet.render(painter, QPoint(0, 0), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()
    sheet.hide()
    sheet.deleteLater()
    return image


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())
