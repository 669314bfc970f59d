"""Knows the model that adapters are merged into: its tensors, its modules, and which weights are shared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plugins._adapter_tensors import Stored, TensorFile
from plugins._no_remote_code import no_remote_code
from workbench.plugin import Model, ModelFileError

CONFIG = "config.json"


class Base:
    """A model in safetensors, open for reading.

    Args:
        shards: Its weight files, in order.
        config: What config.json says.
        skeleton: Its modules without weights, as transformers builds them: adapters are named after them.

    Attributes:
        ties: Parameters that share their weights with another one, which is the value here.
        shared: The same for those that have no tensor of their own in the files.
    """

    def __init__(
        self, path: Path, shards: Sequence[TensorFile], config: Mapping[str, Any], skeleton: Any
    ) -> None:
        from transformers.pytorch_utils import Conv1D

        self.path = path
        self.shards = tuple(shards)
        self.config = config
        self._places = {name: shard for shard in shards for name in shard.tensors}
        self._prefix = str(skeleton.base_model_prefix or "")
        self._modules = {name: isinstance(module, Conv1D) for name, module in skeleton.named_modules()}
        self.ties: Mapping[str, str] = dict(getattr(skeleton, "all_tied_weights_keys", None) or {})
        self.shared: Mapping[str, str] = dict(self._sharing())

    def tensor_of(self, parameter: str) -> str | None:
        """The tensor that holds a parameter of the model, its own or a shared one; None where none does."""
        own = self.own_tensor_of(parameter)
        if own is None and parameter in self.shared:
            return self.own_tensor_of(self.shared[parameter])
        return own

    def own_tensor_of(self, parameter: str) -> str | None:
        """The tensor that is stored for a parameter, with or without transformers' prefix before its name."""
        shorter, longer = parameter.removeprefix(f"{self._prefix}."), f"{self._prefix}.{parameter}"
        return next((name for name in (parameter, shorter, longer) if name in self._places), None)

    def stored(self, tensor: str) -> Stored:
        return self._places[tensor].tensors[tensor]

    def rows(self, tensor: str, start: int, stop: int) -> Any:
        """Some rows of a tensor, in its own type."""
        return self._places[tensor].rows(tensor, start, stop)

    def turned(self, module: str, otherwise: bool) -> bool:
        """Whether a module stores its weight as inputs × outputs (GPT-2's Conv1D).

        Args:
            otherwise: The answer for a module that transformers has under another name.
        """
        return self._modules.get(module, otherwise)

    def _sharing(self) -> list[tuple[str, str]]:
        pairs = list(self.ties.items())
        return [
            (one, other)
            for one, other in [*pairs, *((other, one) for one, other in pairs)]
            if self.own_tensor_of(one) is None and self.own_tensor_of(other) is not None
        ]


def open_base(model: Model) -> Base:
    """Open the model that adapters are merged into.

    Raises:
        UnsafeModelError: It needs Python code of its own.
        ModelFileError: It is quantized, or transformers does not know what it is.
    """
    config = json.loads((model.path / CONFIG).read_text(encoding="utf-8-sig"))
    if config.get("quantization_config") or config.get("quantization"):
        raise ModelFileError(
            model.path,
            "its weights are quantized: what an adapter adds would be lost in their coarse steps.",
            remedy="Merge into the model in full precision that it was made from, then quantize the result.",
        )
    shards = [TensorFile(model.path / name) for name in model.facts.files if name.endswith(".safetensors")]
    return Base(model.path, shards, config, skeleton(model.path))


def skeleton(path: Path) -> Any:
    """The modules of a model folder without weights, as transformers builds them.

    Raises:
        UnsafeModelError: It needs Python code of its own.
        ModelFileError: transformers does not know what it is.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with no_remote_code(path):
        try:
            config = AutoConfig.from_pretrained(path, local_files_only=True)
            with torch.device("meta"):
                return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            if "trust_remote_code" in str(error):
                raise
            raise ModelFileError(
                path,
                "transformers does not know what model this is.",
                remedy="A newer transformers may.",
                details=repr(error),
            ) from error
