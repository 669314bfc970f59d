"""Places: what they are called, where they are, what they share, and what a stranger at the address says."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from workbench.cluster.ask import ask
from workbench.cluster.choice import at_place
from workbench.cluster.client import RayJobs
from workbench.cluster.errors import ConnectionLostError, PlaceError
from workbench.cluster.package import code_package, package_name
from workbench.cluster.place import Place, headers_of
from workbench.errors import NotFoundError, UsageError
from workbench.jobs.spec import JobSpec


class _Stranger(http.server.BaseHTTPRequestHandler):
    """A web server that is no cluster, or one that wants a token."""

    def do_GET(self) -> None:
        code, body = {"/page": (200, b"<html>"), "/locked": (401, b"no")}.get(
            self.path.removesuffix("/api/version"), (503, b"busy")
        )
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def stranger() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("here", "http://head:8265"),
        ("a b", "http://head:8265"),
        ("lab", "head:8265"),
        ("lab", "http://me:secret@head:8265"),
        ("lab", "http://head:99999"),
    ],
)
def test_wrong_names_and_addresses_are_refused(name: str, address: str) -> None:
    with pytest.raises(ValidationError):
        Place(name=name, address=address)


def test_shared_folders_are_seen_from_both_sides(tmp_path: Path) -> None:
    shared = {"local": str(tmp_path), "remote": "/shared/models"}
    place = Place.model_validate({"name": "lab", "address": "http://head:8265/", "shared": [shared]})

    assert place.address == "http://head:8265"
    assert place.remote_path(tmp_path / "a" / "m.gguf") == "/shared/models/a/m.gguf"
    assert place.remote_path(tmp_path.parent / "m.gguf") is None
    assert place.local_path("/shared/models/x") == tmp_path / "x"
    assert place.local_path("/elsewhere/x") is None


def test_a_secret_is_a_token_or_headers() -> None:
    assert headers_of(None) == {}
    assert headers_of("t0ken\n") == {"Authorization": "Bearer t0ken"}
    assert headers_of("X-A: 1\nX-B: 2") == {"X-A": "1", "X-B": "2"}


@pytest.mark.parametrize(
    ("path", "kind", "word"),
    [
        ("/page", PlaceError, "not JSON"),
        ("/locked", PlaceError, "token"),
        ("/busy", ConnectionLostError, "503"),
    ],
)
def test_who_is_no_cluster_is_told_so(stranger: str, path: str, kind: type[PlaceError], word: str) -> None:
    place = Place(name="lab", address=f"{stranger}{path}")
    with pytest.raises(kind, match=word):
        RayJobs(place, {}).version()
    said = ask(place, None)
    assert word in said.problem
    assert said.nodes == 0


def test_a_job_goes_to_places_that_are_known_and_a_download_stays_here() -> None:
    places = (Place(name="lab", address="http://head:8265"),)
    job = JobSpec(operation="o", plugin="p", title="T", output_name="out")

    assert at_place(job, places, "").place == at_place(job, places, "here").place == ""
    assert at_place(job, places, "lab").place == "lab"
    assert at_place(job, places, "lab").slot == "place"
    with pytest.raises(NotFoundError, match="lab"):
        at_place(job, places, "lob")
    with pytest.raises(UsageError, match="download"):
        at_place(job.model_copy(update={"needs": "network"}), places, "lab")


def test_the_same_code_makes_the_same_package() -> None:
    content = code_package(["file:steps.py"])

    assert package_name(content) == package_name(code_package(["file:steps.py"]))
    assert package_name(content) != package_name(code_package(["plugins.gguf_quantize"]))
    assert b"workbench/cluster/agent.py" in content
    assert b"__pycache__" not in content
