"""Tests that a result is found again by what it rests on, and by nothing else."""

from pathlib import Path

from tests.workbench.measure.cards import quality
from workbench.measure.card import Quality
from workbench.measure.kept import Kept

BASIS = {"reference": "a" * 64, "candidate": "b" * 64, "windows": 8}


def test_a_result_is_found_by_its_basis_whatever_the_order(tmp_path: Path) -> None:
    Kept(tmp_path / "new").put("quality", BASIS, quality(0.04))
    found = Kept(tmp_path / "new").get("quality", dict(reversed(BASIS.items())), Quality)
    assert found == quality(0.04)


def test_another_basis_or_kind_finds_nothing(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.put("quality", BASIS, quality(0.04))
    assert kept.get("quality", {**BASIS, "windows": 9}, Quality) is None
    assert kept.get("tasks", BASIS, Quality) is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.put("quality", BASIS, quality(0.04))
    for file in tmp_path.iterdir():
        file.write_bytes(b'{"positions": "many"}')
    assert kept.get("quality", BASIS, Quality) is None


def test_a_place_that_cant_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Kept(tmp_path / "file")
    kept.put("quality", BASIS, quality(0.04))
    assert kept.get("quality", BASIS, Quality) is None
