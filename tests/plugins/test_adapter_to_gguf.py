"""GGUF adapters: llama.cpp says with one what torch says with the original; what can't be one is refused."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugins.adapter_to_gguf import AdapterToGgufParams, adapter_to_gguf
from plugins.gguf_convert import GgufConvertParams, gguf_convert
from plugins.merge_adapter import MergeAdapterParams, merge_adapter
from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, AdapterOptions, AdapterUse, LoadOptions, Request
from workbench.engines.wire import Finished
from workbench.errors import ModelFileError, ParameterError
from workbench.jobs.context import WorkerContext
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.inspect import inspect
from workbench.model import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
make_adapter = importlib.import_module("make_adapter").make_adapter

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROMPTS = ("What is the capital", "One two three", "def main():", "A stone is", "Yes")
TOKENS = 12


@pytest.fixture
def job(tmp_path: Path) -> Callable[[str], WorkerContext]:
    """Makes jobs' contexts as a worker makes them, in this process."""

    def make(name: str) -> WorkerContext:
        folder = tmp_path / f"job-{name}"
        (folder / "out").mkdir(parents=True)
        return WorkerContext(
            folder=folder,
            out=folder / "out",
            sink=EventSink(folder / "events.jsonl"),
            requests=Requests(folder),
            seed=7,
            threads=1,
            output_name=name,
            stop_now=_never,
        )

    return make


def _never(problem: BaseException) -> Any:
    raise problem


def model_at(folder: Path) -> Model:
    return Model(path=folder, name=folder.name, facts=inspect(folder))


def to_gguf(job: Callable[[str], WorkerContext], base: Path, adapter: Path, **params: Any) -> Path:
    return adapter_to_gguf(
        job(f"{adapter.name}-gguf"), model_at(base), AdapterToGgufParams(adapter=adapter, **params)
    )


def converted(job: Callable[[str], WorkerContext], folder: Path, type: str = "F32") -> Path:
    return gguf_convert(job(f"{folder.name}-gguf"), model_at(folder), GgufConvertParams(type=type))


def answers(path: Path, engine: str, adapter: Path | None = None) -> list[str]:
    """Greedy answers to all prompts."""
    adapters = () if adapter is None else (AdapterOptions(name="it", path=str(adapter)),)
    opened = open_engine(
        LoadOptions(
            path=str(path),
            format="gguf" if engine == "llama.cpp" else "hf",
            engine=engine,
            context=64,
            parallel=1,
            adapters=adapters,
            threads=1,
        )
    )
    sampling = msgspec.structs.replace(GREEDY, max_tokens=TOKENS, ignore_end=True)
    found: dict[str, str] = {}
    try:
        for prompt in PROMPTS:
            uses = tuple(AdapterUse(name=each.name) for each in adapters)
            opened.add(Request(id=prompt, prompt=prompt, sampling=sampling, adapters=uses))
            while prompt not in found:
                for each in opened.step():
                    if isinstance(each, Finished):
                        found[prompt] = each.text
    finally:
        opened.close()
    return [found[prompt] for prompt in PROMPTS]


def test_llama_cpp_says_with_the_file_what_torch_says_with_the_folder(
    tiny_hf: Path, tmp_path: Path, job: Callable[[str], WorkerContext]
) -> None:
    base, adapter = in_float32(tiny_hf, tmp_path / "tiny"), tmp_path / "adapter"
    make_adapter(
        base,
        adapter,
        spread=0.2,
        target_modules=LINEAR,
        r=4,
        lora_alpha=8,
        use_rslora=True,
        rank_pattern={"q_proj": 6},
        alpha_pattern={"down_proj": 30},
    )
    merged = merge_adapter(job("merged"), model_at(base), MergeAdapterParams(adapters=[adapter]))
    as_gguf = converted(job, base)

    by_torch = answers(base, "torch", adapter)

    assert answers(as_gguf, "llama.cpp", to_gguf(job, base, adapter, type="F32")) == by_torch
    assert answers(merged, "torch") == by_torch
    assert answers(converted(job, merged), "llama.cpp") == by_torch
    plain = answers(as_gguf, "llama.cpp")
    assert all(one != other for one, other in zip(plain, by_torch, strict=True))


def test_file_in_f16_changes_what_llama_cpp_says(
    tiny_hf: Path, tiny_gguf: Path, tmp_path: Path, job: Callable[[str], WorkerContext]
) -> None:
    make_adapter(tiny_hf, tmp_path / "adapter", spread=0.2, r=8, target_modules=LINEAR)
    made = to_gguf(job, tiny_hf, tmp_path / "adapter")

    plain, changed = answers(tiny_gguf, "llama.cpp"), answers(tiny_gguf, "llama.cpp", made)

    assert all(one != other for one, other in zip(plain, changed, strict=True))


def in_float32(model: Path, folder: Path) -> Path:
    """A model with the same weights that every engine computes in float32: no rounding tips a choice."""
    import torch
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).save_pretrained(folder)
    return _with_tokenizer(folder, model)


