"""The operations under their headings: what applies to the model, what does not and why, what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.theme import Theme
from ui.widgets.row_painting import paint_ground
from workbench.catalogue_entry import OperationEntry, PluginFailure
from workbench.model import ModelFacts

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One row: a heading, an operation with what stands or speaks against it, or a plugin that failed."""

    heading: str = ""
    entry: OperationEntry | None = None
    obstacles: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    failure: PluginFailure | None = None


class OperationListModel(QAbstractListModel):
    """Rows for a model's facts; operations that make a model from nothing are left to the Models page."""

    ROW_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[OperationRow] = []

    def set_contents(
        self,
        operations: Sequence[OperationEntry],
        failures: Sequence[PluginFailure],
        facts: ModelFacts | None,
    ) -> None:
        """Judge each operation by a model's facts; without a model none stands against any."""
        rows: list[OperationRow] = []
        offered = [entry for entry in operations if entry.input is not None]
        for group in dict.fromkeys(entry.group for entry in offered):
            rows.append(OperationRow(heading=group))
            judged = [
                OperationRow(
                    entry=entry,
                    obstacles=entry.obstacles(facts) if facts is not None else (),
                    cautions=entry.cautions(facts) if facts is not None else (),
                )
                for entry in offered
                if entry.group == group
            ]
            rows += sorted(
                judged, key=lambda row: (bool(row.obstacles), row.entry.title if row.entry else "")
            )
        if failures:
            rows.append(OperationRow(heading="Could not be loaded"))
            rows += [OperationRow(failure=failure) for failure in failures]
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def row(self, number: int) -> OperationRow | None:
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def row_of(self, name: str) -> int:
        """The row of an operation or of a failed plugin; -1 where there is none."""
        return next(
            (
                number
                for number, row in enumerate(self._rows)
                if (row.entry is not None and row.entry.name == name)
                or (row.failure is not None and row.failure.plugin == name)
            ),
            -1,
        )

    def first_usable(self) -> int:
        """The row to begin with: one that nothing speaks against, else one that works at all; -1 for none."""
        usable = [
            (bool(row.cautions), number)
            for number, row in enumerate(self._rows)
            if row.entry is not None and not row.obstacles
        ]
        return min(usable, default=(False, -1))[1]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.row(index.row())
        if row is None:
            return None
        if role == self.ROW_ROLE:
            return row
        title, line = texts(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        if role == Qt.ItemDataRole.ToolTipRole:
            return line or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (title, line) if part)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        row = self.row(index.row())
        if row is None or row.heading:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class OperationDelegate(QStyledItemDelegate):
    """Paints headings small, operations in two lines, and dims what does not apply."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title, self._line, self._heading = QFont(), QFont(), QFont()
        self._title.setPixelSize(13)
        self._title.setWeight(QFont.Weight.DemiBold)
        self._line.setPixelSize(12)
        self._heading.setPixelSize(12)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        row: OperationRow = index.data(OperationListModel.ROW_ROLE)
        return QSize(180, 30 if row.heading else 52)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: OperationRow = index.data(OperationListModel.ROW_ROLE)
        tokens = self._theme.tokens
        box: QRect = option.rect.adjusted(0, 1, 0, -1)  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.heading:
            painter.setFont(self._heading)
            painter.setPen(QColor(tokens.second))
            painter.drawText(box.adjusted(10, 4, -8, 0), align, row.heading)
            painter.restore()
            return
        paint_ground(painter, box, state, tokens)
        title, line = texts(row)
        width = box.width() - 20
        painter.setFont(self._title)
        painter.setPen(QColor(tokens.second if row.obstacles else tokens.text))
        text = QFontMetrics(self._title).elidedText(title, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(box.left() + 10, box.top() + 6, width, 19), align, text)
        painter.setFont(self._line)
        painter.setPen(QColor(tokens.bad if row.failure is not None else tokens.second))
        text = QFontMetrics(self._line).elidedText(line, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRect(box.left() + 10, box.top() + 25, width, 18), align, text)
        painter.restore()


class OperationList(QListView):
    """The list itself."""

    def __init__(self, theme: Theme, model: OperationListModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(OperationDelegate(theme, self))
        self.setAccessibleName("Operations")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)


def texts(row: OperationRow) -> tuple[str, str]:
    """The two lines of a row."""
    if row.failure is not None:
        return row.failure.plugin, row.failure.reason
    if row.entry is not None:
        return row.entry.title, " ".join(row.obstacles) if row.obstacles else row.entry.summary
    return row.heading, ""
