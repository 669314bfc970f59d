"""Hands a job over in one of its forms: script, bundle, batch file for Slurm, or notebook."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from workbench.errors import UsageError
from workbench.export.bundle import write_bundle
from workbench.export.notebook import render_notebook
from workbench.export.slurm import render_sbatch
from workbench.home import Home
from workbench.jobs.board import JobBoard

Form = Literal["script", "bundle", "slurm", "notebook"]
FORMS: tuple[Form, ...] = get_args(Form)

#: What a file of each form is called.
ENDINGS: dict[Form, str] = {"script": ".py", "bundle": ".zip", "slurm": ".sbatch", "notebook": ".ipynb"}


def export_job(
    home: Home,
    board: JobBoard,
    job_id: str,
    form: Form,
    out: Path,
    *,
    wheels: bool = False,
    say: Callable[[str], object] = lambda _line: None,
) -> Path:
    """Write a job in a form. Returns the file.

    Args:
        wheels: For a bundle: whether it carries the wheels of all packages.
        say: Told what is under way.

    Raises:
        UsageError: It can't be written there, or what was asked for suits the form not.
        NotFoundError: The job or its plugin is gone.
    """
    if wheels and form != "bundle":
        raise UsageError("Only a bundle can carry wheels.", remedy="Add --form bundle.")
    if form == "script":
        return board.export(job_id, out)
    job, spec = board.get(job_id), board.spec(job_id)
    target = out.expanduser()
    try:
        script = _script(board, job_id)
        if form == "bundle":
            write_bundle(home, spec, script, target, wheels=wheels, say=say)
        else:
            text = (
                render_notebook(spec, script)
                if form == "notebook"
                else render_sbatch(spec, script, job.folder)
            )
            # A shell takes no carriage returns, whatever wrote the file.
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"The {form} can't be written to {target}: {os.strerror(error.errno or 0)}.",
            remedy="Choose another place.",
        ) from error
    return target


def _script(board: JobBoard, job_id: str) -> str:
    with tempfile.TemporaryDirectory(prefix="tenfold-export-") as scratch:
        return board.export(job_id, Path(scratch) / "job.py").read_text(encoding="utf-8")
