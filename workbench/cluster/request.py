"""What a job takes along to a cluster, as JSON that both sides read."""

from __future__ import annotations

import msgspec

#: The file beside `job.py` on the node that holds a `Request`.
REQUEST = "request.json"
#: The folder in a package that holds one piece of the files that are sent.
PIECE_FOLDER = "tenfold_input"
#: What the agent writes into the job's folder when the job has ended: a `Result`.
RESULT = "result.json"
#: Where the job's folder is, in the agent's own words: an `Arrival`.
ARRIVAL = "arrival.json"

#: What an input is for: the model, the checkpoints, or a parameter that is one file, or one of several.
MODEL, CHECKPOINTS, FILE, FILES = "model", "checkpoints", "file:", "files:"


class SentFile(msgspec.Struct, frozen=True):
    """A file, by its path with `/` from the folder that it belongs to."""

    path: str
    size: int
    sha256: str = ""


class Input(msgspec.Struct, frozen=True):
    """A file or folder that the job reads.

    Attributes:
        role: `model`, `checkpoints`, `file:NAME` or `files:NAME`.
        entry: The name of the file or folder.
        is_folder: Whether the files lie below it; else beside it, itself among them.
        files: All of them.
        sha256: Its content hash; empty for checkpoints, which vouch for themselves.
        remote: Where the nodes see it in a shared folder; empty where it is sent.
    """

    role: str
    entry: str
    is_folder: bool
    files: tuple[SentFile, ...]
    sha256: str = ""
    remote: str = ""


class Request(msgspec.Struct, frozen=True):
    """The job as the agent on the node is to run it.

    Attributes:
        submission: The id under which it was handed over.
        folder: Where the job's folder is made; empty for Ray's own folder.
        pieces: The sha256 of the pieces that, put together, are the files that were sent, in order.
        threads: CPU threads of the job.
        resume: Whether to go on from checkpoints.
        previous: The folder of an earlier attempt, whose checkpoints are taken over where they are seen.
    """

    submission: str
    folder: str
    inputs: tuple[Input, ...]
    pieces: tuple[str, ...]
    threads: int
    resume: bool
    previous: str = ""


class Arrival(msgspec.Struct, frozen=True):
    """Where a job arrived.

    Attributes:
        folder: The job's folder on the node.
        seen: Where it is below Ray's logs: the same, or a link to it.
        host: The node's own name.
    """

    folder: str
    seen: str
    host: str


class Result(msgspec.Struct, frozen=True):
    """How a job ended, and the files that it left in `out` and `checkpoints`."""

    exit_code: int
    files: tuple[SentFile, ...]


def folder_name(submission: str) -> str:
    """The name of a job's folder on a node; below Ray's logs it is what files are read through."""
    return submission
