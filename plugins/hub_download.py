"""Downloads a model from the Hugging Face hub, and goes on where it was cut."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from plugins._reservation import Reservation
from workbench.plugin import HubError, JobContext, Param, Params, operation

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoSibling

#: Without a byte for this long the connection counts as stalled; it is cut and opened again.
STALL_S = 10


class HubDownloadParams(Params):
    repo: str = Param(help="The repository, as organisation/name")
    revision: str = Param("main", help="A branch, a tag or a commit; the commit is fixed when the job starts")
    files: list[str] = Param(help="Which of its files make the model")
    endpoint: str = Param("", help="Another hub than the one that HF_ENDPOINT names", advanced=True)


@dataclass(frozen=True)
class _Wanted:
    """One file to fetch, with all that is needed to check it."""

    name: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None


@operation(
    "hub-download",
    title="Download",
    group="Add",
    input=None,
    output="any",
    needs="network",
    resumable=True,
    label="{repo}",
    origin="hf:{repo}",
)
def hub_download(job: JobContext, params: HubDownloadParams) -> Path:
    """Download a model from the Hugging Face hub, and check every file's hash.

    A cut connection, a pause or a power cut loses nothing: each file grows in the job's checkpoints and
    goes on from its last byte. Space for all of it is held before the first byte arrives. A connection
    that gives nothing for 10 seconds is cut and opened again, five times before the job gives up; while
    it stalls, the speed shown is zero. Every file's hash must be the one that the hub states; a file
    that came wrong is fetched once more from its beginning.
    """
    os.environ["HF_HUB_DOWNLOAD_TIMEOUT"] = str(STALL_S)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.getLogger("huggingface_hub").addHandler(_JobLogHandler(job))
    api = _api(job, params)
    commit, wanted = _look_up(api, params)
    job.log(f"{params.repo} at commit {commit}: {len(wanted)} files.")
    total = sum(file.size_bytes for file in wanted)
    parts = {file.name: job.checkpoints / f"{index:04d}.part" for index, file in enumerate(wanted)}
    held = sum(part.stat().st_size for part in parts.values() if part.exists())
    job.reserve(job.checkpoints, total - held)
    reservation = Reservation(job.checkpoints / "reserved", total - held)
    try:
        report = _Report(job, reservation, done=0, total=total)
        for file in wanted:
            _fetch_checked(job, api, params.repo, commit, file, parts[file.name], report)
        job.progress(total, total, unit="bytes", label="Checked")
    finally:
        reservation.release()
    return _assemble(job, wanted, parts)


def _api(job: JobContext, params: HubDownloadParams) -> HfApi:
    from huggingface_hub import HfApi

    token = job.secret("hf-token")
    return HfApi(endpoint=params.endpoint or None, token=token or False, library_name="tenfold")


def _look_up(api: HfApi, params: HubDownloadParams) -> tuple[str, list[_Wanted]]:
    """The commit that the revision names, and the files with their sizes and hashes."""
    try:
        info = api.model_info(params.repo, revision=params.revision, files_metadata=True)
    except Exception as error:
        raise _hub_error(f"{params.repo} can't be read on the hub", error) from error
    known = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    missing = [name for name in params.files if name not in known]
    if missing:
        raise HubError(
            f"{params.repo} has no file {missing[0]} at {params.revision}.",
            remedy="Look at the repository again: it may have changed.",
        )
    unsafe = [name for name in params.files if PurePosixPath(name).is_absolute() or ".." in name.split("/")]
    if unsafe:
        raise HubError(f"{params.repo} names a file outside its folder: {unsafe[0]}.")
    if not params.files:
        raise HubError("No files were chosen.", remedy="Choose the files that make the model.")
    return info.sha or params.revision, [_wanted(known[name]) for name in params.files]


def _wanted(sibling: RepoSibling) -> _Wanted:
    lfs = sibling.lfs
    return _Wanted(
        name=sibling.rfilename,
        size_bytes=sibling.size or 0,
        sha256=lfs.sha256 if lfs else None,
        git_sha1=None if lfs else sibling.blob_id,
    )


def _fetch_checked(
    job: JobContext, api: HfApi, repo: str, commit: str, file: _Wanted, part: Path, report: _Report
) -> None:
    """Fetch one file; where its hash is wrong, fetch it once more from the beginning."""
    for attempt in (1, 2):
        already = part.stat().st_size if part.exists() else 0
        if already > file.size_bytes:
            part.unlink()
            already = 0
        report.begin(file, already)
        if already < file.size_bytes or not part.exists():
            _fetch(job, api, repo, commit, file, part, report)
        if _hash_is_right(job, file, part):
            report.finish(file)
            return
        part.unlink(missing_ok=True)
        report.discard()
        if attempt == 1:
            job.log(f"{file.name} arrived damaged; fetching it again.", level="warning")
    raise HubError(
        f"{file.name} arrived damaged twice: its hash is not the one that the hub states.",
        remedy="Try again later; if it stays so, the file on the hub is broken.",
    )


def _fetch(
    job: JobContext, api: HfApi, repo: str, commit: str, file: _Wanted, part: Path, report: _Report
) -> None:
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    # The client gathers 10 MB before it hands anything over, and loses that much at every cut.
    constants.DOWNLOAD_CHUNK_SIZE = None  # type: ignore[assignment]
    url = hf_hub_url(repo, file.name, revision=commit, endpoint=api.endpoint)
    headers = build_hf_headers(token=api.token, library_name="tenfold")
    already = part.stat().st_size if part.exists() else 0

    def transfer() -> None:
        # Unbuffered, so that what is on disk is what a later run goes on from.
        with part.open("r+b" if part.exists() else "wb", buffering=0) as target:
            target.seek(already)
            http_get(
                url,
                cast(BinaryIO, target),
                resume_size=already,
                headers=headers,
                displayed_filename=file.name,
                tqdm_class=report.as_tqdm(),
            )

    try:
        # In a thread: a stalled socket must not keep the job from answering cancel and pause.
        job.run_native(transfer)
    except Exception as error:
        raise _hub_error(f"{file.name} could not be downloaded", error) from error


def _hash_is_right(job: JobContext, file: _Wanted, part: Path) -> bool:
    if part.stat().st_size != file.size_bytes:
        return False
    digest = hashlib.sha256()
    if file.sha256 is None:
        # Small files live in git itself, whose blob id is a SHA-1 over a header and the content.
        digest = hashlib.sha1(usedforsecurity=False)
        digest.update(b"blob %d\0" % file.size_bytes)
    with part.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
            job.check()
    expected = file.sha256 or file.git_sha1
    return expected is None or digest.hexdigest() == expected


def _assemble(job: JobContext, wanted: list[_Wanted], parts: dict[str, Path]) -> Path:
    """Give the files their names. A lone GGUF is the file itself; anything else is a folder."""
    if len(wanted) == 1 and wanted[0].name.endswith(".gguf"):
        target = job.out / PurePosixPath(wanted[0].name).name
        parts[wanted[0].name].replace(target)
        return target
    folder = job.out / job.output_name
    for file in wanted:
        # A split GGUF may lie in a folder of the repository; its parts must lie side by side here.
        name = PurePosixPath(file.name).name if file.name.endswith(".gguf") else file.name
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        parts[file.name].replace(target)
    return folder


class _Report:
    """Turns the bytes that arrive into progress, throughput and a smaller reservation."""

    def __init__(self, job: JobContext, reservation: Reservation, *, done: int, total: int) -> None:
        self._job = job
        self._reservation = reservation
        self._before = done
        self._total = total
        self._in_file = 0
        self._name = ""

    def begin(self, file: _Wanted, already: int) -> None:
        self._name = file.name
        self._in_file = already
        self._show()

    def arrived(self, count: int) -> None:
        self._in_file += count
        if count > 0:
            self._job.throughput(count, unit="B")
        self._show()

    def discard(self) -> None:
        self._in_file = 0

    def finish(self, file: _Wanted) -> None:
        self._before += file.size_bytes
        self._in_file = 0
        self._show()

    def _show(self) -> None:
        done = min(self._before + self._in_file, self._total)
        self._job.progress(done, self._total, unit="bytes", label=self._name)
        self._reservation.shrink_to(self._total - done)

    def as_tqdm(self) -> Any:
        """A progress bar class for the hub's client, which draws nothing and reports here."""
        report = self

        class Silent:
            def __init__(self, *_arguments: Any, **_options: Any) -> None:
                pass

            def __enter__(self) -> Silent:
                return self

            def __exit__(self, *_error: object) -> None:
                pass

            def update(self, count: float | None = 1) -> None:
                report.arrived(int(count or 0))

        return Silent


class _JobLogHandler(logging.Handler):
    """Puts the client's warnings (a cut, a retry) into the job's log."""

    def __init__(self, job: JobContext) -> None:
        super().__init__(logging.WARNING)
        self._job = job

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "resume" in text:
            reason = text.splitlines()[0].rpartition(": ")[2]
            text = f"The connection was cut or stalled ({reason}); trying to resume from the last byte."
        self._job.log(text.splitlines()[0], level="warning")


def _hub_error(what: str, error: Exception) -> Exception:
    """What a person should read of an error of the client or of its HTTP library; others pass as they are."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return HubError(
            f"{what}: its owner asks for consent first.",
            remedy="Accept its terms on the hub's page, then set your token in Settings or in HF_TOKEN.",
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
        return HubError(f"{what}: there is no such repository or revision.", remedy="Check the spelling.")
    network = type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2")
    consistency = isinstance(error, OSError) and "Consistency check failed" in str(error)
    if network or consistency or isinstance(error, errors.HfHubHTTPError | errors.OfflineModeIsEnabled):
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return HubError(
            f"{what}: {text}",
            remedy="Check the connection, then resume the job: it goes on from the last byte.",
            details=repr(error),
        )
    return error
