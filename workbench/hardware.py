"""What this machine has, and its live counters. Nothing here raises: what can't be read is left out."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psutil

GpuKind = Literal["cuda", "metal"]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One accelerator. A Metal GPU shares the machine's memory: `memory_bytes` is what it may wire."""

    index: int
    name: str
    memory_bytes: int
    kind: GpuKind


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of this machine that matter to a model.

    Attributes:
        cpu_name: As the maker calls it.
        cores: Physical cores that this process may use.
        threads: Logical processors that this process may use.
        ram_bytes: Memory that is installed, or the container's limit where that is less.
        gpus: Accelerators with a driver that answers.
        os: For example `Linux 6.8 x86_64`.
    """

    cpu_name: str
    cores: int
    threads: int
    ram_bytes: int
    gpus: tuple[Gpu, ...]
    os: str


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU at one moment; None where the driver does not tell."""

    index: int
    percent: float | None
    memory_used_bytes: int
    memory_total_bytes: int
    power_w: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The machine at one moment: `t` in seconds since the epoch, `cpu_percent` of all processors together."""

    t: float
    cpu_percent: float
    ram_used_bytes: int
    ram_total_bytes: int
    gpus: tuple[GpuReading, ...]


def peak_resident_bytes() -> int:
    """The most memory that this process ever held at once."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "linux":
        peak = _linux_peak_bytes()
        if peak is not None:
            return peak
    import resource

    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _linux_peak_bytes() -> int | None:
    """The kernel's own mark; that of getrusage begins with the peak of the process that started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    except (OSError, ValueError, IndexError):
        return None


@cache
def machine() -> Machine:
    """What this machine has; looked up once per process (some milliseconds)."""
    ram = _ram_bytes()
    return Machine(
        cpu_name=_cpu_name(),
        cores=physical_cores(),
        threads=_usable_threads(),
        ram_bytes=ram,
        gpus=nvidia().gpus() or _metal_gpus(ram),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


@cache
def physical_cores() -> int:
    """Physical cores that this process may use: what number crunching runs best on."""
    usable = _usable_threads()
    cores = psutil.cpu_count(logical=False) or usable
    return max(1, min(cores, usable))


class HardwareSampler:
    """Reads the live counters; one call takes well under 2 ms without a GPU."""

    def __init__(self) -> None:
        self._machine = machine()
        psutil.cpu_percent(None)  # the first call only sets the mark that the next one measures from

    def sample(self) -> Reading:
        used = ram_used_bytes()
        return Reading(
            t=time.time(),
            cpu_percent=psutil.cpu_percent(None),
            ram_used_bytes=used,
            ram_total_bytes=self._machine.ram_bytes,
            gpus=self._gpus(used),
        )

    def _gpus(self, ram_used: int) -> tuple[GpuReading, ...]:
        if any(gpu.kind == "metal" for gpu in self._machine.gpus):
            # macOS tells a GPU's load only to root; its memory is the machine's own.
            return tuple(
                GpuReading(gpu.index, None, min(ram_used, gpu.memory_bytes), gpu.memory_bytes, None)
                for gpu in self._machine.gpus
            )
        return nvidia().readings()


def ram_used_bytes() -> int:
    """Memory that is in use and could not be had by asking for it (caches do not count)."""
    memory = psutil.virtual_memory()
    limit = _cgroup_bytes("memory.max")
    if limit is not None and limit < memory.total:
        used = _cgroup_bytes("memory.current") or 0
        return max(0, used - _cgroup_cache_bytes())
    return int(memory.total - memory.available)


def ram_free_bytes() -> int:
    """Memory that a new load could have without anything being swapped out."""
    return max(0, _ram_bytes() - ram_used_bytes())


class Nvidia:
    """NVIDIA's management library where a driver is there; answers with nothing where none is.

    A call that fails (a GPU that fell off the bus, a right that a container lacks) leaves that figure out.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[Any] = []
        try:
            import pynvml

            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
            self._nvml = pynvml
        except Exception:  # noqa: BLE001 - no package, no driver, no rights: the machine has no NVIDIA GPU for us
            self._handles = []

    def gpus(self) -> tuple[Gpu, ...]:
        found = []
        for index, handle in enumerate(self._handles):
            name = self._ask("nvmlDeviceGetName", handle)
            memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
            found.append(
                Gpu(
                    index=index,
                    name=name.decode() if isinstance(name, bytes) else str(name or "NVIDIA GPU"),
                    memory_bytes=int(memory.total) if memory else 0,
                    kind="cuda",
                )
            )
        return tuple(found)

    def readings(self) -> tuple[GpuReading, ...]:
        found = []
        for index, handle in enumerate(self._handles):
            use = self._ask("nvmlDeviceGetUtilizationRates", handle)
            memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
            power = self._ask("nvmlDeviceGetPowerUsage", handle)
            found.append(
                GpuReading(
                    index=index,
                    percent=float(use.gpu) if use else None,
                    memory_used_bytes=int(memory.used) if memory else 0,
                    memory_total_bytes=int(memory.total) if memory else 0,
                    power_w=power / 1000 if power is not None else None,
                )
            )
        return tuple(found)

    def memory_of(self, index: int, pids: set[int]) -> int | None:
        """Bytes that these processes hold on a GPU; None where the driver does not tell (in containers)."""
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses", self._handles[index])
        if processes is None:
            return None
        told = [each for each in processes if each.pid in pids and each.usedGpuMemory is not None]
        if not told and processes:
            return None
        return sum(int(each.usedGpuMemory) for each in told)

    def _ask(self, function: str, handle: Any) -> Any:
        try:
            return getattr(self._nvml, function)(handle)
        except Exception:  # noqa: BLE001 - a figure that the driver won't give is left out
            return None


