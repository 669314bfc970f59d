"""Writes the bundle of a job: a zip with its script, wheels, small inputs, checksums and what starts it."""

from __future__ import annotations

import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from workbench.errors import NotFoundError, UsageError
from workbench.export.inputs import find_inputs
from workbench.export.lock import lock
from workbench.export.repacking import wheel_of
from workbench.export.wheel import PACKAGES, build_wheel
from workbench.home import Home
from workbench.jobs.loading import FILE_PREFIX
from workbench.jobs.spec import JobSpec
from workbench.packing.archive import Content, checksums, write_zip
from workbench.packing.installed import DISTRIBUTION, closure
from workbench.packing.sources import code_files, module_files
from workbench.plugin_home.finding import site_of

_OWN_NAMES = frozenset(
    {"job.py", "run.py", "requirements.txt", "README.md", "SHA256SUMS", "wheels", "environment", "unpacked"}
)

_README = """\
# {title}

A job of Tenfold {version}, with what it needs. Python 3.11 or newer starts it:

    python run.py {model}--out RESULT
    python run.py {model}--verify      # the first part only: does this computer give the same figures?
    python run.py --help

`run.py` compares every file with `SHA256SUMS`, makes an environment beside itself, once, and runs `job.py`
in it.
{packages}
{inputs}"""
_CARRIED = "All packages lie in `wheels`, for {platform} and Python {python}: nothing is fetched."
_FETCHED = "Tenfold lies in `wheels`; pip fetches the other packages, in the versions of `requirements.txt`."


def write_bundle(
    home: Home,
    spec: JobSpec,
    script: str,
    target: Path,
    *,
    wheels: bool = False,
    say: Callable[[str], object] = lambda _line: None,
) -> None:
    """Write the zip; the same job makes the same bytes.

    Args:
        script: The text of the job's script.
        wheels: Whether all packages come along, made from what is installed here.
        say: Told what is under way.

    Raises:
        UsageError: The operation needs packages that are not those of this environment.
        NotFoundError: A package that it needs, or its plugin, is not here.
        OSError: It can't be written.
    """
    if wheels and spec.requires:
        raise UsageError(
            f"{spec.operation} runs in an environment of its own ({', '.join(spec.requires)}), and wheels "
            "are made from what is installed here.",
            remedy="Leave --wheels out: run.py fetches them.",
        )
    files: dict[str, Content] = {"job.py": script.encode()}
    plugin: dict[str, Path] = {}
    for each in spec.plugins:
        plugin |= _plugin_code(home, each)
    files.update(plugin)
    taken = _OWN_NAMES | {name.partition("/")[0] for name in plugin}
    inputs = find_inputs(spec.params, taken)
    files.update(inputs.files)
    for flag, name in inputs.left:
        say(f"{name} is too large to come along: put it beside job.py, or name it with --set {flag}=PATH.")
    files["run.py"] = Path(__file__).with_name("bundle_run.py")
    files["requirements.txt"] = "".join(f"{each}\n" for each in lock(spec.backend, spec.requires)).encode()
    files["README.md"] = _readme(spec, [name for _flag, name in inputs.left], wheels).encode()
    with tempfile.TemporaryDirectory(prefix="tenfold-export-") as scratch:
        made = [build_wheel(Path(scratch))]
        if wheels:
            made += _of_packages(spec.backend, Path(scratch), say)
        files.update({f"wheels/{each.name}": each for each in made})
        files["SHA256SUMS"] = checksums(files)
        try:
            write_zip(target, files)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _plugin_code(home: Home, plugin: str) -> dict[str, Path]:
    """The files of a plugin that is not Tenfold's own, named as they lie beside the script."""
    if plugin.startswith(FILE_PREFIX):
        name = plugin.removeprefix(FILE_PREFIX)
        code = {name: home.plugins / name} if (home.plugins / name).is_file() else {}
    else:
        top = plugin.partition(".")[0]
        if top in PACKAGES:
            return {}
        site = site_of(home, plugin)
        code = dict(code_files(site / top) if site is not None else module_files(top))
    if not code:
        raise NotFoundError(f"The plugin {plugin.removeprefix(FILE_PREFIX)} is no longer here.")
    return code


def _of_packages(backend: str, folder: Path, say: Callable[[str], object]) -> list[Path]:
    needed = closure([f"{DISTRIBUTION}[{backend}]" if backend else DISTRIBUTION])
    made = []
    for each in needed:
        if each.metadata["Name"] != DISTRIBUTION:
            say(f"Packing {each.metadata['Name']} {each.version}.")
            made.append(wheel_of(each, folder))
    return made


def _readme(spec: JobSpec, left: list[str], wheels: bool) -> str:
    lines = []
    if spec.model is not None:
        lines.append("The model is not here: `job.py` names it by its content, and compares it.")
    lines += [f"Put `{name}` beside `job.py`: it is too large to come along." for name in left]
    carried = _CARRIED.format(
        platform=sysconfig.get_platform(), python=sysconfig.get_config_var("py_version_short")
    )
    return _README.format(
        title="".join(sign if sign.isprintable() else " " for sign in spec.title),
        version=spec.tenfold_version,
        model="--model MODEL " if spec.model is not None else "",
        packages=carried if wheels else _FETCHED,
        inputs="".join(f"\n{line}\n" for line in lines),
    )
