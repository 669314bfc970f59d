"""`make demo`: the window with real jobs on the sample model; drawn to pictures where there is no display."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

#: Marks a home that a demonstration made, and that the next one may throw away.
_MARK = "made-by-demo"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; return 1 where a step failed."""
    arguments = _arguments(argv)
    offscreen = arguments.offscreen or not _has_display()
    if offscreen:
        if not arguments.offscreen:
            _say("There is no display here: the window is drawn to pictures instead.")
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    home = _fresh_home(arguments.home)
    pictures: Path = arguments.screenshots.absolute()
    pictures.mkdir(parents=True, exist_ok=True)
    # Qt reads the platform when it is imported.
    from ui.demo_window import run

    return run(home, pictures, stay_open=not offscreen)


def _has_display() -> bool:
    """Whether Qt can open a window. A missing library ends the process that tries: so another one tries."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return os.environ.get("QT_QPA_PLATFORM", "") not in ("", "offscreen", "minimal")
    code = "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return tried.returncode == 0


def _fresh_home(folder: Path) -> Path:
    folder = folder.absolute()
    if (folder / _MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something that no demonstration made. Name another --home.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return folder


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("build/demo-home"))
    parser.add_argument("--screenshots", type=Path, default=Path("build/demo"), metavar="DIR")
    parser.add_argument("--offscreen", action="store_true", help="draw to pictures even where a display is")
    return parser.parse_args(argv)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
