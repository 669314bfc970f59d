"""Runs the job of this bundle: python run.py [--check | --here] [flags of job.py].

Checks every file against SHA256SUMS first. Then it makes a virtual environment beside itself, once, and
installs what requirements.txt names: from the folder wheels, without a network, where the bundle carries all
of it, else from the package index. It needs nothing but Python.

    --check  only check the files
    --here   install nothing: use the packages of the Python that runs this, and Tenfold from its wheel

The exit code is that of job.py: 0 done, 1 failed, 2 wrong use, 75 paused, 130 cancelled.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
ENVIRONMENT = HERE / "environment"
UNPACKED = HERE / "unpacked"
FAILED, USAGE = 1, 2


def main(words: list[str]) -> int:
    """Check, install once, run; returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything was checked
        return say(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", USAGE)
    if words[:1] in (["-h"], ["--help"]) and not ENVIRONMENT.exists():
        sys.stdout.write(__doc__ or "")
        return 0
    problem = altered()
    if problem:
        return say(f"This bundle is not as it was made: {problem}. Nothing was run.", FAILED)
    if words[:1] == ["--check"]:
        sys.stdout.write("Every file is as it was made.\n")
        return 0
    if words[:1] == ["--here"]:
        return run(sys.executable, words[1:], unpacked())
    python = installed()
    return run(python, words, None) if python else FAILED


def altered() -> str:
    """What differs from SHA256SUMS, in words; empty where nothing does."""
    listed = {}
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    for name, digest in listed.items():
        path = HERE / name
        if not path.is_file():
            return f"{name} is missing"
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                return f"{name} has changed"
    for path in WHEELS.iterdir():
        if f"wheels/{path.name}" not in listed:
            return f"wheels/{path.name} does not belong to it"
    return ""


def installed() -> str | None:
    """The Python of the environment beside this file, made once; None where that failed."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = ENVIRONMENT / "complete"
    if done.is_file():
        return str(python)
    carried = [path for path in WHEELS.glob("*.whl") if path != tenfold()]
    source = ["--no-index", "--find-links", str(WHEELS)] if carried else []
    way = "from the wheels here, without a network" if carried else "with packages from the index"
    sys.stderr.write(f"Making an environment {way}: once.\n")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
        [*pip, *source, "-r", str(HERE / "requirements.txt")],
        # Its requirements are those above.
        [*pip, "--no-index", "--no-deps", str(tenfold())],
    ]
    for step in steps:
        if subprocess.run(step, check=False).returncode != 0:
            say("The environment could not be made; the lines above say why.", FAILED)
            return None
    done.touch()
    return str(python)


def unpacked() -> str:
    """A folder with Tenfold itself, out of its wheel; anew each time, so that it is what was checked."""
    with zipfile.ZipFile(tenfold()) as wheel:
        wheel.extractall(UNPACKED)
    return str(UNPACKED)


def tenfold() -> Path:
    return next(WHEELS.glob("tenfold-*.whl"))


def run(python: str, words: list[str], path: str | None) -> int:
    variables = dict(os.environ)
    if path:
        variables["PYTHONPATH"] = os.pathsep.join([path, *filter(None, [variables.get("PYTHONPATH")])])
    try:
        return subprocess.run([python, str(HERE / "job.py"), *words], env=variables, check=False).returncode
    except KeyboardInterrupt:
        return 130  # the job had the same Ctrl+C, and has ended as it should


def say(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
