"""The server through OpenAI's own client."""

from __future__ import annotations

import base64
import json
from array import array

import openai
import pytest

TURNS = [{"role": "user", "content": "Say something."}]


def test_whole_answer_with_usage(server) -> None:
    answer = server.client().chat.completions.create(
        model=server.models[0], messages=TURNS, max_tokens=8, seed=1
    )

    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.choices[0].message.role == "assistant"
    assert answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream_gives_the_same_text_as_the_whole(server) -> None:
    asked = {"model": server.models[0], "messages": TURNS, "max_tokens": 12, "temperature": 0}
    whole = server.client().chat.completions.create(**asked).choices[0].message.content

    chunks = list(
        server.client().chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )

    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] in ("length", "stop")
    assert chunks[-1].usage.completion_tokens > 0
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens > 0


def test_several_choices_have_seeds_of_their_own(server) -> None:
    answer = server.client().chat.completions.create(
        model=server.models[0], messages=TURNS, max_tokens=8, n=3, seed=5, temperature=1.5
    )

    texts = [choice.message.content for choice in answer.choices]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len(set(texts)) == 3


def test_same_seed_same_answer(server) -> None:
    asked = {"model": server.models[0], "messages": TURNS, "max_tokens": 10, "seed": 42, "temperature": 1.2}
    create = server.client().chat.completions.create

    assert create(**asked).choices[0].message.content == create(**asked).choices[0].message.content


def test_json_schema_holds(server) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    answer = server.client().chat.completions.create(
        model=server.models[0],
        messages=TURNS,
        max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )

    assert set(json.loads(answer.choices[0].message.content)) == {"ok"}


def test_tool_call_comes_out_as_one(server) -> None:
    """The tiny model knows no tools; a grammar makes it call one, which is what a tuned model would write."""
    tool = {
        "type": "function",
        "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
    }
    grammar = 'start: "{\\"name\\": \\"add\\", \\"arguments\\": {\\"a\\": 1}}"'
    create = server.client().chat.completions.create
    asked = {
        "model": server.models[0],
        "messages": TURNS,
        "tools": [tool],
        "max_tokens": 60,
        "extra_body": {"grammar": grammar},
    }

    answer = create(**asked)
    chunks = list(create(**asked, stream=True))

    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 1})
    assert answer.choices[0].message.content is None
    streamed = [each.choices[0].delta.tool_calls for each in chunks if each.choices[0].delta.tool_calls]
    assert streamed[0][0].function.name == "add"
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == ""


def test_logprobs(server) -> None:
    answer = server.client().chat.completions.create(
        model=server.models[0], messages=TURNS, max_tokens=3, logprobs=True, top_logprobs=4, temperature=0
    )

    content = answer.choices[0].logprobs.content
    assert len(content) == 3
    assert all(len(each.top_logprobs) == 4 and each.logprob <= 0 for each in content)


def test_completions_of_text_and_tokens(server) -> None:
    create = server.client().completions.create

    text = create(model=server.models[0], prompt="Once upon", max_tokens=5, temperature=0)
    several = create(model=server.models[0], prompt=["Once upon", "A"], max_tokens=5, temperature=0)
    tokens = create(model=server.models[0], prompt=[1000, 1001], max_tokens=5, temperature=0)
    streamed = create(model=server.models[0], prompt="Once upon", max_tokens=5, temperature=0, stream=True)

    assert several.choices[0].text == text.choices[0].text
    assert len(several.choices) == 2
    assert tokens.choices[0].finish_reason in ("length", "stop")
    assert "".join(each.choices[0].text for each in streamed) == text.choices[0].text


def test_embeddings_as_floats_and_as_base64(server) -> None:
    client = server.client()

    floats = client.embeddings.create(model=server.models[0], input=["a", "b"], encoding_format="float")
    packed = client.embeddings.with_raw_response.create(
        model=server.models[0], input=["a", "b"], encoding_format="base64"
    )

    raw = json.loads(packed.text)["data"][0]["embedding"]
    assert len(floats.data) == 2
    assert array("f", base64.b64decode(raw)).tolist() == pytest.approx(floats.data[0].embedding, abs=1e-6)


def test_models_are_listed(server) -> None:
    client = server.client()

    assert [each.id for each in client.models.list()] == server.models
    assert client.models.retrieve(server.models[0]).id == server.models[0]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")


def test_prompt_past_the_context_has_openais_code(server) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        server.client().chat.completions.create(
            model=server.models[0], messages=[{"role": "user", "content": "word " * 500}]
        )

    assert raised.value.code == "context_length_exceeded"


def test_stop_text_is_not_in_the_answer(server) -> None:
    create = server.client().completions.create
    whole = create(model=server.models[0], prompt="Once upon", max_tokens=20, temperature=0).choices[0].text
    stop = whole[len(whole) // 2 :][:3]

    cut = create(model=server.models[0], prompt="Once upon", max_tokens=20, temperature=0, stop=stop)

    assert cut.choices[0].text == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_wrong_token_and_unknown_model(server) -> None:
    with pytest.raises(openai.AuthenticationError):
        server.client(api_key="wrong").models.list()
    with pytest.raises(openai.NotFoundError, match="no model"):
        server.client().chat.completions.create(model="other", messages=TURNS)
