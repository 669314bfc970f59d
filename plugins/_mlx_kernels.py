"""Where MLX keeps the kernels that it compiles for a processor: in the cache of Tenfold's home."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.plugin import JobContext

#: What names the folder for passing files: the first on POSIX systems, the second on Windows.
_PASSING = ("TMPDIR", "TMP")


@contextmanager
def kernels_kept(job: JobContext) -> Iterator[None]:
    """Have MLX keep them in `job.cache`, for this job and later ones; it has no setting for that.

    On a processor MLX writes C++ for the functions that it fuses, has the system's compiler make libraries of
    it, and keeps both below the folder for passing files, which every program may write to. It asks for that
    folder at each kernel. On a GPU nothing is written.
    """
    # Python keeps to the folder that it was asked for once; so does Ray, whose sockets need a short path.
    passing = tempfile.gettempdir()
    if sys.platform == "linux":
        os.environ.setdefault("RAY_TMPDIR", passing)
    kept = job.cache / "kernels"
    kept.mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in _PASSING}
    os.environ.update(dict.fromkeys(_PASSING, str(kept)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
