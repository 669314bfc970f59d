"""LoRA adapters on a transformers model, switched without loading the base again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.engines.request import AdapterOptions, AdapterUse
from workbench.errors import MissingExtraError, ModelFileError


class TorchAdapters:
    """Adapters that PEFT put into a model; none is active until `apply` says so.

    Raises:
        ModelFileError: A folder is not an adapter for this model.
        MissingExtraError: PEFT is not installed.
    """

    def __init__(self, model: Any, adapters: Sequence[AdapterOptions]) -> None:
        self._model = model
        self._applied: tuple[AdapterUse, ...] | None = () if not adapters else None
        for each in adapters:
            try:
                model.load_adapter(
                    each.path,
                    adapter_name=each.name,
                    use_safetensors=True,
                    adapter_kwargs={"local_files_only": True},
                )
            except ImportError as error:
                raise MissingExtraError("PEFT, which adapters need,", "torch") from error
            except Exception as error:
                raise ModelFileError(
                    Path(each.path), f"it is not an adapter for this model: {type(error).__name__}: {error}"
                ) from error
        self._scaling = [
            (module, dict(module.scaling))
            for module in model.modules()
            if isinstance(getattr(module, "scaling", None), dict)
        ]
        if adapters:
            self.apply(())

    def apply(self, adapters: tuple[AdapterUse, ...]) -> None:
        """Make exactly these active, each with its factor."""
        if adapters == self._applied:
            return
        if not adapters:
            self._model.disable_adapters()
        else:
            self._model.enable_adapters()
            self._model.set_adapter([use.name for use in adapters])
            for module, scaling in self._scaling:
                for use in adapters:
                    if use.name in scaling:
                        module.scaling[use.name] = scaling[use.name] * use.scale
        self._applied = adapters
