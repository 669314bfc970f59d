"""Finds the blocks of a loaded model, looks at what passes through them, and computes without some."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.plugin import ModelFileError


class Blocks:
    """The transformer blocks of a model; see `block_list`.

    Attributes:
        name: Of their list, for example `model.layers`.
    """

    def __init__(self, model: Any) -> None:
        self.name, self._modules = block_list(model)
        self._returns_tuple = self._try_out(model)

    def __len__(self) -> int:
        return len(self._modules)

    @contextmanager
    def watched(self, see: Callable[[int, Any, Any], None]) -> Iterator[None]:
        """While entered, `see` gets each block's number, what goes into it, and what comes out."""

        def hook(number: int) -> Callable[..., None]:
            def call(_module: Any, positional: Any, named: Any, output: Any) -> None:
                see(number, _input(positional, named), _hidden(output))

            return call

        handles = [
            each.register_forward_hook(hook(number), with_kwargs=True)
            for number, each in enumerate(self._modules)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def skipped(self, skipped: Collection[int], known: tuple[int, Any] | None = None) -> Iterator[None]:
        """While entered, some blocks hand on what they get.

        Args:
            skipped: Their numbers.
            known: A block, and what comes out of it, where that was computed before: it and those before it
                compute nothing.
        """
        at, output = known if known is not None else (-1, None)
        replaced = []
        try:
            for number, each in enumerate(self._modules):
                if number in skipped or number <= at:
                    each.forward = self._handing_on(output if number == at else None)
                    replaced.append(each)
            yield
        finally:
            for each in replaced:
                # The instance's attribute stood before the class's method.
                del each.forward

    def _try_out(self, model: Any) -> bool:
        """Whether blocks give what they computed as the first of several things, or alone."""
        import torch

        seen: list[bool] = []

        def see(_module: Any, _positional: Any, output: Any) -> None:
            seen.append(isinstance(output, tuple))

        handle = self._modules[0].register_forward_hook(see)
        try:
            with torch.no_grad():
                model(input_ids=torch.arange(4, device=model.device)[None], use_cache=False)
        finally:
            handle.remove()
        return bool(seen) and seen[0]

    def _handing_on(self, instead: Any | None) -> Callable[..., Any]:
        def forward(*positional: Any, **named: Any) -> Any:
            found = _input(positional, named) if instead is None else instead
            return (found,) if self._returns_tuple else found

        return forward


def block_list(model: Any) -> tuple[str, list[Any]]:
    """The name of the list that holds a model's blocks, for example `model.layers`, and its modules.

    It is found by looking: of the lists of modules in the decoder with as many items as the configuration
    counts layers, the one that stands in no other. So a model that is new tomorrow is known, too.

    Args:
        model: A transformers model for text.

    Raises:
        ModelFileError: There is no such list, or more than one.
    """
    import torch

    count = int(getattr(model.config.get_text_config(), "num_hidden_layers", 0) or 0)
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    inside = set(decoder.modules())
    lists = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == count and module in inside
    }
    outer = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    if count < 1 or len(outer) != 1:
        raise ModelFileError(
            Path(str(model.config.name_or_path)),
            f"its blocks can't be told: {len(outer)} lists of modules have {count} items.",
        )
    return outer[0], list(lists[outer[0]])


def answering(model: Any, check: Callable[[], None]) -> None:
    """Have a model ask at every block whether to go on, forwards and backwards: a batch may take long.

    Args:
        check: What it raises ends the computation.
    """

    def before(_module: Any, _positional: Any) -> None:
        check()

    def after(_module: Any, _positional: Any, output: Any) -> None:
        if _hidden(output).requires_grad:
            _hidden(output).register_hook(lambda _gradient: check())

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    # Where blocks can't be told, batches alone are where a job can be ended.
    try:
        _name, blocks = block_list(base)
    except ModelFileError:
        return
    for each in blocks:
        each.register_forward_pre_hook(before)
        each.register_forward_hook(after)


def _hidden(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _input(positional: Any, named: Any) -> Any:
    return positional[0] if positional else named["hidden_states"]
