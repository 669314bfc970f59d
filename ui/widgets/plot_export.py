"""Writing a plot to a file: its picture as PNG, its points as CSV without holding up the window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from ui.widgets.plot_curve import CurvePoints, CurveSpec
from workbench.errors import WorkbenchError

#: One slice of the export: about 10 ms of work, so that the window stays smooth meanwhile.
_ROWS_A_STEP = 10_000


def write_png(widget: QWidget, path: Path, scale: float = 2.0) -> None:
    """Save a widget's picture at `scale` times its size.

    Raises:
        WorkbenchError: The file can't be written.
    """
    image = QImage(QSize(widget.size() * scale), QImage.Format.Format_ARGB32)
    image.setDevicePixelRatio(scale)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    widget.render(painter, QPoint(0, 0))
    painter.end()
    if not image.save(str(path), "PNG"):
        raise WorkbenchError(
            f"The picture could not be saved as {path}.", remedy="Choose a folder that you may write to."
        )


def csv_lines(
    curves: Sequence[tuple[CurveSpec, CurvePoints]], origin: float, column: str = "seconds"
) -> Iterator[str]:
    """The points as CSV, one a row: series, seconds since the start (or what `column` names), value, unit."""
    yield f"series,{column},value,unit\n"
    for spec, points in curves:
        for start in range(0, len(points), _ROWS_A_STEP):
            t = np.asarray(points.t[start : start + _ROWS_A_STEP]) - origin
            v = np.asarray(points.v[start : start + _ROWS_A_STEP])
            name, unit = _quoted(spec.name), _quoted(spec.unit)
            yield "".join(
                f"{name},{seconds:.3f},{value!r},{unit}\n"
                for seconds, value in zip(t.tolist(), v.tolist(), strict=True)
            )


class CsvExport(QObject):
    """Writes the points of curves a slice at a time; the file appears whole or not at all.

    Signals:
        done: The file is there.
        failed: It could not be written; carries a `WorkbenchError`.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        curves: Sequence[tuple[CurveSpec, CurvePoints]],
        origin: float,
        path: Path,
        parent: QObject | None = None,
        *,
        column: str = "seconds",
    ) -> None:
        super().__init__(parent)
        self._lines = csv_lines(curves, origin, column)
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._step)

    def start(self) -> None:
        try:
            self._file = self._partial.open("w", encoding="utf-8", newline="")
        except OSError as error:
            self._fail(error)
            return
        self._timer.start()

    def _step(self) -> None:
        try:
            block = next(self._lines, None)
            if block is not None:
                self._file.write(block)
                return
            self._timer.stop()
            self._file.close()
            self._partial.replace(self._path)
        except OSError as error:
            self._timer.stop()
            self._file.close()
            self._partial.unlink(missing_ok=True)
            self._fail(error)
            return
        self.done.emit(self._path)

    def _fail(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self.failed.emit(
            WorkbenchError(
                f"The points could not be saved as {self._path}: {reason}.",
                remedy="Choose a folder that you may write to.",
            )
        )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') else text
