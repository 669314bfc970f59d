"""The tables of docs/scale.md follow from its formulas: each is computed here and looked for there.

`python -m tests.test_scale_doc` prints them, to be put into the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"

#: bf16 dense peak of an H100 SXM, FLOP/s, and the share of it that training reaches.
PEAK, MFU = 989e12, 0.4
GBIT = 1e9 / 8
#: GPU-hours between two unexpected interruptions: 419 in 54 days on 16,384 GPUs (arXiv 2407.21783).
MTBF_GPU_H = 16_384 * 54 * 24 / 419


def all_reduce_bytes(parameters: float, bytes_each: float, workers: int) -> float:
    """What a worker sends in a ring all-reduce, and receives."""
    return 2 * (workers - 1) / workers * parameters * bytes_each


def sharded_bytes(parameters: float, bytes_each: float, workers: int, trained: float | None = None) -> float:
    """ZeRO-3: two gathers of all weights, one scatter of the gradients of those that are trained."""
    trained = parameters if trained is None else trained
    return (workers - 1) / workers * bytes_each * (2 * parameters + trained)


def step_seconds(parameters: float, tokens: float, *, frozen: bool = False) -> float:
    """Weights that stay as they are have no gradient of their own: a third less arithmetic."""
    return (4 if frozen else 6) * parameters * tokens / (MFU * PEAK)


def hidden_gbit(bytes_each: float, workers: int, tokens: float) -> float:
    """Gbit/s that a worker needs so that nothing waits for the network; the same for DP and ZeRO-3."""
    return (workers - 1) / workers * bytes_each * MFU * PEAK / (2 * tokens) / GBIT


def tensor_gbit(hidden: float, bytes_each: float, ways: int) -> float:
    """Gbit/s at which the all-reduces of tensor parallelism take as long as the arithmetic between them."""
    return (ways - 1) * bytes_each * MFU * PEAK / (9 * hidden) / GBIT


def bubble(stages: int, pieces: int) -> float:
    return (stages - 1) / (pieces + stages - 1)


def lora_weights(hidden: float, blocks: int, rank: int) -> float:
    """Of all linear layers of a block of 12·h² weights: 4 of h×h, 2 between h and 4h."""
    return blocks * rank * (4 * 2 * hidden + 2 * 5 * hidden)


def mtbf_h(gpus: int) -> float:
    return MTBF_GPU_H / gpus


def interval_s(write_s: float, mtbf_s: float) -> float:
    """Young's interval between checkpoints, which Daly's first order keeps."""
    return math.sqrt(2 * write_s * mtbf_s)


def lost_share(write_s: float, mtbf_s: float, restart_s: float) -> float:
    """Time for writing, for work done twice, and for starting again."""
    every = interval_s(write_s, mtbf_s)
    return write_s / every + (every / 2 + restart_s) / mtbf_s


def three(value: float) -> str:
    """Three digits, with a comma between thousands."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    return f"{rounded:,.{digits}f}"


def percent(share: float) -> str:
    return f"{three(100 * share)} %"


def bytes_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("trained weights", "workers", "DP, GB", "ZeRO-3, GB")]
    adapter = lora_weights(4096, 32, 16)
    for name, weights, trained in (
        ("LoRA, rank 16, of 8 B", 8e9, adapter),
        ("all of 1 B", 1e9, 1e9),
        ("all of 8 B", 8e9, 8e9),
        ("all of 70 B", 70e9, 70e9),
    ):
        for workers in (2, 8, 10_000):
            parallel = all_reduce_bytes(trained, 4, workers) / 1e9
            sharded = sharded_bytes(weights, 2, workers, trained) / 1e9
            rows.append((name, f"{workers:,}", three(parallel), three(sharded)))
    return rows


def network_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("tokens per GPU per step", "step of 8 B, s", "2 GPUs", "8", "64", "10,000")]
    for tokens in (2_048, 8_192, 32_768, 131_072):
        gbit = [three(hidden_gbit(2, workers, tokens)) for workers in (2, 8, 64, 10_000)]
        rows.append((f"{tokens:,}", three(step_seconds(8e9, tokens)), *gbit))
    return rows


