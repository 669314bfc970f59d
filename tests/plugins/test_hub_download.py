"""Downloads through the real client, in a real worker, from a hub that cuts, stalls and lies."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workbench.home import Home
from workbench.jobs.events import Artifact, Error, Event, EventTail, Log, Progress, State
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
HubServer = importlib.import_module("hub_server").HubServer


@pytest.fixture
def hub(tiny_gguf: Path) -> Iterator[HubServer]:
    server = HubServer()
    server.add("tests/tiny", {"tiny-F16.gguf": tiny_gguf.read_bytes()}, ["gguf"])
    with server.running():
        yield server


@pytest.fixture
def start(hub: HubServer, home: Home) -> Callable[..., subprocess.Popen[bytes]]:
    """Start (or go on with) the download job in a worker of its own."""
    folder = home.jobs / "download"

    def run(*extra: str, repo: str = "tests/tiny", **environment: str) -> subprocess.Popen[bytes]:
        if not folder.exists():
            folder.mkdir()
            spec = JobSpec(
                operation="hub-download",
                plugin="plugins.hub_download",
                title="Download tests/tiny",
                params={"repo": repo, "files": list(hub.repos.get(repo, {"x": b""}))},
                needs="network",
                output_name="tiny",
                output_format="any",
                resumable=True,
            )
            (folder / "job.py").write_text(render(spec), encoding="utf-8")
        variables = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", **environment}
        return subprocess.Popen(
            [sys.executable, str(folder / "job.py"), "--job-dir", str(folder), *extra],
            cwd=folder,
            env=variables,
            stdout=(folder / "log.txt").open("ab"),
            stderr=subprocess.STDOUT,
        )

    return run


def _events(home: Home) -> list[Event]:
    return EventTail(home.jobs / "download" / "events.jsonl").read(1 << 26)


def _last_state(home: Home) -> State:
    return [event for event in _events(home) if isinstance(event, State)][-1]


def _result(home: Home) -> Path:
    artifact = next(event for event in _events(home) if isinstance(event, Artifact))
    return home.jobs / "download" / artifact.path


def test_download_arrives_whole_with_its_hash_checked(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    assert start().wait(60) == 0

    original = hub.repos["tests/tiny"]["tiny-F16.gguf"]
    assert hashlib.sha256(_result(home).read_bytes()).digest() == hashlib.sha256(original).digest()
    last = [event for event in _events(home) if isinstance(event, Progress)][-1]
    assert (last.done, last.total, last.unit) == (len(original), len(original), "bytes")
    assert list((home.jobs / "download" / "checkpoints").iterdir()) == []


def test_cut_connection_goes_on_from_the_last_byte(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.cuts, hub.faults.cut_after = 2, 1_000_000

    assert start().wait(60) == 0

    assert hub.ranges == ["", "bytes=1000000-", "bytes=2000000-"]
    assert _result(home).read_bytes() == hub.repos["tests/tiny"]["tiny-F16.gguf"]


def test_killed_download_resumes_from_the_last_byte(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.stalls, hub.faults.cut_after = 1, 2_000_000
    worker = start()
    assert hub.faults.stalled.wait(30)
    part = home.jobs / "download" / "checkpoints" / "0000.part"
    _wait_until(lambda: part.exists() and part.stat().st_size == 2_000_000)
    worker.kill()
    worker.wait(10)
    hub.ranges.clear()

    assert start("--resume").wait(60) == 0

    assert hub.ranges == ["bytes=2000000-"]
    assert _result(home).read_bytes() == hub.repos["tests/tiny"]["tiny-F16.gguf"]


def test_stalled_connection_is_noticed_named_and_retried(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.stalls, hub.faults.cut_after = 1, 1_000_000

    assert start().wait(90) == 0

    assert hub.ranges == ["", "bytes=1000000-"]
    assert any("resume" in event.text.lower() for event in _events(home) if isinstance(event, Log))


def test_cancel_is_answered_while_the_connection_stalls(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.stalls, hub.faults.cut_after = 1, 1000
    worker = start()
    assert hub.faults.stalled.wait(30)

    (home.jobs / "download" / "request").write_text("cancel")

    assert worker.wait(8) == 130
    assert _last_state(home).state == "cancelled"


def test_corrupted_file_is_fetched_again(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.corruptions = 1

    assert start().wait(60) == 0

    assert _result(home).read_bytes() == hub.repos["tests/tiny"]["tiny-F16.gguf"]


def test_file_that_stays_corrupted_fails_and_publishes_nothing(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.corruptions = 9

    assert start().wait(60) == 1

    error = next(event for event in _events(home) if isinstance(event, Error))
    assert error.error == "hub"
    assert "hash" in error.message
    assert not any(isinstance(event, Artifact) for event in _events(home))


def test_server_that_ignores_ranges_still_gives_the_right_file(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.faults.ignore_range = True
    hub.faults.cuts, hub.faults.cut_after = 1, 1_000_000

    assert start().wait(60) == 0

    assert _result(home).read_bytes() == hub.repos["tests/tiny"]["tiny-F16.gguf"]


def test_folder_of_several_files_is_published_as_one(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]], tiny_hf: Path
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_hf.iterdir()}
    hub.add("tests/folder", files, ["safetensors"])

    assert start(repo="tests/folder").wait(60) == 0

    made = {path.name: path.read_bytes() for path in _result(home).iterdir()}
    assert made == files


def test_token_reaches_the_hub_and_no_file_of_the_job(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.token = "hf_very_secret"

    assert start(HF_TOKEN="hf_very_secret").wait(60) == 0

    for path in (home.jobs / "download").rglob("*"):
        assert not path.is_file() or b"hf_very_secret" not in path.read_bytes(), path


def test_missing_repository_is_a_readable_failure(
    home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    assert start(repo="tests/absent").wait(60) == 1

    error = next(event for event in _events(home) if isinstance(event, Error))
    assert "tests/absent" in error.message


def test_download_larger_than_the_disk_fails_before_the_first_byte(
    hub: HubServer, home: Home, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    hub.sizes["tiny-F16.gguf"] = 1 << 60

    assert start().wait(60) == 1

    error = next(event for event in _events(home) if isinstance(event, Error))
    assert error.error == "disk-full"
    assert hub.ranges == []
    assert psutil.disk_usage(str(home.root)).free > 0


def _wait_until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    import threading
    import time

    tick = threading.Event()
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        tick.wait(0.02)
