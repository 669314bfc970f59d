"""Turns the header of a GGUF model, split or whole, into facts."""

from __future__ import annotations

import re

from workbench.errors import ModelFileError
from workbench.library.adapter_facts import adapter_file_facts, is_adapter
from workbench.library.bounded import clean, clean_line
from workbench.library.ggml_types import FILE_TYPES, GGML_TYPES, PLAIN_FILE_TYPES
from workbench.library.gguf_header import GgufHeader, GgufTensor, read_gguf_header
from workbench.library.groups import WeightTensor, bits_per_weight, dominant_type, group
from workbench.library.layout import Layout
from workbench.model import ModelFacts

#: Larger numbers can't be meant: they would not even pass through JSON unharmed.
_MOST = 1 << 53

#: What GGUF also carries, and that is no model by itself: `general.type` → words.
_NOT_MODELS = {
    "imatrix": "an importance matrix",
    "mmproj": "the image part of a model",
    "vocab": "a vocabulary",
}
_BELONGS = "Add the model it belongs to."
_ARCHITECTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAMED_BY_QUANTIZED = {kind.name: kind.quantized for kind in GGML_TYPES.values()}


def gguf_facts(layout: Layout) -> ModelFacts:
    """The facts of a GGUF model, or of an adapter in a GGUF file.

    Raises:
        ModelFileError: A header is damaged, the parts don't fit together, or it is no language model.
    """
    first, tensors = _read_parts(layout)
    architecture = _architecture(first)
    if is_adapter(first):
        return adapter_file_facts(first, tensors, architecture, layout)
    if not tensors:
        raise ModelFileError(first.path, "it holds no weights.", remedy="Download the model itself.")
    weights = [
        WeightTensor(each.name, each.type.name, each.parameters, each.size_bytes, matrix=len(each.shape) > 1)
        for each in tensors
    ]
    groups = group(weights)

    def figure(name: str) -> int | None:
        value = first.integer(f"{architecture}.{name}")
        return value if value is not None and 0 < value < _MOST else None

    heads = figure("attention.head_count")
    width = figure("embedding_length")
    head_width = width // heads if width and heads else None
    return ModelFacts(
        format="gguf",
        name=clean_line(first.text("general.name")),
        architecture=architecture,
        parameters=sum(each.parameters for each in tensors),
        quantization=_quantization(first, weights),
        bits_per_weight=bits_per_weight(groups),
        groups=groups,
        context_length=figure("context_length"),
        layers=figure("block_count"),
        embedding_length=width,
        feed_forward_length=figure("feed_forward_length") or figure("expert_feed_forward_length"),
        heads=heads,
        kv_heads=figure("attention.head_count_kv") or heads,
        key_length=figure("attention.key_length") or head_width,
        value_length=figure("attention.value_length") or head_width,
        sliding_window=figure("attention.sliding_window"),
        experts=figure("expert_count"),
        experts_used=figure("expert_used_count"),
        vocabulary=first.length("tokenizer.ggml.tokens") or figure("vocab_size") or _embedding_rows(tensors),
        tokenizer=clean_line(first.text("tokenizer.ggml.model"), 64),
        chat_template=clean(first.text("tokenizer.chat_template") or "") or None,
        licence=clean_line(first.text("general.license") or first.text("general.license.name")),
        size_bytes=layout.size_bytes,
        files=layout.files,
    )


def _read_parts(layout: Layout) -> tuple[GgufHeader, list[GgufTensor]]:
    first = read_gguf_header(layout.root / layout.weights[0])
    announced = first.integer("split.count")
    if announced is not None and announced > 1 and announced != len(layout.weights):
        raise ModelFileError(
            first.path,
            f"it is one of {announced} parts, and its name does not say which.",
            remedy=f"Give the parts their names back: NAME-00001-of-{min(announced, 99999):05d}.gguf.",
        )
    headers = [first, *(read_gguf_header(layout.root / name) for name in layout.weights[1:])]
    tensors: list[GgufTensor] = []
    names: set[str] = set()
    for number, header in enumerate(headers):
        stated = header.integer("split.no")
        if len(headers) > 1 and stated is not None and stated != number:
            raise ModelFileError(
                header.path, f"it is part {stated + 1} by its header, and part {number + 1} by its name."
            )
        for tensor in header.tensors:
            if tensor.name in names:
                raise ModelFileError(header.path, f"the tensor {tensor.name!r} is in another part too.")
            names.add(tensor.name)
        tensors += header.tensors
    total = first.integer("split.tensors.count")
    if len(headers) > 1 and total is not None and total != len(tensors):
        raise ModelFileError(
            first.path,
            f"the parts hold {len(tensors)} tensors, and {total} are announced.",
            remedy="Some part belongs to another model: download the parts again.",
        )
    return first, tensors


def _architecture(header: GgufHeader) -> str:
    kind = (header.text("general.type") or "").lower()
    if kind in _NOT_MODELS:
        raise ModelFileError(header.path, f"it is {_NOT_MODELS[kind]}, not a model.", remedy=_BELONGS)
    name = header.text("general.architecture")
    if not name:
        raise ModelFileError(
            header.path,
            "its header does not say what architecture it is (general.architecture).",
            remedy="Make or download the file again.",
        )
    if not _ARCHITECTURE.fullmatch(name):
        raise ModelFileError(
            header.path,
            f"its architecture {clean_line(name, 40)!r} can't be a name.",
            remedy="Download it again.",
        )
    if name == "clip":
        raise ModelFileError(
            header.path,
            "it is the image part of a model, not a model.",
            remedy="Add the model it belongs to.",
        )
    return name


def _quantization(header: GgufHeader, weights: list[WeightTensor]) -> str:
    """What the file type says, unless the weights are plainly of another kind.

    The file type's own tensor type need not occur: where a row is no multiple of 256, llama.cpp falls
    back from the K types, so that a Q4_K_M of a narrow model is mostly Q5_0.
    """
    dominant = dominant_type(weights)
    number = header.integer("general.file_type")
    stated = FILE_TYPES.get(number) if number is not None else None
    if stated is None or (stated not in PLAIN_FILE_TYPES) != _NAMED_BY_QUANTIZED.get(dominant, False):
        return dominant
    return stated


def _embedding_rows(tensors: list[GgufTensor]) -> int | None:
    return next(
        (each.shape[1] for each in tensors if each.name == "token_embd.weight" and len(each.shape) == 2), None
    )
