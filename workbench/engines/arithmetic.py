"""Measures how fast a backend multiplies matrices on this machine, which is what training mostly does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from workbench.errors import MissingExtraError

#: How long is measured, after a first multiplication that sets everything up.
_SECONDS = 0.05
#: Long enough that starting a multiplication costs nothing, short enough for a slow processor.
_CPU_SIZE, _GPU_SIZE = 1024, 4096


def matmul_flops(backend: Literal["torch", "mlx", "numpy"]) -> float:
    """Floating-point operations per second in large matrix products, in the type that training takes here.

    NumPy's are those of its BLAS in float32, with as many threads as that was told to use when it was loaded.

    The best of several, as anything else that the machine does only slows it down.

    Raises:
        MissingExtraError: The backend is not installed.
    """
    multiply, size = {"torch": _torch, "mlx": _mlx, "numpy": _numpy}[backend]()
    multiply()
    best = float("inf")
    ends = time.perf_counter() + _SECONDS
    while best == float("inf") or time.perf_counter() < ends:
        began = time.perf_counter()
        multiply()
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _torch() -> tuple[Callable[[], None], int]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("PyTorch", "torch") from error
    if torch.cuda.is_available():
        device, size = "cuda", _GPU_SIZE
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float32
    elif torch.backends.mps.is_available():
        device, size, dtype = "mps", _GPU_SIZE, torch.float32
    else:
        device, size, dtype = "cpu", _CPU_SIZE, torch.float32
    matrix = torch.ones((size, size), device=device, dtype=dtype)

    def multiply() -> None:
        # Reading one number waits for the device.
        float((matrix @ matrix)[0, 0])

    return multiply, size


def _mlx() -> tuple[Callable[[], None], int]:
    try:
        import mlx.core as mx
    except ImportError as error:
        raise MissingExtraError("MLX", "mlx") from error
    core: Any = mx
    size = _CPU_SIZE if core.default_device().type == core.cpu else _GPU_SIZE
    matrix = core.ones((size, size), dtype=core.float32)

    def multiply() -> None:
        core.eval(matrix @ matrix)

    return multiply, size


def _numpy() -> tuple[Callable[[], None], int]:
    matrix, product = (np.ones((_CPU_SIZE, _CPU_SIZE), dtype=np.float32) for _array in range(2))

    def multiply() -> None:
        np.matmul(matrix, matrix, out=product)

    return multiply, _CPU_SIZE
