"""Where a model's bytes are: one bar of its storage types, and a line for each group of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import format as show
from ui.theme import PLOT_COLOURS, Theme
from workbench.model import TensorGroup

_BAR = 10
_LINE = 22
_SWATCH = 8
#: Lines beyond this many are summed up: a model with per-tensor overrides can have dozens of groups.
_MAX_LINES = 10


class BitsChart(QWidget):
    """The groups from the largest to the smallest. Each storage type has one colour in bar and lines."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._groups: list[TensorGroup] = []
        self._types: list[str] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_groups(self, groups: Sequence[TensorGroup]) -> None:
        ordered = sorted(groups, key=lambda group: group.size_bytes, reverse=True)
        if len(ordered) > _MAX_LINES:
            kept, rest = ordered[: _MAX_LINES - 1], ordered[_MAX_LINES - 1 :]
            ordered = [*kept, _sum_of(rest)]
        self._groups = ordered
        by_type: dict[str, int] = {}
        for group in ordered:
            by_type[group.type] = by_type.get(group.type, 0) + group.size_bytes
        self._types = sorted(by_type, key=lambda each: by_type[each], reverse=True)
        told = ", ".join(f"{each.name} {each.type} {show.bytes(each.size_bytes)}" for each in ordered)
        self.setAccessibleName("Storage type of each tensor group")
        self.setAccessibleDescription(told)
        self.setToolTip(
            "\n".join(
                f"{each.name}: {show.count(each.tensors)} tensors, {show.count(each.parameters)} weights, "
                f"{each.type}, {show.bytes(each.size_bytes)}"
                for each in ordered
            )
        )
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, _BAR + 8 + _LINE * len(self._groups))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bar(painter)
        tokens = self._theme.tokens
        font = QFont(self.font())
        font.setPixelSize(12)
        font.setFeature(QFont.Tag("tnum"), 1)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        sizes = [show.bytes(group.size_bytes) for group in self._groups]
        size_width = max((metrics.horizontalAdvance(size) for size in sizes), default=0)
        type_width = max((metrics.horizontalAdvance(group.type) for group in self._groups), default=0)
        type_width = min(type_width, self.width() // 3)
        for place, (group, size) in enumerate(zip(self._groups, sizes, strict=True)):
            top = _BAR + 8 + place * _LINE
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._colour(group.type))
            painter.drawRoundedRect(QRectF(0, top + (_LINE - _SWATCH) / 2, _SWATCH, _SWATCH), 2, 2)
            align = Qt.AlignmentFlag.AlignVCenter
            size_left = self.width() - size_width
            type_left = size_left - 16 - type_width
            name_width = type_left - _SWATCH - 20
            painter.setPen(QColor(tokens.second))
            name = metrics.elidedText(group.name, Qt.TextElideMode.ElideRight, name_width)
            painter.drawText(QRectF(_SWATCH + 8, top, name_width, _LINE), align, name)
            painter.setPen(QColor(tokens.text))
            kind = metrics.elidedText(group.type, Qt.TextElideMode.ElideRight, type_width + 1)
            painter.drawText(QRectF(type_left, top, type_width + 2, _LINE), align, kind)
            painter.setPen(QColor(tokens.second))
            right = align | Qt.AlignmentFlag.AlignRight
            painter.drawText(QRectF(size_left - 2, top, size_width + 2, _LINE), right, size)

    def _paint_bar(self, painter: QPainter) -> None:
        total = sum(group.size_bytes for group in self._groups)
        if not total:
            return
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(0, 0, self.width(), _BAR), _BAR / 2, _BAR / 2)
        painter.save()
        painter.setClipPath(shape)
        painter.setPen(Qt.PenStyle.NoPen)
        left = 0.0
        for kind in self._types:
            share = sum(group.size_bytes for group in self._groups if group.type == kind) / total
            width = share * self.width()
            # A gap of two pixels keeps neighbours apart where their colours look alike.
            painter.setBrush(self._colour(kind))
            painter.drawRect(QRectF(left, 0, max(width - 2, 1), _BAR))
            left += width
        painter.restore()

    def _colour(self, kind: str) -> QColor:
        return QColor(PLOT_COLOURS[self._types.index(kind) % len(PLOT_COLOURS)])


def _sum_of(groups: Sequence[TensorGroup]) -> TensorGroup:
    types = {group.type for group in groups}
    return TensorGroup(
        name=f"{len(groups)} more groups",
        type=types.pop() if len(types) == 1 else "mixed",
        tensors=sum(group.tensors for group in groups),
        parameters=sum(group.parameters for group in groups),
        size_bytes=sum(group.size_bytes for group in groups),
    )
