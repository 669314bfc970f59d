"""Which weights of a model are trained, by their names in a safetensors folder, the same on every backend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from plugins._tuning_params import FinetuneParams
from workbench.plugin import ParameterError

#: The number of a block in a weight's name, for example in `model.layers.3.mlp.up_proj.weight`.
_BLOCK = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)(?:\.|$)")
_RANGE = re.compile(r"^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$")


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of weights.

    Attributes:
        first, last: The blocks that are trained, both included; None for everything.
        frozen: Patterns of names that stay as they are.
        only: See `FinetuneParams.only`.
    """

    first: int | None
    last: int | None
    frozen: tuple[str, ...]
    only: str

    def __call__(self, name: str) -> bool:
        """Whether a weight is trained.

        >>> Selection(1, 1, ("*.mlp.*",), "everything")("model.layers.1.self_attn.q_proj.weight")
        True
        >>> Selection(1, 1, ("*.mlp.*",), "everything")("model.layers.1.mlp.up_proj.weight")
        False
        """
        if self.first is not None and self.last is not None:
            block = _BLOCK.search(name)
            if block is None or not self.first <= int(block[1]) <= self.last:
                return False
        if any(fnmatchcase(name, pattern) for pattern in self.frozen):
            return False
        is_norm = any(sign in name for sign in ("norm", "ln_"))
        is_embedding = not is_norm and any(sign in name for sign in ("embed", "wte", "wpe"))
        match self.only:
            case "embeddings":
                return is_embedding
            case "norms":
                return is_norm
            case "embeddings-and-norms":
                return is_embedding or is_norm
        return True

    @property
    def is_partial(self) -> bool:
        """Whether anything is left out."""
        return self.first is not None or bool(self.frozen) or self.only != "everything"

    @property
    def blocks(self) -> list[int] | None:
        """The blocks that are trained; None for all."""
        return None if self.first is None or self.last is None else [*range(self.first, self.last + 1)]


def selection(params: FinetuneParams) -> Selection:
    """The choice that the parameters make.

    Raises:
        ParameterError: `layers` is no range.
    """
    first = last = None
    if params.layers.strip():
        found = _RANGE.match(params.layers)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise ParameterError("layers", f"{params.layers!r} is no range of blocks, such as 20-29.")
        first, last = int(found[1]), int(found[2] or found[1])
    patterns = tuple(each if any(sign in each for sign in "*?[") else f"*{each}*" for each in params.freeze)
    only = params.only if params.method == "full" else "everything"
    return Selection(first, last, patterns, only)


def check_some(names: Sequence[str], chosen: Selection) -> None:
    """Make sure that something is trained.

    Raises:
        ParameterError: Nothing would be.
    """
    if names:
        return
    wrong = "layers" if chosen.first is not None else "freeze" if chosen.frozen else "only"
    raise ParameterError(wrong, "With this, no weight of the model would be trained.")


def adapted(modules: Sequence[str], targets: Sequence[str], chosen: Selection) -> list[str]:
    """The modules that get an adapter, by their whole names.

    Args:
        modules: All that can have one: linear layers but the output layer.
        targets: Ends of their names; `all-linear` for all.

    Raises:
        ParameterError: A target is the end of no module's name, or nothing would be trained.
    """
    wanted = [each.strip() for each in targets if each.strip()] or ["all-linear"]
    for each in wanted:
        if each != "all-linear" and not any(_ends(name, each) for name in modules):
            raise ParameterError("targets", f"The model has no module called {each!r} that can be adapted.")
    found = [
        name
        for name in modules
        if ("all-linear" in wanted or any(_ends(name, each) for each in wanted)) and chosen(f"{name}.weight")
    ]
    check_some(found, chosen)
    return found


def stated_targets(
    found: Sequence[str], modules: Sequence[str], chosen: Selection
) -> tuple[list[str], list[int] | None]:
    """How PEFT's configuration names the modules of an adapter, and their blocks; None for all.

    Ends of names where those say the same, as they are what other tools read.

    Args:
        found: The modules that have one.
        modules: All that could have one.
    """
    ends = sorted({each.rpartition(".")[2] for each in found})
    same = [each for each in modules if each.rpartition(".")[2] in ends and _in_blocks(each, chosen.blocks)]
    return (ends, chosen.blocks) if same == list(found) else (sorted(found), None)


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def _in_blocks(name: str, blocks: list[int] | None) -> bool:
    return blocks is None or any(f".{block}." in name for block in blocks)
