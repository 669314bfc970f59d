"""What the folder of a step says of an earlier run: what was asked of it, and what it made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.jobs.events import Artifact, State
from workbench.jobs.publish import names_in
from workbench.jobs.recover import last_event
from workbench.jobs.story import keep_told
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect

_ASKED = "asked.txt"


class Kept:
    """The folder of one step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def artifact(self, asked: str) -> Artifact | None:
        """What the step made when the same was asked of it; None where it is not done."""
        if self._asked() != asked:
            return None
        state = last_event(self.folder, State)
        return last_event(self.folder, Artifact) if state is not None and state.state == "done" else None

    def result(self, artifact: Artifact) -> Path:
        """Where the result of a run lies, or lay."""
        return Path(os.path.normpath(self.folder / artifact.path))

    def is_whole(self, artifact: Artifact) -> bool:
        """Whether the result is there, byte for byte as it was made."""
        path = self.result(artifact)
        try:
            files = inspect(path).files if artifact.role == "model" else names_in(path)
            return path.exists() and content_hash(path, files) == artifact.sha256
        except (WorkbenchError, OSError):
            return False

    def begin(self, asked: str) -> bool:
        """Make the folder ready for a run; whether that goes on with an earlier one."""
        if self._asked() == asked and (self.folder / "events.jsonl").is_file():
            (self.folder / "request").unlink(missing_ok=True)
            return True
        self.forget()
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{_ASKED}"
        draft.write_text(asked, encoding="utf-8")
        os.replace(draft, self.folder / _ASKED)  # noqa: PTH105 - the one atomic step, named as such
        return False

    def forget(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def drop_result(self) -> None:
        """Leave what the step told, and nothing that takes up room."""
        keep_told(self.folder, (_ASKED,))

    def _asked(self) -> str:
        try:
            return (self.folder / _ASKED).read_text(encoding="utf-8")
        except OSError:
            return ""


def fingerprint(asked: Mapping[str, Any]) -> str:
    """A text that is the same where the same is asked of a step, of inputs of the same content."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
