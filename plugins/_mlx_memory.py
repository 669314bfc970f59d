"""What MLX says of memory: whether it is full, and how much was held."""

from __future__ import annotations

import gc

#: In the words of MLX on a CPU, on Metal and on CUDA.
_FULL = (
    "Unable to allocate",
    "Insufficient Memory",
    "maximum allowed buffer size",
    "[metal::malloc]",
    "out of memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's or the machine's memory is full.

    >>> is_out_of_memory(RuntimeError("[malloc] Unable to allocate 70368744177664 bytes."))
    True
    """
    return isinstance(error, MemoryError) or any(each in str(error) for each in _FULL)


def on_gpu() -> bool:
    """Whether MLX computes on Metal or CUDA."""
    import mlx.core as mx

    return bool(mx.default_device().type == mx.gpu)


def peak_bytes() -> int:
    """The most memory that was held at once on a GPU; 0 on a CPU."""
    import mlx.core as mx

    return int(mx.get_peak_memory()) if on_gpu() else 0


def give_back() -> None:
    """Return the memory that MLX keeps for later arrays: on a Mac it stays wired until then."""
    import mlx.core as mx

    gc.collect()
    mx.clear_cache()
