"""Which engine runs a model here, and what its options exclude, said before anything is loaded."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from workbench.engines.request import EngineName, LoadOptions
from workbench.errors import MissingExtraError, UsageError
from workbench.model import CONTAINER_TITLES, AdapterContainer, ModelFormat

#: Which engines read which format, the usual one first.
ENGINES: dict[ModelFormat, tuple[EngineName, ...]] = {
    "gguf": ("llama.cpp",),
    "mlx": ("mlx",),
    "hf": ("torch", "mlx"),
    "adapter": (),
}
#: Which forms of adapters each engine loads.
ADAPTERS: dict[EngineName, tuple[AdapterContainer, ...]] = {
    "llama.cpp": ("gguf",),
    "torch": ("peft",),
    "mlx": ("mlx", "peft"),
}
_MODULES: dict[EngineName, tuple[str, str]] = {
    "llama.cpp": ("llama_cpp", "llama"),
    "mlx": ("mlx_lm", "mlx"),
    "torch": ("torch", "torch"),
}


class Conflict(Struct, frozen=True, kw_only=True):
    """Two options that exclude each other, or one that an engine does not have.

    Attributes:
        options: What is in each other's way.
        problem: What follows, as one sentence.
        proposal: What is faster or works, as one sentence.
        fatal: Whether loading is refused; otherwise it goes on with less.
    """

    options: tuple[str, ...]
    problem: str
    proposal: str
    fatal: bool = False


def choose_engine(options: LoadOptions, containers: Collection[AdapterContainer] = ()) -> EngineName:
    """The engine that was asked for, or the first that reads the model's format and is installed.

    Args:
        containers: The forms of the adapters that are loaded beside the model, where they are known.

    Raises:
        UsageError: The engine that was asked for can't read the format or an adapter, or the model is one.
        MissingExtraError: What is needed is not installed.
    """
    able = ENGINES[options.format]
    if not able:
        raise adapter_alone(options.path)
    if options.engine is not None:
        if options.engine not in able:
            raise UsageError(
                f"{options.engine} can't run a model in {options.format} form.",
                remedy=f"Choose {' or '.join(able)}, or convert the model first.",
            )
        able = (options.engine,)
    for container in containers:
        able = tuple(name for name in able if container in ADAPTERS[name])
        if not able:
            raise UsageError(
                f"An adapter in {CONTAINER_TITLES[container]} form can't be loaded beside this model with "
                f"{options.engine or ' or '.join(ENGINES[options.format])}.",
                remedy="Convert the adapter, or load another form of its base.",
            )
    for name in able:
        if installed(name):
            return name
    raise MissingExtraError(able[0], _MODULES[able[0]][1])


def adapter_alone(path: str, base: str | None = None) -> UsageError:
    """The error for an adapter that is loaded as if it were a model.

    Args:
        path: The adapter.
        base: What it calls its base, where that is known.
    """
    return UsageError(
        f"{Path(path).name} is an adapter: it changes a model and is none itself.",
        remedy=f"Load its base{f' ({base})' if base else ''}, and the adapter beside it.",
    )


def installed(name: EngineName) -> bool:
    """Whether an engine's library is there; it is not imported."""
    return find_spec(_MODULES[name][0]) is not None


def conflicts(options: LoadOptions, engine: EngineName) -> tuple[Conflict, ...]:
    """What can't be had together with this engine.

    >>> from workbench.engines.request import DraftOptions
    >>> wanted = LoadOptions(path="m", format="mlx", draft=DraftOptions(kind="ngram"), parallel=4)
    >>> conflicts(wanted, "mlx")[0].options
    ('draft', 'parallel')
    """
    rules = {"llama.cpp": _llama_conflicts, "mlx": _mlx_conflicts, "torch": _torch_conflicts}
    found = list(rules[engine](options))
    if options.embeddings and options.draft is not None:
        found.append(
            Conflict(
                options=("embeddings", "draft"),
                problem="Embeddings are one pass over a text; there is nothing to guess.",
                proposal="Load without the draft.",
            )
        )
    return tuple(found)


def _llama_conflicts(options: LoadOptions) -> list[Conflict]:
    found = []
    if options.kv_type != "f16" and options.flash_attention is False:
        found.append(
            Conflict(
                options=("KV cache", "flash attention"),
                problem=f"llama.cpp keeps values as {options.kv_type} only with flash attention.",
                proposal="Let flash attention be chosen by itself.",
                fatal=True,
            )
        )
    if options.weights != "as-is":
        found.append(_no_weights("llama.cpp", "Quantize the model to a smaller GGUF type instead."))
    if options.draft is not None and options.parallel > 8:
        found.append(
            Conflict(
                options=("draft", "parallel"),
                problem="With more than 8 answers at once guessing costs more than it gains.",
                proposal="It turns itself off while more than 8 answers are under way.",
            )
        )
    return found


def _mlx_conflicts(options: LoadOptions) -> list[Conflict]:
    found = []
    for option, wanted in (
        ("draft", options.draft is not None),
        ("KV cache", options.kv_type != "f16"),
    ):
        if wanted and options.parallel > 1:
            found.append(
                Conflict(
                    options=(option, "parallel"),
                    problem="mlx-lm gives up batching with it: requests run one after the other.",
                    proposal=(
                        "For several requests at once leave it out; batching gains more than it."
                        if option == "draft"
                        else "For several requests at once keep the cache at f16."
                    ),
                )
            )
    if options.gpu_layers is not None or options.tensor_split:
        found.append(
            Conflict(
                options=("GPU layers",),
                problem="MLX puts the whole model on the device.",
                proposal="Leave it out.",
            )
        )
    if options.weights != "as-is":
        found.append(_no_weights("MLX", "Quantize the model with mlx-quantize instead."))
    return found


def _torch_conflicts(options: LoadOptions) -> list[Conflict]:
    found = []
    if options.kv_type != "f16":
        found.append(
            Conflict(
                options=("KV cache",),
                problem="The torch engine keeps keys and values in the model's own type.",
                proposal="Use llama.cpp or MLX for a quantized cache.",
            )
        )
    if options.weights != "as-is" and find_spec("bitsandbytes") is None:
        found.append(
            Conflict(
                options=("weights",),
                problem="bitsandbytes is not installed.",
                proposal='Install it with: pip install "tenfold[bnb]"',
                fatal=True,
            )
        )
    return found


def _no_weights(engine: str, proposal: str) -> Conflict:
    return Conflict(
        options=("weights",),
        problem=f"{engine} does not quantize while loading.",
        proposal=proposal,
        fatal=True,
    )