def added_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("trained", "network", "compute, s", "sum of gradients, s", "added")]
    for name, weights in (("LoRA, rank 16, of 8 B", lora_weights(4096, 32, 16)), ("all of 8 B", 8e9)):
        for gbit in (10, 100, 400):
            compute = step_seconds(8e9, 16_384, frozen=weights < 8e9)
            sent = all_reduce_bytes(weights, 4, 8) / (gbit * GBIT)
            rows.append((name, f"{gbit} Gbit/s", three(compute), three(sent), percent(sent / compute)))
    return rows


def tensor_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("hidden size", "2 ways", "4 ways", "8 ways", "16 ways")]
    for hidden in (4_096, 8_192, 16_384):
        rows.append((f"{hidden:,}", *(three(tensor_gbit(hidden, 2, ways)) for ways in (2, 4, 8, 16))))
    return rows


def pipeline_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("stages", "8 pieces", "32 pieces", "128 pieces")]
    for stages in (4, 8, 16):
        rows.append((str(stages), *(percent(bubble(stages, pieces)) for pieces in (8, 32, 128))))
    return rows


def memory_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("weights", "whole, GB", "on 8, GB each", "on 64", "least GPUs of 80 GB")]
    for billions in (1, 8, 70, 405):
        whole = 16 * billions
        least = math.ceil(whole / (80 * 0.7))
        rows.append((f"{billions} B", three(whole), three(whole / 8), three(whole / 64), f"{least:,}"))
    return rows


def checkpoint_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("GPUs", "MTBF, h", "weights", "GB", "write at", "takes, s", "every, min", "time lost")
    ]
    for gpus, billions, gbyte_s in (
        (8, 8, 2),
        (64, 8, 2),
        (1_024, 70, 2),
        (1_024, 70, 100),
        (10_000, 405, 2),
        (10_000, 405, 100),
    ):
        size = 12 * billions
        write, between = size / gbyte_s, mtbf_h(gpus) * 3600
        rows.append(
            (
                f"{gpus:,}",
                three(mtbf_h(gpus)),
                f"{billions} B",
                three(size),
                f"{gbyte_s} GB/s",
                three(write),
                three(interval_s(write, between) / 60),
                percent(lost_share(write, between, 300)),
            )
        )
    return rows


def storage_table() -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("workers", "each reads", "in all, TB", "at 10 GB/s", "at 100 GB/s", "by one in 8")
    ]
    for workers in (8, 64, 1_024, 10_000):
        whole = workers * 16e9
        rows.append(
            (
                f"{workers:,}",
                "16 GB",
                three(whole / 1e12),
                f"{three(whole / 10e9)} s",
                f"{three(whole / 100e9)} s",
                f"{three(whole / 8 / 100e9)} s",
            )
        )
    return rows


TABLES: dict[str, Callable[[], list[Sequence[str]]]] = {
    each.__name__: each
    for each in (
        bytes_table,
        network_table,
        added_table,
        tensor_table,
        pipeline_table,
        memory_table,
        checkpoint_table,
        storage_table,
    )
}


def markdown(rows: list[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_the_formulas_give(name: str) -> None:
    assert markdown(TABLES[name]()) in PAGE.read_text(encoding="utf-8")


def test_the_need_of_bandwidth_follows_from_bytes_and_time() -> None:
    """Three ways to the same figure: the cancelled formula, data parallelism, and ZeRO-3."""
    weights, workers, tokens = 8e9, 64, 8_192
    backward = step_seconds(weights, tokens) * 2 / 3
    parallel = all_reduce_bytes(weights, 2, workers) / backward / GBIT
    sharded = sharded_bytes(weights, 2, workers) / step_seconds(weights, tokens) / GBIT

    assert hidden_gbit(2, workers, tokens) == pytest.approx(sharded)
    assert parallel == pytest.approx(sharded)


def test_the_interval_loses_the_least_time() -> None:
    write, between = 48.0, mtbf_h(1_024) * 3600
    best = interval_s(write, between)

    def lost(every: float) -> float:
        return write / every + every / 2 / between

    assert lost(best) < min(lost(best * 0.9), lost(best * 1.1))
    assert lost_share(write, between, 0) == pytest.approx(lost(best))


if __name__ == "__main__":
    import sys

    for name, make in TABLES.items():
        sys.stdout.write(f"{name}\n\n{markdown(make())}\n\n")
