"""Sweeps: real jobs led by Ray Tune, stopped, resumed, ended early, and proven."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from workbench.cluster.sweep_file import Plan, Sweep, Turn, all_sweeps, find_sweep, new_sweep
from workbench.cluster.sweep_plan import SweepRequest, make_plan
from workbench.cluster.sweep_run import run_sweep
from workbench.cluster.sweep_start import SweepStarter, ask_to_stop
from workbench.cluster.sweep_trial import jobs_at_work
from workbench.errors import NotFoundError, ParameterError, UsageError
from workbench.home import Home
from workbench.jobs.spec import JobSpec
from workbench.session import Session
from workbench.store.tables import JobRow

pytestmark = pytest.mark.timeout(240)

#: An operation that takes no time, and falls to a floor of its own.
_PLUGIN = '''
import time
from pathlib import Path

from workbench.plugin import JobContext, Param, Params, operation


class CurveParams(Params):
    floor: float = Param(1.0, ge=0, le=100, help="Floor")
    steps: int = Param(3, ge=1, le=1000, help="Steps")
    pause: float = Param(0.0, ge=0, le=1, help="Pause")


@operation("curve", title="Curve", group="Other", input=None, output=None, label="{floor}", resumable=True)
def curve(job: JobContext, params: CurveParams) -> Path:
    """Report a loss that falls to a floor."""
    for step in range(1, params.steps + 1):
        job.metric("loss", params.floor + 1 / step, step=step)
        job.progress(step, params.steps, unit="steps")
        time.sleep(params.pause)
    made = job.out / f"{job.output_name}.txt"
    made.write_text(str(params.floor), encoding="utf-8")
    return made
'''


@pytest.fixture
def swept(home: Home) -> Home:
    """A home with the plugin; its jobs run one at a time."""
    (home.plugins / "curve.py").write_text(_PLUGIN, encoding="utf-8")
    return home


def plan_of(home: Home, *vary: str, **more: object) -> Plan:
    asked: dict[str, Any] = {"operations": ("curve",), "model": None, "metric": "loss", "fixed": {}, **more}
    request = SweepRequest(vary=vary, **asked)
    with Session.open(home, supervise=False) as session:
        return make_plan(session, request)


def planned(home: Home, *vary: str, **more: object) -> Sweep:
    sweep = new_sweep(home)
    sweep.write(plan_of(home, *vary, **more))
    return sweep


def until(starter: SweepStarter, sweep: Sweep, condition: Callable[[], bool]) -> None:
    """Read a sweep that another process runs until something is true."""
    tick, end = threading.Event(), time.monotonic() + 120
    while not condition():
        assert sweep.state != "failed" and time.monotonic() < end, (sweep.reason, sweep.trials)
        tick.wait(0.1)
        starter.poll()
        sweep.read()


def test_a_sweep_that_was_started_beside_and_stopped_goes_on_where_it_was(swept: Home) -> None:
    pytest.importorskip("ray", reason='no cluster without Ray: pip install "tenfold[ray]"')
    starter = SweepStarter(swept)
    sweep = starter.begin(plan_of(swept, "floor=3,1"))
    until(starter, sweep, lambda: any(each.state == "done" for each in sweep.trials))
    assert sweep.state == "running" and sweep.is_at_work()
    with pytest.raises(UsageError, match="at work"):
        starter.resume(sweep)

    ask_to_stop(sweep)

    until(starter, sweep, lambda: not sweep.is_at_work())
    stopped = find_sweep(swept, "last")
    done = [each for each in stopped.trials if each.state == "done"]
    assert stopped.id == sweep.id and stopped.state == "stopped" and len(done) == 1

    run_sweep(swept, stopped)

    ended = find_sweep(swept, sweep.id)
    assert ended.state == "done"
    assert [each.state for each in ended.trials] == ["done"] * 2
    assert [each.value for each in ended.trials] == pytest.approx([3 + 1 / 3, 1 + 1 / 3])
    assert (best := ended.best()) is not None and best.number == 1
    assert ended.trials[done[0].number].job == done[0].job
    with Session.open(swept, supervise=False) as session:
        jobs = session.board.list()
        assert len(jobs) == 2 and {each.state for each in jobs} == {"done"}
        assert {each.id for each in jobs} == {each.job for each in ended.trials}
        assert all((swept.jobs / each.id / "job.py").is_file() for each in jobs)


def test_a_trial_that_lags_behind_is_ended_and_its_job_cancelled(swept: Home) -> None:
    pytest.importorskip("ray", reason='no cluster without Ray: pip install "tenfold[ray]"')
    # The good one ends first; the other would not end by itself in the time that this test has.
    sweep = planned(swept, "floor=1,50", stop_early=True)
    assert sweep.read() and sweep.plan is not None
    for number, spec in enumerate(sweep.plan.specs):
        spec["params"] |= {"steps": 6 if number == 0 else 1000, "pause": 0.2}
    sweep.write(sweep.plan)

    run_sweep(swept, sweep)

    assert [each.state for each in sweep.trials] == ["done", "stopped"]
    assert "lagged" in sweep.trials[1].reason
    with Session.open(swept, supervise=True) as session:
        assert session.runner is not None
        while any(session.board.get(each.job).state == "running" for each in sweep.trials):
            session.runner.poll()
        assert [session.board.get(each.job).state for each in sweep.trials] == ["done", "cancelled"]


def test_a_plan_is_checked_before_anything_starts(swept: Home) -> None:
    with pytest.raises(ParameterError):
        planned(swept, "floor=1,1000")
    with pytest.raises(UsageError, match="vary"):
        planned(swept)
    with pytest.raises(UsageError, match="proof"):
        planned(swept, "floor=1,2", metric="mean_kld")
    with pytest.raises(NotFoundError):
        planned(swept, "floor=1,2", place="nowhere")
    assert all_sweeps(swept) == []


def test_a_recipe_names_the_steps_of_each_trial(swept: Home, tiny_gguf: Path) -> None:
    with Session.open(swept, supervise=False) as session:
        model = session.library.add(tiny_gguf).record
        plan = make_plan(
            session,
            SweepRequest(
                operations=("gguf-dequantize", "gguf-quantize"),
                model=model.id,
                vary=("gguf-quantize.type=Q8_0,Q4_0",),
                metric="mean_kld",
                fixed={},
                prove="quick",
            ),
        )

    chains = [[each, each["then"][0], each["then"][0]["then"][0]] for each in plan.specs]
    assert [[step["operation"] for step in chain] for chain in chains] == [
        ["gguf-dequantize", "gguf-quantize", "prove"]
    ] * 2
    assert [chain[1]["params"]["type"] for chain in chains] == ["Q8_0", "Q4_0"]
    assert all(chain[2]["params"]["against"] == str(model.path) for chain in chains)


def test_what_a_trial_has_at_work_may_be_a_job_that_follows(
    swept: Home, tiny_gguf: Path, tiny_hf: Path
) -> None:
    with Session.open(swept, supervise=False) as session:
        model, made = (session.library.add(each).record for each in (tiny_gguf, tiny_hf))
        asked = SweepRequest(
            operations=("gguf-quantize",),
            model=model.id,
            fixed={},
            vary=("type=Q8_0,Q4_0",),
            metric="mean_kld",
            prove="quick",
        )
        spec = JobSpec.model_validate(make_plan(session, asked).specs[0])
        first = session.board.submit(spec)
        assert [each.id for each in jobs_at_work(session, first.id)] == [first.id]
        with session.store.transaction() as rows:
            done = {"state": "done", "result_model_id": made.id}
            rows.execute(update(JobRow).where(JobRow.id == first.id).values(done))

        source = session.library.to_spec_input(made.id)
        proof = session.board.submit(spec.then[0].model_copy(update={"model": source}))

        assert [each.id for each in jobs_at_work(session, first.id)] == [proof.id]
        session.board.cancel(proof.id)
        assert jobs_at_work(session, first.id) == []


def test_a_damaged_line_loses_no_other(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "sweep")
    sweep.write(Turn(t=1.0, state="running"))
    with sweep.path.open("ab") as file:
        file.write(b'{"kind":"trial","number":\n\xff\xfe\n{"kind":"unknown"}\n')
    sweep.write(Turn(t=2.0, state="stopped"))

    assert Sweep(sweep.folder).read()
    seen = Sweep(sweep.folder)
    seen.read()
    assert (seen.state, seen.plan, seen.trials) == ("stopped", None, [])
