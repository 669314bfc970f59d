"""The Fine-tune page: examples, settings, and a run that one watches while the model learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.actions import add_action
from ui.catalogue_look import CatalogueLook
from ui.context import AppContext
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DATA_FIELDS, choice_from
from ui.panels.finetune.data_panel import DataPanel
from ui.panels.finetune.data_question import DataQuestion
from ui.panels.finetune.frame import FinetuneFrame
from ui.panels.finetune.loss_names import HELD_OUT, TRAIN
from ui.panels.finetune.nothing import no_model, no_trainable_model
from ui.panels.finetune.place_room import PlaceRoom
from ui.panels.finetune.plan import PlanCard
from ui.panels.finetune.planning import Situation, plan_of, trains, usable
from ui.panels.finetune.runs import Runs
from ui.panels.finetune.settings_panel import SettingsPanel
from ui.panels.finetune.step_bar import StepBar
from ui.panels.finetune.step_states import data_state, settings_state, training_state
from ui.panels.finetune.teach_card import TeachCard
from ui.panels.finetune.training_panel import TrainingPanel
from ui.panels.sweeps.new_dialog import SweepSubject
from ui.panels.sweeps.starting import ask_for_sweep
from workbench.assets import SAMPLE_DATASET, SAMPLE_TEST
from workbench.catalogue import CatalogueContents
from workbench.catalogue_entry import OperationEntry
from workbench.cluster.choice import at_place
from workbench.errors import ParameterError, WorkbenchError
from workbench.hardware import machine
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
from workbench.tuning.memory import room_here

DATA, SETTINGS, TRAINING = range(3)
_STEPS = ("Data", "Settings", "Training")
#: Formats that some operation can train; adapters and GGUF files can't be.
_TRAINABLE = ("hf", "mlx")
#: How long a person may go on typing before the plan is worked out anew.
_SETTLE_MS = 120
#: The share of the memory by which what is free must change before the plan is worked out anew.
_MEMORY_STEP = 0.02


class FinetunePage(QWidget):
    """See the module."""

    name = "finetune"
    title = "Fine-tune"
    icon = "finetune"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._session = context.session
        self._record: ModelRecord | None = None
        self._facts: ModelFacts | None = None
        self._operations: tuple[OperationEntry, ...] = ()
        self._entries: tuple[OperationEntry, ...] = ()
        self._entry: OperationEntry | None = None
        self._own_name = ""
        self._trouble = ""
        self._planned_free = 0
        self._stale = True
        self._runs = Runs(self._session)
        self.question = DataQuestion(self._session.home.root, self)
        self._plan_soon = QTimer(self)
        self._plan_soon.setSingleShot(True)
        self._plan_soon.setInterval(_SETTLE_MS)
        self._plan_soon.timeout.connect(self._show_plan)
        self._look = CatalogueLook(self._session.catalogue, self)
        self._build()
        self._connect()
        self._make_actions()

    def refresh(self) -> None:
        """Read the models, the runs and the catalogue anew."""
        self._stale = False
        self.plan.place.set_places(self._session.settings.load().places)
        self._show_models()
        self._look.begin()

    def open(self, argument: object) -> None:
        """Choose a model by its id, or show a run: `("run", job id)`."""
        if self._stale:
            self.refresh()
        if isinstance(argument, str):
            self._show_models()
            self.teach.chooser.choose(argument)
            self.steps.choose(DATA)
        elif isinstance(argument, tuple) and argument[0] == "run":
            self.show_run(argument[1])

    @property
    def entry(self) -> OperationEntry | None:
        """The operation that would train."""
        return self._entry

    def show_run(self, job_id: str) -> None:
        """Show a run and its model."""
        try:
            job = self._session.board.get(job_id)
        except WorkbenchError as error:
            self._report(error)
            return
        if job.model_id is not None:
            self.teach.chooser.choose(job.model_id)
        self.teach.mark_run(job.id)
        self.training.show_job(job)
        self.steps.choose(TRAINING)
        self._show_steps()

    def use_sample(self) -> None:
        """Choose the dataset that came with Tenfold, and its test for evaluation."""
        choice = replace(self.data.choice, files=(), held_out_files=(SAMPLE_TEST,), kind="auto", fields=())
        self.data.choose(choice.with_files([SAMPLE_DATASET]))

    def start(self) -> None:
        """Put the run into the queue, and watch it."""
        spec = self._checked_spec() if self.plan.start_button.isEnabled() else None
        if spec is None:
            return
        try:
            places = self._session.settings.load().places
            job = self._session.board.submit(at_place(spec, places, self.plan.place.chosen()))
        except WorkbenchError as error:
            self._report(error)
            return
        self._own_name = ""
        self._show_runs()
        self.show_run(job.id)

    def sweep(self) -> None:
        """Let a person try many settings of the training, from the page as it stands."""
        if self._entry is None or not self.plan.start_button.isEnabled() or self._checked_spec() is None:
            return
        answer = self.data.answer
        subject = SweepSubject(
            entry=self._entry,
            operations=self._operations,
            record=self._record,
            facts=self._facts,
            values=self._values(),
            place=self.plan.place.chosen(),
            series=(HELD_OUT, TRAIN) if answer is not None and answer.held_out else (TRAIN,),
        )
        ask_for_sweep(self._context, subject, self)

    def export(self) -> None:
        """Save what a start would run."""
        spec = self._checked_spec() if self.plan.export_button.isEnabled() else None
        if spec is None:
            return
        name = f"{spec.operation}.py"
        chosen, _ = QFileDialog.getSaveFileName(self, "Export as script", name, "Python scripts (*.py)")
        if not chosen:
            return
        try:
            Path(chosen).write_text(render(spec), encoding="utf-8")
        except OSError as error:
            self._context.message.emit("bad", f"{chosen} could not be written: {error.strerror or error}.")
            return
        self._context.message.emit("good", f"Saved {chosen}. Run it with: python {Path(chosen).name} --help")

    def showEvent(self, event: object) -> None:
        if self._stale or self._look.is_due:
            self.refresh()
        self._place_chosen()

    def hideEvent(self, event: object) -> None:
        self._look.rest()
        self.place_room.rest()

    # ------------------------------------------------------------------ models and operations

    def _models_changed(self) -> None:
        if self.isVisible():
            self._show_models()
        else:
            self._stale = True

    def _show_models(self) -> None:
        records = self._session.library.list()
        trainable = [record for record in records if record.format in _TRAINABLE]
        self.teach.chooser.set_records(trainable)
        self._stack.setCurrentIndex(0 if trainable else 2 if records else 1)
        if trainable and self.teach.chooser.current_id() is None:
            self.teach.chooser.choose(trainable[0].id)

    def _model_chosen(self, model_id: str) -> None:
        try:
            self._record = self._session.library.get(model_id)
            self._facts = self._session.library.facts(model_id)
        except WorkbenchError as error:
            self._report(error)
            return
        self._own_name = ""
        self.teach.show_model(self._record)
        self._show_operations()
        self._show_runs()
        self._ask()

    def _take_catalogue(self, found: CatalogueContents) -> None:
        self._operations = found.operations
        self._entries = tuple(entry for entry in found.operations if trains(entry))
        self._show_operations()
        self._show_runs()

    def _show_operations(self) -> None:
        on_metal = any(gpu.kind == "metal" for gpu in machine().gpus)
        offered = usable(self._entries, self._facts, on_metal=on_metal)
        names = [entry.name for entry in offered]
        kept = self._entry.name if self._entry is not None else ""
        chosen = kept if kept in names else next(iter(names), "")
        self.teach.show_operations(offered, chosen)
        self._choose_operation(chosen)

    def _choose_operation(self, name: str) -> None:
        self._entry = next((entry for entry in self._entries if entry.name == name), None)
        if self._entry is not None:
            length = self._facts.context_length if self._facts is not None else None
            self.data.set_fields(self._entry.fields, length)
            self.settings.set_operation(self._entry)
            if not self.data.choice.files:
                defaults = {spec.name: spec.default for spec in self._entry.fields}
                self.data.show_choice(choice_from({**defaults, "data": []}))
        self._show_plan()

    def _change_operation(self, name: str) -> None:
        self._choose_operation(name)
        self._ask()

    # ------------------------------------------------------------------ data

    def _ask(self, first_row: int = 0) -> None:
        if self._record is not None:
            backend = self._entry.backend if self._entry is not None else ""
            self.question.ask(self.data.choice, self._record.id, backend, first_row)
        self._show_plan()

    def _take_answer(self, answer: DataAnswer) -> None:
        self._trouble = ""
        self.data.show_answer(answer)
        self.settings.suggest(answer.defaults)
        self.data.suggest_limit(next((each for each in answer.defaults if each.name == "max_tokens"), None))
        self._show_plan()

    def _take_trouble(self, error: WorkbenchError) -> None:
        self._trouble = error.message
        self.data.show_trouble(error)
        self.question.ask_fields(self.data.choice)
        self._show_plan()

    # ------------------------------------------------------------------ the plan

    def _values(self) -> dict[str, Any]:
        if self._entry is None:
            return {}
        known = {spec.name for spec in self._entry.fields}
        return self.settings.values() | self.data.choice.values(known)

    def _show_plan(self) -> None:
        values, place = self._values(), self.plan.place.chosen()
        here = room_here()
        self._planned_free = here.free_bytes
        situation = Situation(
            record=self._record,
            facts=self._facts,
            entry=self._entry,
            choice=self.data.choice,
            answer=self.data.answer,
            is_reading=not self._trouble,
            values=values,
            output_name=self._own_name or self._proposed_name(values),
            room=self.place_room.room if place else here,
            place=place,
        )
        self.plan.show_plan(plan_of(situation))
        self._show_steps()

    def _place_chosen(self) -> None:
        """Ask the chosen cluster what it has free, as long as the page is looked at."""
        name = self.plan.place.chosen()
        places = self._session.settings.load().places if name and self.isVisible() else ()
        place = next((each for each in places if each.name == name), None)
        self.place_room.watch(place, gpu=self._entry is not None and self._entry.needs == "gpu")
        self._plan_soon.start()

    def _follow_memory(self) -> None:
        """Plan anew when what is free has changed by more than a breath."""
        if self.plan.isVisible():
            room = room_here()
            if abs(room.free_bytes - self._planned_free) > _MEMORY_STEP * room.total_bytes:
                self._show_plan()

    def _proposed_name(self, values: dict[str, Any]) -> str:
        try:
            return self._spec_of(values).output_name
        except WorkbenchError:
            # Something is still missing or wrong; its message stands at its place.
            return f"{self._record.name}-tuned" if self._record is not None else ""

    def _spec_of(self, values: dict[str, Any]) -> JobSpec:
        if self._entry is None or self._record is None:
            raise WorkbenchError("There is no model that could be trained.", remedy="Choose one first.")
        source = self._session.library.to_spec_input(self._record.id)
        return make_spec(self._entry, self._record, self._facts, values, input=source)

    def _checked_spec(self) -> JobSpec | None:
        """The run as everything stands; None, with the reason at its place, where it can't be made."""
        form = self.settings.form
        if form is None:
            return None
        if form.problems():
            self.steps.choose(SETTINGS)
            form.check()
            self._show_steps()
            return None
        try:
            spec = self._spec_of(self._values())
        except ParameterError as error:
            self.steps.choose(DATA if error.parameter in DATA_FIELDS else SETTINGS)
            self._report(error)
            return None
        except WorkbenchError as error:
            self._report(error)
            return None
        name = self._own_name.strip()
        return spec.model_copy(update={"output_name": name}) if name else spec

    def _name_edited(self, text: str) -> None:
        self._own_name = text
        if not text.strip():
            self._plan_soon.start()

    # ------------------------------------------------------------------ runs

    def _show_runs(self) -> None:
        if self._record is None:
            return
        names = {entry.name for entry in self._entries}
        self.teach.show_runs(self._runs.on_model(self._record, names))

    def _take_updates(self, updates: list[JobUpdate]) -> None:
        if self._stale:
            return
        names = {entry.name for entry in self._entries}
        base = self._record
        jobs = [each.job for each in updates if each.job.operation in names]
        if base is not None and (mine := [job for job in jobs if job.model_id == base.id]):
            self.teach.take_runs(self._runs.named(mine, base.name))
        shown = self.training.job
        for update in updates:
            if shown is not None and update.job.id == shown.id:
                self.training.take(update.job, update.events)
                self._show_steps()

    def _use_run(self, job: JobRecord) -> None:
        """Take the data and the settings of a run, to train once more with a change."""
        try:
            params = self._session.board.spec(job.id).params
        except WorkbenchError as error:
            self._report(error)
            return
        self.settings.set_values(params)
        self.data.choose(choice_from(params))
        self.steps.choose(SETTINGS)

    # ------------------------------------------------------------------ showing

    def _show_steps(self) -> None:
        troubled = bool(self._trouble)
        self.steps.show_state(DATA, data_state(self.data.choice, self.data.answer, in_trouble=troubled))
        form = self.settings.form
        wrong = form is not None and bool(form.problems())
        self.steps.show_state(SETTINGS, settings_state(self.settings.by_hand(), in_trouble=wrong))
        self.steps.show_state(TRAINING, training_state(self.training.job))

    def _report(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    def _build(self) -> None:
        theme = self._context.theme
        head = QHBoxLayout()
        head.setSpacing(14)
        title = QLabel(self.title)
        title.setProperty("role", "title")
        explanation = QLabel("Teach a model from examples, and see what it learned and what it forgot")
        explanation.setProperty("role", "second")
        head.addWidget(title)
        head.addWidget(explanation)
        head.addStretch(1)
        self.teach = TeachCard(theme, self._runs.line)
        self.steps = StepBar(theme, _STEPS)
        self.data = DataPanel(theme)
        self.settings = SettingsPanel()
        self.training = TrainingPanel(self._context)
        self.plan = PlanCard(theme)
        self.place_room = PlaceRoom(self)
        panels = (self.data, self.settings, self.training)
        self._stack = QStackedWidget()
        self._stack.addWidget(FinetuneFrame(self.teach, self.steps, panels, self.plan))
        self._stack.addWidget(no_model(self._context.open_page.emit))
        self._stack.addWidget(no_trainable_model(self._context.open_page.emit))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)

    def _connect(self) -> None:
        context = self._context
        context.models_changed.connect(self._models_changed)
        context.preferences_changed.connect(lambda changed: self.plan.place.set_places(changed.places))
        self.plan.place.combo.currentIndexChanged.connect(lambda _index: self._place_chosen())
        self.place_room.changed.connect(self._plan_soon.start)
        context.closing.connect(self.place_room.rest)
        context.jobs_changed.connect(self._take_updates)
        context.reading.connect(lambda _reading: self._follow_memory())
        context.closing.connect(self.question.stop)
        self._look.found.connect(self._take_catalogue)
        self._look.failed.connect(self._report)
        self.teach.chooser.chosen.connect(self._model_chosen)
        self.teach.operation_chosen.connect(self._change_operation)
        self.teach.run_chosen.connect(self.show_run)
        self.data.edited.connect(lambda _choice: self._ask())
        self.data.sample_wanted.connect(self.use_sample)
        self.data.row_wanted.connect(self._ask)
        self.data.fields_wanted.connect(lambda: self.question.ask_fields(self.data.choice))
        self.question.began.connect(self.data.show_reading)
        self.question.progressed.connect(self.data.show_reading)
        self.question.answered.connect(self._take_answer)
        self.question.failed.connect(self._take_trouble)
        self.question.fields_found.connect(self.data.show_fields)
        self.settings.edited.connect(self._plan_soon.start)
        self.plan.start.connect(self.start)
        self.plan.export.connect(self.export)
        self.plan.sweep.connect(self.sweep)
        self.plan.renamed.connect(self._name_edited)
        self.training.use_wanted.connect(self._use_run)

    def _make_actions(self) -> None:
        for text, keys, call in (
            ("Start training", "Ctrl+Return; Ctrl+Enter", self.start),
            ("Export the training as a script", "Ctrl+E", self.export),
            ("Sweep: try many settings…", "Ctrl+Shift+Return", self.sweep),
            ("Add examples…", "Ctrl+O", self.data.add_files),
            ("Use the sample dataset", "", self.use_sample),
            ("Show the data", "Alt+1", lambda: self.steps.choose(DATA)),
            ("Show the settings", "Alt+2", lambda: self.steps.choose(SETTINGS)),
            ("Show the training", "Alt+3", lambda: self.steps.choose(TRAINING)),
            ("Next example", "Alt+Right", lambda: self.data.preview.step(1)),
            ("Example before", "Alt+Left", lambda: self.data.preview.step(-1)),
            ("Choose another model", "Ctrl+F", self.teach.chooser.setFocus),
            ("Use all good defaults", "", self.settings.reset),
            *self.training.commands(),
        ):
            add_action(self, text, keys, call)
