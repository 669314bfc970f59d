"""Conversations as trees, search, export and votes."""

from __future__ import annotations

import json

import pytest

from workbench.chat.conversations import Conversations
from workbench.chat.export import as_json, as_markdown
from workbench.chat.votes import Votes
from workbench.errors import NotFoundError
from workbench.store.database import Store


@pytest.fixture
def conversations(store: Store) -> Conversations:
    ticks = iter(range(1, 10_000))
    return Conversations(store, clock=lambda: float(next(ticks)))


def test_turns_form_a_path_and_name_the_conversation(conversations: Conversations) -> None:
    made = conversations.create(model_id="m", system="Be kind.")
    asked = conversations.append(made.id, None, "user", "What   is\nthe capital of France?")
    conversations.append(made.id, asked, "assistant", "Paris.", model_name="Small", figures={"drafted": 3})

    path = conversations.path(made.id)

    assert [(turn.role, turn.text) for turn in path][1] == ("assistant", "Paris.")
    assert path[1].figures == {"drafted": 3}
    assert conversations.get(made.id).title == "What is the capital of France?"
    assert conversations.get(made.id).system == "Be kind."


def test_answering_again_makes_a_branch_and_loses_nothing(conversations: Conversations) -> None:
    id = conversations.create().id
    asked = conversations.append(id, None, "user", "Hi")
    first = conversations.append(id, asked, "assistant", "one")
    later = conversations.append(id, first, "user", "and then?")
    second = conversations.append(id, asked, "assistant", "two")

    assert [turn.text for turn in conversations.path(id)] == ["Hi", "two"]
    assert conversations.path(id)[1].siblings == (first, second)
    assert conversations.path(id)[1].place == 1
    conversations.choose(id, first)
    assert [turn.id for turn in conversations.path(id)] == [asked, first, later]


def test_editing_the_first_turn_makes_a_branch_at_the_root(conversations: Conversations) -> None:
    id = conversations.create().id
    one = conversations.append(id, None, "user", "Hi")
    other = conversations.append(id, None, "user", "Hello")

    assert conversations.path(id)[0].siblings == (one, other)


def test_search_looks_into_titles_and_turns(conversations: Conversations) -> None:
    cats = conversations.create().id
    conversations.append(cats, None, "user", "Tell me about 100% of cats")
    dogs = conversations.create().id
    asked = conversations.append(dogs, None, "user", "Tell me about dogs")
    conversations.append(dogs, asked, "assistant", "They like cats.")

    assert [each.id for each in conversations.search("CATS")] == [dogs, cats]
    assert [each.id for each in conversations.search("dogs like")] == [dogs]
    assert [each.id for each in conversations.search("100%")] == [cats]
    assert conversations.search("_") == []


def test_deleting_takes_the_turns_along(conversations: Conversations) -> None:
    id = conversations.create().id
    conversations.append(id, None, "user", "Hi")
    conversations.rename(id, "  Greeting ")
    assert conversations.get(id).title == "Greeting"

    conversations.delete(id)

    assert conversations.all_turns(id) == []
    assert conversations.count() == 0
    with pytest.raises(NotFoundError):
        conversations.append(id, None, "user", "too late")
    with pytest.raises(NotFoundError):
        conversations.rename(id, "x")


def test_export(conversations: Conversations) -> None:
    id = conversations.create(system="Be kind.").id
    asked = conversations.append(id, None, "user", "Hi")
    conversations.append(id, asked, "assistant", "```py\nx\n```", model_name="Small")

    markdown = as_markdown(conversations.get(id), conversations.path(id))
    data = json.loads(as_json(conversations.get(id), conversations.all_turns(id)))

    assert markdown.startswith("# Hi\n\n**System prompt**\n\nBe kind.\n\n## You\n\nHi\n\n## Small\n\n```py")
    assert [turn["role"] for turn in data["turns"]] == ["user", "assistant"]
    assert data["turns"][0]["created_at"].endswith("+00:00")


def test_votes_add_up_whichever_side_stood_first(store: Store) -> None:
    votes = Votes(store)
    votes.cast(prompt="p", first="A", second="B", winner="first", blind=True)
    votes.cast(prompt="p", first="B", second="A", winner="second", blind=True)
    votes.cast(prompt="p", first="A", second="B", winner="tie", blind=False)
    votes.cast(prompt="p", first="A", second="C", winner="second", blind=False)

    rate = votes.win_rate("A", "B")

    assert rate is not None
    assert (rate.votes, rate.rate) == (3, pytest.approx(2.5 / 3))
    assert rate.low < rate.rate < rate.high
    other = votes.win_rate("B", "A")
    assert other is not None
    assert other.rate == pytest.approx(0.5 / 3)
    assert votes.win_rate("B", "C") is None
