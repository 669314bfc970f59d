"""Searches the Hugging Face hub, shows what a repository holds and whether it fits, and queues a download."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui import format
from ui.context import AppContext
from ui.json_process import JsonProcess
from ui.widgets.message import MessageBar
from ui.widgets.model_words import beside_base, fit_line, format_title
from workbench.errors import WorkbenchError
from workbench.jobs.build import make_spec
from workbench.library.fit import FitEstimate
from workbench.library.hub import HubChoice, HubListing, HubRepo
from workbench.model import ModelFacts

_MODULE = "workbench.library.hub_query"
_REPO = Qt.ItemDataRole.UserRole + 1
_CONTEXT = 4096
_REPO_HEIGHT = 46


class HubDialog(QDialog):
    """Left the repositories that a search found, right the models in the chosen one.

    Every question is asked by a process of its own; nothing is asked before the person searches.
    """

    def __init__(
        self,
        context: AppContext,
        estimate: Callable[[ModelFacts, int], FitEstimate],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._estimate = estimate
        self._endpoint = context.session.settings.load().hub_endpoint
        self._listing: HubListing | None = None
        self._fits: dict[str, str] = {}
        self._asked: list[str] = []
        self._search = JsonProcess(_MODULE, self)
        self._list = JsonProcess(_MODULE, self)
        self._facts = JsonProcess(_MODULE, self)
        self.setWindowTitle("Download from the hub")
        self.resize(920, 600)
        self._build()
        self._connect()

    def done(self, result: int) -> None:
        for process in (self._search, self._list, self._facts):
            process.stop()
        super().done(result)

    # ------------------------------------------------------------------ asking

    def search(self) -> None:
        """Ask the hub for what is typed; a whole name as organisation/name is also looked up itself."""
        text = self.field.text().strip()
        if not text:
            return
        self.problem.hide()
        self.repos.clear()
        self._status.setText("Searching …")
        self._search.ask([*self._where(), "search", text], self._environment())

    def _choose_repo(self) -> None:
        item = self.repos.currentItem()
        if item is None:
            return
        repo: HubRepo = item.data(_REPO)
        self._listing = None
        self._fits = {}
        self.choices.setRowCount(0)
        self._about.setText(f"Reading {repo.id} …")
        self._facts.stop()
        self._list.ask([*self._where(), "listing", repo.id], self._environment())
        self._enable()

    def _ask_facts(self) -> None:
        """Ask for the header of the next choice whose fit is not known yet."""
        if self._listing is None or not self._asked:
            return
        words = ["facts", self._listing.repo, "--revision", self._listing.commit, "--choice", self._asked[0]]
        self._facts.ask([*self._where(), *words], self._environment())

    def _where(self) -> list[str]:
        return ["--endpoint", self._endpoint] if self._endpoint else []

    def _environment(self) -> dict[str, str]:
        # The person asked for the network by searching.
        return {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}

    # ------------------------------------------------------------------ showing

    def _show_repos(self, answer: dict[str, object]) -> None:
        found = [HubRepo.model_validate(each) for each in answer.get("repos", [])]  # type: ignore[attr-defined]
        for repo in found:
            formats = ", ".join(format_title(each) for each in repo.formats)
            parts = [formats, f"{format.count(repo.downloads)} downloads", repo.licence]
            item = QListWidgetItem(f"{repo.id}\n{' · '.join(part for part in parts if part)}")
            item.setData(_REPO, repo)
            item.setSizeHint(QSize(0, _REPO_HEIGHT))
            item.setToolTip(f"{repo.id}, changed {repo.updated or 'at an unknown time'}")
            self.repos.addItem(item)
        count = "1 repository" if len(found) == 1 else f"{len(found)} repositories"
        self._status.setText(f"{count} found." if found else "Nothing was found. Other words may do.")
        if found:
            self.repos.setCurrentRow(0)

    def _show_listing(self, answer: dict[str, object]) -> None:
        listing = HubListing.model_validate(answer)
        self._listing = listing
        self._about.setText(
            f"{listing.repo} at {listing.commit[:8]}"
            if listing.choices
            else f"{listing.repo}: {listing.refused}"
        )
        self.choices.setRowCount(len(listing.choices))
        for row, choice in enumerate(listing.choices):
            texts = (choice.title, format_title(choice.format), format.bytes(choice.size_bytes), "…")
            for column, text in enumerate(texts):
                cell = QTableWidgetItem(text)
                cell.setToolTip("\n".join(choice.files[:12]))
                self.choices.setItem(row, column, cell)
        if listing.choices:
            self.choices.selectRow(0)
        self._asked = [choice.title for choice in listing.choices]
        self._ask_facts()
        self._enable()

    def _show_facts(self, answer: dict[str, object]) -> None:
        facts = ModelFacts.model_validate(answer)
        if facts.adapter is not None:
            self._show_fit(beside_base()[0])
            return
        context = min(_CONTEXT, facts.context_length or _CONTEXT)
        self._show_fit(fit_line(self._estimate(facts, context))[0])

    def _facts_failed(self, error: WorkbenchError) -> None:
        self._show_fit("not known")
        self.choices.setToolTip(str(error))

    def _show_fit(self, text: str) -> None:
        if self._listing is None or not self._asked:
            return
        titles = [choice.title for choice in self._listing.choices]
        row = titles.index(self._asked[0])
        self.choices.item(row, 3).setText(text)

    def _next_facts(self) -> None:
        self._asked = self._asked[1:]
        self._ask_facts()

    def _report(self, error: WorkbenchError) -> None:
        self._status.setText("")
        self._about.setText("")
        self.problem.show_message("bad", error.message, error.remedy, error.details)
        self.problem.show()

    # ------------------------------------------------------------------ downloading

    def chosen(self) -> HubChoice | None:
        row = self.choices.currentRow()
        if self._listing is None or not 0 <= row < len(self._listing.choices):
            return None
        return self._listing.choices[row]

    def download(self) -> None:
        """Put the download into the queue."""
        choice, listing = self.chosen(), self._listing
        if choice is None or listing is None:
            return
        session = self._context.session
        values = {
            "repo": listing.repo,
            "revision": listing.commit,
            "files": list(choice.files),
            "endpoint": self._endpoint,
        }
        try:
            spec = make_spec(session.catalogue.operation("hub-download"), None, None, values)
            name = listing.repo.rpartition("/")[2]
            job = session.board.submit(
                spec.model_copy(update={"title": f"Download {name} {choice.title}", "output_name": name})
            )
        except WorkbenchError as error:
            self._report(error)
            return
        self._context.message.emit("good", f"“{job.title}” is in the queue.")
        self.accept()

    def _enable(self) -> None:
        self.download_button.setEnabled(self.chosen() is not None)

    # ------------------------------------------------------------------ building

    def _connect(self) -> None:
        self.field.returnPressed.connect(self.search)
        self._search_button.clicked.connect(self.search)
        self.repos.currentRowChanged.connect(lambda _row: self._choose_repo())
        self.choices.itemSelectionChanged.connect(self._enable)
        self.choices.itemDoubleClicked.connect(lambda _item: self.download())
        self.download_button.clicked.connect(self.download)
        self._search.answered.connect(self._show_repos)
        self._search.failed.connect(self._report)
        self._list.answered.connect(self._show_listing)
        self._list.failed.connect(self._report)
        self._facts.answered.connect(self._show_facts)
        self._facts.failed.connect(self._facts_failed)
        self._facts.finished.connect(self._next_facts)
        self._facts.failed.connect(lambda _error: self._next_facts())

    def _build(self) -> None:
        title = QLabel("Download from the hub")
        title.setProperty("role", "title")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search models, or type organisation/name")
        self.field.setAccessibleName("Search the hub")
        self._search_button = QPushButton("Search")
        self._search_button.setAutoDefault(False)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.field, 1)
        line.addWidget(self._search_button)
        self.problem = MessageBar("bad", "", "", "")
        self.problem.hide()
        self._status = QLabel("Searching asks huggingface.co, and nothing before that.")
        self._status.setProperty("role", "caption")
        self.repos = QListWidget()
        self.repos.setAccessibleName("Repositories found")
        self.repos.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.repos.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.repos.setSpacing(2)
        self._about = QLabel()
        self._about.setProperty("role", "second")
        self._about.setWordWrap(True)
        self.choices = QTableWidget(0, 4)
        self.choices.setAccessibleName("Models in the repository")
        self.choices.setHorizontalHeaderLabels(["Model", "Format", "Download", "Fits here"])
        self.choices.verticalHeader().hide()
        self.choices.setShowGrid(False)
        self.choices.setTabKeyNavigation(False)
        self.choices.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.choices.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.choices.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        header = self.choices.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 100), (2, 90), (3, 140)):
            self.choices.setColumnWidth(column, width)
        self.download_button = QPushButton("Download")
        self.download_button.setProperty("variant", "primary")
        self.download_button.setEnabled(False)
        close = QPushButton("Close")
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self.download_button)
        left, right = QWidget(), QWidget()
        for side, widgets in ((left, (self._status, self.repos)), (right, (self._about, self.choices))):
            column = QVBoxLayout(side)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(8)
            column.addWidget(widgets[0])
            column.addWidget(widgets[1], 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(12)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setSizes([380, 500])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(24, 22, 24, 20)
        whole.setSpacing(12)
        whole.addWidget(title)
        whole.addLayout(line)
        whole.addWidget(self.problem)
        whole.addWidget(splitter, 1)
        whole.addLayout(buttons)
