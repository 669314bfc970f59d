"""Tests the proof card as a document: its seal, its versions, and what is no card."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.workbench.measure.cards import card, metrics
from workbench.measure.card import SCHEMA, CardError, comparable, decode, encode, read_card


def test_a_card_is_read_as_it_was_written() -> None:
    made = card("Q4_K_M")
    assert msgspec.structs.replace(decode(encode(made)), seal="") == made


def test_a_card_of_the_first_version_is_read_and_written_as_it_was() -> None:
    text = (Path(__file__).parent / "version-1.proof.json").read_bytes()

    old = decode(text)

    assert (old.schema, old.metrics, old.subject.quantization) == (1, (), "Q4_K_M")
    assert encode(old) == text


def test_figures_of_plugins_are_sealed_with_the_card() -> None:
    made = msgspec.structs.replace(card("Q4_K_M"), metrics=metrics())
    content = json.loads(encode(made))
    assert (decode(encode(made)).metrics, content["schema"]) == (metrics(), SCHEMA)

    content["metrics"][0]["figure"]["value"] = 60.0

    with pytest.raises(CardError, match="was altered after it was made"):
        decode(json.dumps(content).encode())


def test_a_card_whose_figure_was_changed_is_refused() -> None:
    content = json.loads(encode(card("Q4_K_M")))
    content["quality"]["mean_kld"] /= 10
    with pytest.raises(CardError, match="was altered after it was made"):
        decode(json.dumps(content).encode())


def test_other_spaces_and_order_are_no_change() -> None:
    content = json.loads(encode(card("Q4_K_M")))
    assert decode(json.dumps(content, sort_keys=True).encode()).subject.quantization == "Q4_K_M"


def test_a_newer_card_says_so() -> None:
    text = json.dumps({"schema": SCHEMA + 1, "new": {}}).encode()
    with pytest.raises(CardError, match=f"of version {SCHEMA + 1}"):
        decode(text)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1}'])
def test_rubbish_is_no_card(text: bytes) -> None:
    with pytest.raises(CardError, match="no proof card"):
        decode(text)


def test_a_file_that_is_gone_says_which(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"gone\.json can't be read"):
        read_card(tmp_path / "gone.json")


def test_cards_from_other_machines_texts_and_forms_are_not_compared() -> None:
    one = card("Q4_K_M").conditions
    assert comparable(one, one) == ()
    other = msgspec.structs.replace(one, machine="Another", text_sha256="0" * 64, text="other", form="full")
    assert len(comparable(one, other)) == 3
