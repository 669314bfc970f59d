"""Finds the models that other programs already hold on this disk. Reads only; copies and changes nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.library.found import Found, Place, Skipped, Step
from workbench.library.scan_folder import scan_folder
from workbench.library.scan_huggingface import looks_like_huggingface, scan_huggingface
from workbench.library.scan_ollama import looks_like_ollama, scan_ollama

__all__ = ["Found", "Place", "Scan", "Skipped", "Survey", "place_of", "places", "scan", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a scan found, and what it left out."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]


def places(extra: Sequence[str | Path] = (), environment: Mapping[str, str] | None = None) -> list[Place]:
    """The places that exist on this machine: Hugging Face's cache, LM Studio, Ollama, and `extra` folders.

    Args:
        extra: Folders of the person's own; those that don't exist are left out.
        environment: The variables that move the stores; this process's where not given.
    """
    variables = os.environ if environment is None else environment
    candidates = [
        *(Place("huggingface", "Hugging Face cache", path) for path in _huggingface(variables)),
        *(Place("lm-studio", "LM Studio", path) for path in _lm_studio()),
        *(Place("ollama", "Ollama", path) for path in _ollama(variables)),
        *(place_of(Path(path).expanduser()) for path in extra),
    ]
    found: dict[str, Place] = {}
    for place in candidates:
        try:
            if place.path.is_dir():
                found.setdefault(str(place.path.resolve()), place)
        except OSError:
            continue
    return list(found.values())


def place_of(path: Path) -> Place:
    """A folder as a place; one that has the shape of a known store is read as such."""
    if looks_like_ollama(path):
        return Place("ollama", f"Ollama in {path.name}", path)
    if looks_like_huggingface(path):
        return Place("huggingface", f"Hugging Face cache in {path.name}", path)
    return Place("folder", path.name or str(path), path)


def scan(place: Place) -> list[Found]:
    """The models in a place, by name. May take seconds for a large folder: see `Scan` for a window."""
    return list(survey(place).found)


def survey(place: Place) -> Survey:
    """The same with what was left out, and why."""
    run = Scan(place)
    while not run.done:
        run.step(3600.0)
    return Survey(tuple(sorted(run.found, key=lambda each: each.name.casefold())), tuple(run.skipped))


class Scan:
    """A scan that goes on for a moment at a time, so that a window can run it from a timer.

    Attributes:
        found: What it found so far.
        skipped: What it left out so far.
        done: Whether it came to its end.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.found: list[Found] = []
        self.skipped: list[Skipped] = []
        self.done = False
        self._steps = _steps(place)

    def step(self, seconds: float = 0.01) -> list[Found]:
        """Go on for about so long (one folder at least); returns what is new."""
        before = len(self.found)
        until = time.monotonic() + seconds
        for each in self._steps:
            if isinstance(each, Found):
                self.found.append(each)
            elif isinstance(each, Skipped):
                self.skipped.append(each)
            elif time.monotonic() >= until:
                return self.found[before:]
        self.done = True
        return self.found[before:]


def _steps(place: Place) -> Iterator[Step]:
    match place.kind:
        case "huggingface":
            return scan_huggingface(place.path)
        case "ollama":
            return scan_ollama(place.path)
        case "lm-studio" | "folder":
            return scan_folder(place.path, source=place.kind)


def _huggingface(variables: Mapping[str, str]) -> Iterator[Path]:
    """Source: huggingface_hub's guide on environment variables. The default is the same on all systems."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if variables.get(name):
            yield Path(variables[name]).expanduser()
    if variables.get("HF_HOME"):
        yield Path(variables["HF_HOME"]).expanduser() / "hub"
    if variables.get("XDG_CACHE_HOME"):
        yield Path(variables["XDG_CACHE_HOME"]).expanduser() / "huggingface" / "hub"
    yield _user() / ".cache" / "huggingface" / "hub"


def _lm_studio() -> Iterator[Path]:
    """LM Studio notes a moved home in `~/.lmstudio-home-pointer`; old versions used `~/.cache`."""
    try:
        pointed = (_user() / ".lmstudio-home-pointer").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        pointed = ""
    if pointed and "\0" not in pointed:
        yield Path(pointed).expanduser() / "models"
    yield _user() / ".lmstudio" / "models"
    yield _user() / ".cache" / "lm-studio" / "models"


def _ollama(variables: Mapping[str, str]) -> Iterator[Path]:
    """Source: Ollama's FAQ, "Where are models stored?". On Linux the service has a user of its own."""
    if variables.get("OLLAMA_MODELS"):
        yield Path(variables["OLLAMA_MODELS"]).expanduser()
    yield _user() / ".ollama" / "models"
    if sys.platform not in {"win32", "darwin"}:
        yield Path("/usr/share/ollama/.ollama/models")
        yield Path("/var/lib/ollama/.ollama/models")


def _user() -> Path:
    return Path("~").expanduser()
