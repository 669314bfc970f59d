"""Writes a model without some of its blocks: shard by shard, tensors renamed, the configuration cut."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plugins._adapter_tensors import Stored, TensorFile, TensorWriter, pieces
from plugins._model_files import copy_texts
from workbench.plugin import JobContext, Model, ModelFileError

_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a model.

    Attributes:
        module: The list of its blocks, as the loaded model calls it, for example `model.layers`.
        layers: Blocks that it had.
        dropped: Those that go.
    """

    module: str
    layers: int
    dropped: frozenset[int]

    @property
    def kept(self) -> list[int]:
        return [block for block in range(self.layers) if block not in self.dropped]

    def place(self, block: int) -> int | None:
        """The new number of a block; None for one that goes. What is numbered behind the blocks moves up."""
        if block in self.dropped:
            return None
        return block - sum(1 for each in self.dropped if each < block)


def write_without(job: JobContext, model: Model, loaded: Any, cut: Cut, target: Path) -> None:
    """Write a model folder without some blocks; all other weights are copied bit by bit, a piece at a time.

    Args:
        loaded: The configuration as transformers reads it, which states what a file leaves to a default.

    Raises:
        ModelFileError: The files name their blocks in no way that is understood.
        DiskFullError: There is no room.
    """
    target.mkdir(parents=True)
    shards = [TensorFile(model.path / name) for name in model.facts.files if name.endswith(".safetensors")]
    prefix = stored_prefix([name for each in shards for name in each.tensors], cut)
    plans = [(shard, plan) for shard in shards if (plan := _renamed(shard.tensors.values(), prefix, cut))]
    total = sum(each.size_bytes for _shard, plan in plans for each in plan)
    job.reserve(target, total)
    index: dict[str, str] = {}
    done = 0
    for number, (shard, plan) in enumerate(plans, 1):
        name = (
            "model.safetensors" if len(plans) == 1 else f"model-{number:05d}-of-{len(plans):05d}.safetensors"
        )
        index |= {each.name: name for each in plan}
        with TensorWriter(target / name, list(plan), shard.metadata) as writer:
            for each in writer.order:
                for start, stop in pieces(each.shape):
                    size = writer.write(shard.rows(plan[each], start, stop))
                    done += size
                    job.throughput(size, unit="B")
                    job.progress(done, total, unit="bytes", label=each.name)
    if len(plans) > 1:
        content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
        (target / _INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    config = json.loads((model.path / "config.json").read_text(encoding="utf-8-sig"))
    (target / "config.json").write_text(
        json.dumps(cut_config(config, loaded, cut), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    copy_texts(model.path, target)


def stored_prefix(names: Iterable[str], cut: Cut) -> str:
    """What stands before a block's number in the names of the files' tensors, for example `model.layers.`.

    Files may call a module other than the loaded model does, but number the same blocks in a list of the
    same name.

    Raises:
        ModelFileError: None fits, or several do.
    """
    last = cut.module.rpartition(".")[2]
    numbers: dict[str, set[int]] = {}
    for name in names:
        found = re.match(rf"((?:.*?\.)?{re.escape(last)}\.)(\d+)\.", name)
        if found:
            numbers.setdefault(found[1], set()).add(int(found[2]))
    whole = [prefix for prefix, seen in numbers.items() if seen.issuperset(range(cut.layers))]
    exact = [prefix for prefix in whole if f"{cut.module}.".endswith(prefix)]
    if len(exact or whole) != 1:
        raise ModelFileError(
            Path(_INDEX), f"its tensors name {cut.layers} blocks in {len(whole)} ways; one is expected."
        )
    return (exact or whole)[0]


def cut_config(config: Mapping[str, Any], loaded: Any, cut: Cut) -> dict[str, Any]:
    """The configuration of what is left: the count of layers, and every list that has an item for each.

    Args:
        loaded: transformers' configuration of the text part.
    """
    result = dict(config)
    stated = str(getattr(loaded, "attribute_map", {}).get("num_hidden_layers", "num_hidden_layers"))
    known = loaded.to_dict()
    for name, part in [
        ("", result),
        *((name, each) for name, each in config.items() if isinstance(each, dict)),
    ]:
        if part.get(stated) != cut.layers:
            continue
        changed = dict(part)
        changed[stated] = cut.layers - len(cut.dropped)
        for key, value in {**known, **part}.items():
            if _is_per_layer(key, value, cut.layers) and (key in part or "layer" in key):
                changed[key] = [value[block] for block in cut.kept]
        if name:
            result[name] = changed
        else:
            result = changed
    return result


def _is_per_layer(key: str, value: Any, layers: int) -> bool:
    """Lists of tokens may have as many items by chance."""
    return isinstance(value, list) and len(value) == layers and "token" not in key and key != "architectures"


def _renamed(tensors: Collection[Stored], prefix: str, cut: Cut) -> dict[Stored, str]:
    """The tensors that stay, under their new names, each with its old one."""
    found = {}
    for each in tensors:
        number, _, rest = each.name.removeprefix(prefix).partition(".")
        if not each.name.startswith(prefix) or not number.isdigit():
            found[each] = each.name
            continue
        place = cut.place(int(number))
        if place is not None:
            found[replace(each, name=f"{prefix}{place}.{rest}")] = each.name
    return found
