"""The right side of the Optimize page: what will happen, and the button that makes it happen."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.widgets.form_inputs import CalmComboBox
from ui.widgets.message import MessageBar
from ui.widgets.place_choice import PlaceChoice
from ui.widgets.sweep_button import SweepButton
from workbench.catalogue_entry import OperationEntry
from workbench.errors import MissingExtraError
from workbench.jobs.proof_jobs import ProofForm, can_end_with_proof
from workbench.model import FORMAT_TITLES, ModelFacts
from workbench.params import Choice, FieldSpec

#: A module that is there when a backend's extra is installed. Only looked for, never imported.
_MODULES = {"llama": ("llama_cpp", "llama.cpp"), "torch": ("torch", "PyTorch"), "mlx": ("mlx_lm", "MLX")}

#: How the result can be measured, with what that means.
_PROOFS: dict[ProofForm, tuple[str, str]] = {
    "quick": ("Quick proof", "Speed, memory and distance from what it was made from, in a minute or so"),
    "full": ("Full proof", "More text, batch sizes and depths: several minutes"),
    "none": ("No proof", "It can be measured later, on the Models page"),
}

#: Left free of the disk by any plan.
_SPARE_BYTES = 200_000_000


def missing_backend(backend: str) -> MissingExtraError | None:
    """What must be installed before an operation can run; None where it is there.

    Found or not is all that can be said here: whether it works is for `tenfold doctor` or the job to say.
    """
    if backend not in _MODULES:
        return None
    module, title = _MODULES[backend]
    return None if importlib.util.find_spec(module) is not None else MissingExtraError(title, backend)


def estimated_bytes(
    fields: tuple[FieldSpec, ...], values: Mapping[str, Any], facts: ModelFacts | None
) -> int | None:
    """About how large the result becomes: bits per weight of the choices made, times the weights."""
    if facts is None or not facts.parameters:
        return None
    for spec in fields:
        chosen = next((each for each in spec.choices if each.value == values.get(spec.name)), None)
        size = size_of_choice(chosen, facts) if chosen is not None else None
        if size is not None:
            return size
    return None


def size_of_choice(choice: Choice, facts: ModelFacts | None) -> int | None:
    bits = choice.facts.get("bits")
    return int(facts.parameters * bits / 8) if bits and facts is not None and facts.parameters else None


#: Said before the start, because making it uses the network.
_OWN_ENVIRONMENT = " It runs in an environment of its own with {}, which the first such job downloads."


class OptimizePlan(QFrame):
    """What a start would make, where, and how large.

    Signals:
        start: The job is to be started.
        export: The job is to be saved as a script and not started.
        sweep: Many values are to be tried.
        renamed: The name of the result was edited by a person.
        proof_chosen: How the result is measured was chosen: `none`, `quick` or `full`.
    """

    start = Signal()
    export = Signal()
    sweep = Signal()
    renamed = Signal(str)
    proof_chosen = Signal(str)

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self._folder = folder
        title = QLabel("What will happen")
        title.setProperty("role", "section")
        self.sentence = QLabel()
        self.sentence.setProperty("role", "second")
        self.sentence.setWordWrap(True)
        self.name = QLineEdit()
        self.name.setAccessibleName("Name of the result")
        name_title = QLabel("Name of the result")
        name_title.setProperty("role", "caption")
        name_title.setBuddy(self.name)
        self._rows = {key: _value() for key in ("from", "format", "size", "free", "runs", "resume")}
        self._titles = {
            "from": "From",
            "format": "Makes",
            "size": "Size",
            "free": "Disk free",
            "runs": "Runs on",
            "resume": "After a pause",
        }
        table = QFormLayout()
        table.setContentsMargins(0, 4, 0, 4)
        table.setHorizontalSpacing(16)
        table.setVerticalSpacing(8)
        for key, value in self._rows.items():
            caption = QLabel(self._titles[key])
            caption.setProperty("role", "second")
            table.addRow(caption, value)
        self.proof = CalmComboBox(self)
        self.proof.setAccessibleName("Measure the result")
        for form, (name, tip) in _PROOFS.items():
            self.proof.addItem(name, form)
            self.proof.setItemData(self.proof.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.proof.activated.connect(lambda _place: self.proof_chosen.emit(self.proof.currentData()))
        self._proof_title = QLabel("Measure the result")
        self._proof_title.setProperty("role", "caption")
        self._proof_title.setBuddy(self.proof)
        self.place = PlaceChoice(self)
        self.notice = MessageBar("warn", "", "", "")
        self.notice.hide()
        self.start_button = QPushButton("Start")
        self.start_button.setProperty("variant", "primary")
        self.start_button.setToolTip("Start the job (Ctrl+Enter)")
        self.start_button.setAccessibleDescription("Ctrl+Enter")
        self.export_button = QPushButton("Export as script…")
        self.export_button.setToolTip("Save what Start would run as a Python script, and do not start it")
        self.sweep_button = SweepButton(self)
        others = QHBoxLayout()
        others.setSpacing(8)
        others.addWidget(self.export_button, 1)
        others.addWidget(self.sweep_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(10)
        layout.addWidget(title)
        layout.addWidget(self.sentence)
        layout.addWidget(name_title)
        layout.addWidget(self.name)
        layout.addLayout(table)
        layout.addWidget(self._proof_title)
        layout.addWidget(self.proof)
        layout.addWidget(self.place)
        layout.addWidget(self.notice)
        layout.addStretch(1)
        layout.addLayout(others)
        layout.addWidget(self.start_button)
        self.start_button.clicked.connect(self.start)
        self.export_button.clicked.connect(self.export)
        self.sweep_button.clicked.connect(self.sweep)
        self.name.textEdited.connect(self.renamed)

    def show_plan(
        self,
        entry: OperationEntry,
        values: Mapping[str, Any],
        facts: ModelFacts | None,
        *,
        model_name: str,
        source_bytes: int,
        output_name: str,
        obstacles: tuple[str, ...],
    ) -> None:
        """Say what a start would do with these values."""
        if self.name.text() != output_name:
            self.name.setText(output_name)
        made = _made(entry)
        self.sentence.setText(
            f"A job of its own reads {model_name or 'the model'} and leaves it as it is. "
            + (f"The {made} appears below it in the library." if entry.output else "")
            + (_OWN_ENVIRONMENT.format(", ".join(entry.requires)) if entry.requires else "")
        )
        self._set("from", f"{model_name} · {format.bytes(source_bytes)}" if model_name else "no model chosen")
        self._set("format", made)
        # An adapter's size has nothing to do with its base's.
        size = estimated_bytes(entry.fields, values, facts) if entry.output != "adapter" else None
        share = f" · {size / source_bytes:.0%}".replace("%", "\u202f%") if size and source_bytes else ""
        self._set("size", f"about {format.bytes(size)}{share}" if size else "known when it is made")
        free = shutil.disk_usage(self._folder).free
        self._set("free", format.bytes(free))
        slot = {"cpu": "CPU", "gpu": "GPU", "network": "network"}[entry.needs]
        self._set(
            "runs", " · ".join(part for part in (_MODULES.get(entry.backend, ("", ""))[1], slot) if part)
        )
        goes_on = entry.resumable and not entry.restarts
        for widget in (self._proof_title, self.proof):
            widget.setVisible(can_end_with_proof(entry))
        self._set("resume", "goes on where it stopped" if goes_on else "begins anew, same result")
        self._show_notice(entry, facts, obstacles, size, free)

    def show_proof(self, form: ProofForm) -> None:
        """Show how the result is measured."""
        self.proof.setCurrentIndex(self.proof.findData(form))

    def _show_notice(
        self,
        entry: OperationEntry,
        facts: ModelFacts | None,
        obstacles: tuple[str, ...],
        size: int | None,
        free: int,
    ) -> None:
        missing = missing_backend(entry.backend)
        usable = True
        if obstacles:
            self.notice.show_message("warn", " ".join(obstacles), "Choose another model or operation.", "")
            usable = False
        elif facts is not None and (cautions := entry.cautions(facts)):
            self.notice.show_message("warn", " ".join(cautions), "", "")
        elif missing is not None:
            self.notice.show_message("warn", missing.message, missing.remedy, "")
        elif size is not None and size + _SPARE_BYTES > free:
            self.notice.show_message(
                "bad",
                f"The result needs about {format.bytes(size)}, and {format.bytes(free)} are free.",
                "Free some space first, or choose a smaller type.",
                "",
            )
        else:
            self.notice.hide()
            self._enable(True)
            return
        self.notice.show()
        self._enable(usable)

    def _enable(self, usable: bool) -> None:
        self.start_button.setEnabled(usable)
        self.export_button.setEnabled(usable)
        self.sweep_button.set_usable(usable)

    def _set(self, key: str, text: str) -> None:
        self._rows[key].setText(text)
        self._rows[key].setToolTip(text)
        self._rows[key].setAccessibleName(f"{self._titles[key]}: {text}")


def _made(entry: OperationEntry) -> str:
    """What an operation makes, in words."""
    match entry.output:
        case None:
            return "files, no model"
        case "any":
            return "model or adapter"
        case "adapter":
            return "adapter"
        case _:
            return f"{FORMAT_TITLES[entry.output]} model"


def _value() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignRight)
    label.setProperty("role", "body")
    return label
