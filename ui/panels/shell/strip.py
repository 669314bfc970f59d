"""The strip on top: what the machine is doing now, as tiny live plots."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from ui import format
from ui.theme import PLOT_COLOURS
from ui.widgets.card import label
from ui.widgets.sparkline import Sparkline
from workbench.hardware import GpuReading, Reading

_HEIGHT = 42
_CPU, _RAM, _GPU = PLOT_COLOURS[:3]


class HardwareStrip(QFrame):
    """CPU, memory and each GPU; GPUs that do not fit are counted at the end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("This machine")
        self._cpu = _Meter("CPU", _CPU)
        self._ram = _Meter("RAM", _RAM)
        self._gpus: list[_Meter] = []
        self._more = label("", "caption")
        self._network = label("No job uses the network", "caption")
        self._network.setToolTip("Nothing leaves this machine unless you ask for it")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(20, 0, 20, 0)
        self._row.setSpacing(24)
        self._row.addWidget(self._cpu)
        self._row.addWidget(self._ram)
        self._row.addWidget(self._more)
        self._row.addStretch(1)
        self._row.addWidget(self._network)
        self._more.hide()

    def show_reading(self, reading: Reading) -> None:
        """Take in one reading of the machine."""
        self._cpu.show_value(reading.cpu_percent / 100, format.percent(reading.cpu_percent / 100))
        used, total = reading.ram_used_bytes, reading.ram_total_bytes
        self._ram.show_value(used / total if total else None, _of(used, total))
        if len(self._gpus) != len(reading.gpus):
            self._make_gpus(reading.gpus)
        for meter, gpu in zip(self._gpus, reading.gpus, strict=True):
            share = gpu.percent / 100 if gpu.percent is not None else _share_of_memory(gpu)
            meter.show_value(share, _gpu_text(gpu))
        self._fit()

    def set_downloads(self, count: int) -> None:
        """How many jobs use the network now."""
        jobs = "1 job uses" if count == 1 else f"{count} jobs use"
        self._network.setText(f"{jobs} the network" if count else "No job uses the network")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(200, _HEIGHT)

    def _make_gpus(self, readings: tuple[GpuReading, ...]) -> None:
        for meter in self._gpus:
            self._row.removeWidget(meter)
            meter.deleteLater()
        self._gpus = [_Meter(f"GPU {gpu.index}", _GPU) for gpu in readings]
        for place, meter in enumerate(self._gpus):
            self._row.insertWidget(2 + place, meter)

    def _fit(self) -> None:
        """Show as many GPUs as there is room for, and say how many more there are."""
        room = self.width() - 40 - self._network.sizeHint().width() - 24
        room -= self._cpu.sizeHint().width() + self._ram.sizeHint().width() + 48
        hidden = 0
        for place, meter in enumerate(self._gpus):
            reserve = 80 if place < len(self._gpus) - 1 else 0
            room -= meter.sizeHint().width() + 24
            fits = room >= reserve and not hidden
            meter.setVisible(fits)
            hidden += not fits
        self._more.setText(f"+{hidden} GPUs" if hidden > 1 else "+1 GPU")
        self._more.setVisible(hidden > 0)
        if hidden:
            self._more.setToolTip("\n".join(meter.accessibleName() for meter in self._gpus[-hidden:]))


class _Meter(QWidget):
    """A name, a sparkline and a figure."""

    def __init__(self, name: str, colour: str) -> None:
        super().__init__()
        self._name = name
        self._line = Sparkline(colour)
        self._figure = label("", "body")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label(name, "caption"))
        row.addWidget(self._line)
        row.addWidget(self._figure, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_value(self, share: float | None, text: str) -> None:
        self._line.add(share)
        self._figure.setText(text)
        # The figure may grow, and never makes its neighbours jump back and forth.
        self._figure.setMinimumWidth(max(self._figure.minimumWidth(), self._figure.sizeHint().width()))
        self.setAccessibleName(f"{self._name}: {text}")
        self.setToolTip(f"{self._name}: {text}, over the last minute")


def _share_of_memory(gpu: GpuReading) -> float | None:
    return gpu.memory_used_bytes / gpu.memory_total_bytes if gpu.memory_total_bytes else None


def _gpu_text(gpu: GpuReading) -> str:
    parts = [format.percent(gpu.percent / 100)] if gpu.percent is not None else []
    if gpu.memory_total_bytes:
        parts.append(_of(gpu.memory_used_bytes, gpu.memory_total_bytes))
    if gpu.power_w is not None:
        parts.append(f"{gpu.power_w:.0f}\u202fW")
    return "  ".join(parts) or "no figures"


def _of(used: int, total: int) -> str:
    """`9.1 / 24 GB`: both in the unit of the whole."""
    whole, _, unit = format.bytes(total).rpartition("\u202f")
    exponent = {"B": 0, "kB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}[unit]
    part = used / 1000**exponent
    return (
        f"{part:.0f}\u202f/\u202f{whole}\u202f{unit}" if part >= 99.5 else f"{part:.1f} / {whole}\u202f{unit}"
    )
