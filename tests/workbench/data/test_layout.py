from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.data.errors import BadRowError, DataError
from workbench.data.examples import Chat, Completion, Preference, Text, content_hash
from workbench.data.layout import completed, detect, example_of, mapped, said

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"messages": TURNS}, "chat"),
        ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}, "chat"),
        ({"prompt": "a", "completion": "b"}, "completion"),
        ({"question": "a", "answer": "b"}, "completion"),
        ({"instruction": "a", "input": "", "output": "b"}, "instruction"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
        ({"chosen": TURNS, "rejected": [TURNS[0], {"role": "assistant", "content": "No"}]}, "preference"),
        ({"text": "a"}, "text"),
    ],
)
def test_rows_are_told_by_their_fields_and_give_an_example(row: dict[str, Any], kind: str) -> None:
    layout = detect([row])

    assert layout.kind == kind
    wanted = {"chat": Chat, "preference": Preference, "text": Text}.get(kind, Completion)
    assert isinstance(example_of(row, layout), wanted)


def test_an_instruction_has_its_input_behind_it() -> None:
    layout = detect([{"instruction": "Add.", "input": "1 2", "output": "3"}])

    assert example_of({"instruction": "Add.", "input": "1 2", "output": "3"}, layout) == Completion(
        prompt="Add.\n\n1 2", completion="3"
    )
    assert example_of({"instruction": "Go.", "input": None, "output": "3"}, layout) == Completion(
        prompt="Go.", completion="3"
    )


def test_what_cannot_be_told_says_which_fields_there_are() -> None:
    with pytest.raises(DataError, match="Antwort, Frage"):
        detect([{"Frage": "a", "Antwort": "b"}])
    layout = mapped("completion", {"prompt": "Frage", "completion": "Antwort"})
    assert example_of({"Frage": "a", "Antwort": "b"}, layout) == Completion(prompt="a", completion="b")


@pytest.mark.parametrize(
    ("kind", "fields", "word"),
    [
        ("poem", {}, "no kind"),
        ("text", {"text": "a", "title": "b"}, "no part 'title'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(kind: str, fields: dict[str, str], word: str) -> None:
    with pytest.raises(DataError, match=word):
        mapped(kind, fields)


def test_a_mapping_in_part_is_completed_by_the_usual_names() -> None:
    rows = [{"Frage": "a", "answer": "b", "output": "c"}]

    found = completed(mapped("completion", {"prompt": "Frage"}), rows)

    assert found.fields == {"prompt": "Frage", "completion": "answer"}
    with pytest.raises(DataError, match=r"'prompt'; there are Frage, answer, output"):
        completed(mapped("completion", {"completion": "output"}), rows)


def test_auto_is_told_from_the_rows_and_takes_no_fields() -> None:
    assert said("auto", {}) is None
    assert said("text", {"text": "body"}) == mapped("text", {"text": "body"})
    with pytest.raises(DataError, match="not said what the rows are"):
        said("auto", {"text": "body"})


def test_turns_in_a_table_are_json_text() -> None:
    layout = mapped("chat", {"messages": "messages"})

    assert example_of({"messages": json.dumps(TURNS)}, layout) == example_of({"messages": TURNS}, layout)
    answers = mapped("preference", {"prompt": "p", "chosen": "c", "rejected": "r"})
    found = example_of({"p": "List two.", "c": "[1, 2]", "r": "[1]"}, answers)
    assert isinstance(found, Preference)
    assert (found.chosen, found.rejected) == ("[1, 2]", "[1]")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"messages": []}, "not a list of turns"),
        ({"messages": "Hi"}, "not a list of turns"),
        ({}, "missing"),
        ({"messages": ["Hi"]}, "not an object"),
        ({"messages": [{"role": "user", "content": 3}]}, "both text"),
        ({"messages": [{"role": "user", "content": " "}]}, "empty"),
        ({"messages": TURNS[:1]}, "nothing to learn"),
        ({"messages": [TURNS[0], {"role": "assistant", "content": "\ud83e"}]}, "half of a character"),
    ],
)
def test_bad_conversations_say_what_is_wrong(row: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRowError, match=word):
        example_of(row, mapped("chat", {"messages": "messages"}))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"prompt": "a"}, "'completion' is missing"),
        ({"prompt": "a", "completion": None}, "'completion' is missing"),
        ({"prompt": 4, "completion": "b"}, "not text but int"),
        ({"prompt": "a", "completion": "\n"}, "'completion' is empty"),
        ({"prompt": "a\udcff", "completion": "b"}, "half of a character"),
    ],
)
def test_bad_fields_say_what_is_wrong(row: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRowError, match=word):
        example_of(row, mapped("completion", {"prompt": "prompt", "completion": "completion"}))


def test_a_preference_needs_two_different_answers_to_one_prompt() -> None:
    layout = mapped("preference", {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"})
    with pytest.raises(BadRowError, match="the same"):
        example_of({"prompt": "a", "chosen": "b", "rejected": "b"}, layout)
    with pytest.raises(BadRowError, match="no prompt"):
        example_of({"chosen": "b", "rejected": "c"}, layout)
    other = [{"role": "user", "content": "Ho"}, TURNS[1]]
    with pytest.raises(BadRowError, match="differ before"):
        example_of({"chosen": TURNS, "rejected": other}, layout)


def test_the_hash_is_that_of_the_content() -> None:
    one, same, other = Text(text="a"), Text(text="a"), Text(text="b")

    assert content_hash(one) == content_hash(same) != content_hash(other)
    # Fixed: a hash that changed would move rows between training and evaluation.
    assert content_hash(one) == 7993971090243542496
    turns = example_of({"messages": TURNS}, mapped("chat", {"messages": "messages"}))
    assert content_hash(turns) == content_hash(Completion(prompt="Hi", completion="Hello"))
