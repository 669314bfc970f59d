"""Talks to a Ray cluster over HTTP: its Jobs API, its packages, and the files below its nodes' log folders.

Only one port is needed, the dashboard's, so that a tunnel or a gateway to it is enough, and Ray itself need
not be installed here.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from workbench.cluster.errors import ConnectionLostError, PlaceError
from workbench.cluster.place import Place

#: A cluster that does not answer for so long is taken for unreachable. What it is given may take it longer:
#: packages, and the first job, for which it starts a part of itself.
_TIMEOUT_S, _GIVE_TIMEOUT_S = 10.0, 100.0
#: A file may come in so slowly that this much time lies between two pieces of it.
_STREAM_TIMEOUT_S = 60.0
#: What a whole file may take; Ray's own limit is 30 seconds.
_TRANSFER_LIMIT_S = 24 * 3600
#: Between two looks of a node at a file that is followed, in seconds.
_FOLLOW_INTERVAL_S = 0.2
_MAX_ANSWER_BYTES = 64 << 20
_SENT_WRONG = 400
_GATEWAY = frozenset({502, 503, 504})
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class JobInfo:
    """What a cluster says of a submitted job.

    Attributes:
        status: `PENDING`, `RUNNING`, `STOPPED`, `SUCCEEDED` or `FAILED`.
        node: The id of the node that runs it; None until one does.
        exit_code: What its command ended with; None where it did not get so far.
        error: Ray's word for what went wrong, for example `JOB_SUPERVISOR_ACTOR_DIED`.
    """

    status: str
    message: str
    node: str | None
    exit_code: int | None
    error: str

    @property
    def ended(self) -> bool:
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class RemoteFile:
    """A file of a node, as it comes in."""

    def __init__(
        self, response: http.client.HTTPResponse, watched: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._response = response
        self._watched = watched

    def read(self, size: int) -> bytes:
        """The next bytes, as many as asked for unless it ends before."""
        with self._watched():
            return self._response.read(size)

    def read_some(self, size: int) -> bytes:
        """What has come in, once there is anything; empty at the end."""
        with self._watched():
            return self._response.read1(size)


class RayJobs:
    """One cluster. Every method raises `ConnectionLostError` where it can't be reached, and `PlaceError`
    where it refuses.

    Args:
        headers: What it wants to see of a caller.
    """

    def __init__(self, place: Place, headers: Mapping[str, str]) -> None:
        self.place = place
        self._headers = dict(headers)
        parts = urlsplit(place.address)
        self._secure = parts.scheme == "https"
        self._host, self._port, self._base = parts.hostname or "", parts.port, parts.path

    def version(self) -> str:
        """The version of Ray that the cluster runs."""
        answer = self._json("GET", "/api/version")
        if not isinstance(answer, dict) or "ray_version" not in answer:
            raise PlaceError(
                f"{self.place.address} answers, but not as the Jobs API of a Ray cluster does.",
                remedy="Give the address of its dashboard, which is http://HEAD:8265 unless it was changed.",
            )
        return str(answer["ray_version"])

    def cluster_status(self) -> dict[str, Any]:
        """What is in use of the cluster, as Ray's autoscaler sums it up."""
        return _data(self._json("GET", "/api/cluster_status"))

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes, with their memory and GPUs as each measures them."""
        return list(_data(self._json("GET", "/nodes?view=summary")).get("summary") or [])

    # ------------------------------------------------------------------ jobs

    def submit(self, request: Mapping[str, Any]) -> None:
        """Hand a job over. Its `submission_id` is ours, so that to ask twice makes no second job."""
        self._json("POST", "/api/jobs/", json.dumps(request).encode(), "application/json")

    def job(self, submission: str) -> JobInfo | None:
        """A job that was handed over; None where the cluster knows of none."""
        answer = self._json("GET", f"/api/jobs/{quote(submission)}", missing_is_none=True)
        if answer is None:
            return None
        return JobInfo(
            status=str(answer.get("status")),
            message=str(answer.get("message") or ""),
            node=answer.get("driver_node_id"),
            exit_code=answer.get("driver_exit_code"),
            error=str(answer.get("error_type") or ""),
        )

    def waiting(self) -> int:
        """How many jobs wait in the cluster for their turn."""
        jobs = self._json("GET", "/api/jobs/")
        return sum(1 for each in jobs if isinstance(each, dict) and each.get("status") == "PENDING")

    def stop(self, submission: str) -> None:
        """Ask a job to end; one that is unknown or has ended is left alone."""
        self._json("POST", f"/api/jobs/{quote(submission)}/stop", b"", missing_is_none=True)

    def forget(self, submission: str) -> None:
        """Take a job that has ended off the cluster's list."""
        self._json("DELETE", f"/api/jobs/{quote(submission)}", missing_is_none=True)

    # ------------------------------------------------------------------ files

    def has_package(self, name: str) -> bool:
        """Whether a package is there; the cluster then keeps it for some minutes at least."""
        status, _ = self._ask("GET", f"/api/packages/gcs/{quote(name)}", None, "")
        return status < _SENT_WRONG

    def put_package(self, name: str, content: bytes) -> None:
        """Give the cluster a package, which is a zip file."""
        self._checked(*self._ask("PUT", f"/api/packages/gcs/{quote(name)}", content, "application/zip"))

    @contextmanager
    def open_file(self, node: str, name: str, *, follow: bool = False) -> Iterator[RemoteFile]:
        """Read a file below the log folder of a node, from its beginning.

        Args:
            follow: Go on with what is added to it, until the reader closes.

        Raises:
            PlaceError: The node has no such file, or is gone.
        """
        query = {"node_id": node, "filename": name, "lines": "-1", "timeout": str(_TRANSFER_LIMIT_S)}
        if follow:
            query["interval"] = str(_FOLLOW_INTERVAL_S)
        path = f"/api/v0/logs/{'stream' if follow else 'file'}?{urlencode(query)}"
        with closing(self._connection(_STREAM_TIMEOUT_S)) as connection:
            with self._watched():
                connection.request("GET", self._base + path, headers=self._headers)
                response = connection.getresponse()
                if response.status >= _SENT_WRONG:
                    self._checked(response.status, response.read(_MAX_ANSWER_BYTES))
            yield RemoteFile(response, self._watched)

    def read_file(self, node: str, name: str) -> bytes:
        """The content of a small file below the log folder of a node."""
        with self.open_file(node, name) as file:
            return file.read(_MAX_ANSWER_BYTES)

    # ------------------------------------------------------------------ asking

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        *,
        missing_is_none: bool = False,
    ) -> Any:
        status, content = self._ask(method, path, body, kind)
        if status == http.client.NOT_FOUND and missing_is_none:
            return None
        self._checked(status, content)
        try:
            return json.loads(content)
        except ValueError as error:
            raise PlaceError(
                f"{self.place.address} answered something that is not JSON.",
                remedy="Give the address of the cluster's dashboard, for example http://HEAD:8265.",
                details=content[:500].decode("utf-8", "replace"),
            ) from error

    def _ask(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        headers = {**self._headers, **({"Content-Type": kind} if kind else {})}
        timeout = _GIVE_TIMEOUT_S if body else _TIMEOUT_S
        with closing(self._connection(timeout)) as connection, self._watched():
            connection.request(method, self._base + path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(_MAX_ANSWER_BYTES)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Every way in which a connection breaks becomes the one error that is worth another try."""
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLostError(
                f"{self.place.name} can't be reached at {self.place.address}: "
                f"{getattr(error, 'strerror', None) or error or type(error).__name__}.",
                remedy="Check the address, and that the cluster, its network or the tunnel to it is up.",
                details=repr(error),
            ) from error

    def _checked(self, status: int, content: bytes) -> None:
        if status < _SENT_WRONG:
            return
        said = content.decode("utf-8", "replace").strip()
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise PlaceError(
                f"{self.place.name} refuses to answer without the right token.",
                remedy=f"Set it with: tenfold place token {self.place.name}",
                details=said,
            )
        if status in _GATEWAY or status == _TOO_MANY:
            raise ConnectionLostError(
                f"{self.place.name} is there, and can't answer now (HTTP {status}).", details=said
            )
        last = said.splitlines()[-1] if said else "it gave no reason"
        raise PlaceError(
            f"{self.place.name} refused ({status}): {last[:300].rstrip('.')}.",
            remedy="The details hold its whole answer.",
            details=said,
        )


def _data(answer: Any) -> dict[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}
