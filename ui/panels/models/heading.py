"""The head of the detail panel: name, origin with links to parent and job, the one big figure."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import format as show
from ui.theme import Theme
from ui.widgets.model_title import WrappedTitle
from ui.widgets.model_words import gain_line
from ui.widgets.tuning_words import gain_figure
from workbench.library.records import ModelRecord

_LINK_LETTERS = 44


class Heading(QWidget):
    """Says which model this is and what came of making it.

    Signals:
        link_wanted: `model` or `job`, and its id.
        locate_wanted, remove_wanted: What to do about files that are gone.
    """

    link_wanted = Signal(str, str)
    locate_wanted = Signal()
    remove_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[ModelRecord, ModelRecord | None, str] | None = None
        self._title = WrappedTitle(parent=self)
        self._origin = QLabel(self)
        self._origin.setProperty("role", "caption")
        self._origin.setWordWrap(True)
        self._origin.setTextFormat(Qt.TextFormat.RichText)
        self._origin.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self._origin.linkActivated.connect(lambda link: self.link_wanted.emit(*link.split(":", 1)))
        self._figure = QLabel(self)
        self._figure.setProperty("role", "figure")
        self._beside = QLabel(self)
        self._beside.setProperty("role", "second")
        figures = QHBoxLayout()
        figures.addWidget(self._figure)
        figures.addStretch(1)
        figures.addWidget(self._beside, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self._title)
        column.addWidget(self._origin)
        column.addWidget(self._build_gone())
        column.addLayout(figures)
        theme.changed.connect(self._tell_origin)

    def show_model(
        self,
        record: ModelRecord,
        parent: ModelRecord | None,
        job_title: str,
        *,
        missing: bool,
        proved: bool = False,
    ) -> None:
        """Show a model; one that was `proved` has its figures on the card below."""
        self._shown = (record, parent, job_title)
        self._title.set_text(record.name)
        self._tell_origin()
        gain, of = gain_line(record, parent), show.bytes(record.size_bytes)
        if record.tuning is not None:
            gain, of = gain_figure(record.tuning)
        self._figure.setText(gain or show.bytes(record.size_bytes))
        self._beside.setText(of if gain else record.quantization)
        for each in (self._figure, self._beside):
            each.setVisible(not proved)
        self._gone.setVisible(missing)
        self._gone_text.setText(
            f"Its files are no longer at {_breakable(str(record.path))}. They were moved or deleted, "
            "or their disk is not connected."
        )

    def _tell_origin(self) -> None:
        if self._shown is None:
            return
        record, parent, job_title = self._shown
        made = (
            f"{'of' if record.format == 'adapter' else 'from'} {self._link('model', parent.id, parent.name)}"
            if parent is not None
            else html.escape(source_line(record.source))
        )
        if record.job_id:
            made += f", by {self._link('job', record.job_id, job_title or f'job {record.job_id}')}"
        self._origin.setText(f"{made} · {html.escape(show.date(record.created_at))}")

    def _link(self, what: str, id: str, text: str) -> str:
        shortened = text if len(text) <= _LINK_LETTERS else f"{text[:20]}…{text[-20:]}"
        colour = self._theme.tokens.accent
        return (
            f'<a href="{what}:{html.escape(id)}" style="color:{colour};text-decoration:none">'
            f"{html.escape(shortened)}</a>"
        )

    def _build_gone(self) -> QWidget:
        """What is shown where the files of a model have vanished."""
        self._gone = QWidget(self)
        self._gone_text = QLabel(self._gone)
        self._gone_text.setProperty("role", "second")
        self._gone_text.setWordWrap(True)
        mark = QLabel("Missing", self._gone)
        mark.setProperty("badge", "bad")
        locate = QPushButton("Locate…", self._gone)
        locate.setAccessibleName("Say where the model's files are now")
        locate.clicked.connect(self.locate_wanted)
        remove = QPushButton("Remove", self._gone)
        remove.setProperty("variant", "quiet")
        remove.setAccessibleName("Remove the model from the list")
        remove.clicked.connect(self.remove_wanted)
        buttons = QHBoxLayout()
        buttons.addWidget(locate)
        buttons.addWidget(remove)
        buttons.addStretch(1)
        column = QVBoxLayout(self._gone)
        column.setContentsMargins(0, 4, 0, 8)
        column.addWidget(mark, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._gone_text)
        column.addLayout(buttons)
        self._gone.hide()
        return self._gone


def source_line(source: str) -> str:
    """Where a model came from, in words: `hub, org/name` for `hf:org/name`."""
    known = {
        "file": "added from a file",
        "folder": "added from a folder",
        "sample": "the included sample",
        "ollama": "found in Ollama",
        "lmstudio": "found in LM Studio",
        "hf-cache": "found in the Hugging Face cache",
        "drop": "added by dropping it here",
    }
    if source.startswith("hf:"):
        return f"from the hub, {source[3:]}"
    return known.get(source, f"from {source}" if source else "added by hand")


def _breakable(text: str) -> str:
    """Text that a label can break after each separator of a path."""
    return text.replace("/", "/\u200b").replace("\\", "\\\u200b").replace("_", "_\u200b")
