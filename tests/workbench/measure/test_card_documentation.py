"""docs/proof-card.md describes the document that there is, and its recipe for the seal works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.workbench.measure import cards
from workbench.measure import card as document
from workbench.measure.card import encode
from workbench.measure.grade import GRADES

PAGE = Path(__file__).parents[3] / "docs" / "proof-card.md"
PARTS = (
    document.Card,
    document.Subject,
    document.Quality,
    document.Histogram,
    document.Speed,
    document.Rate,
    document.Memory,
    document.Cache,
    document.Task,
    document.Identity,
    document.ParityCheck,
    document.Example,
    document.Metric,
    document.Figure,
    document.Conditions,
)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_field_is_described_in_its_section(part: type[msgspec.Struct]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {part.__name__}\n")[2].partition("\n##")[0]
    table = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    described = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]

    assert sorted(described) == sorted(part.__struct_fields__)


def test_every_grade_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [grade for grade in GRADES if f"\n| {grade} |" not in text] == []


def test_seal_can_be_checked_without_tenfold(tmp_path: Path) -> None:
    recipe = re.search(r"```python title=.*?\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert recipe is not None
    assert "workbench" not in recipe[1]
    whole = tmp_path / "a.proof.json"
    whole.write_bytes(encode(cards.card("Q8_0")))
    altered = tmp_path / "b.proof.json"
    altered.write_bytes(whole.read_bytes().replace(b'"positions": 2048', b'"positions": 9048'))

    said = [
        subprocess.run(
            [sys.executable, "-c", recipe[1], str(path)], capture_output=True, text=True, check=True
        ).stdout.strip()
        for path in (whole, altered)
    ]

    assert said == ["unaltered", "altered"]
