"""A place to run jobs: a Ray cluster that the person named, and what it shares with this computer."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workbench.errors import NotFoundError

#: How a worker here is told its place and what that wants to see; neither is ever written to a file.
PLACE_VARIABLE, SECRET_VARIABLE = "TENFOLD_PLACE", "TENFOLD_PLACE_SECRET"
#: The same for a process that asks several.
PLACES_VARIABLE, SECRETS_VARIABLE = "TENFOLD_PLACES", "TENFOLD_PLACE_SECRETS"

#: Not a name: it means this computer on the command line.
HERE = "here"


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name) or name == HERE:
        raise ValueError("a name has up to 40 letters, digits, dots and dashes, and is not “here”")
    return name


def _checked_address(text: str) -> str:
    address = text.strip().rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// and names a host, as http://head:8265 does")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a name, a password or a query does not belong into the address")
    _ = parts.port  # raises ValueError where it is no port
    return address


class SharedFolder(BaseModel):
    """A folder that this computer and every node of the cluster see, each under its own path."""

    model_config = ConfigDict(frozen=True)

    local: Path
    remote: PurePosixPath


class Place(BaseModel):
    """A Ray cluster as a place to run jobs. What it takes to get in (a token) is in the keyring alone.

    Attributes:
        address: Where its Jobs API answers, for example `http://head:8265`.
        cpus: CPUs that a job asks for.
        gpus: GPUs that a job asks for which computes on one.
        python: The Python on the nodes that has Ray and the backends.
        folder: Where a node keeps a job's files while it runs; empty for a folder in Ray's own.
        shared: Folders that both sides see: what lies there is not sent.
    """

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, AfterValidator(_checked_name)]
    address: Annotated[str, AfterValidator(_checked_address)]
    cpus: float = Field(1, gt=0, le=4096)
    gpus: float = Field(1, gt=0, le=64)
    python: str = "python"
    folder: str = ""
    shared: tuple[SharedFolder, ...] = ()

    def remote_path(self, local: Path) -> str | None:
        """Where the nodes see a file or folder of this computer; None where it is not shared."""
        for each in self.shared:
            try:
                return str(each.remote / local.resolve().relative_to(each.local.resolve()).as_posix())
            except ValueError:
                continue
        return None

    def local_path(self, remote: str) -> Path | None:
        """Where this computer sees a file of the nodes; None where it is not shared."""
        for each in self.shared:
            try:
                return each.local / PurePosixPath(remote).relative_to(each.remote)
            except ValueError:
                continue
        return None


def secret_name(place: str) -> str:
    """The name under which the keyring holds what a place wants to see."""
    return f"place:{place}"


def headers_of(secret: str | None) -> dict[str, str]:
    """The HTTP headers of a secret: lines of the form `Name: value`, or a token alone.

    >>> headers_of("abc")
    {'Authorization': 'Bearer abc'}
    >>> headers_of("X-Key: abc")
    {'X-Key': 'abc'}
    """
    lines = [line.strip() for line in (secret or "").splitlines() if line.strip()]
    if len(lines) == 1 and ": " not in lines[0]:
        return {"Authorization": f"Bearer {lines[0]}"}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def place_named(places: tuple[Place, ...], name: str) -> Place:
    """The place with a name.

    Raises:
        NotFoundError: There is none.
    """
    for each in places:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in places)
    raise NotFoundError(
        f"There is no place called {name!r}.",
        remedy=f"There are: {known}." if known else "Add one with `tenfold place add`, or in the Settings.",
    )
