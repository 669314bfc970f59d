"""Where the disk space goes: a bar per model, Tenfold's own against shared, and what is free."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui import format as show
from ui.theme import Theme
from workbench.library.records import DiskUse, ModelRecord

_ROW = 40
_SIZE_WIDTH = 76
_RECORD = Qt.ItemDataRole.UserRole + 1
_Index = QModelIndex | QPersistentModelIndex


class DiskDialog(QDialog):
    """The models by size, largest first. Choosing one and pressing Enter goes to it."""

    def __init__(
        self, theme: Theme, use: DiskUse, records: Iterable[ModelRecord], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.chosen: ModelRecord | None = None
        ordered = sorted(records, key=lambda record: record.size_bytes, reverse=True)
        self.setWindowTitle("Disk use")
        self.resize(640, 560)
        title = QLabel("Disk use", self)
        title.setProperty("role", "title")
        self.list = QListView(self)
        self.list.setAccessibleName("Models by size")
        self.list.setUniformItemSizes(True)
        self.list.setModel(_SizeList(ordered, self.list))
        self.list.setItemDelegate(_SizeDelegate(theme, ordered[0].size_bytes if ordered else 1, self.list))
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.activated.connect(self._choose)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(14)
        column.addWidget(title)
        column.addWidget(_Share(theme, use, self))
        column.addLayout(_legend(theme, use, self))
        column.addWidget(self.list, 1)
        column.addWidget(buttons)

    def _choose(self, index: QModelIndex) -> None:
        self.chosen = index.data(_RECORD)
        self.accept()


def _legend(theme: Theme, use: DiskUse, parent: QWidget) -> QHBoxLayout:
    tokens = theme.tokens
    line = QHBoxLayout()
    line.setSpacing(22)
    for colour, words, size in (
        (tokens.accent, "Tenfold’s own", use.owned_bytes),
        (tokens.warn, "shared, used in place", use.shared_bytes),
        (tokens.line, "free", use.free_bytes),
    ):
        label = QLabel(
            f'<span style="color:{colour}">■</span>&nbsp; {words} <b>{show.bytes(size)}</b>', parent
        )
        label.setTextFormat(Qt.TextFormat.RichText)
        label.setProperty("role", "second")
        label.setAccessibleName(f"{words}: {show.bytes(size)}")
        line.addWidget(label)
    line.addStretch(1)
    return line


class _Share(QWidget):
    """One bar: own, shared, free."""

    def __init__(self, theme: Theme, use: DiskUse, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._use = use
        self.setFixedHeight(12)
        self.setAccessibleName("Share of the disk")

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        shape = QPainterPath()
        shape.addRoundedRect(whole, 6, 6)
        painter.setClipPath(shape)
        painter.fillRect(whole, QColor(tokens.line))
        total = max(self._use.owned_bytes + self._use.shared_bytes + self._use.free_bytes, 1)
        left = 0.0
        for size, colour in ((self._use.owned_bytes, tokens.accent), (self._use.shared_bytes, tokens.warn)):
            if size:
                width = max(whole.width() * size / total, 4)
                painter.fillRect(QRectF(left, 0, width - 1, whole.height()), QColor(colour))
                left += width


class _SizeList(QAbstractListModel):
    """Records by size."""

    def __init__(self, records: list[ModelRecord], parent: QWidget) -> None:
        super().__init__(parent)
        self._records = records

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._records)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        record = self._records[index.row()]
        if role == _RECORD:
            return record
        if role == Qt.ItemDataRole.DisplayRole:
            return record.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            whose = "shared" if record.in_place else "Tenfold’s own"
            return f"{record.name}, {show.bytes(record.size_bytes)}, {whose}"
        return None


class _SizeDelegate(QStyledItemDelegate):
    """Name, a bar against the largest, size."""

    def __init__(self, theme: Theme, largest: int, view: QListView) -> None:
        super().__init__(view)
        self._theme = theme
        self._largest = max(largest, 1)
        self._font = QFont(view.font())
        self._font.setPixelSize(13)
        self._font.setFeature(QFont.Tag("tnum"), 1)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        record: ModelRecord = index.data(_RECORD)
        tokens = self._theme.tokens
        rect: QRect = option.rect  # type: ignore[attr-defined]
        selected = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if selected:
            painter.setBrush(QColor(tokens.accent_soft))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 8, 8)
        left, right = rect.left() + 12, rect.right() - 12 - _SIZE_WIDTH
        bar_width = int((right - left) * 0.36)
        name_width = right - left - bar_width - 24
        metrics = QFontMetrics(self._font)
        painter.setFont(self._font)
        painter.setPen(QColor(tokens.text))
        align = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        name = metrics.elidedText(record.name, Qt.TextElideMode.ElideMiddle, name_width)
        painter.drawText(QRect(left, rect.top(), name_width, rect.height()), align, name)
        track = QRectF(right - bar_width, rect.center().y() - 3, bar_width, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.line))
        painter.drawRoundedRect(track, 3, 3)
        painter.setBrush(QColor(tokens.warn if record.in_place else tokens.accent))
        filled = QRectF(track)
        filled.setWidth(max(track.width() * record.size_bytes / self._largest, 6))
        painter.drawRoundedRect(filled, 3, 3)
        painter.setPen(QColor(tokens.second))
        right_align = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(
            QRect(right, rect.top(), _SIZE_WIDTH, rect.height()), right_align, show.bytes(record.size_bytes)
        )
        painter.restore()
