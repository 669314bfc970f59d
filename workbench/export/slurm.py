"""Writes a job as a batch file for Slurm that holds its script, and goes on by itself after a time limit."""

from __future__ import annotations

import hashlib
import math
import shlex
from pathlib import Path

from workbench.jobs.context import default_threads
from workbench.jobs.events import EventTail, Metric
from workbench.jobs.spec import JobSpec

#: Where no run has told its peak: the weights twice, and what Python with a backend takes.
_BASE_BYTES = 4 << 30
#: A peak that was measured here is exceeded elsewhere by other libraries and more threads.
_MARGIN = 1.5

_FILE = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={threads}
#SBATCH --mem={memory_gb}G{gpu}
#SBATCH --output={name}-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#
# {title}
#
#     sbatch {name}.sbatch {usage}
#
# Two minutes before the time limit (set one with sbatch --time) the job is asked to pause; it keeps what it
# has, is put into the queue again, and goes on from there. Set TENFOLD_PYTHON to the Python that has the
# packages which the script names at its head, and OUT to the place of the result.
set -u

OUT=${{OUT:-{out}}}
PYTHON=${{TENFOLD_PYTHON:-python3}}
SCRIPT={name}.py
PAUSED=75

cd "${{SLURM_SUBMIT_DIR:-.}}" || exit 1
cat > "$SCRIPT" <<'{mark}'
{script}{mark}

RESUME=()
if [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ]; then
    RESUME=(--resume)
fi

# A request file in the job's folder asks for a pause, and a signal would cancel.
ASKED=0
ask_to_pause() {{
    ASKED=1
    echo pause > "$OUT.job/request"
}}
trap ask_to_pause TERM

"$PYTHON" "$SCRIPT" {model}--out "$OUT" --threads "${{SLURM_CPUS_PER_TASK:-{threads}}}" \\
    ${{RESUME[@]+"${{RESUME[@]}}"}} "$@" &
WORKER=$!
# A trapped signal ends the wait, not the worker.
while true; do
    ASKED=0
    wait "$WORKER"
    CODE=$?
    [ "$ASKED" -eq 0 ] && break
done

if [ "$CODE" -eq "$PAUSED" ] && command -v scontrol > /dev/null; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$CODE"
"""


def render_sbatch(spec: JobSpec, script: str, folder: Path) -> str:
    """The text of the batch file.

    Args:
        script: The job's `job.py`.
        folder: The job's folder, whose events tell what it needed.
    """
    kept = spec.output_name
    name = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in kept)
    name = name.strip("-.") or spec.operation
    out = f"{name}.gguf" if spec.output_format == "gguf" else name
    return _FILE.format(
        name=name,
        title=" ".join(each for each in spec.title.split() if each.isprintable()),
        usage="MODEL [flags of job.py]" if spec.model else "[flags of job.py]",
        out=shlex.quote(out),
        threads=default_threads(),
        memory_gb=math.ceil(_memory_bytes(spec, folder) / (1 << 30)),
        gpu="\n#SBATCH --gres=gpu:1" if spec.needs == "gpu" else "",
        # The first word after the file is the model.
        model='--model "${1:?name the model: sbatch FILE MODEL}" ' if spec.model else "",
        script=script if script.endswith("\n") else script + "\n",
        mark=f"JOB_{hashlib.sha256(script.encode()).hexdigest()[:16]}",
    ).replace('"$@" &', '"${@:2}" &' if spec.model else '"$@" &')


def _memory_bytes(spec: JobSpec, folder: Path) -> float:
    """The measured peak with a margin, else an estimate from the model's size."""
    peak = 0.0
    tail = EventTail(folder / "events.jsonl")
    while events := tail.read():
        seen = (each.value for each in events if isinstance(each, Metric) and each.name == "rss_bytes")
        peak = max(peak, *seen, 0.0)
    if peak > 0:
        return max(peak * _MARGIN, float(1 << 30))
    return 2.0 * _size_of(spec) + _BASE_BYTES


def _size_of(spec: JobSpec) -> int:
    if spec.model is None:
        return 0
    path = spec.model.path
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.glob("*") if each.is_file()) if path.is_dir() else 0
