"""Computes what an adapter makes of a tensor of its base, some rows at a time and in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plugins._adapter_base import Base
from plugins._adapter_folder import Adapter
from plugins._adapter_tensors import FLOATS, pieces
from workbench.plugin import ModelFileError


@dataclass(frozen=True)
class Change:
    """What one adapter does to one tensor: `applied` gives the new rows, `delta` what is added to the old.

    Attributes:
        replaced: Reads rows that stand in for the base's own.
        left: The low-rank change is `left @ right * scale`, laid out as the tensor is stored.
        right: See `left`.
        scale: See `left`.
        magnitude: DoRA's length of each output (arXiv 2402.09353, equation 5).
        lengths: The lengths that the outputs have without it, where an output is a column; a row's is
            computed with the row.
        added: A vector that is added to a bias.
        tokens: Single rows with their new values.
    """

    replaced: Callable[[int, int], Any] | None = None
    left: Any = None
    right: Any = None
    scale: float = 1.0
    magnitude: Any = None
    lengths: Any = None
    added: Any = None
    tokens: Sequence[tuple[int, Any]] = ()

    def applied(self, base: Any, start: int, stop: int) -> Any:
        """The new rows `start` to `stop`, from those of the base in float32."""
        rows = base if self.replaced is None else self.replaced(start, stop)
        rows = self._raised(rows, start, stop)
        if self.magnitude is not None:
            rows = rows * self._factors(rows, start, stop)
        inside = [(index - start, value) for index, value in self.tokens if start <= index < stop]
        if inside:
            rows = rows.clone()
            for index, value in inside:
                rows[index] = value
        return rows

    def delta(self, base: Any, start: int, stop: int) -> Any:
        """What is added to the rows `start` to `stop` of the base."""
        if self.replaced is None and self.magnitude is None and not self.tokens:
            # Not the difference of two large numbers, which would round the small one.
            return self._raised(base.new_zeros(base.shape), start, stop)
        return self.applied(base, start, stop) - base

    def _raised(self, rows: Any, start: int, stop: int) -> Any:
        if self.left is not None:
            rows = rows + (self.left[start:stop] @ self.right) * self.scale
        return rows if self.added is None else rows + self.added[start:stop]

    def _factors(self, raised: Any, start: int, stop: int) -> Any:
        if self.lengths is not None:
            return self.magnitude / self.lengths
        return (self.magnitude[start:stop] / raised.norm(dim=1)).unsqueeze(1)


def parameters_changed(adapter: Adapter, base: Base) -> tuple[str, ...]:
    """The parameters of the base that an adapter changes.

    Raises:
        ModelFileError: One is missing, has another shape, or holds no floating-point numbers; it is named.
    """
    names = list(adapter.changed)
    # PEFT trains single tokens of a shared embedding on both of its ends.
    names += [name for name in base.shared if _module(base.shared[name]) in adapter.rows]
    for name in names:
        _check_fit(adapter, base, name)
    return tuple(dict.fromkeys(names))


def change_of(
    adapter: Adapter, base: Base, parameter: str, check: Callable[[], None] = lambda: None
) -> Change | None:
    """What an adapter does to a parameter that it fits; None where it leaves it alone.

    Args:
        check: Called between pieces of work; what it raises ends the work.
    """
    module, weight = _module(parameter), parameter.endswith(".weight")
    lora = adapter.lora.get(module)
    stand_in = adapter.replaced.get(parameter)
    replaced = None if stand_in is None else _reader(adapter, stand_in)
    if not weight:
        added = adapter.whole(lora.bias) * lora.scale if lora is not None and lora.bias else None
        return None if replaced is None and added is None else Change(replaced, added=added)
    tokens = _tokens(adapter, base, parameter)
    if lora is None:
        return Change(replaced, tokens=tokens) if replaced is not None or tokens else None
    left, right = low_rank_of(adapter, base, module)
    plain = Change(replaced, left, right, lora.scale, tokens=tokens)
    if lora.magnitude is None:
        return plain
    magnitude = adapter.whole(lora.magnitude).reshape(-1)
    by_column = _by_column(adapter, base, module)
    lengths = _column_lengths(plain, base, parameter, check) if by_column else None
    return Change(replaced, left, right, lora.scale, magnitude, lengths, tokens=tokens)


def low_rank_of(adapter: Adapter, base: Base, module: str) -> tuple[Any, Any]:
    """The two matrices of a module's LoRA, so that their product lies as the weight is stored."""
    lora = adapter.lora[module]
    a, b = adapter.whole(lora.a), adapter.whole(lora.b)
    return (a.T.contiguous(), b.T.contiguous()) if _by_column(adapter, base, module) else (b, a)


