"""Measures memory bandwidth and arithmetic in a process of its own, and prints both.

`python -m workbench.measure.limits_probe THREADS` prints one JSON object:
`{"bandwidth": …, "arithmetic": …}`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from workbench.engines.arithmetic import matmul_flops
from workbench.hardware import ram_free_bytes

#: Bytes of one of two arrays: several times the largest caches of a processor, and a quarter of what is free
#: at most.
_ARRAY_BYTES = 512 << 20
#: How long each kind of access is repeated.
_SECONDS = 0.4
#: How often the matrix product is measured; each time takes a twentieth of a second.
_PRODUCTS = 6

Array = NDArray[np.int64]


def main(argv: list[str]) -> int:
    threads = int(argv[0])
    found = {
        # The product first, before large arrays push what it needs out of the caches.
        "arithmetic": max(matmul_flops("numpy") for _time in range(_PRODUCTS)),
        "bandwidth": bandwidth(threads, min(_ARRAY_BYTES, ram_free_bytes() // 4)),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def bandwidth(threads: int, array_bytes: int, seconds: float = _SECONDS) -> float:
    """Bytes a second between memory and processor, the best of copying and of scanning.

    NumPy lets go of Python's lock meanwhile, so that threads of Python are enough. A share of the array for
    each thread is touched first, so that pages are there.
    """
    count = max(threads, array_bytes // 8)
    source, target = np.ones(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    def copy(part: tuple[Array, Array]) -> None:
        np.copyto(part[1], part[0])

    def scan(part: tuple[Array, Array]) -> None:
        part[0].max()

    with ThreadPoolExecutor(threads) as pool:

        def best(access: Callable[[tuple[Array, Array]], None]) -> float:
            shortest = float("inf")
            ends = time.perf_counter() + seconds
            while shortest == float("inf") or time.perf_counter() < ends:
                began = time.perf_counter()
                for each in [pool.submit(access, part) for part in parts]:
                    each.result()
                shortest = min(shortest, time.perf_counter() - began)
            return shortest

        return max(2 * source.nbytes / best(copy), source.nbytes / best(scan))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
