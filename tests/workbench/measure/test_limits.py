from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from workbench.measure import limits
from workbench.measure.limits import Limits, LimitsError, bound, measured_limits
from workbench.measure.limits_probe import bandwidth


def test_machine_is_probed_once_for_each_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def probed(threads: int) -> Limits:
        asked.append(threads)
        return Limits(bandwidth=1e9 * threads, arithmetic=1e10 * threads)

    monkeypatch.setattr(limits, "_probed", probed)

    found = [measured_limits(tmp_path / "new", threads) for threads in (1, 2, 1, 2)]

    assert asked == [1, 2]
    assert found[0] == found[2] == Limits(bandwidth=1e9, arithmetic=1e10)
    assert found[1] == found[3] == Limits(bandwidth=2e9, arithmetic=2e10)


def test_what_was_measured_on_a_busy_machine_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([Limits(bandwidth=2.0, arithmetic=5.0), Limits(bandwidth=9.0, arithmetic=4.0)])
    monkeypatch.setattr(limits, "_probed", lambda _threads: next(measured))

    first = measured_limits(tmp_path, 1)
    again = measured_limits(tmp_path, 1, again=True)

    assert first == Limits(bandwidth=2.0, arithmetic=5.0)
    assert again == measured_limits(tmp_path, 1) == Limits(bandwidth=9.0, arithmetic=5.0)


def test_this_machine_has_limits(tmp_path: Path) -> None:
    found = measured_limits(tmp_path, 1)

    # A slow board and a large server lie well within.
    assert 1e8 < found.bandwidth < 1e13
    assert 1e8 < found.arithmetic < 1e15
    assert (tmp_path / "limits.json").is_file()


def test_probe_that_fails_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(LimitsError) as caught:
        limits._probed(-1)

    assert "max_workers" in caught.value.details or "ValueError" in caught.value.details


def test_small_arrays_are_read_faster_than_none_at_all() -> None:
    assert bandwidth(2, 1 << 20, seconds=0.01) > 1e7


@pytest.mark.parametrize(
    ("device", "bounded"),
    [
        ("CPU, 2 threads", True),
        ("CPU", True),
        ("GPU (12 of 12 layers), CPU, 2 threads", False),
        ("Metal", False),
    ],
)
def test_limits_bound_what_the_processor_computes(
    device: str, bounded: bool, tiny_gguf: Path, load: Any
) -> None:
    assert bound(replace(load(tiny_gguf).report, device=device)) == bounded