def gpt2(folder: Path, tokenizer: Path) -> Path:
    """A random GPT-2, whose weights llama.cpp's converter turns around."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    vocabulary = inspect(tokenizer).vocabulary
    config = GPT2Config(
        n_embd=64,
        n_layer=1,
        n_head=4,
        n_positions=128,
        n_ctx=128,
        vocab_size=vocabulary,
        tie_word_embeddings=False,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return _with_tokenizer(folder, tokenizer)


def untied(folder: Path, tokenizer: Path) -> Path:
    """A random llama with an output matrix of its own."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=inspect(tokenizer).vocabulary,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return _with_tokenizer(folder, tokenizer)


def _with_tokenizer(folder: Path, tokenizer: Path) -> Path:
    for each in tokenizer.glob("*token*"):
        shutil.copy(each, folder)
    return folder


@pytest.mark.parametrize(
    ("make", "targets"),
    [(gpt2, ["c_attn", "c_fc", "c_proj"]), (untied, ["q_proj", "v_proj", "embed_tokens", "lm_head"])],
)
def test_turned_weights_and_embeddings_end_up_where_llama_cpp_looks(
    make: Callable[[Path, Path], Path],
    targets: list[str],
    tiny_hf: Path,
    tmp_path: Path,
    job: Callable[[str], WorkerContext],
) -> None:
    base, adapter = make(tmp_path / "base", tiny_hf), tmp_path / "adapter"
    make_adapter(base, adapter, spread=0.2, r=8, lora_alpha=16, target_modules=targets)
    as_gguf = converted(job, base)

    by_torch = answers(base, "torch", adapter)

    assert answers(as_gguf, "llama.cpp", to_gguf(job, base, adapter, type="F32")) == by_torch
    plain = answers(as_gguf, "llama.cpp")
    assert all(one != other for one, other in zip(plain, by_torch, strict=True))


@pytest.mark.parametrize("type", ["F32", "F16", "BF16"])
def test_file_holds_the_adapter_in_the_type_asked_for(
    type: str, tiny_hf: Path, tmp_path: Path, job: Callable[[str], WorkerContext]
) -> None:
    make_adapter(tiny_hf, tmp_path / "adapter", r=8, lora_alpha=12, target_modules=["q_proj", "down_proj"])

    facts = inspect(to_gguf(job, tiny_hf, tmp_path / "adapter", type=type))

    assert facts.adapter is not None
    assert (facts.format, facts.architecture, facts.adapter.container) == ("adapter", "llama", "gguf")
    assert (facts.adapter.rank, facts.adapter.alpha, facts.adapter.base) == (8, 12, tiny_hf.name)
    assert facts.adapter.targets == ("attn_q", "ffn_down")
    assert {group.type for group in facts.groups} == {type}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target_modules": ["q_proj"], "use_dora": True}, "it is a DoRA"),
        (
            {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
            r"it holds model\..*norm\.weight whole",
        ),
        ({"target_modules": ["q_proj"], "trainable_token_indices": [5]}, "it holds tokens of"),
        ({"target_modules": ["embed_tokens"]}, "it changes model.embed_tokens, .* tokens and output alike"),
        ({"target_modules": ["lm_head"]}, "it changes lm_head, .* tokens and output alike"),
    ],
)
def test_what_a_gguf_adapter_can_not_hold_is_refused(
    settings: dict[str, Any],
    words: str,
    tiny_hf: Path,
    tmp_path: Path,
    job: Callable[[str], WorkerContext],
) -> None:
    make_adapter(tiny_hf, tmp_path / "adapter", r=4, **settings)

    with pytest.raises(ModelFileError, match=words) as refused:
        to_gguf(job, tiny_hf, tmp_path / "adapter")

    assert "Merge it" in refused.value.remedy


def test_numbers_too_large_for_f16_are_refused(
    tiny_hf: Path, tmp_path: Path, job: Callable[[str], WorkerContext]
) -> None:
    make_adapter(tiny_hf, tmp_path / "adapter", r=4, spread=1e5, target_modules=["q_proj"])

    with pytest.raises(ParameterError, match="too large for F16"):
        to_gguf(job, tiny_hf, tmp_path / "adapter")

    assert inspect(to_gguf(lambda _name: job("other"), tiny_hf, tmp_path / "adapter", type="BF16"))


def test_weight_that_llama_cpp_packs_with_others_is_refused(
    tmp_path: Path, job: Callable[[str], WorkerContext]
) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import MixtralConfig, MixtralForCausalLM

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    sizes = {"hidden_size": 32, "intermediate_size": 48, "vocab_size": 96, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 2}
    MixtralForCausalLM(MixtralConfig(**sizes, **heads)).save_pretrained(base)
    adapter.mkdir()
    expert = "base_model.model.model.layers.0.block_sparse_moe.experts.1.w2"
    matrices = {"lora_A.weight": torch.randn(2, 48), "lora_B.weight": torch.randn(32, 2)}
    save_file(
        {f"{expert}.{name}": each for name, each in matrices.items()}, adapter / "adapter_model.safetensors"
    )
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 3}
    (adapter / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")

    with pytest.raises(ModelFileError, match=r"experts\.1\.w2\.weight as one matrix .* part of a larger one"):
        to_gguf(job, base, adapter)
