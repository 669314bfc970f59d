"""torch as rows: transformers' models on CUDA, Apple's MPS or the CPU, several sequences in one batch."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from workbench.engines.base import Capabilities, Chunk, Logits, chunks_of
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.request import AdapterUse, LoadOptions
from workbench.engines.torch_adapters import TorchAdapters
from workbench.engines.torch_cache import RowCache
from workbench.engines.wire import OptionCheck
from workbench.errors import MissingExtraError, ModelFileError, OutOfMemoryError, UsageError
from workbench.hardware import physical_cores
from workbench.library.folder_facts import config_of

#: Tokens that are computed at once.
CHUNK = 512
DEFAULT_CONTEXT = 8192

Opened = tuple["TorchRows", HfTokenizer, tuple[OptionCheck, ...], str, str]


def open_torch(options: LoadOptions, progress: Callable[[float], None]) -> Opened:
    """Load a safetensors folder: its rows, its tokenizer, the checks, the device's name and the version.

    Raises:
        MissingExtraError: torch, transformers or bitsandbytes is not installed.
        ModelFileError: The folder can't be loaded.
        OutOfMemoryError: It does not fit.
        UsageError: Its layers keep a state that this engine can't batch.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("torch with transformers", "torch") from error
    if options.threads or not torch.cuda.is_available():
        torch.set_num_threads(options.threads or physical_cores())
    device = _device(torch)
    transformers.utils.logging.disable_progress_bar()
    model = _load(torch, transformers, options, device)
    progress(1.0)
    tokenizer = HfTokenizer(Path(options.path), int(model.config.get_text_config().vocab_size))
    text = model.config.get_text_config()
    trained = int(getattr(text, "max_position_embeddings", 0) or 0)
    context = options.context or min(trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    rows = TorchRows(torch, model, options, context=context)
    version = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return rows, tokenizer, _checks(options, context, trained, model), _device_name(torch, device), version


class TorchRows:
    """A `base.Rows` over one transformers model."""

    def __init__(self, torch: Any, model: Any, options: LoadOptions, *, context: int) -> None:
        self.count = options.parallel
        self.context = context
        self.chunk = CHUNK
        self.capabilities = Capabilities(
            save=True, adapters=bool(options.adapters), embeddings=True, shift=False
        )
        self._torch = torch
        self._model = model
        self._device = model.get_input_embeddings().weight.device
        self._windows = _windows(model.config.get_text_config())
        self._vocabulary = int(model.config.get_text_config().vocab_size)
        self._cache = RowCache(torch, self.count, context)
        self._adapters = TorchAdapters(model, options.adapters)
        mark = f"{model.config.to_json_string()}|{model.dtype}|{options.weights}"
        self._fingerprint = hashlib.sha256(mark.encode()).hexdigest()

    def forward(self, chunks: Sequence[Chunk], adapters: tuple[AdapterUse, ...]) -> list[Logits]:
        self._adapters.apply(adapters)
        results: dict[int, Logits] = {}
        groups: dict[int, list[int]] = defaultdict(list)
        for place, chunk in enumerate(chunks):
            groups[len(chunk.tokens)].append(place)
        before = list(self._cache.lengths)
        try:
            for places in groups.values():
                # Neighbouring rows are computed on a view of the cache, so they are put in order.
                ordered = sorted(places, key=lambda place: chunks[place].row)
                found = self._computed([chunks[place] for place in ordered])
                results.update(zip(ordered, found, strict=True))
        except (self._torch.OutOfMemoryError, MemoryError) as error:
            self._cache.lengths = before
            raise OutOfMemoryError(
                "The device has no memory for this batch.",
                remedy="Load the model with fewer parallel requests or a smaller context.",
            ) from error
        return [results[place] for place in range(len(chunks))]

    def truncate(self, row: int, length: int) -> bool:
        self._cache.lengths[row] = min(length, self._cache.lengths[row])
        return True

    def copy(self, source: int, target: int, length: int) -> bool:
        self._cache.copy(source, target, length)
        return True

    def shift(self, row: int, keep: int, discard: int) -> bool:
        # Positions are baked into the keys; moving them would need each model's own rotation undone.
        return False

    def save(self, row: int, tokens: Sequence[int], path: Path) -> bool:
        from safetensors.torch import save_file

        marks = {"fingerprint": self._fingerprint, "tokens": ",".join(map(str, tokens))}
        save_file(self._cache.tensors(row), path, metadata=marks)
        return True

    def load(self, row: int, path: Path) -> list[int] | None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                marks = file.metadata() or {}
                if marks.get("fingerprint") != self._fingerprint:
                    return None
                tokens = [int(each) for each in marks["tokens"].split(",")]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError, KeyError, ValueError):
            return None
        if len(tokens) > self.context:
            return None
        self._cache.fill(row, tensors, len(tokens), self._device)
        return tokens

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        self.truncate(0, 0)
        parts = [self.forward([each], adapters)[0] for each in chunks_of(tokens, CHUNK, since)]
        self.truncate(0, 0)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        torch = self._torch
        self._adapters.apply(())
        with torch.inference_mode():
            ids = torch.tensor([list(tokens)], device=self._device)
            found = self._model(ids, use_cache=False, output_hidden_states=True, logits_to_keep=1)
            vector: NDArray[np.float32] = found.hidden_states[-1][0].float().mean(dim=0).cpu().numpy()
        return vector

    def memory_bytes(self) -> int:
        on_device = self._torch.cuda.memory_allocated() if self._torch.cuda.is_available() else 0
        return int(psutil.Process().memory_info().rss) + int(on_device)

    def close(self) -> None:
        self._model = None
        self._cache = RowCache(self._torch, self.count, self.context)
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()

    def _computed(self, chunks: list[Chunk]) -> list[Logits]:
        """Chunks of equal length, for rows in rising order."""
        torch = self._torch
        rows = [chunk.row for chunk in chunks]
        count = len(chunks[0].tokens)
        wanted = max(chunk.wanted for chunk in chunks)
        starts = torch.tensor([self._cache.lengths[row] for row in rows])
        with torch.inference_mode():
            positions = starts[:, None] + torch.arange(count)
            found = self._model(
                input_ids=torch.tensor([list(chunk.tokens) for chunk in chunks], device=self._device),
                position_ids=positions.to(self._device),
                attention_mask=self._mask(positions),
                past_key_values=self._cache.view(rows, count),
                use_cache=True,
                logits_to_keep=max(1, wanted),
            ).logits
            logits = found.float().cpu().numpy()
        for row in rows:
            self._cache.lengths[row] += count
        return [logits[place, max(1, wanted) - chunk.wanted :] for place, chunk in enumerate(chunks)]

    def _mask(self, positions: Any) -> Any:
        """Which cells each token sees, shape (rows, 1, tokens, cells), for each kind of layer."""
        torch = self._torch
        cells = torch.arange(int(positions.max()) + 1)
        masks = {}
        for kind, window in self._windows.items():
            seen = cells[None, None, None, :] <= positions[:, None, :, None]
            if window:
                seen &= cells[None, None, None, :] > positions[:, None, :, None] - window
            masks[kind] = seen.to(self._device)
        # One kind of layer takes the mask itself, several take it by name.
        return next(iter(masks.values())) if len(masks) == 1 else masks


