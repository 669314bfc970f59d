"""The Models page: what is on disk, what was made from what, and whether it fits here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.actions import add_action
from ui.context import AppContext
from ui.file_manager import show_in_folder
from ui.measuring import measure
from ui.models.add_queue import AddQueue, Wanted
from ui.models.model_live import ModelLive
from ui.models.model_proofs import ModelProofs
from ui.models.model_tree import ModelTree
from ui.panels.models.adding import Adding
from ui.panels.models.delete_dialog import DeleteDialog
from ui.panels.models.detail import DetailPanel
from ui.panels.models.welcome import Welcome
from ui.widgets.empty_state import EmptyState
from ui.widgets.model_table import ModelTable
from ui.widgets.proof_card_export import ask_where, write_card
from workbench.errors import WorkbenchError
from workbench.export.recipe import FILE_NAME, export_recipe
from workbench.export.recipe_chain import not_made_here
from workbench.hardware import Reading
from workbench.jobs.runner import JobUpdate, is_resting
from workbench.library.fit import FitEstimate, estimate
from workbench.library.hash_queue import HashProgress
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts

_DETAIL_WIDTH = 380
#: What the menu of a row and the palette offer beside the panel's buttons.
_ROW_ACTIONS = {
    "optimize": "Optimize the model",
    "chat": "Chat with the model",
    "finetune": "Fine-tune the model",
    "compare": "Ask the adapter beside its base",
    "merge": "Merge the adapter into its base",
    "to-gguf": "Convert the adapter to GGUF",
    "measure": "Measure the model",
    "relatives": "Compare with its relatives",
    "export-proof": "Export its proof",
    "export-recipe": "Export recipe…",
    "rename": "Rename the model",
    "show": "Show in folder",
}
#: Readings between two estimates of the model in the panel: free memory changes slowly.
_FIT_EVERY = 5


class ModelsPage(QWidget):
    """See the module.

    Signals:
        measure_wanted: Measure a model against what it was made from; carries its record.
    """

    measure_wanted = Signal(object)

    name = "models"
    title = "Models"
    icon = "models"

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._library = context.session.library
        self._stale = True
        self._readings = 0
        self.setAcceptDrops(True)
        self.tree = ModelTree(self)
        self.live = ModelLive(self._library.facts, self._estimate, self)
        self.tree.ask_live(self.live.fit, self.live.missing)
        self.proofs = ModelProofs(context.session.proofs, self)
        self.table = ModelTable(self.tree, context.theme)
        self.detail = DetailPanel(context.theme, self._library.facts, self.tree.all_records, self._estimate)
        self.queue = AddQueue(self._library, self)
        self.adding = Adding(context, self.queue, self._estimate, self)
        self.welcome = Welcome(context.theme)
        self._build()
        self._make_actions()
        self._connect()
        self.measure_wanted.connect(lambda record: measure(context, [record.id]))

    # ------------------------------------------------------------------ what the window asks

    def refresh(self) -> None:
        """Read the library anew."""
        self._stale = False
        shown = self.detail.record
        try:
            self.tree.set_records(self._library.list())
        except WorkbenchError as error:
            self._report(error)
            return
        self.live.forget()
        self.proofs.read()
        self.table.arrange()
        self._show_place()
        if shown is not None and self.table.choose(shown.id):
            self._show_chosen(self.table.current())
        elif self.tree.rowCount():
            self.table.choose_row(0)
        else:
            self._show_chosen(None)

    def open(self, argument: object) -> None:
        """Show one model, by its id."""
        if self._stale:
            self.refresh()
        if not isinstance(argument, str):
            return
        if self.tree.find(argument) is None:
            self.refresh()
        if not self.table.choose(argument):
            self.search.clear()
            self.table.choose(argument)

    # ------------------------------------------------------------------ events

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.adding.add([Wanted(path, source="drop") for path in paths])

    # ------------------------------------------------------------------ showing

    def _estimate(self, facts: ModelFacts, context: int, batch: int = 1) -> FitEstimate:
        return estimate(facts, context=context, batch=batch, history=self._context.session.loads)

    def _show_place(self) -> None:
        """The first start, the list, or the word that nothing matches."""
        records = self.tree.all_records()
        self._stack.setCurrentWidget(self._columns if records else self.welcome)
        self._tools.setVisible(bool(records))
        self._lists.setCurrentIndex(0 if self.tree.rowCount() else 1)
        total = sum(record.size_bytes for record in records)
        count = "1 model" if len(records) == 1 else f"{len(records):,} models".replace(",", "\u2009")
        self._summary.setText(f"{count} · {format.bytes(total)}" if records else "")

    def _show_chosen(self, record: ModelRecord | None) -> None:
        parent = self.tree.parent_record(record) if record is not None else None
        missing = record is not None and not record.path.exists()
        cards = self.proofs.cards(record.sha256) if record is not None else ()
        self.detail.show_model(record, parent, self._job_title(record), missing=missing, cards=cards)

    def _job_title(self, record: ModelRecord | None) -> str:
        if record is None or not record.job_id:
            return ""
        try:
            return self._context.session.board.get(record.job_id).title
        except WorkbenchError:
            return ""  # the job was removed; its model stays

    def _models_changed(self) -> None:
        if self.isVisible():
            self.refresh()
        else:
            self._stale = True

    def _show_proofs(self) -> None:
        self.tree.set_proofs(self.proofs.rows)
        self.table.arrange()
        if self.detail.record is not None:
            self._show_chosen(self.table.current())

    def _take_jobs(self, updates: list[JobUpdate]) -> None:
        """A job that ended may have left a proof."""
        if self.isVisible() and any(is_resting(update.job.state) for update in updates):
            self.proofs.read()

    def _search_changed(self, text: str) -> None:
        kept = self.detail.record
        self.tree.set_search(text)
        self._lists.setCurrentIndex(0 if self.tree.rowCount() else 1)
        if kept is None or not self.table.choose(kept.id):
            self.table.choose_row(0)

    def _take_added(self, last: str) -> None:
        self.refresh()
        if last:
            self.table.choose(last)

    def _take_hashes(self, updates: list[HashProgress]) -> None:
        for update in updates:
            self.detail.show_hash(update)
            for twin in update.duplicates[:1]:
                known = self.tree.find(update.model_id)
                if known is not None:
                    self._context.message.emit(
                        "info", f"“{known.name}” has the same content as “{twin.name}”."
                    )
        if any(update.sha256 for update in updates):
            self._models_changed()

    def _take_reading(self, _reading: Reading) -> None:
        self._readings += 1
        if self.isVisible() and self._readings % _FIT_EVERY == 0:
            self.detail.refresh_fit()

    # ------------------------------------------------------------------ changing

    def _change(self, call: Callable[[], object]) -> None:
        try:
            call()
        except WorkbenchError as error:
            self._report(error)
        self.refresh()

    def _act(self, name: str, record: ModelRecord | None) -> None:
        """Do what a button, a key or the menu asks for."""
        if record is None:
            return
        open_page = self._context.open_page
        match name:
            case "rename":
                self.table.rename(record.id)
            case "show":
                show_in_folder(record.path)
            case "remove":
                self._remove([record])
            case "locate":
                self._locate(record)
            case "measure":
                self.measure_wanted.emit(record)
            case "relatives":
                open_page.emit("compare", record.id)
            case "export-proof":
                self.detail.proof.export.showMenu()
            case "export-recipe":
                self._export_recipe(record)
            case "compare" if self.detail.base is not None:
                open_page.emit("chat", ("side-by-side", self.detail.base.id, record.id))
            case "merge":
                open_page.emit("optimize", (record.id, "merge-adapter"))
            case "to-gguf":
                open_page.emit("optimize", (record.id, "adapter-to-gguf"))
            case "chat" | "finetune" | "optimize":
                open_page.emit(name, record.id)

    def _offers(self, name: str) -> bool:
        """Whether something can be done with the chosen model."""
        if name == "measure":
            return not self.detail.proof.isHidden() and self.detail.buttons.offers("show")
        if name == "export-recipe":
            return self.detail.record is not None and not not_made_here(self.detail.record)
        if name in ("export-proof", "relatives"):
            return self.detail.proof.card is not None
        return self.detail.buttons.offers(name)

    def _export_proof(self, form: str) -> None:
        card = self.detail.proof.card
        path = ask_where(card, form, self) if card is not None else None
        if card is None or path is None:
            return
        try:
            write_card(card, form, path, self._context.theme)
        except WorkbenchError as error:
            self._report(error)
            return
        self._context.message.emit("good", f"Saved {path}.")

    def _export_recipe(self, record: ModelRecord) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Export recipe", FILE_NAME, "Python scripts (*.py)")
        if not chosen:
            return
        session = self._context.session
        try:
            target, steps = export_recipe(session.home, self._library, record.id, Path(chosen))
        except WorkbenchError as error:
            self._report(error)
            return
        count = "1 step" if steps == 1 else f"{steps} steps"
        self._context.message.emit("good", f"Saved {target}: {count}.")

    def _ask_for(self, name: str, text: str) -> None:
        """What the menu or the palette asks for, which may not suit the chosen model."""
        record = self.table.current()
        if record is not None and name == "export-recipe" and not_made_here(record):
            self._context.message.emit("info", not_made_here(record))
            return
        if record is not None and not self._offers(name):
            self._context.message.emit("info", f"“{text}” can’t be done with {record.name}.")
            return
        self._act(name, record)

    def _open_current(self, record: ModelRecord | None) -> None:
        """What Enter and a double click do: an adapter is no model to optimize."""
        adapter = record is not None and record.format == "adapter"
        self._act("chat" if adapter else "optimize", record)

    def _remove(self, records: list[ModelRecord]) -> None:
        try:
            removals = [(record, self._library.removal(record.id)) for record in records]
        except WorkbenchError as error:
            self._report(error)
            return
        if not removals or DeleteDialog(removals, self).exec() != DeleteDialog.DialogCode.Accepted:
            return
        back = 0
        for record, _ in removals:
            try:
                back += self._library.remove(record.id)
            except WorkbenchError as error:
                self._report(error)
        self.refresh()
        self._context.models_changed.emit()
        self._context.message.emit(
            "good", f"{format.bytes(back)} came back." if back else "Removed from the list."
        )

    def _locate(self, record: ModelRecord) -> None:
        if record.path.suffix.lower() == ".gguf":
            chosen, _ = QFileDialog.getOpenFileName(self, f"Where is {record.name}?", "", "GGUF (*.gguf)")
        else:
            chosen = QFileDialog.getExistingDirectory(self, f"Where is {record.name}?")
        if chosen:
            self._change(lambda: self._library.relocate(record.id, Path(chosen)))

    def _follow_link(self, what: str, id: str) -> None:
        if what == "model":
            self.open(id)
        else:
            self._context.open_page.emit("jobs", id)

    def _show_disk_use(self) -> None:
        from ui.panels.models.disk_dialog import DiskDialog

        dialog = DiskDialog(self._context.theme, self._library.disk_use(), self.tree.all_records(), self)
        dialog.exec()
        if dialog.chosen is not None:
            self.open(dialog.chosen.id)

    def _show_menu(self, place: QPoint) -> None:
        if self.table.current() is not None:
            self.menu().exec(place)

    def menu(self) -> QMenu:
        """What can be done with the chosen model; of a recipe also why there is none."""
        menu = QMenu(self)
        record = self.table.current()
        for name, action in self._row_actions:
            if name == "export-recipe" and record is not None and not_made_here(record):
                menu.addAction("Export recipe (no job made it here)").setEnabled(False)
            elif not name or self._offers(name):
                menu.addAction(action)
        return menu

    def _copy(self, what: str) -> None:
        record = self.table.current()
        if record is not None:
            QGuiApplication.clipboard().setText(str(record.path) if what == "path" else record.sha256 or "")

    def _report(self, error: WorkbenchError) -> None:
        self._context.message.emit("bad", str(error))

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        title = QLabel(self.title)
        title.setProperty("role", "title")
        self._summary = QLabel()
        self._summary.setProperty("role", "second")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search models")
        self.search.setAccessibleName("Search models")
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(240)
        disk = QPushButton("Disk use")
        disk.setAccessibleName("Show where the disk space goes")
        disk.clicked.connect(self._show_disk_use)
        self.add_button = QPushButton("Add model")
        self.add_button.setProperty("variant", "primary")
        self.add_button.setAccessibleName("Add a model")
        self.add_menu = QMenu(self)
        self.add_button.setMenu(self.add_menu)
        self._tools = QWidget()
        tools = QHBoxLayout(self._tools)
        tools.setContentsMargins(0, 0, 0, 0)
        tools.setSpacing(8)
        for widget in (self.search, disk, self.add_button):
            tools.addWidget(widget)
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addWidget(title)
        head.addWidget(self._summary)
        head.addStretch(1)
        head.addWidget(self._tools)
        self._stack = QStackedWidget()
        self._columns = self._build_columns()
        self._stack.addWidget(self._columns)
        self._stack.addWidget(self.welcome)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)

    def _build_columns(self) -> QWidget:
        card = QFrame()
        card.setProperty("card", "true")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(6, 6, 6, 6)
        self._lists = QStackedWidget()
        self._lists.addWidget(self.table)
        self._lists.addWidget(
            EmptyState(
                "search", "Nothing matches", "No model has all of these words in its name, type or tags.", []
            )
        )
        inside.addWidget(self._lists)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(12)
        splitter.setChildrenCollapsible(False)
        card.setMinimumWidth(340)
        self.detail.setMinimumWidth(372)
        splitter.addWidget(card)
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 0)
        splitter.setSizes([900, _DETAIL_WIDTH])
        return splitter

    def _make_actions(self) -> None:
        for text, keys, way in (
            ("Add a file…", "Ctrl+O", "file"),
            ("Add a folder…", "Ctrl+Shift+O", "folder"),
            ("Find on this computer…", "", "scan"),
            ("Download from the hub…", "Ctrl+D", "hub"),
            ("Add the sample model", "", "sample"),
        ):
            self.add_menu.addAction(add_action(self, text, keys, lambda way=way: self.adding.by(way)))
        self._row_actions = [
            *(
                (name, add_action(self, text, "", lambda name=name, text=text: self._ask_for(name, text)))
                for name, text in _ROW_ACTIONS.items()
            ),
            ("", add_action(self, "Copy its path", "", lambda: self._copy("path"))),
            ("", add_action(self, "Copy its sha256", "", lambda: self._copy("hash"))),
            ("", add_action(self, "Delete the model…", "", lambda: self._remove(self.table.chosen()))),
        ]
        add_action(self, "Search models", "Ctrl+F", self.search.setFocus)
        add_action(self, "Disk use", "", self._show_disk_use)

    def _connect(self) -> None:
        context, detail, library = self._context, self.detail, self._library
        context.models_changed.connect(self._models_changed)
        context.hashed.connect(self._take_hashes)
        context.reading.connect(self._take_reading)
        context.jobs_changed.connect(self._take_jobs)
        context.closing.connect(self.proofs.stop)
        self.proofs.changed.connect(self._show_proofs)
        self.search.textChanged.connect(self._search_changed)
        self.live.changed.connect(self.tree.touch)
        self.table.chosen_changed.connect(self._show_chosen)
        self.table.opened.connect(self._open_current)
        self.table.menu_wanted.connect(self._show_menu)
        self.table.removal_wanted.connect(lambda: self._remove(self.table.chosen()))
        self.tree.rename_wanted.connect(lambda id, name: self._change(lambda: library.rename(id, name)))
        self.adding.done.connect(self._take_added)
        self.welcome.way_chosen.connect(self.adding.by)
        detail.wanted.connect(self._act)
        detail.link_wanted.connect(self._follow_link)
        detail.export_wanted.connect(self._export_proof)
        detail.tags_edited.connect(lambda id, tags: self._change(lambda: library.set_tags(id, tags)))
        detail.notes_edited.connect(lambda id, notes: self._change(lambda: library.set_notes(id, notes)))
