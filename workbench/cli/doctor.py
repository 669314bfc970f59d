"""`tenfold doctor`: what this machine has, which backends work, and what installs those that don't."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
from dataclasses import asdict
from typing import Any

from workbench import __version__
from workbench.backends import BackendReport, install_command, try_all
from workbench.cli.answer import Answer, size
from workbench.hardware import machine, ram_free_bytes
from workbench.home import Home
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "doctor", help="what this machine has, and which backends work", parents=[common]
    )
    parser.set_defaults(command=_doctor)


def _doctor(home: Home, _arguments: argparse.Namespace) -> Answer:
    here = machine()
    with Session.open(home, supervise=False) as session:
        failures = session.catalogue.load().failures
    free = shutil.disk_usage(home.root).free
    reports = list(try_all())
    window = importlib.util.find_spec("PySide6") is not None
    lines = [
        f"Tenfold {__version__}, Python {sys.version.split()[0]}, {here.os}",
        f"Processor   {here.cpu_name}, {here.cores} cores",
        f"Memory      {size(here.ram_bytes)}, {size(ram_free_bytes())} free",
        *(f"GPU {gpu.index}       {gpu.name}, {size(gpu.memory_bytes)}" for gpu in here.gpus),
        *([] if here.gpus else ["GPU         none found: everything runs on the processor"]),
        f"Home        {home.root}, {size(free)} free on its disk",
        f"Window      {'PySide6 is installed' if window else 'not installed: ' + install_command('ui')}",
        "",
        *(_backend_lines(reports)),
        *(f"Plugin {each.plugin} failed: {each.reason}" for each in failures),
    ]
    data = {
        "version": __version__,
        "machine": asdict(here),
        "ram_free_bytes": ram_free_bytes(),
        "home": str(home.root),
        "disk_free_bytes": free,
        "window": window,
        "backends": [
            {**asdict(each), "install": "" if each.works else install_command(each.extra)} for each in reports
        ],
        "plugin_failures": [each.model_dump(mode="json") for each in failures],
    }
    return Answer("\n".join(lines), data)


def _backend_lines(reports: list[BackendReport]) -> list[str]:
    lines = []
    for each in reports:
        if each.works:
            lines.append(f"{each.name:16}works on the {each.device} ({each.version})")
        else:
            lines += [f"{each.name:16}does not work: {each.problem}", f"{'':16}{install_command(each.extra)}"]
    return lines
