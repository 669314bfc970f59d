"""Writes a job as a Jupyter notebook: what it does, its parameters, the run, and its curves."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from workbench.jobs.script import without_folder
from workbench.jobs.spec import JobSpec

_RUN = """\
import subprocess
import sys
from pathlib import Path

FOLDER = Path("{name}-run")  # events, log, checkpoints and, in out, the result
FOLDER.mkdir(exist_ok=True)
script = Path("{name}.py")
script.write_text(SCRIPT, encoding="utf-8")
words = [sys.executable, str(script), "--job-dir", str(FOLDER), "--seed", str(SEED)]
if MODEL:
    words += ["--model", MODEL, *(["--any-model"] if ANY_MODEL else [])]
for name, value in PARAMS.items():
    if value != OF_THE_JOB.get(name):
        if isinstance(value, dict):
            value = ",".join(f"{{key}}={{each}}" for key, each in value.items())
        words += ["--set", f"{{name}}={{value if isinstance(value, str) else json.dumps(value)}}"]
with subprocess.Popen(
    words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
) as run:
    for line in run.stdout:
        print(line, end="")
if run.returncode != 0:
    raise RuntimeError(f"The job ended with the code {{run.returncode}}; the lines above say why.")
"""

_MODEL = """\
MODEL = ""  # the path of the model
ANY_MODEL = False  # True to do the same with another model than the one above
"""

_PLOT = """\
series = {}
for line in (FOLDER / "events.jsonl").read_text(encoding="utf-8").splitlines():
    event = json.loads(line)
    if event["kind"] == "metric":
        points = series.setdefault(event["name"], [])
        points.append((event.get("step", len(points)), event["value"]))
try:
    from matplotlib import pyplot
except ImportError:
    pyplot = None
if pyplot is None:
    print(f"{'series':32}{'points':>8}{'first':>16}{'last':>16}")
    for name, points in series.items():
        print(f"{name:32}{len(points):8}{points[0][1]:16.6g}{points[-1][1]:16.6g}")
elif series:
    figure, axes = pyplot.subplots(len(series), 1, figsize=(8, 2.4 * len(series)), squeeze=False)
    for axis, (name, points) in zip(axes[:, 0], series.items()):
        axis.plot(*zip(*points))
        axis.set_ylabel(name)
    figure.tight_layout()
"""


def render_notebook(spec: JobSpec, script: str) -> str:
    """The text of the notebook, in nbformat 4.5; the same job makes the same text.

    Args:
        script: The job's `job.py`, which the notebook writes and runs.
    """
    name = spec.operation
    title = " ".join(spec.title.split())
    values = "".join(f"    {key!r}: {without_folder(value)!r},\n" for key, value in spec.params.items())
    original = f"# What was set in the job: only what differs is handed over.\nOF_THE_JOB = {{\n{values}}}"
    model = f"It starts from **{spec.model.name}**" if spec.model else "It starts from no model"
    known = f" (sha256 `{spec.model.sha256}`)" if spec.model and spec.model.sha256 else ""
    given = _MODEL if spec.model else 'MODEL = ""  # it takes none\n'
    cells = [
        (
            "markdown",
            f"# {title}\n\n{model}{known}. The cells run the very script that the job ran.",
        ),
        ("code", f"{given}SEED = {spec.seed}\nPARAMS = {{\n{values}}}"),
        ("markdown", "The script of the job, and then its run."),
        ("code", f"import json\n\nSCRIPT = json.loads({json.dumps(script)!r})\n\n{original}"),
        ("code", _RUN.format(name=name)),
        ("markdown", "What it told while it worked."),
        ("code", _PLOT),
    ]
    notebook = {
        "cells": [_cell(kind, text, place) for place, (kind, text) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, text: str, place: int) -> dict[str, Any]:
    common: dict[str, Any] = {
        "id": hashlib.sha256(f"{place}{text}".encode()).hexdigest()[:12],
        "cell_type": kind,
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return {**common, "execution_count": None, "outputs": []} if kind == "code" else common
