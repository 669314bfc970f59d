"""Parameters of an operation: fields as data, and values out of text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.errors import ParameterError
from workbench.params import (
    FOLDER,
    Param,
    Params,
    allowed_text,
    fields_of,
    joined_paths,
    split_paths,
    validate,
)


class WithPaths(Params):
    data: list[Path] = Param(..., help="Examples", suffixes=(".jsonl", ".csv"))
    more: list[Path] = Param([], help="More examples")
    usual: list[Path] = Param([Path("a.csv")], help="What is read otherwise")
    adapter: Path | None = Param(None, help="An adapter", suffixes=(FOLDER, ".gguf"))


FIELDS = fields_of(WithPaths)


def test_several_paths_are_a_kind_of_their_own() -> None:
    kinds = {field.name: (field.kind, field.required, field.default) for field in FIELDS}

    assert kinds == {
        "data": ("paths", True, None),
        "more": ("paths", False, []),
        "usual": ("paths", False, ["a.csv"]),
        "adapter": ("path", False, None),
    }
    assert [allowed_text(field) for field in FIELDS] == [
        "files (.jsonl, .csv) separated by commas",
        "files separated by commas",
        "files separated by commas",
        "a file (.gguf) or a folder",
    ]


def test_paths_come_from_text_or_from_a_list_and_are_plain_json() -> None:
    given = {"data": "a.jsonl, b.jsonl", "more": ["c.csv"]}

    values = validate(FIELDS, given)

    assert values == {"data": ["a.jsonl", "b.jsonl"], "more": ["c.csv"], "usual": ["a.csv"], "adapter": None}
    assert json.loads(json.dumps(values)) == values
    assert WithPaths(**values).data == [Path("a.jsonl"), Path("b.jsonl")]


@pytest.mark.parametrize("given", [{}, {"data": ""}, {"data": []}, {"data": " , "}])
def test_required_paths_are_at_least_one(given: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="“Data” must be given: files"):
        validate(FIELDS, given)


def test_a_path_that_exists_keeps_its_commas(tmp_path: Path) -> None:
    odd = tmp_path / "a, b.jsonl"
    odd.touch()

    assert split_paths(str(odd)) == [str(odd)]
    assert split_paths(f"{odd},{odd}") != [str(odd), str(odd)]
    assert split_paths(joined_paths([str(odd), str(odd)])) == [str(odd), str(odd)]
    assert split_paths("\0") == ["\0"]


def test_what_only_looks_like_json_is_a_name() -> None:
    assert split_paths("[draft].jsonl") == ["[draft].jsonl"]
    assert split_paths("[1, 2]") == ["[1", "2]"]
