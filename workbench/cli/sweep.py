"""`tenfold sweep`: try an operation or a recipe with many values, each trial a job, and compare them."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from typing import Any

import msgspec

from workbench.cli.answer import Answer, table
from workbench.cli.run import placed
from workbench.cluster.sweep_file import Sweep, all_sweeps, find_sweep, new_sweep
from workbench.cluster.sweep_plan import SweepRequest, make_plan
from workbench.cluster.sweep_run import run_sweep
from workbench.cluster.sweep_trial import FIGURES
from workbench.errors import UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "sweep",
        help="try an operation with many values and compare the results",
        parents=[common],
        description="Every trial is a job like any other, with its folder, curves and proof. "
        "--vary takes NAME=A,B,C, NAME=log:LOW:HIGH, NAME=lin:LOW:HIGH, or a NAME alone for the range that "
        "the operation itself names. A parameter of a later step is called OPERATION.NAME. The metric is a "
        f"series that the jobs report, of which the best value counts, or one of {', '.join(FIGURES)}.",
    )
    parser.add_argument("operation", nargs="?", help="its name, for example finetune-torch")
    parser.add_argument("--model", help="id or name of the model")
    parser.add_argument("--vary", action="append", default=[], metavar="NAME=VALUES", help="repeatable")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="the same in all trials; repeatable"
    )
    parser.add_argument(
        "--then", action="append", default=[], metavar="OPERATION", help="a further step on each result"
    )
    parser.add_argument("--prove", choices=("quick", "full"), help="end each trial with a proof")
    parser.add_argument("--metric", help="what is compared, for example loss/held-out or mean_kld")
    parser.add_argument("--mode", choices=("min", "max"), default="min", help="which is better")
    parser.add_argument("--samples", type=int, default=0, metavar="N", help="draw so many trials by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, metavar="N", help="trials at the same time")
    parser.add_argument("--stop-early", action="store_true", help="end trials that lag behind (ASHA)")
    parser.add_argument("--place", default="", metavar="NAME", help="where the jobs run")
    parser.add_argument("--resume", metavar="ID", help="go on with a sweep that was stopped")
    parser.add_argument("--show", metavar="ID", help="show a sweep; `last` for the newest")
    parser.add_argument("--list", action="store_true", help="list the sweeps of this home")
    parser.set_defaults(command=_sweep)


def _sweep(home: Home, arguments: argparse.Namespace) -> Answer:
    if arguments.list:
        return _listed(home)
    if arguments.show:
        return _answer(find_sweep(home, arguments.show))
    if arguments.resume:
        return _run(home, find_sweep(home, arguments.resume))
    if arguments.operation is None or arguments.metric is None:
        raise UsageError("Name an operation, and what to compare with --metric.")
    with Session.open(home, supervise=False) as session:
        fixed: dict[str, Any] = {}
        for pair in arguments.set:
            name, sign, value = pair.partition("=")
            if not sign:
                raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
            fixed[name.strip().replace("-", "_") if "." not in name else name.strip()] = value
        entry = session.catalogue.operation(arguments.operation)
        plan = make_plan(
            session,
            SweepRequest(
                operations=(arguments.operation, *arguments.then),
                model=arguments.model,
                fixed=placed(entry.fields, fixed, session),
                vary=tuple(arguments.vary),
                metric=arguments.metric,
                mode=arguments.mode,
                samples=arguments.samples,
                seed=arguments.seed,
                parallel=arguments.parallel or session.settings.load().cpu_slots,
                stop_early=arguments.stop_early,
                prove=arguments.prove or "",
                place=arguments.place,
            ),
        )
    sweep = new_sweep(home)
    sweep.write(plan)
    return _run(home, sweep)


def _run(home: Home, sweep: Sweep) -> Answer:
    sys.stderr.write(f"Sweep {sweep.id}\n")
    try:
        # Ray Tune prints what it is about; the answer alone belongs on standard output.
        with redirect_stdout(sys.stderr):
            run_sweep(home, sweep, _Told())
    except KeyboardInterrupt:
        sweep.read()
        answer = _answer(sweep)
        return Answer(
            f"{answer.text}\nStopped; `tenfold sweep --resume {sweep.id}` goes on.",
            answer.data,
            exits.CANCELLED,
        )
    return _answer(sweep)


class _Told:
    """Says on standard error what became of trials, a line each."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def __call__(self, sweep: Sweep) -> None:
        for trial in sweep.trials:
            if self._said.get(trial.number, "waiting") != trial.state:
                self._said[trial.number] = trial.state
                value = f" {trial.value:.6g}" if trial.value is not None else ""
                reason = f" {trial.reason}" if trial.reason else ""
                sys.stderr.write(f"trial {trial.number + 1}: {trial.state}{value}{reason}\n")


def _answer(sweep: Sweep) -> Answer:
    sweep.read()
    plan, best = sweep.plan, sweep.best()
    if plan is None:
        raise UsageError(f"The sweep {sweep.id} has no plan that can be read.")
    sign = 1 if plan.mode == "min" else -1
    ranked = sorted(
        sweep.trials, key=lambda each: (each.value is None, sign * (each.value or 0.0), each.number)
    )
    names = [each.name for each in plan.dimensions]
    rows = [
        [
            str(each.number + 1),
            *(str(plan.values[each.number][name]) for name in names),
            f"{each.value:.6g}" if each.value is not None else "–",
            each.state,
            each.job,
        ]
        for each in ranked
    ]
    text = f"{plan.title}: {sweep.state}\n\n" + table(["TRIAL", *names, plan.metric, "STATE", "JOB"], rows)
    data = {
        "sweep": sweep.id,
        "state": sweep.state,
        "metric": plan.metric,
        "mode": plan.mode,
        "best": _row(best, plan.values) if best is not None else None,
        "trials": [_row(each, plan.values) for each in sweep.trials],
    }
    return Answer(text, data, exits.DONE if sweep.state != "failed" else exits.FAILED)


def _row(trial: Any, values: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(trial)
    return {**found, "values": values[trial.number]}


def _listed(home: Home) -> Answer:
    sweeps = all_sweeps(home)
    rows = [
        [
            each.id,
            each.state,
            f"{sum(t.state == 'done' for t in each.trials)}/{len(each.trials)}",
            each.plan.title,
        ]
        for each in sweeps
        if each.plan is not None
    ]
    text = table(["SWEEP", "STATE", "DONE", "WHAT"], rows) if rows else "There are no sweeps."
    return Answer(text, {"sweeps": [{"id": each.id, "state": each.state} for each in sweeps]})
