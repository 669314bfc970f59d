"""How much memory a cluster has for a training: asked again and again while somebody looks."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from ui.json_process import JsonProcess
from ui.panels.settings.places import ASK, environment_of
from workbench.cluster.place import Place
from workbench.tuning.memory import Room

#: Between two questions, in seconds.
_EVERY_S = "10"


class PlaceRoom(QObject):
    """Attributes:
    room: The memory of the node, or of the GPU, that has most free; None where that is not known.

    Signals:
        changed: Something else is known now.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.room: Room | None = None
        self._asked: tuple[Place, bool] | None = None
        self._gpu = False
        self._process = JsonProcess(ASK, self)
        self._process.answered.connect(self._take)
        self._process.failed.connect(lambda _error: self._tell(None))

    def watch(self, place: Place | None, *, gpu: bool) -> None:
        """Ask this place; none where there is none to ask.

        Args:
            gpu: Whether the training takes a GPU where there is one.
        """
        asked = (place, gpu) if place is not None else None
        if asked == self._asked:
            return
        self.rest()
        self._asked, self._gpu = asked, gpu
        self._tell(None)
        if place is not None:
            self._process.ask(["--every", _EVERY_S], environment_of((place,)))

    def rest(self) -> None:
        """Ask no more."""
        self._asked = None
        self._process.stop()

    def _take(self, answer: dict[str, object]) -> None:
        name = str(answer.get("place"))
        on_gpu = self._gpu and _bytes(answer, "roomiest_gpu_bytes")[0] > 0
        total, free = _bytes(answer, "roomiest_gpu_bytes" if on_gpu else "roomiest_bytes")
        if answer.get("problem") or not total:
            self._tell(None)
            return
        title = f"{name}, roomiest {'GPU' if on_gpu else 'node'}"
        self._tell(Room(name=title, total_bytes=total, free_bytes=free, is_gpu=on_gpu))

    def _tell(self, room: Room | None) -> None:
        if room != self.room:
            self.room = room
            self.changed.emit()


def _bytes(answer: dict[str, object], key: str) -> tuple[int, int]:
    """Total and free."""
    found = answer.get(key)
    if not isinstance(found, dict):
        return 0, 0
    return int(found.get("total") or 0), int(found.get("free") or 0)
