"""The errors of Tenfold: each says what happened, to what, and what the person can do."""

from __future__ import annotations

from pathlib import Path


class WorkbenchError(Exception):
    """The root of every error that is shown to a person.

    Args:
        message: What happened and to what, as one sentence for a person.
        remedy: What the person can do about it; empty where nothing helps.
        details: Technical text (a traceback, a server's answer) that a view folds away.
    """

    #: A short stable word for programs: printed in `--json` output and stored in `error` events.
    kind = "error"

    def __init__(self, message: str, *, remedy: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class UsageError(WorkbenchError):
    """The call itself is wrong: an unknown name, a value out of range, a missing argument."""

    kind = "usage"


class ParameterError(UsageError):
    """One parameter of an operation has a value that it can't have."""

    kind = "parameter"

    def __init__(self, parameter: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.parameter = parameter


class NotFoundError(UsageError):
    """Nothing with this id or name is known."""

    kind = "not-found"


class ModelFileError(WorkbenchError):
    """A model on disk can't be read or isn't what it says it is."""

    kind = "model-file"

    def __init__(self, path: Path, reason: str, *, remedy: str = "", details: str = "") -> None:
        # A hostile name may hold bytes that no text can, or signs that steer a terminal.
        shown = "".join(each if each.isprintable() else "\ufffd" for each in path.name or str(path))
        super().__init__(f"{shown}: {reason}", remedy=remedy, details=details)
        self.path = path
        self.reason = reason


class UnsafeModelError(ModelFileError):
    """The file could run code when it is loaded (a pickle checkpoint), so it is never opened."""

    kind = "unsafe-model"


class InUseError(WorkbenchError):
    """Something can't be changed or removed while something else uses it."""

    kind = "in-use"


class DiskFullError(WorkbenchError):
    """There is not enough free space for what was asked."""

    kind = "disk-full"

    def __init__(self, path: Path, *, needed_bytes: int | None = None, free_bytes: int | None = None) -> None:
        needed = f" {needed_bytes / 1e9:.2f} GB are needed," if needed_bytes is not None else ""
        free = f" {free_bytes / 1e9:.2f} GB are free." if free_bytes is not None else ""
        super().__init__(
            f"The disk that holds {path} is full.{needed}{free}",
            remedy="Free some space or choose another place, then try again.",
        )
        self.path = path
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class MissingExtraError(WorkbenchError):
    """A backend is not installed."""

    kind = "missing-extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} is not installed.", remedy=f'Install it with: pip install "tenfold[{extra}]"'
        )
        self.extra = extra


class OutOfMemoryError(WorkbenchError):
    """A load or a step needed more memory than the machine or the device could give."""

    kind = "out-of-memory"


class HubError(WorkbenchError):
    """The hub refused, could not be reached, or served something other than it promised."""

    kind = "hub"


class PluginError(WorkbenchError):
    """A plugin can't be imported, or what it declares is not well formed."""

    kind = "plugin"


class HomeInUseError(WorkbenchError):
    """Another Tenfold runs on the same home."""

    kind = "home-in-use"


class StoreError(WorkbenchError):
    """The database can't be opened, is damaged, or comes from a newer Tenfold."""

    kind = "store"


class JobCancelled(Exception):  # noqa: N818 - control flow, not a fault
    """Raised inside an operation when the person cancelled; let it pass, or clean up and re-raise."""


class JobPaused(Exception):  # noqa: N818 - control flow, not a fault
    """Raised inside an operation when the person paused; everything needed to go on is in `checkpoints/`."""
