"""What a metric returned is judged: any number is a figure, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.errors import PluginError
from workbench.measure.card import Figure
from workbench.measure.metric_context import MetricResult
from workbench.measure.metric_process import as_figure
from workbench.measure.metric_wire import decode_said


def test_numbers_of_every_kind_are_figures() -> None:
    whole = MetricResult(value=np.float64(2), error=np.float32(0.5), n=np.int64(7))  # type: ignore[arg-type]

    assert as_figure(3) == as_figure(np.array(3.0)) == Figure(value=3.0)
    assert as_figure(whole) == Figure(value=2.0, error=0.5, n=7)


@pytest.mark.parametrize(
    "returned",
    [
        None,
        True,
        "3",
        [1.0, 2.0],
        math.nan,
        math.inf,
        MetricResult(value=1.0, error=-1.0),
        MetricResult(value=1.0, error=math.nan),
        MetricResult(value=1.0, n=-3),
    ],
    ids=repr,
)
def test_nonsense_is_none(returned: object) -> None:
    with pytest.raises(PluginError, match="which is no figure"):
        as_figure(returned)


@pytest.mark.parametrize(
    "line", [b'{"type":"found","figure":{"value":1.0,"n":-1}}', b'{"type":"found"}', b"hello\n", b"\xff"]
)
def test_line_of_another_voice_is_not_understood(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode_said(line)
