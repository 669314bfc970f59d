"""Transactions whose failures a person understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from workbench.errors import DiskFullError, StoreError
from workbench.store.database import Store


@contextmanager
def guarded(store: Store, *, lock: bool = False) -> Iterator[Session]:
    """A transaction whose failures a person understands; nothing is kept where one happens.

    Args:
        lock: Keep every other process from writing from the start on, so that what is read here still
            holds when it is changed.

    Raises:
        DiskFullError: The disk that holds the database is full.
        StoreError: The database can't be read or written.
    """
    try:
        with store.transaction() as session:
            if lock:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session
    except DatabaseError as error:
        reason = str(error.orig)
        if "disk is full" in reason:
            raise DiskFullError(store.path) from error
        raise StoreError(
            f"The database {store.path} can't be read or written: {reason}.",
            remedy="Check that its folder can be written and that its disk has space; nothing was changed.",
            details=str(error),
        ) from error
