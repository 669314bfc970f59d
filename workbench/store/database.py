"""Opens the database: SQLite in WAL mode with foreign keys, brought to the newest schema."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from workbench.errors import DiskFullError, StoreError

_MIGRATIONS = Path(__file__).parent / "migrations"

#: The newest migration. A test holds it against the scripts; stated here so that opening a database
#: that is up to date, which every start does, need not import Alembic (0.1 s).
SCHEMA = "0002"

#: Opening writes a page or two, and its log.
_LEAST_FREE_BYTES = 1 << 20


class Store:
    """The open database. Threads don't share one; workers never open it."""

    def __init__(self, path: Path) -> None:
        """Open or create the database.

        Raises:
            StoreError: It is damaged, unreadable, or was written by a newer Tenfold.
            DiskFullError: There is no room to open it.
        """
        self.path = path
        self._engine = _engine(path)
        try:
            _migrate(self._engine, path)
        except (DatabaseError, sqlite3.DatabaseError) as error:
            self._engine.dispose()
            free = shutil.disk_usage(path.parent).free
            if free < _LEAST_FREE_BYTES:
                # SQLite says no more than "disk I/O error"; its file is sound all the same.
                raise DiskFullError(path, free_bytes=free) from error
            raise StoreError(
                f"The database {path} can't be opened: {_reason(error)}.",
                remedy="Move the file away and start again: the jobs and models on disk are found anew.",
                details=str(error),
            ) from error
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits on leaving, or rolls back where an exception passes."""
        with self._sessions.begin() as session:
            yield session

    def close(self) -> None:
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


def _migrate(engine: Engine, path: Path) -> None:
    current = _current_schema(engine)
    if current == SCHEMA:
        return
    from alembic.command import upgrade
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"The database {path} was written by a newer Tenfold (schema {current}).",
            remedy="Update Tenfold, or name another home with --home.",
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "head")


def _current_schema(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", error))
