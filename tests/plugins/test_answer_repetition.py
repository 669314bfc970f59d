"""The bundled metric: a model that loops is seen to."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.answer_repetition import repeated, repetition
from workbench.plugin.testing import check_metric


def test_only_runs_that_come_again_count() -> None:
    varied = list(range(96))
    looping = [*range(8)] * 12

    assert repeated(varied) == 0.0
    # Of 93 runs only the first 8 are new.
    assert repeated(looping) == pytest.approx(1 - 8 / 93)
    with pytest.raises(ValueError, match="no run of 4"):
        repeated([1, 2, 3])


def test_figure_of_a_model_is_a_share_with_its_error(tmp_path: Path) -> None:
    figure = check_metric(repetition, folder=tmp_path)

    assert 0 <= figure.value <= 100
    assert figure.n == 3
