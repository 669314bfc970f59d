"""What the series of a job are called, and which of them belong together in one plot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ui.widgets.plot_curve import CurveSpec
from workbench.jobs.sampler import is_of_processes

#: Told apart without colour: a plain line, then dashes and markers.
_LOOKS = (("", False), ("", True), ("o", False), ("s", True), ("t", False), ("d", True))

_TITLES = {
    "throughput": "Throughput",
    "rss_bytes": "Process memory",
    "cpu_percent": "CPU (100 % is one core)",
    "metal_peak_bytes": "Metal, peak",
    "kl": "KL divergence",
}

_MEMORY = re.compile(r"^(rss|gpu\d+|metal)_")
_BYTES = ("B", "bytes")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Series that share a plot.

    Attributes:
        title: What the plot is called.
        unit: The unit of its values.
        curves: Its series.
        own: Whether the operation reported it, rather than the worker's sampler.
    """

    title: str
    unit: str
    curves: tuple[CurveSpec, ...]
    own: bool


def throughput(series: Iterable[tuple[str, str]]) -> Quantity:
    """The speed of the work, from pairs of name and unit: `throughput`, and `throughput/…` beside it."""
    found = sorted((name, unit) for name, unit in series if name.partition("/")[0] == "throughput")
    unit = found[0][1] if found else ""
    return Quantity("Throughput", unit, _curves(found, filled=False), own=False)


def memory(series: Iterable[tuple[str, str]]) -> Quantity:
    """All memory, of the processes and of devices."""
    found = [(name, "B") for name, unit in series if is_memory(name, unit)]
    return Quantity("Memory", "B", _curves(sorted(found, key=_host_first), filled=True), own=False)


def others(series: Iterable[tuple[str, str]]) -> tuple[Quantity, ...]:
    """Everything else: what the operation reported first; `loss/train` and `loss/test` in one plot."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, unit in series:
        if name.partition("/")[0] == "throughput" or is_memory(name, unit):
            continue
        groups.setdefault((name.partition("/")[0], unit), []).append((name, unit))
    made = [
        Quantity(title_of(prefix), unit, _curves(found, filled=False), own=not is_of_processes(prefix))
        for (prefix, unit), found in groups.items()
    ]
    return tuple(sorted(made, key=lambda each: not each.own))


def is_memory(name: str, unit: str) -> bool:
    return unit in _BYTES and bool(_MEMORY.search(name))


def title_of(name: str) -> str:
    """`gpu0_memory_bytes` → `GPU 0 memory`."""
    if name in _TITLES:
        return _TITLES[name]
    text = re.sub(r"_(bytes|percent|w|watts)$", "", name.rpartition("/")[2])
    text = re.sub(r"[_.]+", " ", text)
    text = re.sub(r"\bgpu ?(\d*)", lambda match: f"GPU {match[1]}".rstrip(), text)
    text = re.sub(r"\bcpu\b", "CPU", text)
    return text[:1].upper() + text[1:]


def _host_first(series: tuple[str, str]) -> tuple[bool, str]:
    return ("gpu" in series[0].lower(), series[0])


def _curves(series: list[tuple[str, str]], *, filled: bool) -> tuple[CurveSpec, ...]:
    return tuple(
        CurveSpec(name, title_of(name), unit, dashed, marker, filled=filled and number == 0)
        for number, ((name, unit), (marker, dashed)) in enumerate(
            zip(series, _LOOKS * (len(series) // len(_LOOKS) + 1), strict=False)
        )
    )
