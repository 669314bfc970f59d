"""Reads the settings of a LoRA adapter in PEFT's form, and refuses what no fixed change of weights equals."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from workbench.plugin import ModelFileError

CONFIG = "adapter_config.json"
_MAX_CONFIG_BYTES = 8_000_000

#: Settings that make an adapter more than a fixed change of the weights, or one that is stored otherwise.
_NOT_A_CHANGE = {
    "alora_invocation_tokens": "it acts behind certain tokens alone (aLoRA), so no fixed weights equal it",
    "arrow_config": "it chooses between adapters at every token (Arrow), so no fixed weights equal it",
    "kasa_config": "it was trained on altered weights (KaSA)",
    "layer_replication": "it repeats layers of its base",
    "monteclora_config": "it draws its weights at random (MonteCLoRA)",
    "target_parameters": "it changes parameters that are no layer's weight (target_parameters)",
    "use_bdlora": "its matrices are in diagonal blocks (BD-LoRA)",
    "use_qalora": "it pools its inputs (QA-LoRA)",
}
#: Initialisations that take a part out of the base's weights; PEFT can convert such an adapter when saving.
_ALTERED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


class Settings:
    """The settings of the adapter in a folder, asked for values of the right type.

    Raises:
        ModelFileError: They are missing or damaged, or those of an adapter that is no change of weights.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._values = _read(folder)
        self._check_kind()

    def flag(self, name: str) -> bool:
        return self._values.get(name) is True

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def scale(self, module: str) -> tuple[float, int]:
        """The factor on a module's change, and its rank."""
        rank = self._of_module("rank_pattern", module, "r")
        alpha = self._of_module("alpha_pattern", module, "lora_alpha")
        if rank != int(rank) or rank < 1:
            raise self._wrong("r", rank)
        return alpha / (math.sqrt(rank) if self.flag("use_rslora") else rank), int(rank)

    def rows(self, module: str) -> tuple[int, ...]:
        """Which rows of an embedding were trained."""
        listed = self._values.get("trainable_token_indices")
        if isinstance(listed, dict):
            listed = next((value for name, value in listed.items() if _matches(name, module)), None)
        if not isinstance(listed, list) or not all(type(each) is int and each >= 0 for each in listed):
            raise self._wrong("trainable_token_indices", listed)
        return tuple(listed)

    def _check_kind(self) -> None:
        kind = self._values.get("peft_type")
        if kind is None and "lora_parameters" in self._values:
            raise ModelFileError(
                self._folder,
                "it is in the form of mlx-lm, whose matrices are named and turned otherwise.",
                remedy="Fine-tune with finetune-mlx, which writes PEFT's form, or convert it.",
            )
        if kind != "LORA":
            raise ModelFileError(
                self._folder,
                f"it is an adapter of the kind {str(kind)[:40]}; only LoRA and its kin change weights.",
            )
        for name, reason in _NOT_A_CHANGE.items():
            if self._values.get(name):
                raise ModelFileError(self._folder, f"{reason}.", remedy="Use it beside its base, with PEFT.")
        begun = self._values.get("init_lora_weights")
        if isinstance(begun, str) and begun.lower().startswith(_ALTERED_BASE):
            raise ModelFileError(
                self._folder,
                f"it was begun as {begun[:40]}, so it belongs to altered weights of its base.",
                remedy="Save it converted to a plain LoRA: PEFT's path_initial_model_for_weight_conversion.",
            )

    def _of_module(self, patterns: str, module: str, otherwise: str) -> float:
        """A number that may differ by module: the first pattern that fits, else the common one."""
        table = self._values.get(patterns) or {}
        if not isinstance(table, dict):
            raise self._wrong(patterns, table)
        try:
            found = next((value for name, value in table.items() if _matches(name, module)), None)
        except re.error as error:
            raise self._wrong(patterns, error.pattern) from error
        value = self._values.get(otherwise) if found is None else found
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._wrong(otherwise, value)
        return float(value)

    def _wrong(self, name: str, value: Any) -> ModelFileError:
        return ModelFileError(self._folder / CONFIG, f"{name} can't be {str(value)[:60]!r}.")


def _matches(pattern: str, module: str) -> bool:
    """Whether a key of PEFT's pattern tables names a module: an expression for the end of its name."""
    return re.fullmatch(rf"(.*\.)?({pattern})", module) is not None


def _read(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelFileError(path, "it is far too large for a configuration.")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ModelFileError(
            folder,
            f"there is no {CONFIG} in it, so nothing says how the adapter is applied.",
            remedy="Name the folder of a LoRA in PEFT's form, with its configuration.",
        ) from None
    except OSError as error:
        raise ModelFileError(path, f"it can't be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            path, "it is not valid JSON.", remedy="Download or copy it again.", details=str(error)[:500]
        ) from error
    if not isinstance(found, dict):
        raise ModelFileError(path, "it is not a JSON object.", remedy="Download or copy it again.")
    return found
