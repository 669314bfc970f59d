"""Tests that cards are kept whole and found by their model."""

from pathlib import Path

import msgspec

from tests.workbench.measure.cards import card
from workbench.measure.proofs import Proofs


def test_cards_are_found_by_their_models_content_newest_first(tmp_path: Path) -> None:
    proofs = Proofs(tmp_path / "proofs")
    old, new, other = card("Q4_K_M", made_at=1.0), card("Q4_K_M", made_at=2.0), card("Q8_0", made_at=3.0)
    for each in (old, other, new):
        proofs.add(each)
    found = Proofs(tmp_path / "proofs").of(old.subject.sha256)
    assert [each.card.conditions.made_at for each in found] == [2.0, 1.0]
    assert proofs.of(None) == ()


def test_a_card_with_quality_speaks_for_a_model_before_a_newer_one_without(tmp_path: Path) -> None:
    proofs = Proofs(tmp_path)
    proofs.add(card("Q4_K_M", made_at=1.0))
    proofs.add(msgspec.structs.replace(card("Q4_K_M", made_at=2.0), quality=None))
    sha256 = card("Q4_K_M").subject.sha256
    assert proofs.newest([sha256, None])[sha256].conditions.made_at == 1.0


def test_damaged_and_altered_cards_are_left_out_and_a_mended_one_is_read(tmp_path: Path) -> None:
    proofs = Proofs(tmp_path)
    path = proofs.add(card("Q4_K_M"))
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert proofs.all() == ()
    path.write_bytes(whole)
    assert [each.path for each in proofs.all()] == [path]
    proofs.remove(path)
    assert proofs.all() == ()


def test_folder_is_looked_through_in_pieces_and_to_its_end(tmp_path: Path) -> None:
    writing = Proofs(tmp_path)
    for number in range(3):
        writing.add(card("Q4_K_M", made_at=float(number)))
    proofs = Proofs(tmp_path)

    ends = [proofs.read_some(0.0) for _ in range(3)]

    assert ends == [False, False, True]
    assert len(proofs.all()) == 3
    assert Proofs(tmp_path / "none").read_some(0.0)
