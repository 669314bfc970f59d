"""The database: made, brought up to date, and refused where it can't be trusted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from workbench.errors import StoreError
from workbench.store import database
from workbench.store.database import SCHEMA, Store
from workbench.store.tables import Base


def test_stated_schema_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))

    assert scripts.get_current_head() == SCHEMA


def test_migrations_make_exactly_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    Store(tmp_path / "new.sqlite3").close()

    engine = create_engine(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_database_is_in_wal_mode_with_foreign_keys(store: Store) -> None:
    with store.transaction() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_damaged_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite3"
    path.write_bytes(b"this was a database once" * 100)

    with pytest.raises(StoreError, match=r"damaged\.sqlite3") as caught:
        Store(path)

    assert "Move the file away" in caught.value.remedy


def test_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite3"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError, match="newer Tenfold"):
        Store(path)