def _load(torch: Any, transformers: Any, options: LoadOptions, device: str) -> Any:
    more: dict[str, Any] = {}
    stored = _stored_quantization(Path(options.path))
    if stored and options.weights != "as-is":
        raise UsageError(
            f"{Path(options.path).name} is quantized already, with {stored}.",
            remedy="Load its weights as they are.",
        )
    if stored == "bitsandbytes" or options.weights != "as-is":
        try:
            import bitsandbytes  # noqa: F401 - looked for before the model is read
        except ImportError as error:
            raise MissingExtraError("bitsandbytes", "bnb") from error
    if options.weights != "as-is":
        more["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=options.weights == "4-bit",
            load_in_8bit=options.weights == "8-bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    several = device == "cuda" and torch.cuda.device_count() > 1
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            options.path,
            # The stored type: on a CPU too, bf16 was measured 1.4 times as fast as fp32 for one sequence.
            dtype="auto",
            device_map="auto" if several else {"": device},
            attn_implementation="sdpa",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            **more,
        )
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(
            f"{Path(options.path).name} does not fit into the memory of {device}.",
            remedy="Load it in 4 bits, or choose a smaller model.",
        ) from error
    except Exception as error:
        raise ModelFileError(
            Path(options.path), f"transformers can't load it: {type(error).__name__}: {error}"
        ) from error
    return model.eval()


def _stored_quantization(folder: Path) -> str:
    """How a folder's weights are quantized on disk, for example `bitsandbytes`; empty where they are not."""
    settings = config_of(folder).get("quantization_config")
    return str(settings.get("quant_method") or "") if isinstance(settings, dict) else ""


def _windows(config: Any) -> dict[str, int]:
    """Each kind of attention that the layers have, with its window in tokens; 0 for none."""
    window = int(getattr(config, "sliding_window", 0) or 0)
    if getattr(config, "use_sliding_window", True) is False:
        window = 0
    kinds = set(
        getattr(config, "layer_types", None) or (["sliding_attention"] if window else ["full_attention"])
    )
    unknown = kinds - {"full_attention", "sliding_attention"}
    if unknown:
        raise UsageError(
            f"This model has layers of the kind {', '.join(sorted(unknown))}; their state can't be kept"
            " for several sequences.",
            remedy="Convert it to GGUF, which llama.cpp runs.",
        )
    return {kind: window if kind == "sliding_attention" else 0 for kind in sorted(kinds)}


def _device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _device_name(torch: Any, device: str) -> str:
    if device == "cuda":
        count = torch.cuda.device_count()
        return str(torch.cuda.get_device_name(0)) + (f" and {count - 1} more" if count > 1 else "")
    return "Metal" if device == "mps" else f"CPU, {torch.get_num_threads()} threads"


def _checks(options: LoadOptions, context: int, trained: int, model: Any) -> tuple[OptionCheck, ...]:
    stored = str(model.dtype).removeprefix("torch.")
    quantized = bool(getattr(model, "is_quantized", False))
    held = stored
    if quantized:
        eight = bool(getattr(model, "is_loaded_in_8bit", False))
        four = bool(getattr(model, "is_loaded_in_4bit", False))
        held = "8-bit" if eight else "4-bit" if four else "quantized"
    note = f"The model was trained for {trained} tokens." if trained and context > trained else ""
    return (
        OptionCheck(
            option="context",
            requested=f"{options.context} tokens" if options.context else "automatic",
            actual=f"{context} tokens for each of {options.parallel}",
            active=True,
            note=note,
        ),
        OptionCheck(
            option="weights",
            requested=options.weights,
            actual=held,
            # A model that lies quantized on disk is as it is in few bits.
            active=quantized or options.weights == "as-is",
        ),
        OptionCheck(
            option="KV cache",
            requested=options.kv_type,
            actual=stored,
            active=options.kv_type == "f16",
            note="" if options.kv_type == "f16" else "This engine keeps it in the model's own type.",
        ),
        OptionCheck(
            option="attention",
            requested="automatic",
            actual=str(model.config._attn_implementation),
            active=True,
        ),
    )
