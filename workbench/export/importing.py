"""Takes back what an exported script made elsewhere: checked by hash, with its curves, log and proof."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workbench.errors import DiskFullError, UsageError, WorkbenchError
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.events import Artifact, Event, EventLog, EventTail, Spec, State, now
from workbench.jobs.publish import names_in
from workbench.jobs.recover import recover_rows
from workbench.jobs.results import keep_proof
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.store.database import Store

_DRAFT = ".new-"
_EVENTS = "events.jsonl"
#: A zip that unpacks to more than this many times its size is no result of a job: weights don't shrink.
_MOST_GROWTH = 200
_MOST_FILES = 10_000
_MARK = "made elsewhere"
#: A zip that is none, is cut short, packed in an unknown way, or holds a file twice.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    EOFError,
    FileNotFoundError,
    FileExistsError,
)


def import_result(home: Home, store: Store, library: Library, spec: JobSpec, source: Path) -> str:
    """Make a job of this home out of what its script made elsewhere; returns its id.

    Args:
        spec: The job that the script was exported from: what is imported stands beside it.
        source: The folder that `--job-dir` named there, or a zip of it.

    Raises:
        UsageError: It is no such folder, the job there is not done, or the result is not what it made.
        DiskFullError: There is no room for it.
    """
    job_id = job_folder.new_id()
    draft = home.jobs / f"{_DRAFT}{job_id}"
    try:
        draft.mkdir(parents=True)
        _bring(source.expanduser(), draft)
        artifact = _take_over(draft, spec.model_copy(update={"title": f"{spec.title} ({_MARK})", "then": ()}))
        keep_proof(home, draft, artifact)
        os.replace(draft, home.jobs / job_id)  # noqa: PTH105 - the one atomic step, named as such
    except OSError as error:
        raise DiskFullError(home.jobs) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    recover_rows(store, home, library)
    return job_id


def _bring(source: Path, draft: Path) -> None:
    """Copy a folder, or unpack a zip, with nothing outside of the draft touched."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue  # a link may lead anywhere
            target = draft / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        return
    try:
        with zipfile.ZipFile(source) as archive:
            most = source.stat().st_size * _MOST_GROWTH
            for entry, name in _inside(archive, source):
                most -= _unpack(archive, entry, draft / name, most, source)
    except (*_UNREADABLE, RuntimeError) as error:
        raise UsageError(f"{source.name} can't be read as a folder or a zip.", details=str(error)) from error


def _inside(archive: zipfile.ZipFile, source: Path) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files of a zip, named from where its events lie."""
    entries = [each for each in archive.infolist() if not each.is_dir()]
    roots = [PurePosixPath(each.filename).parent for each in entries if each.filename.endswith(_EVENTS)]
    if len(roots) != 1 or len(entries) > _MOST_FILES:
        raise UsageError(f"{source.name} is not the folder of one job: it must hold one {_EVENTS}.")
    for entry in entries:
        name = PurePosixPath(entry.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or ":" in entry.filename:
            raise UsageError(f"{source.name} names a file outside of itself: {entry.filename!r:.200}.")
        if name.is_relative_to(roots[0]):
            yield entry, name.relative_to(roots[0])


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int, source: Path) -> int:
    """Unpack one file; what it really holds counts, not what the zip claims."""
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with archive.open(entry) as packed, target.open("xb") as out:
        while block := packed.read(1 << 20):
            count += len(block)
            if count > most:
                raise UsageError(f"{source.name} unpacks to far more than a job makes.")
            out.write(block)
    return count


def _take_over(draft: Path, spec: JobSpec) -> Artifact:
    """Check a job's folder, and write its events and script as those of a job here."""
    events = list(_events(draft / _EVENTS))
    artifact = next((each for each in reversed(events) if isinstance(each, Artifact)), None)
    state = next((each for each in reversed(events) if isinstance(each, State)), None)
    if artifact is None or state is None or state.state != "done":
        raise UsageError(
            "The job there is not done, so there is no result to take.",
            remedy="Go on with it there: python job.py … --resume",
        )
    _check(draft, artifact, spec)
    (draft / _EVENTS).unlink()
    log = EventLog(draft / _EVENTS)
    try:
        log.append(Spec(events[0].t if events else now(), spec.model_dump(mode="json")))
        for event in events:
            log.append(event)
    finally:
        log.close()
    (draft / "job.py").write_text(render(spec), encoding="utf-8")
    (draft / "log.txt").touch()
    (draft / "checkpoints").mkdir(exist_ok=True)
    return artifact


def _events(path: Path) -> Iterator[Event]:
    tail = EventTail(path)
    while events := tail.read():
        for event in events:
            if not isinstance(event, Spec):
                yield event


def _check(draft: Path, artifact: Artifact, spec: JobSpec) -> None:
    """The result must be there, of the kind that the job makes, and what its worker hashed."""
    result = draft / artifact.path
    if not (result.resolve().is_relative_to((draft / "out").resolve()) and result.exists()):
        raise UsageError(
            "The result is not in that folder.",
            remedy="Run the script with --job-dir FOLDER and without --out; then the result stays there.",
        )
    if (artifact.role == "model") != (spec.output_format is not None):
        raise UsageError("What was made there is not what this job makes: another script ran.")
    try:
        files = inspect(result).files if artifact.role == "model" else names_in(result)
        found = content_hash(result, files)
    except WorkbenchError as error:
        raise UsageError("The result there can't be read.", details=str(error)) from error
    if found != artifact.sha256:
        raise UsageError(
            f"The result was changed after it was made: its sha256 is {found}, and the job said "
            f"{artifact.sha256}.",
            remedy="Copy it again from where it was made.",
        )
