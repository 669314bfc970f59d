"""The distance of two models on a text: right figures from real engines, in bounded memory."""

from __future__ import annotations

import gc
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workbench.measure.conftest import copy_of
from workbench.engines.base import Engine
from workbench.errors import WorkbenchError
from workbench.measure.card import Quality
from workbench.measure.quality import measure_quality
from workbench.measure.same_vocabulary import VocabularyError
from workbench.measure.windows import Windows, windows_of, windows_of_text

WIDTH = 64
TEXT = "What comes after the number? After it comes the number: yes, no, one, two. " * 700


def small_windows(engine: Engine, count: int = 5) -> Windows:
    return windows_of_text(engine.tokenizer, TEXT, WIDTH, count)


def log_probabilities(engine: Engine, windows: Windows) -> NDArray[np.float64]:
    """Of the scored predictions, shape (positions, vocabulary)."""
    logits = np.concatenate(
        [engine.logits(each.tolist())[WIDTH // 2 : WIDTH - 1] for each in windows]
    ).astype(np.float64)
    found: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return found


def test_the_figures_are_those_of_their_definitions(load, small_hf: Path, changed_hf: Path) -> None:
    reference, candidate = load(small_hf, "hf"), load(changed_hf, "hf")
    windows = small_windows(reference)
    base, other = (log_probabilities(engine, windows) for engine in (reference, candidate))
    rows = np.arange(len(base))
    targets = windows[:, WIDTH // 2 + 1 :].ravel()
    loss_base, loss = -base[rows, targets], -other[rows, targets]
    kld = (np.exp(base) * (base - other)).sum(-1)
    change = np.exp(-loss) - np.exp(-loss_base)
    same = base.argmax(-1) == other.argmax(-1)

    def error(values: NDArray[np.floating]) -> float:
        return float(values.std()) / math.sqrt(len(values) - 1)

    found = measure_quality(reference, candidate, windows)

    assert (found.positions, found.windows, found.window_tokens) == (5 * 31, 5, WIDTH)
    assert found.ppl_base == pytest.approx(np.exp(loss_base.mean()), rel=1e-5)
    assert found.ppl == pytest.approx(np.exp(loss.mean()), rel=1e-5)
    assert found.ppl_error == pytest.approx(found.ppl * error(loss), rel=1e-4)
    assert found.ppl_base_error == pytest.approx(found.ppl_base * error(loss_base), rel=1e-4)
    assert found.ppl_ratio == pytest.approx(found.ppl / found.ppl_base)
    assert found.ppl_ratio_error == pytest.approx(found.ppl_ratio * error(loss - loss_base), rel=1e-3)
    assert found.mean_kld == pytest.approx(kld.mean(), rel=1e-4)
    assert found.mean_kld_error == pytest.approx(error(kld), rel=1e-3)
    for value, share in (
        (found.median_kld, 50),
        (found.p90_kld, 90),
        (found.p99_kld, 99),
        (found.p999_kld, 99.9),
        (found.max_kld, 100),
    ):
        assert value == pytest.approx(np.percentile(kld, share), rel=1e-4)
    assert found.same_top == same.mean()
    assert found.same_top_error == pytest.approx(error(same.astype(float)))
    assert found.mean_dp == pytest.approx(change.mean(), rel=1e-3)
    assert found.mean_dp_error == pytest.approx(error(change), rel=1e-3)
    assert found.rms_dp == pytest.approx(math.sqrt((change**2).mean()), rel=1e-3)
    assert found.rms_dp_error == pytest.approx(error(change**2) / (2 * found.rms_dp), rel=1e-3)
    assert sum(found.histogram.counts) == found.positions
    assert len(found.histogram.edges) == len(found.histogram.counts) + 1
    # The models differ, or none of this would show anything.
    assert found.mean_kld > 0.01
    assert 0 < found.same_top < 1


def test_a_model_has_no_distance_from_itself(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")

    found = measure_quality(engine, engine, small_windows(engine))

    assert (found.mean_kld, found.max_kld, found.same_top) == (0, 0, 1)
    assert (found.ppl_ratio, found.ppl_ratio_error, found.mean_dp, found.rms_dp) == (1, 0, 0, 0)
    assert found.ppl == found.ppl_base > 1
    assert found.histogram.counts[0] == found.positions


def test_the_same_weights_are_near_each_other_on_all_backends(
    load, small_hf: Path, tiny_hf: Path, tiny_gguf: Path
) -> None:
    for one, other in (
        (load(small_hf, "hf", engine="torch"), load(small_hf, "hf", engine="mlx")),
        (load(tiny_hf, "hf", engine="torch"), load(tiny_gguf, "gguf")),
    ):
        found = measure_quality(one, other, small_windows(one, 2))

        assert found.mean_kld < 1e-4
        assert found.ppl_ratio == pytest.approx(1, abs=1e-3)
        assert found.positions == 2 * 31


def test_progress_is_told_window_by_window(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")
    told: list[tuple[int, int]] = []

    measure_quality(engine, engine, small_windows(engine, 3), progress=lambda *now: told.append(now))

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_memory_hardly_grows_with_the_text(load, small_hf: Path, changed_hf: Path) -> None:
    reference, candidate = load(small_hf, "hf"), load(changed_hf, "hf")

    def peak(count: int) -> tuple[int, Quality]:
        windows = windows_of_text(reference.tokenizer, TEXT, 512, count)
        gc.collect()
        tracemalloc.start()
        found = measure_quality(reference, candidate, windows)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, found

    peak(2)  # What is allocated once is there after the first.

    short, few = peak(4)
    long, many = peak(24)

    # Both models' logits are 2400 bytes a position; what is held is 9, and a few times that at the end.
    assert many.positions - few.positions == 20 * 255
    assert (long - short) / (many.positions - few.positions) < 50


def test_a_damaged_model_is_refused_and_named(load, small_hf: Path, tmp_path: Path) -> None:
    damaged = load(copy_of(small_hf, tmp_path, lambda weight: weight * np.float32(np.nan)), "hf")
    engine = load(small_hf, "hf")

    with pytest.raises(WorkbenchError, match="the other model's are no finite numbers"):
        measure_quality(engine, damaged, small_windows(engine))
    with pytest.raises(WorkbenchError, match="the reference's are no finite numbers"):
        measure_quality(damaged, engine, small_windows(engine))


def test_models_with_different_tokens_are_refused(load, small_hf: Path, tiny_gguf: Path) -> None:
    engine = load(small_hf, "hf")

    with pytest.raises(VocabularyError, match="different vocabularies"):
        measure_quality(engine, load(tiny_gguf), small_windows(engine))


def test_a_text_with_tokens_that_one_model_lacks_is_refused(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")
    windows = windows_of(range(engine.tokenizer.vocabulary - 60, engine.tokenizer.vocabulary + 4), WIDTH)

    with pytest.raises(WorkbenchError, match="tokens that only one"):
        measure_quality(engine, engine, windows)


def test_a_model_loaded_for_embeddings_is_refused(load, tiny_gguf: Path) -> None:
    engine = load(tiny_gguf)

    with pytest.raises(WorkbenchError, match="embeddings gives no predictions"):
        measure_quality(engine, load(tiny_gguf, embeddings=True), small_windows(engine))


def test_a_context_shorter_than_a_window_is_refused(load, small_hf: Path) -> None:
    engine = load(small_hf, "hf")

    with pytest.raises(WorkbenchError, match=r"window has 64 tokens.*holds 32"):
        measure_quality(engine, load(small_hf, "hf", context=32), small_windows(engine))
