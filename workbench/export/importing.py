"""Takes back what an exported script made elsewhere: checked by hash, with its curves, log and proof."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from workbench.errors import DiskFullError, InUseError, UsageError, WorkbenchError
from workbench.export import imported
from workbench.export.import_source import EVENTS, Source, opened
from workbench.export.stated import MOST_SCRIPT_BYTES, one_line, safe_job, stated_job
from workbench.export.told import Told, events_in, read_told
from workbench.home import Home
from workbench.jobs import folder as job_folder
from workbench.jobs.events import Artifact, EventLog, Machine, Spec, now
from workbench.jobs.publish import force_to_disk, names_in, size_bytes
from workbench.jobs.recover import recover_row
from workbench.jobs.results import keep_proof
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.session import Session

_DRAFT = ".import-"
_TOLD = "told.jsonl"
_MARK = "made elsewhere"
#: Left free on the disk for everything else that goes on meanwhile.
_KEPT_FREE_BYTES = 256 << 20
#: What the system says where a disk, or a person's share of it, is full; Windows knows no shares.
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_LONGEST_NAME = 60
_MOST_GPUS = 64

#: Told how much is done, of how much, in bytes, and what is done.
Tell = Callable[[float, float, str], object]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an import.

    Attributes:
        job_id: The job that stands for it in this home.
        known: Whether it stood here already, from an import before.
    """

    job_id: str
    known: bool