@cache
def nvidia() -> Nvidia:
    """The one connection of this process to NVIDIA's driver."""
    return Nvidia()


def _usable_threads() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    else:  # noqa: RET505 - the type checker knows one platform at a time
        return os.cpu_count() or 1


def _ram_bytes() -> int:
    total = int(psutil.virtual_memory().total)
    limit = _cgroup_bytes("memory.max")
    return min(total, limit) if limit is not None else total


def _cgroup_bytes(name: str) -> int | None:
    """A figure of this process's memory group (Linux containers, version 2); None where there is no limit."""
    if sys.platform != "linux":
        return None
    try:
        return int(Path("/sys/fs/cgroup", name).read_text())
    except (OSError, ValueError):
        return None


def _cgroup_cache_bytes() -> int:
    """File cache that the group's `memory.current` counts but that is given back on demand."""
    try:
        lines = Path("/sys/fs/cgroup/memory.stat").read_text().splitlines()
        return sum(
            int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file "))
        )
    except (OSError, ValueError, IndexError):
        return 0


def _cpu_name() -> str:
    try:
        if sys.platform == "linux":
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith(("model name", "Model")):
                    return line.partition(":")[2].strip()
        if sys.platform == "darwin":
            return _sysctl("machdep.cpu.brand_string")
        if sys.platform == "win32":
            import winreg

            key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
                return str(winreg.QueryValueEx(opened, "ProcessorNameString")[0]).strip()
    except (OSError, subprocess.SubprocessError):
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def _metal_gpus(ram: int) -> tuple[Gpu, ...]:
    """The GPU of an Apple silicon Mac. It may wire three quarters of the memory unless told otherwise."""
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return ()
    try:
        wired_limit = int(_sysctl("iogpu.wired_limit_mb") or 0) << 20
    except (OSError, ValueError, subprocess.SubprocessError):
        wired_limit = 0
    return (Gpu(0, f"{_cpu_name()} GPU", wired_limit or ram * 3 // 4, "metal"),)


def _sysctl(name: str) -> str:
    answer = subprocess.run(
        ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=True, timeout=5
    )
    return answer.stdout.strip()
