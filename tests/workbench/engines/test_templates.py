"""Chat templates: rendered as models expect, and kept in their sandbox."""

from __future__ import annotations

import pytest

from workbench.engines import templates
from workbench.engines.errors import TemplateError
from workbench.engines.request import Message, ToolCall
from workbench.engines.templates import ChatTemplate

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
USER = Message(role="user", content="Hi")


def test_turns_and_the_beginning_of_the_answer() -> None:
    text = ChatTemplate(CHATML, {}).render([Message(role="system", content="Be kind."), USER])

    assert (
        text
        == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_an_unfinished_answer_is_gone_on_with() -> None:
    text = ChatTemplate(CHATML, {}).render([USER, Message(role="assistant", content="The capital")])

    assert text.endswith("<|im_start|>assistant\nThe capital")


def test_tools_special_tokens_options_and_calls_reach_the_template() -> None:
    source = (
        "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{{ mood }}"
        "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments.city }}{% endif %}"
        "{% endfor %}"
    )
    call = ToolCall(id="1", name="weather", arguments='{"city": "Rome"}')
    turns = [USER, Message(role="assistant", tool_calls=(call,)), Message(role="tool", content="sun")]

    text = ChatTemplate(source, {"bos_token": "<s>"}).render(
        turns, tools=[{"name": "weather"}], options={"mood": "calm"}
    )

    assert text == '<s>[{"name": "weather"}]calmRome'


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append({'role': 'x'}) }}",
        "{{ self._TemplateReference__context }}{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ ''.format.__globals__.os }}",
        "{{ raise_exception('Roles must alternate') }}",
        "{{ 1 / 0 }}",
        "{{ missing.attribute.deep }}",
        "{% include 'passwd' %}",
        "{% for x in range(1000000000) %}{% endfor %}",
    ],
)
def test_hostile_and_refusing_templates_fail_with_a_reason(source: str) -> None:
    with pytest.raises(TemplateError, match="chat template"):
        ChatTemplate(source, {}).render([USER])


@pytest.mark.parametrize("source", ["{% for %}", "{{ unclosed", "{% unknown %}", "x" * 300_000])
def test_broken_templates_are_refused_when_compiled(source: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(source, {})


def test_endless_template_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_LIMIT_S", 0.3)
    loop = "{% for a in range(90000) %}" * 4 + "{% endfor %}" * 4

    with pytest.raises(TemplateError, match="ran for more than"):
        ChatTemplate(loop, {}).render([USER])


def test_flooding_template_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_LONGEST_RESULT", 10_000)
    flood = "{% for a in range(90000) %}{{ 'x' * 100 }}{% endfor %}"

    with pytest.raises(TemplateError, match="more text than any context"):
        ChatTemplate(flood, {}).render([USER])
