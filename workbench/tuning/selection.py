"""Which weights of a model are trained, by their names in a safetensors folder, the same on every backend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from workbench.errors import ParameterError

#: The number of a block in a weight's name, for example in `model.layers.3.mlp.up_proj.weight`.
_BLOCK = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)(?:\.|$)")
_RANGE = re.compile(r"^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$")


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of weights.

    Attributes:
        first, last: The blocks that are trained, both included; None for everything.
        frozen: Patterns of names that stay as they are.
        only: `everything`, `embeddings`, `norms` or `embeddings-and-norms`.
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


def read_selection(layers: str, freeze: Sequence[str], only: str) -> Selection:
    """The choice that a person's words make.

    Args:
        layers: Empty for all blocks, else `20-29` or `5`.
        freeze: Patterns of names; one without a sign for anything is looked for anywhere in the name.

    Raises:
        ParameterError: `layers` is no range.
    """
    first = last = None
    if layers.strip():
        found = _RANGE.match(layers)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise ParameterError("layers", f"{layers!r} is no range of blocks, such as 20-29.")
        first, last = int(found[1]), int(found[2] or found[1])
    patterns = tuple(each if any(sign in each for sign in "*?[") else f"*{each}*" for each in freeze)
    return Selection(first, last, patterns, only)


def is_target(module: str, targets: Sequence[str]) -> bool:
    """Whether a linear layer gets an adapter, by the ends of names; `all-linear` or none means all.

    >>> is_target("layers.3.mlp.up_proj", ["up_proj"]), is_target("layers.3.mlp.up_proj", ["proj"])
    (True, False)
    """
    wanted = [each.strip() for each in targets if each.strip()] or ["all-linear"]
    return "all-linear" in wanted or any(f".{module}".endswith(f".{each}") for each in wanted)
