"""Says what an operation does, or why a plugin offers none."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from ui.widgets.message import MessageBar
from workbench.catalogue_entry import OperationEntry, PluginFailure


class OperationHead(QWidget):
    """A title, a summary, and the rest of the documentation folded; above a form."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel()
        self._title.setProperty("role", "section")
        # Until the first operation is shown; each new plugin is looked at in a process of its own.
        self._summary = QLabel("Looking at the plugins…")
        self._summary.setProperty("role", "second")
        self._summary.setWordWrap(True)
        self._more = QToolButton()
        self._more.setText("More about it")
        self._more.setCheckable(True)
        self._more.setArrowType(Qt.ArrowType.RightArrow)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more.setAutoRaise(True)
        self._documentation = QLabel()
        self._documentation.setProperty("role", "second")
        self._documentation.setWordWrap(True)
        self._documentation.setTextFormat(Qt.TextFormat.PlainText)
        self._documentation.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._more.toggled.connect(self._fold)
        self.failure = MessageBar("bad", "", "", "")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self._title)
        layout.addWidget(self._summary)
        layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._documentation)
        layout.addWidget(self.failure)
        for hidden in (self._more, self._documentation, self.failure):
            hidden.hide()

    def show_entry(self, entry: OperationEntry) -> None:
        """Say what an operation does; what was unfolded of another is folded again."""
        self._title.setText(entry.title)
        self._summary.setText(entry.summary)
        rest = entry.documentation.partition("\n")[2].strip()
        self._documentation.setText(rest)
        self._more.setVisible(bool(rest))
        self._more.setChecked(False)
        self.failure.hide()

    def show_failure(self, failure: PluginFailure) -> None:
        """Say why a plugin offers nothing."""
        self._title.setText(failure.plugin)
        self._summary.setText(f"From {failure.source}. Nothing else is harmed by it.")
        self._more.setChecked(False)
        self._more.hide()
        self.failure.show_message(
            "bad",
            failure.reason,
            "Mend or remove the plugin; it is tried again when its file changes.",
            failure.traceback,
        )
        self.failure.show()

    def _fold(self, open_: bool) -> None:
        self._documentation.setVisible(open_)
        self._more.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
