"""The Optimize page: a model, an operation, its parameters, and what will happen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.actions import add_action
from ui.catalogue_look import CatalogueLook
from ui.context import AppContext
from ui.forms import ParamsForm
from ui.panels.sweeps.new_dialog import SweepSubject
from ui.panels.sweeps.starting import ask_for_sweep
from ui.widgets.empty_state import EmptyState
from ui.widgets.made_files import offer_made_files
from ui.widgets.operation_head import OperationHead
from ui.widgets.operation_list import OperationList, OperationListModel, OperationRow
from ui.widgets.optimize_model import ModelChooser
from ui.widgets.optimize_plan import OptimizePlan, size_of_choice
from workbench.catalogue import CatalogueContents
from workbench.catalogue_entry import OperationEntry, PluginFailure
from workbench.cluster.choice import at_place
from workbench.errors import ParameterError, WorkbenchError
from workbench.jobs.build import make_spec
from workbench.jobs.proof_jobs import OPERATION as PROVE
from workbench.jobs.proof_jobs import can_end_with_proof, purpose_of, with_proof
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec
from workbench.library.bases import no_base
from workbench.library.records import ModelRecord
from workbench.model import FORMAT_TITLES, ModelFacts
from workbench.settings import Preferences

#: How long a person may go on typing before the plan is worked out anew.
_SETTLE_MS = 120

_LEFT_WIDTH = 268
_RIGHT_WIDTH = 300
#: Wider fields than this are no easier to read.
_FORM_WIDTH = 860


class OptimizePage(QWidget):
    """See the module."""

    name = "optimize"
    title = "Optimize"
    icon = "optimize"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._session = context.session
        self._facts: ModelFacts | None = None
        self._row: OperationRow | None = None
        self._form: ParamsForm | None = None
        self._kept_values: dict[str, dict[str, Any]] = {}
        self._adapters: dict[str, ModelRecord] = {}
        self._wanted: tuple[str, dict[str, Any]] | None = None
        self._own_name = ""
        self._stale = True
        self._plan_soon = QTimer(self)
        self._plan_soon.setSingleShot(True)
        self._plan_soon.setInterval(_SETTLE_MS)
        self._plan_soon.timeout.connect(self._show_plan)
        self._look = CatalogueLook(self._session.catalogue, self)
        self._look.found.connect(self._take_catalogue)
        self._look.failed.connect(self._report)
        self._build()
        self._make_actions()
        context.models_changed.connect(self._models_changed)
        context.preferences_changed.connect(lambda changed: self._plan.place.set_places(changed.places))
        context.plugins_changed.connect(self._plugins_changed)

    def refresh(self) -> None:
        """Read the models and the catalogue anew."""
        self._stale = False
        self._plan.place.set_places(self._session.settings.load().places)
        self._show_models()
        self._look.begin()

    def open(self, argument: object) -> None:
        """Choose a model by its id, or a model, an operation and values of its parameters.

        An adapter means its base, with the adapter in the operation's form.
        """
        model_id, operation, values = (
            (*argument, None, None)[:3] if isinstance(argument, tuple) else (argument, None, None)
        )
        if self._stale:
            self.refresh()
        elif isinstance(model_id, str):
            self._show_models()
        if isinstance(model_id, str):
            adapter = self._adapters.get(model_id)
            if adapter is not None:
                if adapter.parent_id is None:
                    self._report(self._no_base(adapter))
                    return
                path = str(adapter.path)
                values = {"adapters": [path], "adapter": path, **(values or {})}
                model_id, operation = adapter.parent_id, operation or "merge-adapter"
            self.chooser.choose(model_id)
        if isinstance(operation, str):
            self._wanted = (operation, dict(values or {}))
            self._take_wanted()

    def _no_base(self, adapter: ModelRecord) -> WorkbenchError:
        try:
            facts = self._session.library.facts(adapter.id).adapter
        except WorkbenchError as error:
            return error
        return no_base(adapter, facts)

    @property
    def form(self) -> ParamsForm | None:
        """The form of the chosen operation."""
        return self._form

    @property
    def entry(self) -> OperationEntry | None:
        return self._row.entry if self._row is not None else None

    def showEvent(self, event: object) -> None:
        if self._stale or self._look.is_due:
            self.refresh()

    def hideEvent(self, event: object) -> None:
        self._look.rest()

    def _models_changed(self) -> None:
        if self.isVisible():
            self._show_models()
        else:
            self._stale = True

    def _plugins_changed(self) -> None:
        self._stale = True

    def _show_models(self) -> None:
        everything = self._session.library.list()
        records = [record for record in everything if record.format != "adapter"]
        self._adapters = {record.id: record for record in everything if record.format == "adapter"}
        self.chooser.set_records(records)
        self._stack.setCurrentIndex(0 if records else 1)
        if records and self.chooser.current_id() is None:
            self.chooser.choose(records[0].id)

    def _take_catalogue(self, found: CatalogueContents) -> None:
        self._operations = found.operations
        self._failures = found.failures
        self._show_operations()

    def _show_operations(self) -> None:
        wanted = self.entry.name if self.entry is not None else ""
        self.operations.set_contents(self._operations, self._failures, self._facts)
        row = self.operations.row_of(wanted) if wanted else -1
        if row < 0:
            row = self.operations.first_usable()
        if row >= 0:
            self._list.setCurrentIndex(self.operations.index(row))
        self._take_row(self.operations.row(row))
        self._take_wanted()

    def _take_wanted(self) -> None:
        """Choose the operation that was asked for and fill in its form, once the catalogue knows it."""
        if self._wanted is None:
            return
        name, values = self._wanted
        row = self.operations.row_of(name)
        if row < 0:
            return
        self._wanted = None
        self._list.setCurrentIndex(self.operations.index(row))
        if self._form is not None and self.entry is not None:
            known = {field.name for field in self.entry.fields}
            self._form.set_values({key: value for key, value in values.items() if key in known})

    def _model_chosen(self, model_id: str) -> None:
        try:
            self._facts = self._session.library.facts(model_id)
        except WorkbenchError as error:
            self._facts = None
            self._report(error)
        record = self._session.library.get(model_id)
        parts = [FORMAT_TITLES[record.format], record.quantization, format.bytes(record.size_bytes)]
        self._model_line.setText(" · ".join(part for part in parts if part))
        self._own_name = ""
        self._show_operations()

    def _take_row(self, row: OperationRow | None) -> None:
        """Show an operation or a failed plugin in the middle."""
        same = row is not None and self._row is not None and row.entry is not None and row.entry == self.entry
        if self._form is not None and self.entry is not None:
            self._kept_values[self.entry.name] = self._form.values()
        self._row = row
        if row is not None and row.failure is not None:
            self._head.show_failure(row.failure)
        elif row is not None and row.entry is not None and not same:
            self._show_entry(row.entry)
        if self._form is not None:
            self._form.setVisible(row is not None and row.entry is not None)
            self._form.annotate(self._annotation)
            self._offer_files()
        self._plan.setVisible(row is not None and row.entry is not None)
        self._show_plan()

    def _show_entry(self, entry: OperationEntry) -> None:
        self._own_name = ""
        self._head.show_entry(entry)
        if self._form is not None:
            # Without this a form that was laid out in the same turn would still be shown, as a window.
            self._form.hide()
            self._form.setParent(None)
            self._form.deleteLater()
        self._form = ParamsForm(entry.fields)
        self._form.setMaximumWidth(_FORM_WIDTH)
        kept = self._kept_values.get(entry.name)
        if kept is not None:
            self._form.set_values(kept)
        self._form.changed.connect(self._plan_soon.start)
        self._middle.insertWidget(self._middle.count() - 1, self._form)
        self._scroll.verticalScrollBar().setValue(0)

    def _offer_files(self) -> None:
        entry, form, model_id = self.entry, self._form, self.chooser.current_id()
        if entry is None or form is None or model_id is None:
            return
        try:
            offer_made_files(form, entry, self._session, model_id)
        except WorkbenchError as error:
            self._report(error)

    def _annotation(self, _spec: object, choice: Any) -> str:
        size = size_of_choice(choice, self._facts)
        return f"≈ {format.bytes(size)}" if size is not None else ""

    def _show_plan(self) -> None:
        entry, form, model_id = self.entry, self._form, self.chooser.current_id()
        if entry is None or form is None:
            return
        record = self._session.library.get(model_id) if model_id is not None else None
        values = form.values()
        self._plan.show_plan(
            entry,
            values,
            self._facts,
            model_name=record.name if record is not None else "",
            source_bytes=record.size_bytes if record is not None else 0,
            output_name=self._own_name or self._proposed_name(entry, values, record.name if record else ""),
            obstacles=self._row.obstacles if self._row is not None else (),
        )

    def _proposed_name(self, entry: OperationEntry, values: dict[str, Any], model_name: str) -> str:
        try:
            return self._spec_of(entry, values).output_name
        except WorkbenchError:
            # Something is still wrong in the form; its message stands at the field.
            return f"{model_name}-{entry.name}"

    def _spec_of(self, entry: OperationEntry, values: dict[str, Any]) -> JobSpec:
        model_id = self.chooser.current_id()
        library = self._session.library
        record = library.get(model_id) if model_id is not None else None
        return make_spec(
            entry,
            record,
            self._facts,
            values,
            input=library.to_spec_input(model_id) if model_id is not None else None,
        )

    def _checked_spec(self) -> JobSpec | None:
        """The job as the form stands; None, with the reason at its field, where it can't be made."""
        entry, form = self.entry, self._form
        if entry is None or form is None:
            return None
        if not form.check():
            return None
        try:
            spec = self._spec_of(entry, form.values())
        except ParameterError as error:
            if error.parameter in {field.name for field in entry.fields}:
                form.field(error.parameter).show_problem(error.message)
            else:
                self._report(error)
            return None
        except WorkbenchError as error:
            self._report(error)
            return None
        name = self._own_name.strip()
        if not name:
            return spec
        return spec.model_copy(update={"output_name": name})

    def _at_place(self, spec: JobSpec) -> JobSpec:
        """The job at the place that was chosen; what follows it runs here, on what it brings.

        Raises:
            UsageError: It can't run there.
        """
        return at_place(spec, self._session.settings.load().places, self._plan.place.chosen())

    def _start(self) -> None:
        if not self._plan.start_button.isEnabled():
            return
        spec = self._checked_spec()
        if spec is None:
            return
        try:
            job = self._session.board.submit(self._with_proof(self._at_place(spec)))
        except WorkbenchError as error:
            self._report(error)
            return
        self._started(job.id, job.title)

    def _with_proof(self, spec: JobSpec) -> JobSpec:
        """The job with the proof of its result behind it, where one was chosen and can be made."""
        proof = next((each for each in self._operations if each.name == PROVE), None)
        entry = self.entry
        if proof is None or entry is None or not can_end_with_proof(entry):
            return spec
        form = self._session.settings.load().proof
        return with_proof(spec, proof, form, purpose_of(entry))

    def _keep_proof_form(self, form: str) -> None:
        settings = self._session.settings
        settings.save(Preferences.model_validate({**settings.load().model_dump(), "proof": form}))

    def _started(self, job_id: str, title: str) -> None:
        self._context.message.emit("good", f"“{title}” is in the queue.")
        self._last_job = job_id
        self._show_job.setVisible(True)
        self._show_job.setText(f"Show job “{title}”")

    def sweep(self) -> None:
        """Let a person try many values of the operation, from the form as it stands."""
        entry, form, model_id = self.entry, self._form, self.chooser.current_id()
        if entry is None or form is None or not self._plan.start_button.isEnabled() or not form.check():
            return
        subject = SweepSubject(
            entry=entry,
            operations=self._operations,
            record=self._session.library.get(model_id) if model_id is not None else None,
            facts=self._facts,
            values=form.values(),
            place=self._plan.place.chosen(),
        )
        ask_for_sweep(self._context, subject, self)

    def _export(self) -> None:
        spec = self._checked_spec()
        if spec is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Export as script", f"{spec.operation}.py", "Python scripts (*.py)"
        )
        if not chosen:
            return
        try:
            Path(chosen).write_text(render(spec), encoding="utf-8")
        except OSError as error:
            self._context.message.emit("bad", f"{chosen} could not be written: {error.strerror or error}.")
            return
        self._context.message.emit("good", f"Saved {chosen}. Run it with: python {Path(chosen).name} --help")

    def _name_edited(self, text: str) -> None:
        self._own_name = text
        if not text.strip():
            self._plan_soon.start()

    def _report(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    def _build(self) -> None:
        self._operations: tuple[OperationEntry, ...] = ()
        self._failures: tuple[PluginFailure, ...] = ()
        self._last_job = ""
        head = QHBoxLayout()
        head.setSpacing(14)
        title = QLabel(self.title)
        title.setProperty("role", "title")
        explanation = QLabel("Make a model smaller, faster, or fit for another engine")
        explanation.setProperty("role", "second")
        self._show_job = QPushButton("Show job")
        self._show_job.hide()
        self._show_job.clicked.connect(lambda: self._context.open_page.emit("jobs", self._last_job))
        head.addWidget(title)
        head.addWidget(explanation)
        head.addStretch(1)
        head.addWidget(self._show_job)
        columns = QWidget()
        row = QHBoxLayout(columns)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._build_left())
        row.addWidget(self._build_middle(), 1)
        self._plan = OptimizePlan(self._session.home.root)
        self._plan.setFixedWidth(_RIGHT_WIDTH)
        self._plan.start.connect(self._start)
        self._plan.export.connect(self._export)
        self._plan.sweep.connect(self.sweep)
        self._plan.renamed.connect(self._name_edited)
        self._plan.proof_chosen.connect(self._keep_proof_form)
        self._plan.show_proof(self._session.settings.load().proof)
        row.addWidget(self._plan)
        add = QPushButton("Add a model")
        add.setProperty("variant", "primary")
        add.clicked.connect(lambda: self._context.open_page.emit("models", None))
        empty = EmptyState(
            "optimize",
            "No model to work on yet",
            "Add a model first: a GGUF file, a safetensors folder, one from the hub, or the included sample.",
            [add],
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(columns)
        self._stack.addWidget(empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)

    def _build_left(self) -> QWidget:
        card = QFrame()
        card.setProperty("card", "true")
        card.setFixedWidth(_LEFT_WIDTH)
        caption = QLabel("Model")
        caption.setProperty("role", "caption")
        self.chooser = ModelChooser()
        caption.setBuddy(self.chooser)
        self._model_line = QLabel()
        self._model_line.setProperty("role", "caption")
        self.operations = OperationListModel(self)
        self._list = OperationList(self._context.theme, self.operations)
        self.chooser.chosen.connect(self._model_chosen)
        self._list.selectionModel().currentChanged.connect(
            lambda current, _previous: self._take_row(self.operations.row(current.row()))
        )
        layout = QVBoxLayout(card)
        layout.setContentsMargins(10, 12, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(caption)
        layout.addWidget(self.chooser)
        layout.addWidget(self._model_line)
        layout.addSpacing(4)
        layout.addWidget(self._list, 1)
        return card

    def _build_middle(self) -> QWidget:
        card = QFrame()
        card.setProperty("card", "true")
        inner = QWidget()
        self._middle = QVBoxLayout(inner)
        self._middle.setContentsMargins(20, 18, 20, 18)
        self._middle.setSpacing(12)
        self._head = OperationHead()
        self._middle.addWidget(self._head)
        self._middle.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(inner)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self._scroll)
        return card

    def _reset_form(self) -> None:
        if self._form is not None:
            self._form.reset()

    def _make_actions(self) -> None:
        for text, keys, call in (
            ("Start the job", "Ctrl+Return; Ctrl+Enter", self._start),
            ("Export the job as a script", "Ctrl+E", self._export),
            ("Sweep: try many values…", "Ctrl+Shift+Return", self.sweep),
            ("Choose another model", "Ctrl+F", self.chooser.setFocus),
            ("Put all parameters back to their defaults", "", self._reset_form),
        ):
            add_action(self, text, keys, call)
