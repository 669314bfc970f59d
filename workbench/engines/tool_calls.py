"""Finds the calls of tools in an answer, in the forms that common chat templates teach models."""

from __future__ import annotations

import ast
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from workbench.engines.request import ToolCall

#: Hermes, Qwen 2.5 and 3: one JSON object between tags.
_TAGGED = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
#: Qwen 3 Coder, GLM: a function with parameters as tags.
_NESTED = re.compile(r"<function=([^>\s]+)>(.*?)</function>", re.DOTALL)
_NESTED_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
#: Mistral: a JSON array, or name and object, behind a marker.
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(.*)", re.DOTALL)
_MISTRAL_NAMED = re.compile(r"([\w.-]+)\s*(?:\[ARGS\])?\s*(\{.*)", re.DOTALL)
#: Llama 3: the whole answer is an object, sometimes behind a marker.
_LLAMA_MARKER = "<|python_tag|>"
#: Llama 3.2, and many small models: Python calls in brackets.
_PYTHONIC = re.compile(r"^\s*\[\s*[\w.]+\(.*\)\s*\]\s*$", re.DOTALL)


def parse_tool_calls(text: str, tool_names: frozenset[str]) -> tuple[str, tuple[ToolCall, ...]]:
    """Split an answer into what is said and what is called.

    Only calls of tools that were offered count: a model that invents a name has said something, not called.

    >>> said, calls = parse_tool_calls(
    ...     'One moment. <tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', frozenset({"add"})
    ... )
    >>> said, calls[0].name, calls[0].arguments
    ('One moment.', 'add', '{"a": 1}')

    Args:
        text: The whole answer, with markers that the tokenizer counts as special.
        tool_names: The names of the tools that were offered.
    """
    for form in (_tagged, _nested, _mistral, _whole_object, _pythonic):
        said, found = form(text)
        calls = tuple(
            ToolCall(id=f"call_{uuid.uuid4().hex[:16]}", name=name, arguments=_text(arguments))
            for name, arguments in found
            if name in tool_names
        )
        if calls:
            return said.strip(), calls
    return text, ()


_Found = list[tuple[str, Any]]


def _tagged(text: str) -> tuple[str, _Found]:
    found = [call for match in _TAGGED.finditer(text) for call in _calls_in(_json(match[1]))]
    return _TAGGED.sub("", text), found


def _nested(text: str) -> tuple[str, _Found]:
    found: _Found = []
    for match in _NESTED.finditer(text):
        pairs = _NESTED_PARAMETER.findall(match[2])
        found.append((match[1], {name: _loose(value) for name, value in pairs}))
    said = _NESTED.sub("", text).replace("<tool_call>", "").replace("</tool_call>", "")
    return said, found


def _mistral(text: str) -> tuple[str, _Found]:
    match = _MISTRAL.search(text)
    if not match:
        return text, []
    body = match[1].strip()
    found = list(_calls_in(_json(body)))
    named = _MISTRAL_NAMED.match(body)
    if not found and named:
        found = [(named[1], _json(named[2]))]
    return text[: match.start()], found


def _whole_object(text: str) -> tuple[str, _Found]:
    body = text.strip().removeprefix(_LLAMA_MARKER).strip()
    body = body.removeprefix("```json").removesuffix("```").strip()
    if not body.startswith(("{", "[")):
        return text, []
    parts = [_json(body)]
    if parts == [None]:
        parts = [_json(part) for part in body.split(";")]
    return "", [call for part in parts for call in _calls_in(part)]


def _pythonic(text: str) -> tuple[str, _Found]:
    if not _PYTHONIC.match(text):
        return text, []
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        calls = tree.elts if isinstance(tree, ast.List) else []
        found = [
            (
                ast.unparse(call.func),
                {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg},
            )
            for call in calls
            if isinstance(call, ast.Call)
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text, []
    return "", list(found)


def _calls_in(value: Any) -> Iterator[tuple[str, Any]]:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            continue
        function = each.get("function")
        call = function if isinstance(function, dict) else each
        name = call.get("name")
        if isinstance(name, str):
            yield name, call.get("arguments", call.get("parameters", {}))


def _json(text: str) -> Any:
    """The JSON value that a text begins with; None where it is none."""
    try:
        return json.JSONDecoder().raw_decode(text.strip())[0]
    except (ValueError, RecursionError):
        return None


def _loose(text: str) -> Any:
    """A parameter's value: JSON where it is JSON, text otherwise."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


#: What may open a call anywhere in an answer.
_OPENINGS = ("<tool_call>", "<function=", "[TOOL_CALLS]", _LLAMA_MARKER)
#: What opens one only where the answer begins with it.
_FIRST = ("{", "[", "```json")


class CallGate:
    """Lets the said part of a growing answer through, and holds back what looks like a call.

    >>> gate = CallGate()
    >>> gate.push("One moment. <tool"), gate.push("_call>{}")
    ('One moment. ', '')
    """

    def __init__(self) -> None:
        self._text = ""
        self._shown = 0
        self._closed = False

    def push(self, text: str) -> str:
        """Add text; returns what may be shown now."""
        self._text += text
        if self._closed:
            return ""
        body = self._text.lstrip()
        if not body or any(body.startswith(each) or each.startswith(body) for each in _FIRST):
            # Still undecided, or a call as a whole: nothing was shown yet, and nothing is until the end.
            self._closed = any(body.startswith(each) for each in _FIRST)
            return ""
        certain = len(self._text)
        for opening in _OPENINGS:
            found = self._text.find(opening, self._shown)
            if found >= 0:
                self._closed = True
                certain = min(certain, found)
            else:
                certain = min(certain, len(self._text) - _overlap(self._text, opening))
        shown = self._text[self._shown : certain]
        self._shown = max(self._shown, certain)
        return shown

    def rest(self) -> str:
        """What was held back and not shown."""
        return self._text[self._shown :]


def _overlap(text: str, opening: str) -> int:
    """How many characters at the end of a text may be the beginning of an opening."""
    for length in range(min(len(opening) - 1, len(text)), 0, -1):
        if text.endswith(opening[:length]):
            return length
    return 0
