"""How long a training takes: operations for each token, over how many a machine does in a second."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from workbench.model import ModelFacts
from workbench.tuning.choices import Backend, TuningChoices
from workbench.tuning.weights import shape_of, trained_weights, weights_of

#: Share of the speed of large matrix products that training reaches: it also normalizes, attends, and updates
#: weights. Chosen, not measured: the first finished run of a machine takes their place.
_SHARES: dict[Backend, float] = {"torch": 0.6, "mlx": 0.3}


class Pass(Struct, frozen=True, kw_only=True):
    """What is computed: an epoch, or what a run went through.

    Attributes:
        tokens: Of all sequences, padding left out.
        learned: Those that are predicted.
        mean_length: Of a sequence, in tokens.
    """

    tokens: int
    learned: int
    mean_length: float


class PastRun(Struct, frozen=True, kw_only=True):
    """What a finished run of this machine reached.

    Attributes:
        flops: Operations for its tokens, by this module's arithmetic, per second that it took.
        expected_bytes: Its peak memory by the arithmetic; `measured_bytes` as it was.
    """

    backend: Backend
    method: str
    flops: float
    expected_bytes: int
    measured_bytes: int


class Pace(Struct, frozen=True, kw_only=True):
    """How fast a training goes.

    Attributes:
        tokens_per_second: Of real tokens.
        seconds: For the whole pass.
        basis: What it rests on, in words.
    """

    tokens_per_second: float
    seconds: float
    basis: str


def training_flops(facts: ModelFacts, choices: TuningChoices, what: Pass) -> float:
    """Floating-point operations of training on tokens.

    Two for each weight and token forward; as many for the gradients of what comes before a weight, down to
    the first block with a trained one; and as many again for the gradient of each weight that is trained
    itself (Kaplan et al., arXiv 2001.08361, appendix B). Attention adds its products of queries and keys; the
    output layer is computed at learned tokens alone.
    """
    shape, trained = shape_of(facts), trained_weights(facts, choices)
    in_blocks = (each for each in weights_of(facts) if each.block is not None)
    inside = sum(_active(facts, each.role, each.parameters) for each in in_blocks)
    back = trained.blocks / shape.layers
    adapter = trained.weights if choices.method != "full" else 0
    base = trained.weights - trained.embedding if choices.method == "full" else 0
    forward = 2 * (inside + adapter) + 2 * shape.layers * shape.queries * what.mean_length
    again = back * forward if choices.gradient_checkpointing else 0.0
    backward = back * forward + 2 * (base + adapter)
    if choices.method == "dora":
        # The norm of every adapted weight is computed anew in each batch, and with it the adapter's product.
        batch = max(choices.batch_tokens, 1)
        backward += 2 * choices.rank * trained.adapted / batch
    output = shape.vocabulary * shape.width
    head = 2 * output * (2 if trained.blocks or adapter else 1)
    if choices.method == "full" and trained.embedding:
        head += 4 * output
    total = what.tokens * (forward + again + backward) + what.learned * head
    return float(total)


def pace_of(
    facts: ModelFacts,
    choices: TuningChoices,
    what: Pass,
    backend: Backend,
    *,
    machine_flops: float | None,
    runs: Sequence[PastRun] = (),
) -> Pace | None:
    """How long a pass takes; None where nothing is known of the machine.

    Args:
        machine_flops: Operations per second in large matrix products.
        runs: Finished runs of this machine, which tell more than a product does.
    """
    own = [each for each in runs if each.backend == backend and each.flops > 0]
    like = [each for each in own if (each.method == "full") == (choices.method == "full")] or own
    if like:
        flops = median(each.flops for each in like)
        basis = f"from {len(like)} {'run' if len(like) == 1 else 'runs'} on this machine"
    elif machine_flops:
        flops = _SHARES[backend] * machine_flops
        basis = "estimated from how fast this machine multiplies matrices"
    else:
        return None
    needed = training_flops(facts, choices, what)
    if not what.tokens or not needed:
        return None
    seconds = needed / flops
    return Pace(tokens_per_second=what.tokens / seconds, seconds=seconds, basis=basis)


def _active(facts: ModelFacts, role: str, parameters: int) -> float:
    """The weights of a role that take part in one token."""
    if role == "experts" and facts.experts and facts.experts_used:
        return parameters * facts.experts_used / facts.experts
    return float(parameters)
