"""Makes an environment once: whole or not there, one process at a time, and the person may cancel."""

from __future__ import annotations

import json
import platform
import shutil
import site
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from filelock import Timeout

import workbench
from workbench import __version__
from workbench.environments import tools
from workbench.environments.environment import (
    Environment,
    find,
    key_of,
    lock_of,
    mark_whole,
    python_in,
    size_of,
)
from workbench.environments.errors import OwnEnvironmentError
from workbench.environments.requirements import constraints, normalized
from workbench.errors import PluginError
from workbench.home import Home

_WAIT_S = 0.1
_STEPS = 3
_LISTING = (
    "import json, workbench.jobs.worker; from importlib import metadata; "
    "print(json.dumps(sorted({f'{each.name} {each.version}' for each in metadata.distributions(path=%r)})))"
)


class Report(Protocol):
    """Who is told how far it is. Every call may raise to end the work."""

    def log(self, text: str) -> None:
        """One line for the log."""

    def progress(self, done: float, total: float, *, unit: str = "", label: str = "") -> None:
        """`done` of `total` steps."""

    def check(self) -> None:
        """Raise if the person cancelled."""


def ensure(home: Home, requirements: Iterable[str], report: Report) -> Environment:
    """The environment that holds these requirements; made where it is not there yet, which uses the network.

    Its own versions of the named packages, and of what those need, come first on its path; everything else is
    Tenfold's own. Where several processes want the same one, one makes it and the others wait.

    Raises:
        OwnEnvironmentError: It can't be made; nothing of it stays.
        PluginError: A requirement is not well formed.
    """
    wanted = normalized(requirements)
    if not wanted:
        raise PluginError("No requirement was named for an environment.")
    found = find(home, wanted)
    if found is not None:
        return found
    lock = lock_of(home, key_of(wanted))
    told = False
    while True:
        try:
            with lock.acquire(blocking=False):
                return find(home, wanted) or _make(home, wanted, report)
        except Timeout:
            if not told:
                report.log("Another job makes the environment that this one needs; waiting for it.")
                told = True
            report.check()
            time.sleep(_WAIT_S)


def _make(home: Home, wanted: tuple[str, ...], report: Report) -> Environment:
    key = key_of(wanted)
    folder = home.environments / key
    # Virtual environments hold their own path, so it is made in place; until it is marked it does not count.
    shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    try:
        folder.mkdir(parents=True)
        report.log(f"Making an environment with {', '.join(wanted)}. This is done once.")
        packages = _filled(folder, wanted, report)
        environment = Environment(
            key=key,
            folder=folder,
            requirements=wanted,
            packages=packages,
            python_version=platform.python_version(),
            tenfold_version=__version__,
            made_at=time.time(),
            size_bytes=size_of(folder),
        )
        mark_whole(environment)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    report.progress(_STEPS, _STEPS, unit="steps", label="The environment is ready")
    report.log(f"The environment is ready after {time.monotonic() - started:.0f} s: {', '.join(packages)}.")
    return environment


def _filled(folder: Path, wanted: tuple[str, ...], report: Report) -> tuple[str, ...]:
    """Put everything into the folder; return what it holds."""

    def run(command: list[str], line: Callable[[str], None] = report.log) -> str:
        return tools.run(command, folder, line=line, check=report.check)

    limits = folder / "constraints.txt"
    limits.write_text("\n".join(constraints()) + "\n", encoding="utf-8")
    uv = tools.find_uv()
    python = str(python_in(folder))
    report.progress(0, _STEPS, unit="steps", label="Preparing a Python")
    if uv is not None:
        run([str(uv), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        install = [str(uv), "pip", "install", "--python", python]
    else:
        run([sys.executable, "-m", "venv", str(folder)])
        install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        install += ["--progress-bar", "off"]
    report.progress(1, _STEPS, unit="steps", label=f"Installing {', '.join(wanted)}")
    run([*install, "--constraint", str(limits), *wanted])
    report.progress(2, _STEPS, unit="steps", label="Checking the environment")
    own = _site_packages(folder)
    # Only now: pip would take what it sees of Tenfold's packages for its own, and remove them.
    _let_it_find_tenfold(own)
    try:
        answer = run([python, "-P", "-c", _LISTING % [str(own)]], line=lambda _line: None)
        packages: list[str] = json.loads(answer.strip().splitlines()[-1])
    except (OwnEnvironmentError, ValueError, IndexError) as error:
        raise OwnEnvironmentError(
            "Tenfold's worker can't run with what was installed.",
            remedy="The plugin must name other versions.",
            details=getattr(error, "details", "") or str(error),
        ) from error
    return tuple(each for each in packages if each.partition(" ")[0] not in ("pip", "setuptools"))


def _site_packages(folder: Path) -> Path:
    scheme = "nt" if sys.platform == "win32" else "posix_prefix"
    places = {"base": str(folder), "platbase": str(folder)}
    return Path(sysconfig.get_path("purelib", scheme, places))


def _let_it_find_tenfold(own: Path) -> None:
    """Put Tenfold and its packages at the end of the environment's path, so that its own versions win.

    `addsitedir` also follows the path files there, by which Tenfold or a plugin may be installed for
    development. Paths are written in ASCII: which encoding such a file is read in depends on the system.
    """
    places = [Path(each) for each in dict.fromkeys([*site.getsitepackages(), *_user_site()])]
    lines = [f"import site; site.addsitedir({str(each)!a})" for each in places if each.is_dir()]
    root = Path(workbench.__file__).parents[1]
    lines.append(f"import sys; {str(root)!a} in sys.path or sys.path.append({str(root)!a})")
    (own / "tenfold.pth").write_text("\n".join(lines) + "\n", encoding="ascii")


def _user_site() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
