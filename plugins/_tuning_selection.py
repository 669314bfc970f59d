"""What a fine-tuning's parameters choose of a model's weights and modules."""

from __future__ import annotations

from collections.abc import Sequence

from plugins._tuning_params import FinetuneParams
from workbench.plugin import ParameterError, Selection, is_target, read_selection


def selection(params: FinetuneParams) -> Selection:
    """The choice that the parameters make.

    Raises:
        ParameterError: `layers` is no range.
    """
    only = params.only if params.method == "full" else "everything"
    return read_selection(params.layers, params.freeze, only)


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
    for each in filter(None, (each.strip() for each in targets)):
        if each != "all-linear" and not any(is_target(name, [each]) for name in modules):
            raise ParameterError("targets", f"The model has no module called {each!r} that can be adapted.")
    found = [name for name in modules if is_target(name, targets) and chosen(f"{name}.weight")]
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


def _in_blocks(name: str, blocks: list[int] | None) -> bool:
    return blocks is None or any(f".{block}." in name for block in blocks)
