"""Asks before models are removed, and says how many bytes come back and what stays."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import format as show
from ui.widgets.model_title import WrappedTitle
from workbench.library.records import ModelRecord, Removal

_LISTED = 6


class DeleteDialog(QDialog):
    """Accepted where the person agrees. A model that a job needs has no button to agree with."""

    def __init__(
        self, removals: Sequence[tuple[ModelRecord, Removal]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        blocked = [(record, removal) for record, removal in removals if removal.blocked_by]
        only_forget = all(removal.in_place for _, removal in removals)
        verb = "Remove" if only_forget else "Delete"
        what = removals[0][0].name if len(removals) == 1 else f"{len(removals)} models"
        self.setWindowTitle(f"{verb} {what}"[:120])
        self.setFixedWidth(460)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(12)
        title = WrappedTitle(pixels=16, lines=3, parent=self)
        title.set_text(f"{what} is in use" if blocked and len(removals) == 1 else f"{verb} {what}?")
        column.addWidget(title)
        self.text = QLabel("\n\n".join(_lines(removals, blocked)), self)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setProperty("role", "second")
        column.addWidget(self.text)
        column.addSpacing(6)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        self.keep = QPushButton("Close" if blocked else "Keep", self)
        self.keep.setAccessibleName("Keep everything as it is")
        self.keep.clicked.connect(self.reject)
        buttons.addWidget(self.keep)
        self.agree = QPushButton(verb, self)
        self.agree.setProperty("variant", "primary" if only_forget else "danger")
        self.agree.setAccessibleName(f"{verb} {what}")
        self.agree.clicked.connect(self.accept)
        self.agree.setVisible(not blocked)
        buttons.addWidget(self.agree)
        self.keep.setDefault(True)
        column.addLayout(buttons)


def _lines(
    removals: Sequence[tuple[ModelRecord, Removal]], blocked: Sequence[tuple[ModelRecord, Removal]]
) -> list[str]:
    if blocked:
        jobs = list(dict.fromkeys(title for _, removal in blocked for title in removal.blocked_by))
        whose = "It is" if len(removals) == 1 else f"{_names([record for record, _ in blocked])} is"
        return [
            f"{whose} needed by {_titles(jobs)}.",
            "Wait for that to end, or cancel it, then delete the model.",
        ]
    lines = []
    owned = [removal for _, removal in removals if not removal.in_place]
    if owned:
        back = sum(removal.bytes_back for removal in owned)
        lines.append(f"{show.bytes(back)} come back. The files are deleted for good.")
    in_place = [record for record, removal in removals if removal.in_place]
    if in_place:
        which = (
            "It is" if len(removals) == 1 else f"{_names(in_place)} {'is' if len(in_place) == 1 else 'are'}"
        )
        lines.append(
            f"{which} used in place: Tenfold only forgets it, and the files stay where they are."
            if len(in_place) == 1
            else f"{which} used in place: Tenfold only forgets them, and the files stay where they are."
        )
    leaving = {record.id for record, _ in removals}
    children = [child for _, removal in removals for child in removal.children if child.id not in leaving]
    if children:
        stay = "stays" if len(children) == 1 else "stay"
        lines.append(f"What was made from it {stay}: {_names(children)}.")
    adapters = [child for child in children if child.format == "adapter"]
    if adapters:
        lines.append(f"Adapters are of no use without their base: {_names(adapters)}.")
    return lines


def _names(records: Sequence[ModelRecord]) -> str:
    return _titles([record.name for record in records])


def _titles(titles: Sequence[str]) -> str:
    shown = [f"“{title if len(title) <= 60 else title[:59] + '…'}”" for title in titles[:_LISTED]]
    rest = len(titles) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
