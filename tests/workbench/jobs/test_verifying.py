"""`job.py --verify` agrees where a computer gives the same, and says what differs where it does not."""

from __future__ import annotations

from workbench.jobs.events import Metric, Progress
from workbench.jobs.expected import Expected, Figures
from workbench.jobs.verify import SeenEnough, Verification


def test_long_job_is_stopped_once_the_first_figures_are_there() -> None:
    expected = Expected(3600.0, "a" * 64, {"loss": Figures(0.02, ((0, 2.0), (1, 1.0)))})
    check = Verification(expected, repeatable=True)
    stopped: list[BaseException] = []
    check.stop = stopped.append

    check(Metric(0.0, "loss", 2.0, step=0))
    check(Progress(0.0, 1, 100))
    assert stopped == []
    check(Metric(0.0, "loss", 1.005, step=1))

    assert isinstance(stopped[0], SeenEnough)
    agreed, lines = check.outcome(None)
    assert agreed
    assert "agrees within 0.50%" in lines[0]


def test_figures_that_are_apart_or_missing_are_named() -> None:
    wanted = {"loss": Figures(0.02, ((0, 2.0),)), "norm": Figures(0.02, ((0, 1.0), (1, 1.0)))}
    check = Verification(Expected(3600.0, "", wanted), repeatable=True)
    check(Metric(0.0, "loss", 2.5, step=0))
    check(Metric(0.0, "norm", 1.0, step=0))

    agreed, lines = check.outcome(None)

    assert not agreed
    assert "differs by 20.00%" in lines[0]
    assert "2.5 here, 2 there" in lines[0]
    assert "1 of 2 figures were not told" in lines[1]
