"""Adds a cluster: what it is called, where it is, what a job asks of it, and a test of the way there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pydantic import ValidationError
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ui.json_process import JsonProcess
from ui.widgets.card import label
from ui.widgets.form_inputs import CalmSpinBox
from ui.widgets.message import MessageBar
from workbench.cluster.place import Place, SharedFolder


class PlaceDialog(QDialog):
    """Attributes:
    place: The place as it was tested and added; None until then.
    secret: Its token; empty where it wants none.
    """

    def __init__(self, taken: frozenset[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a cluster")
        self.setMinimumWidth(560)
        self._taken = taken
        self.place: Place | None = None
        self.secret = ""
        self._process = JsonProcess("workbench.cluster.ask", self)
        self.name = _field("gpu-lab")
        self.address = _field("http://head:8265")
        self.token = _field("Only where the cluster wants one")
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.cpus, self.gpus = _spin(4096), _spin(64)
        self.python = _field("python")
        self.local, self.remote = _field("here: /mnt/models"), _field("there: /shared/models")
        self.problem = MessageBar("bad", "", "", "", self)
        self.problem.hide()
        self.add_button = QPushButton("Test and add")
        self.add_button.setProperty("variant", "primary")
        self.add_button.setDefault(True)
        self.cancel_button = QPushButton("Cancel")
        self._build()
        self.add_button.clicked.connect(self._test)
        self.cancel_button.clicked.connect(self.reject)
        self._process.answered.connect(self._take_answer)
        self._process.failed.connect(lambda error: self._show_problem(error.message, error.remedy))

    def stop(self) -> None:
        """End the test that is under way."""
        self._process.stop()

    def _build(self) -> None:
        shared = QHBoxLayout()
        shared.setSpacing(8)
        shared.addWidget(self.local, 1)
        shared.addWidget(self.remote, 1)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for title, field in (
            ("Name", self.name),
            ("Address", self.address),
            ("Token", self.token),
            ("CPUs of a job", self.cpus),
            ("GPUs of a GPU job", self.gpus),
            ("Python there", self.python),
        ):
            field.setAccessibleName(title)
            form.addRow(title, field)
        self.local.setAccessibleName("Shared folder, as this computer sees it")
        self.remote.setAccessibleName("Shared folder, as the nodes see it")
        form.addRow("Shared folder", shared)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.add_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(14)
        column.addWidget(label("Add a cluster", "section"))
        column.addWidget(
            label(
                "Jobs are handed to Ray at the address of its dashboard. Its nodes need Python with Ray and "
                "the backends; Tenfold itself goes along with each job. Models in the shared folder are not "
                "sent.",
                "second",
                wrap=True,
            )
        )
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addLayout(row)

    def _test(self) -> None:
        from ui.panels.settings.places import environment_of

        made = self._made()
        if made is None:
            return
        self.place, self.secret = made, self.token.text().strip()
        self.problem.hide()
        self.add_button.setEnabled(False)
        self.add_button.setText("Testing…")
        self._process.ask([], environment_of((made,), {made.name: self.secret} if self.secret else None))

    def _made(self) -> Place | None:
        name, local, remote = self.name.text().strip(), self.local.text().strip(), self.remote.text().strip()
        if name in self._taken:
            self._show_problem(f"There is a cluster called {name} already.", "Choose another name.")
            return None
        shared = ()
        if local or remote:
            if not (local and remote):
                self._show_problem("A shared folder needs both paths.", "Name it as each side sees it.")
                return None
            shared = (SharedFolder(local=Path(local).expanduser(), remote=PurePosixPath(remote)),)
        try:
            return Place(
                name=name,
                address=self.address.text(),
                cpus=self.cpus.value(),
                gpus=self.gpus.value(),
                python=self.python.text().strip() or "python",
                shared=shared,
            )
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            self._show_problem(f"{str(first['loc'][0]).capitalize()}: {message}.", "")
            return None

    def _take_answer(self, answer: dict[str, object]) -> None:
        if answer.get("problem"):
            self._show_problem(str(answer["problem"]), str(answer.get("remedy") or ""))
            return
        self.accept()

    def _show_problem(self, message: str, remedy: str) -> None:
        self.add_button.setEnabled(True)
        self.add_button.setText("Test and add")
        self.problem.show_message("bad", message, remedy, "")
        self.problem.show()
        self.adjustSize()


def _field(example: str) -> QLineEdit:
    made = QLineEdit()
    made.setPlaceholderText(example)
    return made


def _spin(most: int) -> CalmSpinBox:
    made = CalmSpinBox()
    made.setRange(1, most)
    return made
