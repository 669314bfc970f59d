"""What this machine has, and its counters."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from workbench.hardware import (
    HardwareSampler,
    machine,
    peak_resident_bytes,
    physical_cores,
    ram_free_bytes,
    ram_used_bytes,
)


def test_machine_is_described_with_plausible_figures() -> None:
    here = machine()

    assert here.cpu_name
    assert 1 <= here.cores <= here.threads <= (os.cpu_count() or 1)
    assert 0 < here.ram_bytes <= psutil.virtual_memory().total
    assert physical_cores() == here.cores


def test_used_and_free_memory_add_up() -> None:
    used, free, total = ram_used_bytes(), ram_free_bytes(), machine().ram_bytes

    assert 0 < used < total
    assert abs(used + free - total) < total * 0.05


def test_sample_has_a_reading_for_each_gpu_that_was_found() -> None:
    reading = HardwareSampler().sample()

    assert 0 <= reading.cpu_percent <= 100
    assert reading.ram_total_bytes == machine().ram_bytes
    assert len(reading.gpus) == len(machine().gpus)


def test_a_process_has_its_own_peak_and_not_that_of_its_parent() -> None:
    ballast = bytearray(os.urandom(1)) * 300_000_000
    code = "from workbench.hardware import peak_resident_bytes; print(peak_resident_bytes())"

    child = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert len(ballast) < peak_resident_bytes()
    assert 5_000_000 < child < len(ballast)
