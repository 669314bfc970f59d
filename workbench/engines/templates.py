"""Renders a model's own chat template, which is a program of unknown origin, in a sandbox."""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from workbench.engines.errors import TemplateError
from workbench.engines.request import Message
from workbench.errors import MissingExtraError

#: A template that is longer than this is no template.
_LONGEST_TEMPLATE = 200_000
#: What a template may produce, in characters.
_LONGEST_RESULT = 20_000_000
#: How long it may take; real ones take milliseconds.
_LIMIT_S = 10.0


class ChatTemplate:
    """A chat template, compiled once.

    The sandbox is Jinja's immutable one: no attribute that begins with an underscore, and nothing passed in
    can be changed. Time and output are bounded on top, as a sandbox does not end a loop.

    Raises:
        TemplateError: The template is not valid Jinja.
        MissingExtraError: Jinja2 is not installed.
    """

    def __init__(self, source: str, special_texts: dict[str, str]) -> None:
        if len(source) > _LONGEST_TEMPLATE:
            raise TemplateError(f"The chat template has {len(source)} characters; that is no template.")
        try:
            import jinja2
        except ImportError as error:
            raise MissingExtraError("Jinja2, which chat templates need,", "generate") from error
        try:
            self._template = _environment().from_string(source)
        except (jinja2.TemplateError, RecursionError, SyntaxError) as error:
            raise TemplateError(f"The model's chat template is not valid: {error}") from error
        self._special_texts = special_texts

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[dict[str, Any]] = (),
        options: dict[str, Any] | None = None,
        begin_answer: bool = True,
    ) -> str:
        """The conversation as the text that the model was trained on.

        Args:
            messages: The turns. Where the last one is the assistant's, the model goes on with it.
            tools: Tools in OpenAI's form.
            options: More variables for the template.
            begin_answer: Whether to end with the beginning of the assistant's turn.

        Raises:
            TemplateError: The template refuses the conversation, fails, or takes too long.
        """
        goes_on = bool(messages) and messages[-1].role == "assistant" and begin_answer
        turns = [_turn(each) for each in (messages[:-1] if goes_on else messages)]
        variables = {
            **self._special_texts,
            **(options or {}),
            "messages": turns,
            "tools": list(tools) or None,
            "add_generation_prompt": begin_answer,
        }
        text = _limited(self._template, variables)
        return text + messages[-1].content if goes_on else text


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        turn["name"] = message.name
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return turn


def _arguments(text: str) -> Any:
    """Templates of today expect an object where OpenAI's form has its JSON text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _environment() -> Any:
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_more: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    # The settings that Hugging Face's templates are written for.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols], autoescape=False
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


class _TooLong(BaseException):
    """Raised in the rendering thread; not an Exception, so that the template can't catch it."""


def _limited(template: Any, variables: dict[str, Any]) -> str:
    """Render in a thread that is stopped when its time is over.

    An exception set from outside is raised at the thread's next bytecode, which ends any loop that a template
    can write; a single long native call (a huge multiplication of text) ends on its own or by memory.
    """
    import jinja2

    outcome: list[str | BaseException] = []

    def work() -> None:
        try:
            parts: list[str] = []
            size = 0
            for part in template.generate(**variables):
                parts.append(part)
                size += len(part)
                if size > _LONGEST_RESULT:
                    raise TemplateError(
                        "The model's chat template produces more text than any context holds."
                    )
            outcome.append("".join(parts))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_LIMIT_S)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TooLong)
        )
        raise TemplateError(f"The model's chat template ran for more than {_LIMIT_S:.0f} seconds.")
    result = outcome[0]
    if isinstance(result, str):
        return result
    if isinstance(result, TemplateError):
        raise result
    if isinstance(result, jinja2.TemplateError | RecursionError | MemoryError | ArithmeticError):
        raise TemplateError(
            f"The model's chat template refused the conversation: {result}",
            remedy="Some templates want turns to alternate, or allow no system prompt.",
        ) from result
    if isinstance(result, Exception):
        raise TemplateError(
            f"The model's chat template failed: {type(result).__name__}: {result}"
        ) from result
    raise result
