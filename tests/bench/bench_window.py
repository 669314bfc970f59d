"""How fast the window is there, what it weighs, and what it costs while nothing happens.

Run it with `python tests/bench/bench_window.py [HOME]`; it prints figures and asserts none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

STARTS = 5
IDLE_S = 10.0

#: Runs in a child: the window as `ui.app` makes it, until its first paint, then idle.
_CHILD = """
import os, sys, time
began = float(sys.argv[2])
from PySide6.QtCore import QEvent, QObject, QTimer
import ui.app as start
from ui.window import MainWindow

class FirstPaint(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and isinstance(watched, MainWindow):
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self.tell)
        return False
    def tell(self):
        asked = ("pyqtgraph", "alembic", "huggingface_hub", "numpy", "keyring")
        heavy = [name for name in asked if name in sys.modules]
        print(f"painted {time.time() - began:.3f} {','.join(heavy) or '-'}", flush=True)

watch = FirstPaint()
make = MainWindow.__init__
def made(self, context):
    make(self, context)
    self.installEventFilter(watch)
MainWindow.__init__ = made
sys.exit(start.main(["--home", sys.argv[1], "--page", sys.argv[3]]))
"""


def main() -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        home = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "home")
        _one(home, "models", 0.0)  # the first start makes the database
        for page in ("models", "optimize", "jobs", "settings"):
            starts = [_one(home, page, 0.0) for _ in range(STARTS)]
            times = sorted(took for took, *_ in starts)
            print(
                f"{page:9} start to first paint: median {times[STARTS // 2]:.2f} s, "
                f"best {times[0]:.2f} s, worst {times[-1]:.2f} s; imported: {starts[0][1]}"
            )
        _, _, rss, cpu = _one(home, "models", IDLE_S)
        print(f"idle for {IDLE_S:.0f} s: {rss / 1e6:.0f} MB resident, {cpu:.1f} % of one core")
    return 0


def _one(home: str, page: str, idle_s: float) -> tuple[float, str, int, float]:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, home, str(time.time()), page], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    line = child.stdout.readline().split()
    process = psutil.Process(child.pid)
    rss, cpu = 0, 0.0
    if idle_s:
        time.sleep(3.0)  # what the first seconds do (reading the drivers) is not idling
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(idle_s)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        rss, cpu = process.memory_info().rss, used / (time.monotonic() - began) * 100
    child.terminate()
    child.wait()
    return float(line[1]), line[2], rss, cpu


if __name__ == "__main__":
    sys.exit(main())
