"""A choice of data as one value, and the same as parameters and as words of the command line."""

from __future__ import annotations

from pathlib import Path

from plugins._tuning_params import FinetuneParams
from ui.panels.finetune.data_choice import DATA_FIELDS, DataChoice, choice_from
from ui.panels.finetune.data_question import words_of
from workbench.cli.main import _parser
from workbench.params import fields_of, validate


def test_the_parameters_of_a_choice_are_taken_and_lead_back_to_it() -> None:
    choice = DataChoice(
        kind="completion",
        fields=(("prompt", "q"),),
        held_out=0.2,
        held_out_files=(Path("held.jsonl"),),
        bad_rows="refuse",
        long_rows="skip",
        trained="everything",
        max_tokens=64,
    ).with_files([Path("a.jsonl"), Path("b.jsonl")])
    choice = choice.with_weight(Path("b.jsonl"), 2.5)
    fields = fields_of(FinetuneParams)

    values = choice.values({field.name for field in fields})

    assert set(values) == set(DATA_FIELDS)
    assert choice_from(validate(fields, values)) == choice


def test_the_defaults_of_the_operation_are_those_of_a_choice() -> None:
    defaults = {field.name: field.default for field in fields_of(FinetuneParams)}

    assert choice_from({**defaults, "data": []}) == DataChoice()


def test_a_file_is_added_once_and_taken_out_again() -> None:
    choice = DataChoice().with_files([Path("a"), Path("b"), Path("a")]).with_files([Path("b")])

    assert [each.path for each in choice.files] == [Path("a"), Path("b")]
    assert [each.path for each in choice.without_file(Path("a")).files] == [Path("b")]


def test_the_command_line_understands_the_question() -> None:
    choice = DataChoice(kind="completion", fields=(("prompt", "q"),), held_out_files=(Path("h"),))
    choice = choice.with_files([Path("a"), Path("b")]).with_weight(Path("b"), 0.5)

    asked = _parser().parse_args(words_of(choice, "model-1", 24, 8))

    assert asked.files == [Path("a"), Path("b")]
    assert (asked.model, asked.kind, asked.map, asked.weight) == (
        "model-1",
        "completion",
        ["prompt=q"],
        [1.0, 0.5],
    )
    assert (asked.held_out_file, asked.offset, asked.preview, asked.max_tokens) == ([Path("h")], 24, 8, 512)
