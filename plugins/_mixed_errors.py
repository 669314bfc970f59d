"""Estimates what storing a tensor in a type changes in what it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from plugins._ggml import Floats, Ggml
from plugins._mixed_tensors import MatrixTensor, ModelWeights

#: Weights of one tensor that are looked at: rows spread evenly over it. A quarter million tell its error to
#: about a percent, and a large model's tensors are not quantized whole a dozen times.
_LOOKED_AT = 1 << 18

#: Tensor name → type → error.
Errors = dict[str, dict[str, float]]


def output_errors(
    ggml: Ggml,
    weights: ModelWeights,
    types: Mapping[str, Sequence[str]],
    importance: Mapping[str, Floats],
    threads: int,
    done: Errors,
    on_tensor: Callable[[MatrixTensor], None],
) -> Errors:
    """The mean squared change of each tensor's output when it is stored in each of its types.

    For an output y = W x it is Σ over rows and columns of E[x²] ΔW², where E[x²] is the importance matrix:
    the inputs of different columns are taken as independent. Without an importance, columns count evenly.

    Args:
        types: Of each tensor.
        done: What is known already, and is filled in.
        on_tensor: Called when a tensor is done; what it raises ends the work.
    """
    missing = [
        tensor
        for tensor in weights.tensors(types)
        if not set(types[tensor.name]) <= set(done.get(tensor.name, ()))
    ]

    def measure(tensor: MatrixTensor) -> dict[str, float]:
        known = done.get(tensor.name, {})
        new = [each for each in types[tensor.name] if each not in known]
        return known | _errors(ggml, weights, tensor, new, importance.get(tensor.name))

    # ggml's functions run without Python's lock, so threads share the cores.
    with ThreadPoolExecutor(threads) as pool:
        for tensor, found in zip(missing, _ordered(pool, measure, missing), strict=True):
            done[tensor.name] = found
            on_tensor(tensor)
    return done


def _ordered(
    pool: ThreadPoolExecutor,
    measure: Callable[[MatrixTensor], dict[str, float]],
    tensors: Sequence[MatrixTensor],
) -> Iterator[dict[str, float]]:
    futures = [pool.submit(measure, tensor) for tensor in tensors]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _errors(
    ggml: Ggml,
    weights: ModelWeights,
    tensor: MatrixTensor,
    types: Sequence[str],
    importance: Floats | None,
) -> dict[str, float]:
    found = dict.fromkeys(types, 0.0)
    step = max(1, math.ceil(tensor.weights / _LOOKED_AT))
    by_matrix = matrix_importance(importance, tensor)
    for matrix in range(tensor.matrices):
        rows = weights.rows(tensor, matrix, min(step, tensor.rows))
        for type in types:
            change = rows - restored(ggml, rows, type, by_matrix[matrix])
            squares = np.einsum("rc,rc->c", change, change, dtype=np.float64)
            scale = tensor.rows / len(rows) / tensor.matrices
            weight = by_matrix[matrix]
            found[type] += scale * float(squares.sum() if weight is None else squares @ weight)
    return found


def restored(ggml: Ggml, rows: Floats, type: str, importance: Floats | None) -> Floats:
    """Rows as they are after they were stored in a type."""
    if ggml.block(type) == 1:
        # Full precision; float16 and bfloat16 round, which is far below what any quantized type does.
        return rows.astype(np.float16).astype(np.float32) if type == "F16" else rows
    return ggml.dequantize(ggml.quantize(rows, type, importance), type, rows.shape[1])


def matrix_importance(importance: Floats | None, tensor: MatrixTensor) -> list[Floats | None]:
    """The importance of each matrix's columns; None for each where there is none of the right shape."""
    if importance is None or importance.size != tensor.columns * tensor.matrices:
        return [None] * tensor.matrices
    return list(importance.reshape(tensor.matrices, tensor.columns))
