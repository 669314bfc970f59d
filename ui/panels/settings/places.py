"""Clusters that jobs may run on: what each has and what is free, live, and the way to add and remove one."""

from __future__ import annotations

import json

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ui import format
from ui.json_process import JsonProcess
from ui.panels.settings.place_dialog import PlaceDialog
from ui.widgets.badge import Badge
from ui.widgets.card import label
from ui.widgets.elided_label import ElidedLabel
from workbench import secrets
from workbench.cluster.place import PLACES_VARIABLE, SECRETS_VARIABLE, Place, secret_name
from workbench.errors import WorkbenchError

#: Between two rounds of questions, in seconds.
_EVERY_S = "3"
ASK = "workbench.cluster.ask"


class PlacesEditor(QWidget):
    """Signals:
    edited: The places as they should be now.
    told: Something to tell: its kind and the sentence.
    """

    edited = Signal(tuple)
    told = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._places: tuple[Place, ...] = ()
        self._rows: dict[str, PlaceRow] = {}
        self._watched = False
        self._process = JsonProcess(ASK, self)
        self._none = label("None. Jobs run on this computer.", "second")
        self.add = QPushButton("Add cluster…")
        self.add.setAccessibleName("Add a cluster that jobs may run on")
        self._list = QVBoxLayout()
        self._list.setSpacing(12)
        foot = QHBoxLayout()
        foot.addWidget(self.add)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self._none)
        column.addLayout(self._list)
        column.addLayout(foot)
        self.add.clicked.connect(self._ask_for_one)
        self._process.answered.connect(self._take_answer)

    def set_places(self, places: tuple[Place, ...]) -> None:
        """Show these places."""
        self._none.setVisible(not places)
        if places == self._places:
            return
        self._places = places
        for row in self._rows.values():
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = {}
        for place in places:
            row = PlaceRow(place, self)
            row.remove.clicked.connect(lambda _on=False, name=place.name: self._remove(name))
            self._list.addWidget(row)
            self._rows[place.name] = row
        if self._watched:
            self.watch()

    def watch(self) -> None:
        """Ask every place again and again, in a process of its own."""
        self._watched = True
        self._process.stop()
        if self._places:
            self._process.ask(["--every", _EVERY_S], environment_of(self._places))

    def rest(self) -> None:
        """Ask no more."""
        self._watched = False
        self._process.stop()

    def keep(self, place: Place, secret: str) -> None:
        """Add a place, or put it in the place of the one with its name; its token goes to the keyring."""
        if secret:
            try:
                secrets.set(secret_name(place.name), secret)
            except WorkbenchError as error:
                self.told.emit("bad", str(error))
                return
        self.edited.emit((*(each for each in self._places if each.name != place.name), place))

    def _ask_for_one(self) -> None:
        dialog = PlaceDialog(frozenset(each.name for each in self._places), self)
        if dialog.exec() == PlaceDialog.DialogCode.Accepted and dialog.place is not None:
            self.keep(dialog.place, dialog.secret)
        dialog.stop()
        dialog.deleteLater()

    def _remove(self, name: str) -> None:
        try:
            secrets.delete(secret_name(name))
        except WorkbenchError as error:
            self.told.emit("bad", str(error))
        self.edited.emit(tuple(each for each in self._places if each.name != name))

    def _take_answer(self, answer: dict[str, object]) -> None:
        row = self._rows.get(str(answer.get("place")))
        if row is not None:
            row.show_answer(answer)


class PlaceRow(QWidget):
    """One place: its name and address, and what is free there."""

    def __init__(self, place: Place, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.state = Badge("asking", "neutral", self)
        self.remove = QPushButton("Remove")
        self.remove.setAccessibleName(f"Remove {place.name}")
        self.figures = label("", "second", wrap=True)
        address = ElidedLabel(place.address)
        address.setProperty("role", "caption")
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(label(place.name, "body"))
        head.addWidget(address, 1)
        head.addWidget(self.state)
        head.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.figures)
        self.figures.setText("Its free CPUs, GPUs and memory appear here.")

    def show_answer(self, answer: dict[str, object]) -> None:
        """Show what the place said."""
        problem = str(answer.get("problem") or "")
        self.state.setText("no connection" if problem else "connected")
        self.state.set_tone("bad" if problem else "good")
        self.figures.setText(f"{problem} {answer.get('remedy')}".strip() if problem else in_words(answer))
        self.setAccessibleName(f"{self._place.name}: {self.figures.text()}")


def in_words(answer: dict[str, object]) -> str:
    """`2 nodes · 6 of 8 CPUs free · no GPU · 47.2 of 50.6 GB of memory free · Ray 2.60.0`."""
    nodes = answer["nodes"]
    memory = _amount(answer["memory_bytes"])
    parts = [f"{nodes} node{'s' if nodes != 1 else ''}"]
    for key, word in (("cpus", "CPU"), ("gpus", "GPU")):
        total, free = _amount(answer[key])
        if not total:
            parts.append(f"no {word}")
        else:
            shown = f"{free:g}" if free is not None else "?"
            parts.append(f"{shown} of {total:g} {word}s free")
    parts.append(f"{format.bytes(int(memory[1] or 0))} of {format.bytes(int(memory[0]))} of memory free")
    if answer["waiting"]:
        parts.append(f"{answer['waiting']} waiting")
    return " · ".join([*parts, f"Ray {answer['ray']}"])


def environment_of(places: tuple[Place, ...], given: dict[str, str] | None = None) -> dict[str, str]:
    """What a process that asks places is told; secrets go this way and are in no file.

    Args:
        given: Secrets that are not in the keyring yet, by the place's name.
    """
    known = {each.name: secrets.get(secret_name(each.name)) for each in places}
    found = {name: secret for name, secret in (known | (given or {})).items() if secret}
    listed = [each.model_dump(mode="json") for each in places]
    return {PLACES_VARIABLE: json.dumps(listed), SECRETS_VARIABLE: json.dumps(found)}


def _amount(value: object) -> tuple[float, float | None]:
    if not isinstance(value, dict):
        return 0.0, 0.0
    return float(value.get("total") or 0), value.get("free")
