"""What llama.cpp really did with each option, read from its own log and state after loading."""

from __future__ import annotations

from typing import Any

from workbench.engines.llama_library import LlamaLibrary
from workbench.engines.request import LoadOptions
from workbench.engines.wire import OptionCheck
from workbench.hardware import physical_cores


def llama_checks(library: LlamaLibrary, options: LoadOptions, loaded: Any) -> tuple[OptionCheck, ...]:
    """One check for each option that a person can ask for."""
    return (
        _context(options, loaded),
        _gpu_layers(library, options, loaded.rows.layers),
        _kv_type(library, options),
        _flash_attention(library, options),
        *_adapters(options),
    )


def device_name(library: LlamaLibrary, options: LoadOptions) -> str:
    """Where it computes, for a person."""
    threads = options.threads or physical_cores()
    cpu = f"CPU, {threads} thread{'s' if threads != 1 else ''}"
    found = library.find(r"offloaded (\d+)/(\d+) layers to GPU")
    return f"GPU ({found[1]} of {found[2]} layers), {cpu}" if found and int(found[1]) else cpu


def _context(options: LoadOptions, loaded: Any) -> OptionCheck:
    trained, actual = loaded.trained_context, loaded.rows.context
    note = ""
    if trained and actual > trained:
        note = f"The model was trained for {trained} tokens; beyond that its answers may fall apart."
    return OptionCheck(
        option="context",
        requested=f"{options.context} tokens" if options.context else "automatic",
        actual=f"{actual} tokens for each of {loaded.rows.count}",
        active=options.context in (None, actual),
        note=note,
    )


def _gpu_layers(library: LlamaLibrary, options: LoadOptions, layers: int) -> OptionCheck:
    able = bool(library.api.llama_supports_gpu_offload())
    found = library.find(r"offloaded (\d+)/(\d+) layers to GPU")
    on_gpu = int(found[1]) if found else 0
    wanted = options.gpu_layers
    note = ""
    if not able and (wanted or 0) > 0:
        note = "This build of llama.cpp has no GPU support; see the README for the one that has."
    # The output layer counts as one more in llama.cpp's log.
    active = on_gpu == 0 if wanted == 0 else wanted is None or on_gpu >= min(wanted, layers)
    return OptionCheck(
        option="GPU layers",
        requested="automatic" if wanted is None else str(wanted),
        actual=f"{on_gpu} of {found[2] if found else layers}",
        active=active,
        note=note,
    )


def _kv_type(library: LlamaLibrary, options: LoadOptions) -> OptionCheck:
    found = library.find(r"K \((\w+)\):.*V \((\w+)\):")
    actual = found[1] if found else "not reported"
    return OptionCheck(
        option="KV cache", requested=options.kv_type, actual=actual, active=actual == options.kv_type
    )


def _flash_attention(library: LlamaLibrary, options: LoadOptions) -> OptionCheck:
    found = library.find(r"Flash Attention was auto, set to (\w+)") or library.find(r"flash_attn\s+= (\w+)")
    actual = found[1] if found else "not reported"
    names = {None: "automatic", True: "enabled", False: "disabled"}
    wanted = names[options.flash_attention]
    return OptionCheck(
        option="flash attention",
        requested=wanted,
        actual=actual,
        active=options.flash_attention is None or actual == wanted,
    )


def _adapters(options: LoadOptions) -> tuple[OptionCheck, ...]:
    return tuple(
        OptionCheck(option=f"adapter {each.name}", requested="loaded", actual="loaded", active=True)
        for each in options.adapters
    )
