"""Which weights a fine-tuning trains, counted from a model's facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from workbench.errors import ParameterError
from workbench.model import ModelFacts
from workbench.tuning.choices import TuningChoices
from workbench.tuning.selection import Selection, is_target, read_selection


class Shape(Struct, frozen=True, kw_only=True):
    """The widths of a model of the usual kind, all known.

    Attributes:
        width: Of the residual stream.
        queries, keys: Of all query heads, and of all key heads.
        feed_forward: Of the feed-forward layer.
        tied: Whether the embedding is the output layer too.
    """

    layers: int
    width: int
    heads: int
    queries: int
    keys: int
    feed_forward: int
    vocabulary: int
    tied: bool


class Weight(Struct, frozen=True, kw_only=True):
    """One weight of a block or beside the blocks, by the name that it has in most models.

    Attributes:
        block: The number of its block; None for one beside them.
        role: As `ModelFacts.groups` names them.
        inputs, outputs: Of a linear layer that can have an adapter; 0 of what can't.
    """

    name: str
    block: int | None
    role: str
    parameters: int
    inputs: int = 0
    outputs: int = 0


class Trained(Struct, frozen=True, kw_only=True):
    """What is trained.

    Attributes:
        weights: Numbers that get a gradient.
        blocks: Blocks that activations are kept of: from the first one with a trained weight to the last.
        adapted: Weights of the linear layers that have an adapter.
        embedding: Weights of the embedding and the output layer that are trained.
    """

    weights: int
    blocks: int
    adapted: int = 0
    embedding: int = 0


def shape_of(facts: ModelFacts) -> Shape:
    """The widths of a model; where its header is silent, those of the usual proportions."""
    width = facts.embedding_length or 1024
    heads = facts.heads or max(1, width // 64)
    key = facts.key_length or width // heads
    roles = _by_role(facts)
    return Shape(
        layers=facts.layers or 24,
        width=width,
        heads=heads,
        queries=heads * key,
        keys=(facts.kv_heads or heads) * key,
        feed_forward=facts.feed_forward_length or 4 * width,
        vocabulary=facts.vocabulary or 32_000,
        tied=not roles["output"],
    )


def embedding_weights(facts: ModelFacts) -> int:
    """Weights of the embedding and, where it is another one, of the output layer."""
    roles, shape = _by_role(facts), shape_of(facts)
    return roles["embedding"] + roles["output"] or shape.vocabulary * shape.width


def trained_weights(facts: ModelFacts, choices: TuningChoices) -> Trained:
    """What the settings train of a model."""
    if choices.method == "full":
        return _whole(facts, choices)
    found = [each for each in weights_of(facts) if each.inputs and _is_adapted(each, choices)]
    count = sum(choices.rank * (each.inputs + each.outputs) for each in found)
    if choices.method == "dora":
        count += sum(each.outputs for each in found)
    return Trained(
        weights=count, blocks=_kept_blocks(facts, found), adapted=sum(each.parameters for each in found)
    )


def weights_of(facts: ModelFacts) -> Iterator[Weight]:
    """The weights of a model as a llama names them; all of a role together are as many as its header says."""
    shape, roles = shape_of(facts), _by_role(facts)
    width, ff = shape.width, shape.feed_forward
    linear = {
        "self_attn.q_proj": (width, shape.queries),
        "self_attn.k_proj": (width, shape.keys),
        "self_attn.v_proj": (width, shape.keys),
        "self_attn.o_proj": (shape.queries, width),
        "mlp.gate_proj": (width, ff),
        "mlp.up_proj": (width, ff),
        "mlp.down_proj": (ff, width),
    }
    if not roles["feed-forward"] and roles["experts"]:
        # Experts lie in one tensor, which adapters leave out.
        linear = {name: sizes for name, sizes in linear.items() if not name.startswith("mlp.")}
    expected = Counter[str]()
    for name, (inputs, outputs) in linear.items():
        expected[_linear_role(name)] += shape.layers * inputs * outputs
    norms = 2 * shape.layers + 1
    for block in range(shape.layers):
        at = f"model.layers.{block}."
        for name, (inputs, outputs) in linear.items():
            role = _linear_role(name)
            size = inputs * outputs
            if roles[role]:
                size = round(size * roles[role] / expected[role])
            yield Weight(
                name=f"{at}{name}.weight",
                block=block,
                role=role,
                parameters=size,
                inputs=inputs,
                outputs=outputs,
            )
        for name in ("input_layernorm", "post_attention_layernorm"):
            size = (roles["norm"] or norms * width) // norms
            yield Weight(name=f"{at}{name}.weight", block=block, role="norm", parameters=size)
        for role in roles.keys() - {"attention", "feed-forward", "norm", "embedding", "output"}:
            yield Weight(
                name=f"{at}{role}.weight", block=block, role=role, parameters=roles[role] // shape.layers
            )
    embedding = roles["embedding"] or shape.vocabulary * width
    yield Weight(name="model.embed_tokens.weight", block=None, role="embedding", parameters=embedding)
    if roles["output"]:
        yield Weight(name="lm_head.weight", block=None, role="output", parameters=roles["output"])
    yield Weight(name="model.norm.weight", block=None, role="norm", parameters=width)


def _linear_role(name: str) -> str:
    return "attention" if name.startswith("self_attn.") else "feed-forward"


def _by_role(facts: ModelFacts) -> Counter[str]:
    found = Counter[str]()
    for group in facts.groups:
        found[group.name] += group.parameters
    return found


def _whole(facts: ModelFacts, choices: TuningChoices) -> Trained:
    chosen = _chosen(choices)
    found = [each for each in weights_of(facts) if chosen(each.name)]
    if not chosen.is_partial:
        count = facts.parameters or sum(each.parameters for each in found)
    else:
        count = sum(each.parameters for each in found)
    embedding = sum(each.parameters for each in found if each.role in ("embedding", "output"))
    return Trained(weights=count, blocks=_kept_blocks(facts, found), embedding=embedding)


def _kept_blocks(facts: ModelFacts, found: list[Weight]) -> int:
    """Blocks from the first trained weight to the end: a gradient has to come back that far."""
    layers = shape_of(facts).layers
    if any(each.role == "embedding" for each in found):
        return layers
    first = min((each.block for each in found if each.block is not None), default=layers)
    return layers - first


def _is_adapted(weight: Weight, choices: TuningChoices) -> bool:
    return is_target(weight.name.removesuffix(".weight"), choices.targets) and _chosen(choices)(weight.name)


def _chosen(choices: TuningChoices) -> Selection:
    """What the settings choose; a range of blocks that is being typed and is none yet means all."""
    only = choices.only if choices.method == "full" else "everything"
    try:
        return read_selection(choices.layers, choices.freeze, only)
    except ParameterError:
        return read_selection("", choices.freeze, only)
