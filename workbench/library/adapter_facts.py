"""Turns an adapter into facts: PEFT's or mlx-lm's folder, or llama.cpp's file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.errors import ModelFileError
from workbench.library.bounded import clean_line, read_json
from workbench.library.folder_texts import licence
from workbench.library.gguf_header import GgufHeader, GgufTensor
from workbench.library.groups import WeightTensor, bits_per_weight, group
from workbench.library.layout import ADAPTER_CONFIG, MLX_WEIGHTS, Layout
from workbench.library.safetensors_header import StoredTensor, read_safetensors_header
from workbench.library.tuning_facts import tuning_facts
from workbench.model import AdapterFacts, ModelFacts

MAX_CONFIG_BYTES = 8_000_000
#: The modules that are listed; an adapter of a mixture of experts may name hundreds.
_MAX_TARGETS = 64
_MAX_RANK = 1 << 20

#: What PEFT calls its methods → what people call them; those that change weights through few numbers.
_METHODS = {
    "LORA": "LoRA",
    "ADALORA": "AdaLoRA",
    "LOHA": "LoHa",
    "LOKR": "LoKr",
    "VERA": "VeRA",
    "IA3": "IA3",
    "OFT": "OFT",
    "BOFT": "BOFT",
}
_MLX_METHODS = {"lora": "LoRA", "dora": "DoRA", "full": "full weights"}

_PEFT_NAME = re.compile(r"(?:^|\.)(?P<module>[^.]+)\.lora_(?P<side>A|B|embedding_A|embedding_B)(?:\.|$)")
_MLX_NAME = re.compile(r"(?:^|\.)(?P<module>[^.]+)\.lora_(?P<side>[ab])$")
_GGUF_NAME = re.compile(r"(?P<tensor>.*?(?P<module>[^.]+)\.weight)\.lora_(?P<side>[ab])")


def adapter_folder_facts(layout: Layout) -> ModelFacts:
    """The facts of a folder with an adapter of PEFT or mlx-lm.

    Raises:
        UnsafeModelError: Its weights are a pickle in disguise.
        ModelFileError: The configuration or the weights are damaged, or no adapter.
    """
    config = read_json(layout.root / ADAPTER_CONFIG, MAX_CONFIG_BYTES)
    header = read_safetensors_header(layout.root / layout.weights[0])
    if not header.tensors:
        raise ModelFileError(header.path, "it holds no weights.", remedy="Download or copy it again.")
    if layout.weights[0] == MLX_WEIGHTS:
        adapter = _mlx_adapter(layout, config, header.tensors)
    else:
        adapter = _peft_adapter(layout, config, header.tensors)
    weights = [
        WeightTensor(each.name, each.dtype, each.elements, each.size_bytes, matrix=len(each.shape) > 1)
        for each in header.tensors
    ]
    return _facts(layout, adapter, weights)


def is_adapter(header: GgufHeader) -> bool:
    """Whether a GGUF file calls itself an adapter."""
    return (header.text("general.type") or "").lower() == "adapter"


def adapter_file_facts(
    header: GgufHeader, tensors: Sequence[GgufTensor], architecture: str, layout: Layout
) -> ModelFacts:
    """The facts of a GGUF file that is an adapter.

    Raises:
        ModelFileError: It holds no LoRA.
    """
    kind = header.text("adapter.type") or ""
    if kind.lower() != "lora":
        said = (
            f"the unknown kind {clean_line(kind, 40)!r}" if kind else "no kind that it names (adapter.type)"
        )
        raise ModelFileError(header.path, f"it is an adapter of {said}.", remedy="Make the file again.")
    pairs: dict[str, dict[str, GgufTensor]] = {}
    targets = set()
    for tensor in tensors:
        found = _GGUF_NAME.fullmatch(tensor.name)
        if found is None:
            continue
        pairs.setdefault(found["tensor"], {})[found["side"]] = tensor
        targets.add(found["module"])
    if not pairs or any(len(pair) < 2 for pair in pairs.values()):
        raise ModelFileError(
            header.path,
            "it calls itself an adapter (LoRA), and its tensors are not pairs of lora_a and lora_b.",
            remedy="Make the file again.",
        )
    base = header.text("general.base_model.0.name") or header.text("general.base_model.0.repo_url")
    adapter = AdapterFacts(
        container="gguf",
        method="LoRA",
        # ggml's order: the row length of B first, which is the rank.
        rank=_usual(pair["b"].shape[0] for pair in pairs.values()),
        alpha=_number(header.number("adapter.lora.alpha")),
        targets=_listed(targets),
        base=clean_line(base, 300),
    )
    weights = [
        WeightTensor(each.name, each.type.name, each.parameters, each.size_bytes, matrix=len(each.shape) > 1)
        for each in tensors
    ]
    facts = _facts(layout, adapter, weights)
    return facts.model_copy(
        update={
            "architecture": architecture,
            "name": clean_line(header.text("general.name")),
            "licence": clean_line(header.text("general.license")),
        }
    )


def adapter_label(adapter: AdapterFacts) -> str:
    """What stands for an adapter in a list.

    >>> adapter_label(AdapterFacts(container="peft", method="LoRA", rank=16))
    'LoRA r16'
    """
    return f"{adapter.method} r{adapter.rank}" if adapter.rank else adapter.method


def _facts(layout: Layout, adapter: AdapterFacts, weights: list[WeightTensor]) -> ModelFacts:
    groups = group(weights)
    folder = layout.kind == "adapter"
    return ModelFacts(
        format="adapter",
        parameters=sum(each.parameters for each in weights),
        quantization=adapter_label(adapter),
        bits_per_weight=bits_per_weight(groups),
        groups=groups,
        licence=licence(layout.root) if folder else None,
        size_bytes=layout.size_bytes,
        files=layout.files,
        adapter=adapter,
        tuning=tuning_facts(layout.root) if folder else None,
    )


def _peft_adapter(layout: Layout, config: Mapping[str, Any], tensors: Sequence[StoredTensor]) -> AdapterFacts:
    kind = config.get("peft_type")
    method = _METHODS.get(kind.upper()) if isinstance(kind, str) else None
    if method is None:
        raise ModelFileError(
            layout.root / ADAPTER_CONFIG,
            "it does not say what kind of adapter it is (peft_type)."
            if kind is None
            else f"it is an adapter of the kind {clean_line(str(kind), 40)!r}, which nothing here loads.",
            remedy="Use an adapter of the LoRA family.",
        )
    ranks, targets = [], set()
    for tensor in tensors:
        found = _PEFT_NAME.search(tensor.name)
        if found is not None:
            targets.add(found["module"])
            if found["side"] in ("A", "embedding_A") and tensor.shape:
                ranks.append(tensor.shape[0])
    if method == "LoRA":
        if not ranks:
            raise _no_lora(layout)
        if config.get("use_dora") is True:
            method = "DoRA"
        elif config.get("use_rslora") is True:
            method = "rsLoRA"
    return AdapterFacts(
        container="peft",
        method=method,
        rank=_usual(ranks),
        alpha=_number(config.get("lora_alpha", config.get("alpha"))),
        targets=_listed(targets) or _stated_targets(config.get("target_modules")),
        base=_text(config.get("base_model_name_or_path")),
    )


def _mlx_adapter(layout: Layout, config: Mapping[str, Any], tensors: Sequence[StoredTensor]) -> AdapterFacts:
    kind = config.get("fine_tune_type", "lora")
    method = _MLX_METHODS.get(kind) if isinstance(kind, str) else None
    if method is None:
        raise ModelFileError(
            layout.root / ADAPTER_CONFIG,
            f"it is an adapter of the kind {clean_line(str(kind), 40)!r}, which nothing here loads.",
            remedy="Use an adapter of the LoRA family.",
        )
    ranks, targets = [], set()
    for tensor in tensors:
        found = _MLX_NAME.search(tensor.name)
        if found is not None:
            targets.add(found["module"])
            if found["side"] == "a" and tensor.shape:
                ranks.append(tensor.shape[-1])
    if kind != "full" and not ranks:
        raise _no_lora(layout)
    rank = _usual(ranks)
    settings = config.get("lora_parameters")
    scale = _number(settings.get("scale")) if isinstance(settings, dict) else None
    return AdapterFacts(
        container="mlx",
        method=method,
        rank=rank,
        # mlx-lm keeps the whole factor where PEFT keeps its numerator.
        alpha=scale * rank if scale is not None and rank is not None else None,
        targets=_listed(targets),
        base=_text(config.get("model")),
    )


def _no_lora(layout: Layout) -> ModelFileError:
    return ModelFileError(
        layout.root / layout.weights[0],
        "its tensors are not those of a LoRA adapter.",
        remedy="Download or copy the adapter again.",
    )


def _usual(ranks: Iterable[int]) -> int | None:
    """The rank that most matrices have: a pattern of ranks may give some of them another."""
    counted = Counter(rank for rank in ranks if 0 < rank <= _MAX_RANK)
    return counted.most_common(1)[0][0] if counted else None


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None


def _text(value: Any) -> str | None:
    return clean_line(value, 300) if isinstance(value, str) else None


def _stated_targets(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return _listed({name for name in names if isinstance(name, str)})


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    cleaned = {name for each in names if (name := clean_line(each, 80))}
    return tuple(sorted(cleaned)[:_MAX_TARGETS])