def rows_of(base: Base, parameter: str, start: int, stop: int) -> Any:
    """Some rows of a parameter in float32."""
    return base.rows(str(base.tensor_of(parameter)), start, stop).float()


def _reader(adapter: Adapter, name: str) -> Callable[[int, int], Any]:
    return lambda start, stop: adapter.file.rows(name, start, stop).float()


def _tokens(adapter: Adapter, base: Base, parameter: str) -> list[tuple[int, Any]]:
    rows = adapter.rows.get(_module(parameter)) or adapter.rows.get(_module(base.shared.get(parameter, "")))
    return list(zip(rows.indices, adapter.whole(rows.name), strict=True)) if rows is not None else []


def _by_column(adapter: Adapter, base: Base, module: str) -> bool:
    """Whether the columns of the stored weight are the module's outputs, not the rows."""
    return adapter.lora[module].embedding or base.turned(module, otherwise=adapter.fan_in_fan_out)


def _column_lengths(plain: Change, base: Base, parameter: str, check: Callable[[], None]) -> Any:
    """The lengths of the columns of the changed weight: a sum over all its rows."""
    total: Any = 0
    for start, stop in pieces(base.stored(str(base.tensor_of(parameter))).shape):
        check()
        total = total + plain.applied(rows_of(base, parameter, start, stop), start, stop).square().sum(0)
    return total.sqrt()


def _check_fit(adapter: Adapter, base: Base, parameter: str) -> None:
    tensor = base.tensor_of(parameter)
    if tensor is None:
        raise ModelFileError(
            adapter.path,
            f"it changes {parameter}, which {base.path.name} does not have under this name.",
            remedy=_other_base(adapter),
        )
    stored = base.stored(tensor)
    if stored.dtype not in FLOATS:
        raise ModelFileError(
            base.path,
            f"its tensor {tensor} is stored as {stored.dtype}, and adapters are merged into full precision.",
            remedy="Merge into the model that it was quantized from, then quantize the result.",
        )
    for what, shape in _shapes_needed(adapter, base, parameter, stored.shape):
        if shape != stored.shape:
            raise ModelFileError(
                adapter.path,
                f"{what} belongs to a weight of {_times(shape)}, and {tensor} of {base.path.name} "
                f"has {_times(stored.shape)}.",
                remedy=_other_base(adapter),
            )


def _shapes_needed(
    adapter: Adapter, base: Base, parameter: str, shape: tuple[int, ...]
) -> list[tuple[str, tuple[int, ...]]]:
    """The shapes that the base's tensor must have for each part of an adapter's change."""
    module = _module(parameter)
    lora = adapter.lora.get(module)
    needed = []
    if parameter in adapter.replaced:
        name = adapter.replaced[parameter]
        needed.append((name, adapter.stored(name).shape))
    if lora is not None and parameter.endswith(".weight"):
        outputs, inputs = adapter.stored(lora.b).shape[0], adapter.stored(lora.a).shape[1]
        by_column = _by_column(adapter, base, module)
        needed.append((lora.b, (inputs, outputs) if by_column else (outputs, inputs)))
        if lora.magnitude is not None and adapter.stored(lora.magnitude).count != outputs:
            needed.append((lora.magnitude, adapter.stored(lora.magnitude).shape))
    if lora is not None and lora.bias and parameter.endswith(".bias"):
        needed.append((lora.bias, adapter.stored(lora.bias).shape))
    rows = adapter.rows.get(module)
    if rows is not None and parameter.endswith(".weight"):
        least = max((*rows.indices, len(shape) and shape[0] - 1), default=-1) + 1
        needed.append((rows.name, (least, *adapter.stored(rows.name).shape[1:])))
    return needed


def _other_base(adapter: Adapter) -> str:
    named = adapter.trained_on[:100]
    known = f" (it calls it {named})" if named and named.isprintable() else ""
    return f"Use the model that the adapter was trained on{known}."


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "one number"


def _module(parameter: str) -> str:
    return parameter.rpartition(".")[0]