def import_result(
    session: Session,
    source: Path,
    spec: JobSpec | None = None,
    *,
    tell: Tell = lambda _done, _total, _what: None,
) -> Taken:
    """Make a job of this home out of what its script made elsewhere.

    Args:
        source: The folder of the job there, which `--job-dir` named or which stands beside what `--out` made,
            or a zip of it; where the result stands beside it, of both.
        spec: The job of this home that the script was exported from: what is imported stands beside it. None
            where the folder itself is to say which job it holds.

    Raises:
        UsageError: It is no such folder, the job there is not done, or the result is not what it made.
        CardError: The proof in it was altered.
        DiskFullError: There is no room for it.
        InUseError: Another import is under way.
    """
    home, place = session.home, source.expanduser()
    if place.resolve().parent == home.jobs.resolve():
        raise UsageError(f"{place.name} is a job of this home: there is nothing to import.")
    lock = FileLock(home.root / "import.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InUseError("Another result is being imported.", remedy="Wait until it is here.") from error
    try:
        _clear(home)
        with opened(place) as found:
            return _import(session, found, spec, tell)
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(home.jobs) from error
        reason = error.strerror or str(error)
        raise UsageError(f"{place.name} can't be read, or not copied to {home.jobs}: {reason}.") from error
    finally:
        _clear(home)
        lock.release()


def clear_leftovers(home: Home) -> None:
    """Remove what an import left that was ended in its midst; nothing where one is at work."""
    lock = FileLock(home.root / "import.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return
    try:
        _clear(home)
    finally:
        lock.release()


def _clear(home: Home) -> None:
    for draft in home.jobs.glob(f"{_DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def _import(session: Session, source: Source, spec: JobSpec | None, tell: Tell) -> Taken:
    home, job_id = session.home, job_folder.new_id()
    draft = home.jobs / f"{_DRAFT}{job_id}"
    draft.mkdir(parents=True)
    _check_room(home, source.sizes[EVENTS])
    source.copy(EVENTS, draft / _TOLD, lambda _count: None)
    told = read_told(draft / _TOLD)
    artifact = _whole(told)
    before = imported.known(home, told.fingerprint)
    if before is not None:
        return Taken(before, known=True)
    if spec is None:
        claim = told.spec.spec if told.spec is not None else None
        claimed = stated_job(claim, source.read("job.py", MOST_SCRIPT_BYTES))
        spec = safe_job(claimed, artifact, session.catalogue, session.library)
    _bring(home, source, artifact, draft, tell)
    artifact = _checked(draft, artifact, spec, tell)
    spec = spec.model_copy(update={"title": f"{spec.title} ({_MARK})", "then": (), "place": ""})
    _write(draft, spec, told, artifact)
    keep_proof(home, draft, artifact)
    force_to_disk(draft)
    os.replace(draft, home.jobs / job_id)  # noqa: PTH105 - the one atomic step, named as such
    try:
        recover_row(session.store, home, session.library, job_id)
    except WorkbenchError:
        shutil.rmtree(home.jobs / job_id, ignore_errors=True)
        raise
    return Taken(job_id, known=False)


def _whole(told: Told) -> Artifact:
    if told.artifact is None or not told.done:
        raise UsageError(
            "The job there is not done, so there is no result to take.",
            remedy="Go on with it there: python job.py … --resume",
        )
    return told.artifact


def _bring(home: Home, source: Source, artifact: Artifact, draft: Path, tell: Tell) -> None:
    """Copy what belongs to a finished job: its result and its log. Checkpoints are of no use any more."""
    for each in ("out", "checkpoints"):
        (draft / each).mkdir()
    wanted = source.result(artifact.path)
    wanted.update({each: each for each in source.sizes if each == "log.txt"})
    total = sum(source.sizes[each] for each in wanted.values())
    _check_room(home, total)
    done = 0

    def copied(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total, "Copying")

    for place, name in wanted.items():
        source.copy(name, draft / place, copied)
    (draft / "log.txt").touch()


def _check_room(home: Home, size: int) -> None:
    free = shutil.disk_usage(home.jobs).free
    if size + _KEPT_FREE_BYTES > free:
        raise DiskFullError(home.jobs, needed_bytes=size + _KEPT_FREE_BYTES, free_bytes=free)


def _checked(draft: Path, artifact: Artifact, spec: JobSpec, tell: Tell) -> Artifact:
    """The result must be there, of the kind that the job makes, and what its worker hashed."""
    # What stood beside the folder lies in `out` now, as results of a home do.
    path = f"out/{artifact.path.removeprefix('../')}" if artifact.path.startswith("../") else artifact.path
    result = draft / path
    if not (result.resolve().is_relative_to((draft / "out").resolve()) and result.exists()):
        raise UsageError(
            "The result is not in that folder.",
            remedy="Put the result back beside the folder, where --out made it, or in it.",
        )
    if (artifact.role == "model") != (spec.output_format is not None):
        raise UsageError("What was made there is not what this job makes: another script ran.")

    def hashed(done: int, total: int) -> None:
        tell(done, total, "Checking")

    try:
        files = inspect(result).files if artifact.role == "model" else names_in(result)
        found = content_hash(result, files, hashed)
    except WorkbenchError as error:
        raise UsageError("The result there can't be read.", details=str(error)) from error
    if found != artifact.sha256:
        raise UsageError(
            f"The result was changed after it was made: its sha256 is {found}, and the job said "
            f"{artifact.sha256:.64}.",
            remedy="Copy it again from where it was made.",
        )
    name = one_line(artifact.name, _LONGEST_NAME)
    return msgspec.structs.replace(artifact, path=path, size_bytes=size_bytes(result), name=name)


def _write(draft: Path, spec: JobSpec, told: Told, artifact: Artifact) -> None:
    """Write the events, the script and the mark of a job here."""
    log = EventLog(draft / EVENTS)
    try:
        log.append(Spec(told.began, spec.model_dump(mode="json")))
        for event in events_in(draft / _TOLD):
            log.append(artifact if event == told.artifact else event)
    finally:
        log.close()
    (draft / _TOLD).unlink()
    (draft / "job.py").write_text(render(spec), encoding="utf-8")
    machine = _shown(told.machine) if told.machine is not None else None
    imported.keep(draft, imported.Imported(now(), told.fingerprint, machine))


def _shown(machine: Machine) -> Machine:
    """A machine as it was named there, cut to what a line can hold."""
    return msgspec.structs.replace(
        machine,
        name=one_line(machine.name, _LONGEST_NAME),
        cpu=one_line(machine.cpu, _LONGEST_NAME),
        gpus=tuple(one_line(each, _LONGEST_NAME) for each in machine.gpus[:_MOST_GPUS]),
        os=one_line(machine.os, _LONGEST_NAME),
    )
