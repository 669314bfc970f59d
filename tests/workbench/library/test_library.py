"""The library keeps models, finds them, and never loses or deletes what is not its own."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, text

sys.path.insert(0, str(Path(__file__).parent))

import corpus

from workbench.errors import (
    DiskFullError,
    InUseError,
    MissingExtraError,
    ModelFileError,
    NotFoundError,
    StoreError,
    UsageError,
)
from workbench.home import Home
from workbench.library import library as library_module
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.store.database import Store
from workbench.store.tables import JobRow, ModelRow


@pytest.fixture
def library(store: Store, home: Home) -> Library:
    return Library(store, home)


def gguf_at(path: Path, name: str = "a model", fill: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        corpus.gguf([corpus.ARCHITECTURE, corpus.string("general.name", name)], data=bytes([fill]) * 512)
    )
    return path


def made_by_job(
    library: Library, home: Home, job: str, parent: ModelRecord | None, name: str = "made"
) -> ModelRecord:
    path = gguf_at(home.jobs / job / "out" / f"{name}.gguf", name)
    return library.add_result(
        job_id=job,
        parent_id=parent.id if parent else None,
        path=path,
        name=name,
        facts=inspect(path),
        sha256="0" * 64,
        source=f"job:{job}",
    )


def job_row(store: Store, id: str, state: str, model: ModelRecord | None) -> None:
    with store.transaction() as session:
        session.add(
            JobRow(
                id=id,
                operation="gguf-quantize",
                title=f"Quantize ({state})",
                spec="{}",
                state=state,
                needs="cpu",
                position=1.0,
                model_id=model.id if model else None,
                created_at=1.0,
                queued_at=1.0,
            )
        )


# ---------------------------------------------------------------------- adding


def test_sample_is_added_in_place_and_once(library: Library, sample_gguf: Path) -> None:
    first = library.add_sample()
    second = library.add_sample()

    assert (first.already_known, second.already_known) == (False, True)
    assert first.record == second.record
    record = first.record
    assert (record.name, record.quantization, record.path) == ("SmolLM2-135M-Instruct", "Q4_1", sample_gguf)
    assert record.in_place
    assert len(record.id) == 8
    assert set(record.id) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert library.facts(record.id) == inspect(sample_gguf)


def test_missing_sample_package_names_the_extra(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "_SAMPLE_PACKAGE", "no-such-package-at-all")

    with pytest.raises(MissingExtraError, match=r"tenfold\[sample\]"):
        library.add_sample()


def test_same_path_written_differently_is_known(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gguf_at(tmp_path / "models" / "a.gguf")
    first = library.add(path)
    monkeypatch.chdir(path.parent)

    assert library.add(Path("a.gguf")).record == first.record
    assert library.add(path.parent).already_known
    assert library.find(Path("a.gguf")) == first.record


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_link_to_a_known_file_is_known(library: Library, tmp_path: Path) -> None:
    first = library.add(gguf_at(tmp_path / "a.gguf"))
    (tmp_path / "link.gguf").symlink_to(tmp_path / "a.gguf")
    os.link(tmp_path / "a.gguf", tmp_path / "hard.gguf")

    assert library.add(tmp_path / "link.gguf").record == first.record
    assert library.add(tmp_path / "hard.gguf").already_known
    assert len(library.list()) == 1


def test_known_hash_is_recognised_elsewhere(library: Library, tmp_path: Path) -> None:
    first = library.add(gguf_at(tmp_path / "a.gguf"), sha256="a" * 64)

    again = library.add(gguf_at(tmp_path / "b.gguf"), sha256="a" * 64)

    assert again.already_known
    assert again.record == first.record


def test_known_hash_of_a_vanished_file_is_no_hindrance(library: Library, tmp_path: Path) -> None:
    library.add(gguf_at(tmp_path / "a.gguf"), sha256="a" * 64)
    (tmp_path / "a.gguf").unlink()

    assert not library.add(gguf_at(tmp_path / "b.gguf"), sha256="a" * 64).already_known


def test_copy_is_reported_as_alike_and_proven_by_its_hash(library: Library, tmp_path: Path) -> None:
    first = library.add(gguf_at(tmp_path / "a.gguf")).record
    copied = library.add(gguf_at(tmp_path / "b.gguf"))
    other = library.add(gguf_at(tmp_path / "c.gguf", name="another"))
    assert (copied.already_known, copied.looks_like, other.looks_like) == (False, first, None)

    library.set_sha256(first.id, "b" * 64)
    duplicates = library.set_sha256(copied.record.id, "b" * 64)

    assert [each.id for each in duplicates] == [first.id]
    assert library.duplicates(first.id)[0].id == copied.record.id


def test_file_that_changed_is_read_anew_and_its_hash_forgotten(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record
    library.set_sha256(record.id, "c" * 64)
    gguf_at(tmp_path / "a.gguf", name="a longer name")

    again = library.add(tmp_path / "a.gguf")

    assert again.already_known
    assert again.record.id == record.id
    assert again.record.sha256 is None
    assert library.facts(record.id).name == "a longer name"


def test_file_with_other_weights_of_the_same_size_loses_its_hash(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record
    library.set_sha256(record.id, "c" * 64)
    gguf_at(tmp_path / "a.gguf", fill=7)
    os.utime(tmp_path / "a.gguf", (record.created_at + 5, record.created_at + 5))

    assert library.add(tmp_path / "a.gguf").record.sha256 is None


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("SmolLM2-135M.Q4_1.gguf", "SmolLM2-135M.Q4_1"),
        ("Tiny-F32.gguf", "Tiny"),
        ("model.gguf", "a model"),
        ("sha256-" + "0" * 64, "a model"),
    ],
)
def test_default_names(name: str, called: str, library: Library, tmp_path: Path) -> None:
    assert library.add(gguf_at(tmp_path / name)).record.name == called


# ---------------------------------------------------------------------- what fails leaves nothing behind


def test_full_disk_registers_nothing(
    library: Library, store: Store, tmp_path: Path, sample_gguf: Path
) -> None:
    with store.transaction() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))

    with pytest.raises(DiskFullError, match="full"):
        for number in range(50):
            library.add(gguf_at(tmp_path / f"{number}.gguf", name=f"name {number}" * 20))

    listed = library.list()
    assert len(listed) < 50
    assert all(library.facts(record.id).architecture == "llama" for record in listed)
    with store.transaction() as session:
        session.execute(text(f"PRAGMA max_page_count = {pages * 100}"))
    assert not library.add(tmp_path / f"{len(listed)}.gguf").already_known


def test_database_that_cannot_be_written_registers_nothing(
    library: Library, store: Store, tmp_path: Path
) -> None:
    with store.transaction() as session:
        session.execute(text("PRAGMA query_only = ON"))

    with pytest.raises(StoreError, match="nothing was changed") as caught:
        library.add(gguf_at(tmp_path / "a.gguf"))

    assert "readonly" in caught.value.message
    assert library.list() == []


# ---------------------------------------------------------------------- finding


def test_get_by_id_name_and_beginning(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "Alpha-One.gguf")).record
    library.add(gguf_at(tmp_path / "Beta.gguf", name="b"))

    for key in (
        record.id,
        record.id.upper(),
        record.id[:5],
        "Alpha-One",
        "alpha-one",
        "alpha",
        " Alpha-One ",
    ):
        assert library.get(key) == record


def test_ambiguous_name_lists_the_candidates(library: Library, tmp_path: Path) -> None:
    ids = [library.add(gguf_at(tmp_path / each / "Same.gguf", name=each)).record.id for each in "ab"]

    with pytest.raises(NotFoundError) as caught:
        library.get("Same")

    assert all(id in caught.value.message for id in ids)


@pytest.mark.parametrize("key", ["", " ", "nothing", "%", "_", "a%", "'; DROP TABLE models; --"])
def test_unknown_model_is_said_to_be_unknown(key: str, library: Library, tmp_path: Path) -> None:
    library.add(gguf_at(tmp_path / "Alpha.gguf"))

    with pytest.raises(NotFoundError):
        library.get(key)


def test_search_by_name_tag_architecture_and_quantization(library: Library, tmp_path: Path) -> None:
    first = library.add(gguf_at(tmp_path / "Straße-7B.gguf")).record
    second = library.add(gguf_at(tmp_path / "Other.gguf", name="o")).record
    library.set_tags(second.id, ["für Kunden", "fast"])

    def found(search: str) -> set[str]:
        return {record.id for record in library.list(search)}

    assert found("") == found("llama") == found("F32 gguf") == {first.id, second.id}
    assert found("STRASSE") == found("7b llama") == {first.id}
    assert found("KUNDEN fast") == {second.id}
    assert found("kunden 7b") == set()


def test_ten_thousand_models_are_listed_whole(library: Library, store: Store, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record
    facts = library.facts(record.id).model_dump_json()
    kept = [key for key in ModelRecord.__slots__ if key != "tuning"]
    columns = {key: getattr(record, key) for key in kept} | {"tags": "[]", "facts": facts}
    with store.transaction() as session:
        session.execute(
            insert(ModelRow),
            [
                {
                    **columns,
                    "id": f"m{n:07}",
                    "path": f"/m/{n}",
                    "name": f"Model {n}",
                    "tags": "[]",
                    "facts": facts,
                }
                for n in range(10_000)
            ],
        )

    assert len(library.list()) == 10_001
    # 999, 1999 to 8999, and 9990 to 9999.
    assert len(library.list("model 999")) == 1 + 8 + 10
    assert library.get("Model 77").id == "m0000077"


# ---------------------------------------------------------------------- changing


def test_rename_tags_and_notes(library: Library, store: Store, home: Home, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record

    library.rename(record.id, "  A better\nname ")
    library.set_tags(record.id, ["good", "Good", " ", "old one"])
    library.set_notes(record.id, "Line one\nLine two ✓")

    read = Library(store, home).get(record.id)
    assert (read.name, read.tags, read.notes) == (
        "A better name",
        ("good", "old one"),
        "Line one\nLine two ✓",
    )
    assert read.path == record.path


def test_impossible_names_tags_and_notes_are_refused(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record

    for name in ("", " \n ", "x" * 201):
        with pytest.raises(UsageError):
            library.rename(record.id, name)
    with pytest.raises(UsageError):
        library.set_tags(record.id, ["x" * 61])
    with pytest.raises(UsageError):
        library.set_notes(record.id, "x" * 100_001)
    with pytest.raises(NotFoundError):
        library.rename("nosuchid", "x")
    assert library.get(record.id) == record


# ---------------------------------------------------------------------- results of jobs, lineage, removal


def test_result_of_a_job_is_registered_once_with_its_parent(
    library: Library, home: Home, tmp_path: Path
) -> None:
    base = library.add(gguf_at(tmp_path / "base.gguf")).record

    first = made_by_job(library, home, "job1", base)
    second = made_by_job(library, home, "job1", base)

    assert first == second
    assert (first.parent_id, first.job_id, first.in_place, first.sha256) == (base.id, "job1", False, "0" * 64)
    assert library.removal(base.id).children == (first,)


def test_result_takes_part_in_the_callers_transaction(library: Library, home: Home, store: Store) -> None:
    path = gguf_at(home.jobs / "job1" / "out" / "m.gguf")
    facts = inspect(path)

    with pytest.raises(RuntimeError), store.transaction() as session:
        library.add_result(
            job_id="job1",
            parent_id=None,
            path=path,
            name="m",
            facts=facts,
            sha256=None,
            source="",
            session=session,
        )
        raise RuntimeError("the job's row could not be written")

    assert library.list() == []


def test_result_whose_parent_was_removed_stands_alone(library: Library, home: Home, tmp_path: Path) -> None:
    base = library.add(gguf_at(tmp_path / "base.gguf")).record
    library.remove(base.id)

    assert made_by_job(library, home, "job1", base).parent_id is None


def test_files_used_in_place_are_never_deleted(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf")).record
    removal = library.removal(record.id)

    given_back = library.remove(record.id)

    assert (removal.in_place, removal.bytes_back, given_back) == (True, 0, 0)
    assert (tmp_path / "a.gguf").exists()
    assert library.list() == []


def test_files_outside_the_home_are_never_deleted_whatever_the_record_says(
    library: Library, tmp_path: Path
) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf"), in_place=False).record

    assert library.removal(record.id).in_place
    assert library.remove(record.id) == 0
    assert (tmp_path / "a.gguf").exists()


def test_own_model_gives_its_bytes_back_and_its_children_move_up(
    library: Library, home: Home, tmp_path: Path
) -> None:
    base = library.add(gguf_at(tmp_path / "base.gguf")).record
    middle = made_by_job(library, home, "job1", base, "middle")
    leaf = made_by_job(library, home, "job2", middle, "leaf")
    size = middle.path.stat().st_size
    removal = library.removal(middle.id)

    given_back = library.remove(middle.id)

    assert (removal.bytes_back, removal.in_place, removal.blocked_by) == (size, False, ())
    assert removal.children == (leaf,)
    assert given_back == size
    assert not middle.path.exists()
    assert library.get(leaf.id).parent_id == base.id
    assert leaf.path.exists()
    assert not (home.cache / "removed").exists()


def test_own_folder_is_removed_whole(library: Library, home: Home, tmp_path: Path) -> None:
    model = corpus.folder({})(home.models)
    record = library.add(model, in_place=False).record
    size = sum(each.stat().st_size for each in model.iterdir())

    assert library.remove(record.id) == size
    assert not model.exists()
    assert home.models.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_removing_a_folder_of_links_leaves_what_they_point_at(
    library: Library, home: Home, tmp_path: Path
) -> None:
    real = corpus.folder({})(tmp_path)
    linked = home.models / "linked"
    linked.mkdir()
    for each in real.iterdir():
        (linked / each.name).symlink_to(each)
    record = library.add(linked, in_place=False).record

    assert library.remove(record.id) == 0
    assert not linked.exists()
    assert inspect(real).architecture == "llama"


@pytest.mark.parametrize("state", ["queued", "running", "paused"])
def test_model_that_a_job_needs_is_not_removed(
    state: str, library: Library, home: Home, store: Store
) -> None:
    record = made_by_job(library, home, "job1", None)
    job_row(store, "job2", state, record)

    assert library.removal(record.id).blocked_by == (f"Quantize ({state})",)
    with pytest.raises(InUseError, match="Quantize"):
        library.remove(record.id)

    assert record.path.exists()
    assert library.get(record.id) == record


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "interrupted"])
def test_ended_jobs_do_not_hold_a_model(state: str, library: Library, home: Home, store: Store) -> None:
    record = made_by_job(library, home, "job1", None)
    job_row(store, "job2", state, record)

    assert library.remove(record.id) > 0


def test_model_whose_job_is_making_it_anew_is_not_removed(library: Library, home: Home, store: Store) -> None:
    record = made_by_job(library, home, "job1", None)
    job_row(store, "job1", "running", None)

    with pytest.raises(InUseError):
        library.remove(record.id)


def test_file_that_the_system_holds_keeps_the_model(
    library: Library, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = made_by_job(library, home, "job1", None)

    def held(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "The process cannot access the file", str(self))

    monkeypatch.setattr(Path, "replace", held)

    with pytest.raises(InUseError, match=r"made\.gguf can't be deleted"):
        library.remove(record.id)

    assert record.path.exists()
    assert library.get(record.id) == record


def test_removal_that_the_database_refuses_puts_the_files_back(
    library: Library, home: Home, store: Store
) -> None:
    record = made_by_job(library, home, "job1", None)
    with store.transaction() as session:
        session.execute(
            text("CREATE TABLE holds (id TEXT REFERENCES models(id) DEFERRABLE INITIALLY DEFERRED)")
        )
        session.execute(text("INSERT INTO holds VALUES (:id)"), {"id": record.id})

    with pytest.raises(StoreError):
        library.remove(record.id)

    assert record.path.exists()
    assert library.get(record.id) == record


def test_model_whose_files_vanished_can_still_be_removed(library: Library, home: Home) -> None:
    record = made_by_job(library, home, "job1", None)
    shutil.rmtree(home.jobs / "job1")

    assert library.removal(record.id).bytes_back == 0
    assert library.remove(record.id) == 0
    assert library.list() == []


def test_split_model_of_our_own_is_removed_with_all_parts(library: Library, home: Home) -> None:
    make = corpus.split([1, 2], 2, corpus.part(0, 2, 2, corpus.FIRST), corpus.part(1, 2, 2, corpus.SECOND))
    first = make(home.models)
    record = library.add(first, in_place=False).record

    assert library.remove(record.id) == record.size_bytes
    assert list(home.models.iterdir()) == []


def test_disk_use_tells_own_from_shared(library: Library, home: Home, tmp_path: Path) -> None:
    shared = library.add(gguf_at(tmp_path / "a.gguf")).record
    own = made_by_job(library, home, "job1", None)

    use = library.disk_use()

    assert (use.owned_bytes, use.shared_bytes) == (own.size_bytes, shared.size_bytes)
    assert use.free_bytes > 0


def test_model_as_the_input_of_a_job(library: Library, tmp_path: Path) -> None:
    record = library.add(gguf_at(tmp_path / "a.gguf"), source="ollama").record

    given = library.to_spec_input(record.id)

    assert (given.id, given.path, given.format, given.source) == (record.id, record.path, "gguf", "ollama")


def test_unreadable_model_in_the_middle_leaves_the_others(library: Library, tmp_path: Path) -> None:
    library.add(gguf_at(tmp_path / "a.gguf"))
    (tmp_path / "b.gguf").write_bytes(b"GGUF")

    with pytest.raises(ModelFileError):
        library.add(tmp_path / "b.gguf")

    assert [record.path.name for record in library.list()] == ["a.gguf"]
