"""Rows of the narrow forms beside a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QWidget

from ui.widgets.card import label
from ui.widgets.form_inputs import CalmDoubleSpinBox, CalmSpinBox

_LABEL_WIDTH = 92


def narrow_form() -> QFormLayout:
    """A form whose fields take the width that the names leave."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(10)
    form.setVerticalSpacing(6)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return form


def add_row(form: QFormLayout, name: str, field: QWidget) -> None:
    """A row whose field takes what width is left, however long its choices are."""
    field.setAccessibleName(name)
    field.setMinimumWidth(60)
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    text = label(name, "caption")
    text.setFixedSize(_LABEL_WIDTH, field.sizeHint().height())
    text.setBuddy(field)
    form.addRow(text, field)


def refill(box: QComboBox, items: Sequence[tuple[str, object]]) -> None:
    """Offer other choices; what was chosen stays chosen where it is still there."""
    chosen = box.currentData()
    box.clear()
    for title, value in items:
        box.addItem(title, value)
    box.setCurrentIndex(max(0, box.findData(chosen)))


def number(low: float, high: float, step: float, tip: str) -> CalmDoubleSpinBox:
    """A field for a decimal number."""
    box = CalmDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setToolTip(tip)
    return box


def count(low: int, high: int, tip: str) -> CalmSpinBox:
    """A field for a whole number."""
    box = CalmSpinBox()
    box.setRange(low, high)
    box.setToolTip(tip)
    return box
