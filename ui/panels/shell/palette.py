"""The command palette: type a few letters of a page, an action, a model or a job, and press Enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui import fuzzy
from ui.icons import pixmap
from ui.theme import Theme
from ui.widgets.card import label
from ui.widgets.overlay import Overlay

_SHOWN = 60
_ROW = 38
_ROWS = 10

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to choose: what it is called, what kind of thing it is, its keys, and what it does."""

    text: str
    kind: str
    icon: str
    run: Callable[[], object]
    keys: str = ""


class CommandPalette(Overlay):
    """Reads what there is anew each time it opens."""

    def __init__(self, theme: Theme, commands: Callable[[], Sequence[Command]], parent: QWidget) -> None:
        super().__init__(parent, width=600)
        self.setAccessibleName("Command palette")
        self._read = commands
        self._all: Sequence[Command] = ()
        self.field = QLineEdit()
        self.field.setPlaceholderText("Go to a page, a model or a job, or do something")
        self.field.setAccessibleName("Search commands")
        self.model = _Commands(self)
        self.view = QListView()
        self.view.setAccessibleName("Commands")
        self.view.setModel(self.model)
        self.view.setItemDelegate(_CommandDelegate(theme, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setMouseTracking(True)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._nothing = label("Nothing matches.", "second")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setFixedHeight(_ROW)
        column = QVBoxLayout(self.sheet)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(self.view)
        column.addWidget(self._nothing)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.view.clicked.connect(self._run)
        self.view.entered.connect(self.view.setCurrentIndex)

    def open(self) -> None:
        self._all = self._read()
        self.field.clear()
        self._search("")
        super().open()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = event.key()
            steps = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: _ROWS - 1,
                Qt.Key.Key_PageUp: 1 - _ROWS,
            }
            if key in steps:
                self._step(steps[Qt.Key(key)])
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.view.currentIndex())
                return True
        return super().eventFilter(watched, event)

    def _search(self, typed: str) -> None:
        found = fuzzy.best(typed, self._all, lambda command: f"{command.text} {command.kind}", _SHOWN)
        self.model.take(found)
        self.view.setVisible(bool(found))
        self._nothing.setVisible(not found)
        self.view.setFixedHeight(_ROW * min(len(found), _ROWS) + 2)
        if found:
            self.view.setCurrentIndex(self.model.index(0))

    def _step(self, by: int) -> None:
        rows = self.model.rowCount()
        if not rows:
            return
        row = self.view.currentIndex().row() + by
        row = row % rows if abs(by) == 1 else min(max(row, 0), rows - 1)
        self.view.setCurrentIndex(self.model.index(row))

    def _run(self, index: QModelIndex) -> None:
        command = self.model.command(index.row())
        if command is None:
            return
        self.close_sheet()
        command.run()


class _Commands(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: Sequence[Command] = ()

    def take(self, rows: Sequence[Command]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def command(self, row: int) -> Command | None:
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        command = self.command(index.row())
        if command is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return command.text
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return ", ".join(part for part in (command.text, command.kind, command.keys) if part)
        return None


class _CommandDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._small = QFont(parent.font())
        self._small.setPixelSize(12)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        command = model.command(index.row()) if isinstance(model, _Commands) else None
        if command is None:
            return
        tokens = self._theme.tokens
        box: QRect = option.rect  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:  # type: ignore[attr-defined]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.accent_soft))
            painter.drawRoundedRect(box.adjusted(0, 1, 0, -1), 8, 8)
        ratio = painter.device().devicePixelRatioF()
        sign = pixmap(command.icon, tokens.second, 18, ratio)
        painter.drawPixmap(box.left() + 10, box.center().y() - 8, sign)
        right = f"{command.kind}   {command.keys}" if command.keys else command.kind
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        painter.setFont(self._small)
        painter.setPen(QColor(tokens.second))
        width = QFontMetrics(self._small).horizontalAdvance(right) + 2
        painter.drawText(box.adjusted(0, 0, -12, 0), middle | int(Qt.AlignmentFlag.AlignRight), right)
        painter.setFont(option.font)  # type: ignore[attr-defined]
        painter.setPen(QColor(tokens.text))
        room = box.adjusted(40, 0, -width - 28, 0)
        text = QFontMetrics(option.font).elidedText(  # type: ignore[attr-defined]
            command.text, Qt.TextElideMode.ElideMiddle, room.width()
        )
        painter.drawText(room, middle | int(Qt.AlignmentFlag.AlignLeft), text)
        painter.restore()
