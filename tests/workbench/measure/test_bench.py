from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from tests.fixtures.children import children_running
from workbench.engines.errors import EngineError
from workbench.engines.request import LoadOptions
from workbench.measure.bench import bench
from workbench.measure.limits import Limits
from workbench.measure.speed import SpeedPlan

SMALL = SpeedPlan(form="quick", batches=(1, 2), prompts=(8,), depths=(4,), budget_s=0.5)
LIMITS = Limits(bandwidth=1e10, arithmetic=1e11)


def options(path: Path) -> LoadOptions:
    return LoadOptions(path=str(path), format="gguf", threads=1)


def measuring() -> list[psutil.Process]:
    """The processes in which this one has models measured."""
    return children_running("workbench.measure.bench_process")


def test_model_is_measured_in_a_process_of_its_own(sample_gguf: Path) -> None:
    seen: list[tuple[int, int]] = []
    loaded: list[float] = []

    found = bench(
        options(sample_gguf),
        SMALL,
        LIMITS,
        lambda done, total: seen.append((done, total)),
        loading=loaded.append,
    )

    assert [each.tokens for each in found.speed.prompt] == [8]
    assert [each.batch for each in found.speed.decode] == [1, 2]
    assert all(each.share for each in (*found.speed.prompt, *found.speed.decode))
    assert found.plan == SMALL
    assert (found.report.engine, found.report.parallel) == ("llama.cpp", 2)
    # Nothing of this process's own memory is in it.
    assert found.memory.weights < found.memory.peak < 3 * found.memory.estimated
    assert (seen[0], seen[-1]) == ((0, 3), (3, 3))
    assert (loaded[0], loaded[-1]) == (0, 1)
    assert not measuring()


def test_batches_that_do_not_fit_are_left_out(tiny_gguf: Path) -> None:
    found = bench(options(tiny_gguf), replace(SMALL, batches=(1, 100_000_000)), LIMITS)

    assert found.plan.batches == (1,)
    assert [each.batch for each in found.speed.decode] == [1]


def test_model_that_can_not_be_loaded_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))

    with pytest.raises(EngineError) as caught:
        bench(options(tmp_path / "broken.gguf"), SMALL, LIMITS)

    assert caught.value.kind == "model-file"
    assert "broken.gguf" in caught.value.message


def test_process_that_dies_is_an_error(tiny_gguf: Path) -> None:
    def kill(_done: int, _total: int) -> None:
        for child in measuring():
            child.kill()

    with pytest.raises(EngineError, match="The measuring process ended"):
        bench(options(tiny_gguf), replace(SMALL, budget_s=60.0, batches=tuple(range(1, 40))), LIMITS, kill)


def test_what_progress_raises_ends_the_process(tiny_gguf: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(options(tiny_gguf), replace(SMALL, budget_s=60.0), LIMITS, stop)

    assert not measuring()
