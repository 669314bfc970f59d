"""The llama.cpp engine with real models: batching, reuse, guessing, shifting, adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.engines.errors import ContextFullError, RequestError
from workbench.engines.request import AdapterOptions, AdapterUse, DraftOptions, Message, Request
from workbench.engines.wire import Delta, Started
from workbench.errors import ModelFileError, UsageError

pytestmark = pytest.mark.timeout(300)


def prompt_of(seed: int, length: int = 12) -> tuple[int, ...]:
    """Token ids that are as good as any for a random model; the same for the same seed."""
    return tuple(1000 + (seed * 7919 + place * 104729) % 40000 for place in range(length))


def test_rows_join_and_leave_without_changing_each_other(opened, tiny_gguf: Path) -> None:
    alone = opened(tiny_gguf, parallel=1)
    expected = {str(n): alone.answer(str(n), prompt_of(n, 6 + 5 * n), max_tokens=6 + 4 * n) for n in range(6)}

    run = opened(tiny_gguf, parallel=3)
    run.add("0", prompt_of(0, 6), max_tokens=6)
    run.add("1", prompt_of(1, 11), max_tokens=10)
    for _ in range(3):
        run.events += run.engine.step()
    for n in range(2, 6):
        run.add(str(n), prompt_of(n, 6 + 5 * n), max_tokens=6 + 4 * n)
    run.to_end()

    assert {id: run.tokens(id) for id in expected} == expected
    assert all(run.end(id).reason == "length" for id in expected)


def test_logits_at_all_positions_agree_with_greedy_choice(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1)
    prompt = prompt_of(3, 40)
    first = run.answer("a", prompt, max_tokens=1)[0]

    logits = run.engine.logits(prompt)

    assert logits.shape == (40, run.engine.tokenizer.vocabulary)
    assert int(logits[-1].argmax()) == first
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("since", [0, 255, 512, 600, 699])
def test_logits_of_the_end_are_those_of_the_whole(opened, tiny_gguf: Path, since: int) -> None:
    run = opened(tiny_gguf, parallel=1, context=1024)
    prompt = prompt_of(5, 700)
    whole = run.engine.logits(prompt)

    found = run.engine.logits(prompt, since)

    assert found.shape == (700 - since, run.engine.tokenizer.vocabulary)
    assert np.abs(found - whole[since:]).max() < 1e-4 * np.abs(whole).max()


def test_prompt_is_reused_and_gives_the_same_answer(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=2)
    prompt = prompt_of(4, 100)
    first = run.answer("first", prompt)

    again = run.answer("again", prompt)

    assert again == first
    started = [each for each in run.events if isinstance(each, Started)]
    assert [each.cached_tokens for each in started] == [0, 99]
    assert run.end("again").figures.saved_s > 0


def test_shared_prefix_is_copied_from_a_busy_row(opened, tiny_gguf: Path) -> None:
    alone = opened(tiny_gguf, parallel=1)
    shared = prompt_of(5, 90)
    expected = alone.answer("b", (*shared, 2001, 2002))
    run = opened(tiny_gguf, parallel=2)
    run.add("a", (*shared, 3001), max_tokens=40)
    while not run.tokens("a"):
        run.events += run.engine.step()

    run.add("b", (*shared, 2001, 2002))
    run.to_end()

    assert run.end("b").figures.cached_tokens == 90
    assert run.tokens("b") == expected


def test_prompt_cache_survives_the_session(opened, tiny_gguf: Path, tmp_path: Path) -> None:
    prompt = prompt_of(6, 120)
    first = opened(tiny_gguf, parallel=1, prompt_cache=str(tmp_path))
    expected = first.answer("a", prompt)
    first.engine.close()

    second = opened(tiny_gguf, parallel=1, prompt_cache=str(tmp_path))
    again = second.answer("a", prompt)

    assert again == expected
    assert second.end("a").figures.cached_tokens == 119


def test_damaged_prompt_cache_is_forgotten(opened, tiny_gguf: Path, tmp_path: Path) -> None:
    prompt = prompt_of(7, 120)
    first = opened(tiny_gguf, parallel=1, prompt_cache=str(tmp_path))
    expected = first.answer("a", prompt)
    first.engine.close()
    state = next(tmp_path.rglob("*.state"))
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])

    second = opened(tiny_gguf, parallel=1, prompt_cache=str(tmp_path))

    assert second.answer("a", prompt) == expected
    assert second.end("a").figures.cached_tokens == 0
    assert not state.exists()


def test_guessing_from_the_prompt_gives_the_same_tokens(opened, tiny_gguf: Path) -> None:
    plain = opened(tiny_gguf, parallel=1)
    guessing = opened(tiny_gguf, parallel=1, draft=DraftOptions(kind="ngram"))

    for n in range(50):
        prompt = prompt_of(n, 8) * 3
        assert guessing.answer(str(n), prompt, max_tokens=24) == plain.answer(str(n), prompt, max_tokens=24)

    assert sum(guessing.end(str(n)).figures.drafted for n in range(50)) > 0


@pytest.mark.real_model
def test_guessing_with_a_model_gives_the_same_tokens(opened, sample_gguf: Path) -> None:
    """The same model as its own draft: every guess is right, unless a rounding tips a tie."""
    plain = opened(sample_gguf, parallel=1)
    draft = DraftOptions(kind="model", path=str(sample_gguf), tokens=3)
    guessing = opened(sample_gguf, parallel=1, draft=draft)
    texts = [f"{word} {n} is" for n in range(10) for word in ("The number", "A", "My", "Room", "Chapter")]
    different = [
        text
        for text in texts
        if plain.answer(text, text, max_tokens=12) != guessing.answer(text, text, max_tokens=12)
    ]

    figures = [guessing.end(text).figures for text in texts]
    offered = sum(each.drafted for each in figures)
    accepted = sum(each.accepted for each in figures)
    print(f"{len(texts) - len(different)} of {len(texts)} identical, {accepted} of {offered} guesses right")
    # Batches of several tokens round differently from single ones; a tie may fall otherwise.
    assert len(different) <= 2
    assert offered > 20
    assert accepted >= 0.9 * offered
    check = next(each for each in guessing.engine.report.checks if each.option == "draft")
    assert check.active


def test_same_seed_same_text_whatever_runs_beside_it(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=4)
    hot = {"temperature": 1.2, "top_k": 50, "top_p": 0.95, "seed": 11, "max_tokens": 20}
    alone = run.answer("alone", prompt_of(8), **hot)

    run.add("again", prompt_of(8), reuse=False, **hot)
    run.add("other", prompt_of(9), **{**hot, "seed": 12})
    run.to_end()

    assert run.tokens("again") == alone
    assert run.tokens("other") != alone


def test_long_prompt_does_not_stall_an_answer(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=2, context=2048)
    run.add("short", prompt_of(1), max_tokens=60)
    while not run.tokens("short"):
        run.events += run.engine.step()
    run.add("long", prompt_of(2, 1500), max_tokens=2)

    before = len(run.tokens("short"))
    while not run.tokens("long"):
        run.events += run.engine.step()

    # 1500 tokens take several steps, and each step gives the other answer a token.
    assert len(run.tokens("short")) - before >= 1500 // 256


def test_full_context_is_an_error_unless_shifting_is_allowed(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1, context=256)

    with pytest.raises(ContextFullError, match="The prompt has 300 tokens; the context holds 256"):
        run.add("a", prompt_of(1, 300))
    run.add("b", prompt_of(2, 200), max_tokens=500)
    run.add("c", prompt_of(2, 300), max_tokens=400, overflow="shift")
    run.to_end()

    assert run.end("b").reason == "length"
    assert len(run.tokens("b")) == 56
    assert len(run.tokens("c")) == 400
    assert run.end("c").figures.shifted_tokens > 100


def test_cancel_leaves_the_others_alone(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=2)
    expected = opened(tiny_gguf, parallel=1).answer("b", prompt_of(2), max_tokens=30)
    for id in ("a", "b", "c"):
        run.add(id, prompt_of(2 if id == "b" else 1), max_tokens=30)
    run.events += run.engine.step()

    run.events += run.engine.cancel("a")
    run.events += run.engine.cancel("c")
    run.events += run.engine.cancel("unknown")
    run.to_end()

    assert run.end("a").reason == run.end("c").reason == "cancelled"
    assert run.tokens("b") == expected


@pytest.mark.real_model
@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_quantized_cache_is_really_used(opened, sample_gguf: Path, kv_type: str) -> None:
    run = opened(sample_gguf, parallel=1, kv_type=kv_type)

    check = next(each for each in run.engine.report.checks if each.option == "KV cache")

    assert check.active
    assert check.actual == kv_type
    assert len(run.answer("a", "Once upon a time")) == 16


def test_cache_type_that_does_not_suit_the_model_is_a_clear_error(opened, tiny_gguf: Path) -> None:
    with pytest.raises(UsageError, match="q8_0 needs heads"):
        opened(tiny_gguf, parallel=1, kv_type="q8_0")


def test_json_schema_holds(opened, tiny_gguf: Path) -> None:
    import json

    from workbench.engines.request import Constraint

    schema = {
        "type": "object",
        "properties": {"name": {"enum": ["red", "green"]}, "count": {"type": "integer", "maximum": 99}},
        "required": ["name", "count"],
        "additionalProperties": False,
    }
    run = opened(tiny_gguf, parallel=1)

    for seed in range(5):
        run.answer(
            str(seed),
            "x",
            constraint=Constraint(kind="json-schema", text=json.dumps(schema)),
            temperature=1.0,
            seed=seed,
            max_tokens=100,
            ignore_end=False,
        )
        found = json.loads(run.text(str(seed)))
        assert found["name"] in ("red", "green")
        assert found["count"] <= 99
        assert run.end(str(seed)).reason == "stop"


def test_impossible_schema_fails_that_request_alone(opened, tiny_gguf: Path) -> None:
    from workbench.engines.request import Constraint

    run = opened(tiny_gguf, parallel=2)

    with pytest.raises(RequestError, match="json-schema can't be used"):
        run.add("bad", "x", constraint=Constraint(kind="json-schema", text='{"type": "rubbish"}'))
    run.add("good", prompt_of(1))
    run.to_end()

    assert run.end("good").reason == "length"


def test_logprobs_belong_to_the_tokens(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1)
    run.answer("a", prompt_of(1), logprobs=3, max_tokens=4)

    found = [each for delta in run.events if isinstance(delta, Delta) for each in delta.logprobs]

    assert [each.token for each in found] == run.tokens("a")
    assert all(each.top[0].token == each.token and len(each.top) == 3 for each in found)
    assert all(each.logprob < 0 for each in found)


def test_embeddings_have_unit_length(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1)

    vectors, tokens = run.engine.embed(["one text", "another text", "one text"])

    assert vectors.shape[0] == 3
    assert tokens == 6
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_rubbish_file_is_a_clear_error(opened, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 64)

    with pytest.raises(ModelFileError, match=r"rubbish\.gguf"):
        opened(path)


def test_unknown_adapter_and_impossible_options_are_refused(opened, tiny_gguf: Path) -> None:
    run = opened(tiny_gguf, parallel=1)

    with pytest.raises(RequestError, match="No adapter named tone"):
        run.add("a", prompt_of(1), adapters=(AdapterUse(name="tone"),))
    with pytest.raises(UsageError, match="flash attention"):
        opened(tiny_gguf, kv_type="q8_0", flash_attention=False)


@pytest.mark.real_model
def test_sample_model_answers_a_conversation(opened, sample_gguf: Path) -> None:
    run = opened(sample_gguf, parallel=1, context=512)
    request = Request(id="a", messages=(Message(role="user", content="Say hello."),))

    tokens = run.engine.prompt_tokens(request)
    run.engine.add(request)
    run.to_end()

    assert tokens.count(1) == 3  # <|im_start|> for system, user and assistant, and no token doubled
    assert run.end("a").reason in ("stop", "length")
    assert run.text("a").strip()


def made_adapter(path: Path) -> Path:
    """A LoRA adapter in GGUF form for the tiny model, with weights that do something."""
    import gguf

    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    for layer in range(2):
        for name, inner, outer in (("ffn_down", 256, 64), ("attn_q", 64, 64)):
            shape_a, shape_b = (4, inner), (outer, 4)
            tensor = f"blk.{layer}.{name}.weight"
            writer.add_tensor(f"{tensor}.lora_a", random.normal(size=shape_a).astype(np.float32))
            writer.add_tensor(f"{tensor}.lora_b", random.normal(size=shape_b).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_adapters_are_switched_from_request_to_request(opened, tiny_gguf: Path, tmp_path: Path) -> None:
    adapters = tuple(
        AdapterOptions(name=name, path=str(made_adapter(tmp_path / f"{name}.gguf")))
        for name in ("one", "two")
    )
    run = opened(tiny_gguf, parallel=3, adapters=adapters)
    base = run.answer("base", prompt_of(1))

    run.add("plain", prompt_of(1), reuse=False)
    run.add("one", prompt_of(1), adapters=(AdapterUse(name="one"),))
    run.add("both", prompt_of(1), adapters=(AdapterUse(name="one", scale=0.5), AdapterUse(name="two")))
    run.to_end()
    none = run.answer("none", prompt_of(1), adapters=(AdapterUse(name="one", scale=0.0),))

    assert run.tokens("plain") == base
    assert run.tokens("one") != base
    assert run.tokens("both") not in (base, run.tokens("one"))
    assert none == base
