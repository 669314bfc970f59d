from __future__ import annotations

from pathlib import Path

import pytest

from workbench.engines.arithmetic import matmul_flops
from workbench.errors import MissingExtraError
from workbench.hardware import Machine
from workbench.tuning.choices import Backend
from workbench.tuning.probe import machine_flops

HERE = Machine(cpu_name="A", cores=2, threads=2, ram_bytes=1, gpus=(), os="Linux")
THERE = Machine(cpu_name="B", cores=2, threads=2, ram_bytes=1, gpus=(), os="Linux")


def test_a_machine_is_measured_once_for_each_backend(tmp_path: Path) -> None:
    asked: list[Backend] = []

    def measure(backend: Backend) -> float:
        asked.append(backend)
        return 1e9 * len(asked)

    found = [machine_flops(tmp_path / "new", HERE, each, measure) for each in ("torch", "mlx", "torch")]

    assert found == [1e9, 2e9, 1e9]
    assert asked == ["torch", "mlx"]
    # What another machine measured, or nobody can read, counts for nothing.
    assert machine_flops(tmp_path / "new", THERE, "torch", measure) == 3e9
    (tmp_path / "new" / "arithmetic.json").write_text("{", encoding="utf-8")
    assert machine_flops(tmp_path / "new", THERE, "torch", measure) == 4e9
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["arithmetic.json"]


def test_a_backend_that_is_not_there_has_no_speed(tmp_path: Path) -> None:
    def measure(_backend: Backend) -> float:
        raise MissingExtraError("PyTorch", "torch")

    assert machine_flops(tmp_path, HERE, "torch", measure) is None


@pytest.mark.parametrize("backend", ["torch", "mlx"])
def test_this_machine_multiplies_matrices(backend: Backend) -> None:
    assert 1e7 < matmul_flops(backend) < 1e16
