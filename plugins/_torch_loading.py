"""Loads a model for training on PyTorch: its type, its adapter, and which of its weights are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugins._no_remote_code import no_remote_code
from plugins._tuning_params import FinetuneParams
from plugins._tuning_selection import adapted, check_some, selection, stated_targets
from workbench.plugin import MissingExtraError, ModelFileError, OutOfMemoryError, ParameterError

#: Initialisations that change the base; PEFT turns them into plain adapters when they are saved.
CHANGES_BASE = ("pissa", "olora")
_INITIALISATIONS: dict[str, Any] = {"default": True}


def device() -> str:
    """Where training takes place."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def mixed_precision(params: FinetuneParams) -> Any | None:
    """The type of the arithmetic where it is not float32; None where it is.

    bfloat16 without hardware for it is slower than float32, on a CPU as on an old GPU, and MPS computes it
    less exactly: `auto` takes it where CUDA has it.
    """
    import torch

    if params.precision == "bfloat16":
        return torch.bfloat16
    if params.precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported(False):
        return torch.bfloat16
    return None


def load_base(path: Path, params: FinetuneParams, place: str | None = None) -> Any:
    """The model on its device, or on another one where that is named.

    What is trained is kept in float32; what an adapter leaves as it is, in the type of the arithmetic.

    Raises:
        ModelFileError: transformers can't load it.
        MissingExtraError: QLoRA needs bitsandbytes, which is not installed.
        OutOfMemoryError: It does not fit.
    """
    import torch

    options: dict[str, Any] = {}
    lower = mixed_precision(params)
    dtype = torch.float32 if params.method == "full" or lower is None else lower
    if params.method == "qlora":
        options["quantization_config"] = _four_bits(lower or torch.float32)
        options["device_map"] = {"": device()}
    found = load_causal(
        path,
        dtype,
        remedy="Train with method=qlora, which holds it in 4 bits, or a smaller model.",
        **options,
    )
    return found if params.method == "qlora" else found.to(place or device())


def load_causal(path: Path, dtype: Any, *, remedy: str = "Take a smaller model.", **options: Any) -> Any:
    """A model as transformers reads it, without code of its own.

    Args:
        dtype: A torch type; `auto` for the stored one.
        remedy: What can be done where it does not fit.
        options: More of what `from_pretrained` takes.

    Raises:
        ModelFileError: transformers can't load it.
        UnsafeModelError: It needs code of its own.
        OutOfMemoryError: It does not fit.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with no_remote_code(path):
        try:
            return AutoModelForCausalLM.from_pretrained(
                path,
                dtype=dtype,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                **options,
            )
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(
                f"The model itself does not fit into the memory of the {device()} device.", remedy=remedy
            ) from error
        except (ValueError, KeyError) as error:
            if "trust_remote_code" in str(error):
                raise
            raise ModelFileError(
                path,
                f"transformers can't load it: {error}",
                remedy="A newer version may.",
                details=repr(error),
            ) from error


def prepare(base: Any, params: FinetuneParams, name: str) -> Any:
    """The model with its adapter, or with the weights that stay as they are frozen.

    Args:
        name: What an adapter's folder calls its base.

    Raises:
        ParameterError: Nothing would be trained, or the settings exclude each other.
    """
    chosen = selection(params)
    if params.method == "full":
        names = [each for each, _weight in base.named_parameters() if chosen(each)]
        check_some(names, chosen)
        trained = set(names)
        for each, weight in base.named_parameters():
            weight.requires_grad_(each in trained)
        tuned = base
    else:
        import peft

        if params.method == "qlora":
            base = peft.prepare_model_for_kbit_training(
                base, use_gradient_checkpointing=params.gradient_checkpointing
            )
        tuned = peft.get_peft_model(base, _adapter(base, params))
        for config in tuned.peft_config.values():
            # The folder of this machine means nothing elsewhere.
            config.base_model_name_or_path = name
    if params.gradient_checkpointing:
        tuned.enable_input_require_grads()
        tuned.gradient_checkpointing_enable({"use_reentrant": False})
    return tuned


def _four_bits(compute: Any) -> Any:
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes, which holds the base in 4 bits,", "bnb")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def _adapter(base: Any, params: FinetuneParams) -> Any:
    import peft
    import torch

    if params.initialisation in CHANGES_BASE and params.method != "lora":
        raise ParameterError(
            "initialisation", f"{params.initialisation} changes the base, which only plain LoRA can undo."
        )
    chosen = selection(params)
    output = base.get_output_embeddings()
    modules = [
        name
        for name, module in base.named_modules()
        # Conv1D is what GPT-2 has in place of a linear layer.
        if (isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D") and module is not output
    ]
    targets, blocks = stated_targets(adapted(modules, params.targets, chosen), modules, chosen)
    return peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules=targets,
        layers_to_transform=blocks,
        use_rslora=params.method == "rslora",
        use_dora=params.method == "dora",
        init_lora_weights=_INITIALISATIONS.get(params.initialisation, params.initialisation),
    )
