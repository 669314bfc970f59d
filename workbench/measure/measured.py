"""A model as it is about to be measured: its files, what they say of themselves, and their hash."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from workbench.engines.choose import choose_engine
from workbench.engines.request import EngineName, LoadOptions
from workbench.hardware import Machine
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.measure.card import Subject
from workbench.model import ModelFacts

_PACKAGES: dict[EngineName, str] = {"llama.cpp": "llama-cpp-python", "torch": "torch", "mlx": "mlx"}


class Measured(Struct, frozen=True, kw_only=True):
    """A model, and how a card names it."""

    path: Path
    facts: ModelFacts
    subject: Subject

    def options(self, *, parallel: int, context: int, threads: int) -> LoadOptions:
        """How to load it for a measurement: with nothing kept from earlier ones."""
        return LoadOptions(
            path=str(self.path), format=self.facts.format, parallel=parallel, context=context, threads=threads
        )

    def engine(self) -> str:
        """What would compute it here, with the version of its package; known without loading it.

        Raises:
            MissingExtraError: The engine that reads it is not installed.
        """
        name = choose_engine(LoadOptions(path=str(self.path), format=self.facts.format))
        try:
            return f"{name} {version(_PACKAGES[name])}"
        except PackageNotFoundError:
            return name


def measured_model(
    path: Path, name: str = "", sha256: str | None = None, *, check: Callable[[], None] = lambda: None
) -> Measured:
    """Read what a model's files say, and hash them where the hash is not known.

    Args:
        name: What a card calls it; its file's name where empty.
        check: Called between pieces of the file; what it raises ends the hashing.

    Raises:
        ModelFileError: The files are gone, damaged or no model.
    """
    facts = inspect(path)
    known = sha256 or content_hash(path, facts.files or None, lambda _done, _total: check())
    subject = Subject(
        name=name or (path.stem if path.is_file() else path.name),
        format=facts.format,
        quantization=facts.quantization,
        architecture=facts.architecture or "",
        parameters=facts.parameters,
        bits_per_weight=facts.bits_per_weight,
        size_bytes=facts.size_bytes,
        sha256=known,
    )
    return Measured(path=path, facts=facts, subject=subject)


def machine_name(machine: Machine) -> str:
    """What a card calls a machine, for example `AMD EPYC, 2 cores, 25 GB, NVIDIA H100`."""
    parts = [machine.cpu_name, f"{machine.cores} cores", f"{machine.ram_bytes / 1e9:.0f} GB"]
    return ", ".join([*parts, *(gpu.name for gpu in machine.gpus)])
