"""The torch engine on the CPU with a real tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.engines.errors import ContextFullError
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.request import AdapterOptions, AdapterUse, DraftOptions, Message, Request
from workbench.errors import ModelFileError

pytestmark = pytest.mark.timeout(300)

TEXTS = [
    "plain words",
    "  spaces   and\ttabs\n\nlines\r\n",
    "naïve café, 日本語, 👩‍👩‍👧 and ß",
    "def f(x):\n    return {x: [1, 2]}  # code",
    "<|im_start|>user\nHi<|im_end|>",
    "\u2581 low line and \x00 zero",
]


def prompt_of(seed: int, length: int = 12) -> tuple[int, ...]:
    return tuple(1000 + (seed * 7919 + place * 104729) % 40000 for place in range(length))


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_together_are_the_text(tiny_hf: Path, text: str) -> None:
    tokenizer = HfTokenizer(tiny_hf)

    tokens = tokenizer.encode(text, begin=False)

    assert b"".join(map(tokenizer.raw_piece, tokens)) == text.encode()


def test_logits_are_those_of_transformers(opened, tiny_hf: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    run = opened(tiny_hf, "hf", parallel=2, context=1024)
    prompt = prompt_of(1, 700)
    model = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype="auto")
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0].float().numpy()

    found = run.engine.logits(prompt)

    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-2 * np.abs(expected).max()


@pytest.mark.parametrize("since", [255, 512, 600])
def test_logits_of_the_end_are_those_of_the_whole(opened, tiny_hf: Path, since: int) -> None:
    run = opened(tiny_hf, "hf", parallel=1, context=1024)
    prompt = prompt_of(5, 700)
    whole = run.engine.logits(prompt)

    found = run.engine.logits(prompt, since)

    assert found.shape == (700 - since, run.engine.tokenizer.vocabulary)
    assert np.abs(found - whole[since:]).max() < 2e-2 * np.abs(whole).max()


def test_rows_join_and_leave_without_changing_each_other(opened, exact_hf: Path) -> None:
    alone = opened(exact_hf, "hf", parallel=1)
    expected = {str(n): alone.answer(str(n), prompt_of(n, 5 + 7 * n), max_tokens=6 + 5 * n) for n in range(5)}
    run = opened(exact_hf, "hf", parallel=3)
    for n in (0, 1):
        run.add(str(n), prompt_of(n, 5 + 7 * n), max_tokens=6 + 5 * n)
    for _ in range(4):
        run.events += run.engine.step()

    for n in (2, 3, 4):
        run.add(str(n), prompt_of(n, 5 + 7 * n), max_tokens=6 + 5 * n)
    run.to_end()

    assert {id: run.tokens(id) for id in expected} == expected


def test_guessing_gives_the_same_tokens(opened, exact_hf: Path) -> None:
    plain = opened(exact_hf, "hf", parallel=1)
    guessing = opened(exact_hf, "hf", parallel=1, draft=DraftOptions(kind="ngram"))
    different = [
        n
        for n in range(50)
        if plain.answer(str(n), prompt_of(n, 8) * 3, max_tokens=16)
        != guessing.answer(str(n), prompt_of(n, 8) * 3, max_tokens=16)
    ]

    print(f"{50 - len(different)} of 50 prompts gave identical tokens")
    assert not different
    assert sum(guessing.end(str(n)).figures.drafted for n in range(50)) > 0


def test_prompt_is_reused_shared_and_kept(opened, tiny_hf: Path, tmp_path: Path) -> None:
    run = opened(tiny_hf, "hf", parallel=2, prompt_cache=str(tmp_path))
    prompt = prompt_of(3, 120)
    first = run.answer("first", prompt)
    again = run.answer("again", prompt)
    run.engine.close()
    later = opened(tiny_hf, "hf", parallel=1, prompt_cache=str(tmp_path))

    assert again == first
    assert run.end("again").figures.cached_tokens == 119
    assert later.answer("later", prompt) == first
    assert later.end("later").figures.cached_tokens == 119


def test_full_context_shifts_where_allowed(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", parallel=1, context=64)
    with pytest.raises(ContextFullError):
        run.add("a", prompt_of(1, 80))

    assert len(run.answer("b", prompt_of(1, 50), max_tokens=60, overflow="shift")) == 60
    assert run.end("b").figures.shifted_tokens > 0


def test_adapter_changes_the_answer_and_leaves_no_trace(opened, tiny_hf: Path, tmp_path: Path) -> None:
    adapter = made_adapter(tiny_hf, tmp_path / "adapter")
    run = opened(tiny_hf, "hf", parallel=2, adapters=(AdapterOptions(name="tone", path=str(adapter)),))
    base = run.answer("base", prompt_of(5), reuse=False)

    with_it = run.answer("with", prompt_of(5), adapters=(AdapterUse(name="tone"),))
    without = run.answer("without", prompt_of(5), reuse=False)
    nothing = run.answer("nothing", prompt_of(5), adapters=(AdapterUse(name="tone", scale=0.0),))

    assert with_it != base
    assert without == base
    assert nothing == base


def test_conversation_and_embedding(opened, tiny_hf: Path) -> None:
    run = opened(tiny_hf, "hf", parallel=1)
    request = Request(id="a", messages=(Message(role="user", content="Hi"),))

    tokens = run.engine.prompt_tokens(request)
    vectors, _count = run.engine.embed(["one", "two"])

    assert tokens.count(1) == 3
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_folder_that_is_broken_is_a_clear_error(opened, tiny_hf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for each in tiny_hf.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    (folder / "tokenizer.json").write_text("{")

    with pytest.raises(ModelFileError, match="tokenizer"):
        opened(folder, "hf")


def made_adapter(base: Path, folder: Path) -> Path:
    """A LoRA adapter with weights that do something."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj", "down_proj"])
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), config)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    tuned.save_pretrained(str(folder))
    return folder
