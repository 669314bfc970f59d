"""Where Tenfold keeps its things on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path


@dataclass(frozen=True)
class Home:
    """One folder that holds everything: the database, the jobs, downloaded models, plugins, caches."""

    root: Path

    @classmethod
    def find(cls, explicit: Path | None = None) -> Home:
        """The home named by `--home`, else by `TENFOLD_HOME`, else the platform's data folder."""
        named = explicit or (Path(os.environ["TENFOLD_HOME"]) if os.environ.get("TENFOLD_HOME") else None)
        root = named or user_data_path("tenfold", appauthor=False)
        return cls(root.expanduser().absolute())

    def create(self) -> Home:
        """Make the folders that every part relies on; return self."""
        for folder in (self.root, self.jobs, self.models, self.plugins, self.proofs, self.cache):
            folder.mkdir(parents=True, exist_ok=True)
        return self

    @property
    def database(self) -> Path:
        return self.root / "tenfold.sqlite3"

    @property
    def runner_lock(self) -> Path:
        """Held by the one process that supervises the jobs of this home."""
        return self.root / "runner.lock"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def models(self) -> Path:
        """Models that Tenfold downloaded; what a job made stays in the job's own folder."""
        return self.root / "models"

    @property
    def plugins(self) -> Path:
        """Single-file plugins of the person's own."""
        return self.root / "plugins"

    @property
    def installed_plugins(self) -> Path:
        """Plugins that were installed from a wheel, a folder or by name: one folder each."""
        return self.plugins / "installed"

    @property
    def environments(self) -> Path:
        """Environments of their own, for jobs whose requirements differ from Tenfold's."""
        return self.root / "environments"

    @property
    def proofs(self) -> Path:
        """The proof cards of models, one file each."""
        return self.root / "proofs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def owns(self, path: Path) -> bool:
        """Whether a file lies in this home, so that Tenfold may delete it."""
        return path.resolve().is_relative_to(self.root.resolve())
