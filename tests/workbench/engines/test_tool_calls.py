"""Calls of tools in the forms that common templates teach."""

from __future__ import annotations

import json

import pytest

from workbench.engines.tool_calls import CallGate, parse_tool_calls

NAMES = frozenset({"weather", "add"})


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "days": 2}}\n</tool_call>',
        '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome", "days": 2}}',
        '{"name": "weather", "parameters": {"city": "Rome", "days": 2}}',
        '```json\n{"name": "weather", "arguments": {"city": "Rome", "days": 2}}\n```',
        '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome", "days": 2}}]',
        '[TOOL_CALLS]weather[ARGS]{"city": "Rome", "days": 2}',
        "<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n"
        "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
        "[weather(city='Rome', days=2)]",
        '[{"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome", "days": 2}}}]',
    ],
)
def test_forms_are_understood(text: str) -> None:
    said, calls = parse_tool_calls(text, NAMES)

    assert said == ""
    assert [call.name for call in calls] == ["weather"]
    assert json.loads(calls[0].arguments) == {"city": "Rome", "days": 2}


def test_several_calls_and_what_is_said_before() -> None:
    text = (
        "Let me look.\n"
        '<tool_call>{"name": "weather", "arguments": {}}</tool_call>\n'
        '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
    )

    said, calls = parse_tool_calls(text, NAMES)

    assert said == "Let me look."
    assert [call.name for call in calls] == ["weather", "add"]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Just an answer with {braces} and [brackets].",
        '{"name": "rm", "arguments": {}}',
        '<tool_call>{"name": "weather", "arguments": </tool_call>',
        "[1, 2, 3]",
        "[weather(__import__('os').system('x'))]" * 3,
        "{" * 5000,
        "[TOOL_CALLS]",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert parse_tool_calls(text, NAMES) == (text, ())


def test_gate_shows_talk_and_holds_calls_back() -> None:
    gate = CallGate()
    parts = ["Let ", "me <b>see</b>", ". <tool", "_call>{", "}</tool_call>"]

    shown = "".join(gate.push(each) for each in parts)

    assert shown == "Let me <b>see</b>. "
    assert gate.rest() == "<tool_call>{}</tool_call>"


def test_gate_holds_an_answer_that_begins_like_a_call() -> None:
    gate = CallGate()

    assert gate.push(' {"na') == ""
    assert gate.push('me": "x"}') == ""
    assert gate.rest() == ' {"name": "x"}'
