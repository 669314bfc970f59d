"""Runs a sweep: Ray Tune decides what is tried when and what ends early; the jobs of the home do the work."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from filelock import Timeout
from msgspec.structs import replace

from workbench.cluster.session import ray_session
from workbench.cluster.sweep_file import Plan, Sweep, SweepState, Turn
from workbench.cluster.sweep_trial import TrialTold, jobs_at_work, run_trial
from workbench.errors import HomeInUseError, NotFoundError, UsageError, WorkbenchError
from workbench.home import Home
from workbench.jobs.events import now
from workbench.session import Session

_TICK_S = 0.1
#: Letters of what Ray says that are passed on.
_MOST_SAID = 300
#: How long another process may hold the lock to look at it.
_GLANCE_S = 2.0
#: How long the tuner may take to end its trials.
_GIVES_UP_S = 30.0
#: Reports of its metric that a trial makes before it may be ended early: the first few say little.
_GRACE = 3
#: Of the trials that came as far, one in so many goes on (asynchronous successive halving, arXiv 1810.05934).
_KEPT_ONE_IN = 3


def run_sweep(home: Home, sweep: Sweep, watch: Callable[[Sweep], None] = lambda _sweep: None) -> Sweep:
    """Run a sweep to its end, or on from where it was; returns it as it is then.

    Ray runs here alone, with a small process for each trial at work, which follows a job of the home; where
    the jobs run is their own matter (`JobSpec.place`). The home's jobs are run by this process, unless a
    window does.

    Args:
        watch: Called all the while with the sweep as it is; what it raises ends the sweep, and its jobs.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: The sweep is at work already, or its record is damaged.
        KeyboardInterrupt: The sweep's `stop_file` asked for its end.
    """
    sweep.read()
    if sweep.plan is None:
        raise UsageError(f"The sweep {sweep.id} has no plan that can be read.")
    with _alone(sweep):
        sweep.stop_file.unlink(missing_ok=True)
        sweep.write(Turn(t=now(), state="running"))
        ended: SweepState = "failed"
        reason = ""
        try:
            with _without_cluster(), ray_session(sweep.plan.parallel), _session(home) as session:
                _Run(session, home, sweep, sweep.plan, watch).follow()
            sweep.read()
            ended = "done" if any(each.state == "done" for each in sweep.trials) else "failed"
        except KeyboardInterrupt:
            ended = "stopped"
            raise
        except Exception as error:
            reason = str(error)
            raise
        finally:
            sweep.write(Turn(t=now(), state=ended, reason=reason))
            sweep.read()
    return sweep


class _Run:
    """One run of the tuner, seen from the process that runs the jobs."""

    def __init__(
        self, session: Session, home: Home, sweep: Sweep, plan: Plan, watch: Callable[[Sweep], None]
    ) -> None:
        self._session = session
        self._home = home
        self._sweep = sweep
        self._plan = plan
        self._watch = watch
        self._ended: set[int] = set()
        self._cancelled: set[str] = set()
        self._failed: BaseException | None = None

    def follow(self) -> None:
        """Run jobs until the tuner has no more trials."""
        thread = threading.Thread(target=self._fit, name="tune", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_TICK_S)
                self._turn()
                if self._sweep.stop_file.exists():
                    raise KeyboardInterrupt
            self._turn()
        except BaseException:
            # The tuner goes first: it would start further trials, and Ray anew where it was gone.
            self._sweep.stop_file.touch()
            thread.join(_GIVES_UP_S)
            self._end_all()
            raise
        if self._failed is not None:
            said = (str(self._failed).strip().splitlines() or [""])[0][:_MOST_SAID]
            raise WorkbenchError(
                f"Ray Tune failed: {type(self._failed).__name__}: {said}",
                remedy="The sweep can be resumed.",
                details=str(self._failed),
            ) from self._failed

    def _turn(self) -> None:
        if self._session.runner is not None:
            self._session.runner.poll()
        self._sweep.read()
        for trial in self._sweep.trials:
            if trial.state == "stopped" and trial.number not in self._ended:
                self._ended.add(trial.number)
                self._cancel(trial.job)
        self._watch(self._sweep)

    def _end_all(self) -> None:
        """Cancel what is at work; where this process runs the jobs, wait for the workers to let go."""
        self._sweep.read()
        for trial in self._sweep.trials:
            if trial.state == "running":
                self._cancel(trial.job)
                self._sweep.write(replace(trial, t=now(), state="waiting", reason="The sweep was stopped."))
        runner = self._session.runner
        while runner is not None and any(each in runner.running for each in self._cancelled):
            runner.poll()

    def _cancel(self, job_id: str) -> None:
        """Cancel what a trial has at work; it may end by itself in this moment, or be removed."""
        with contextlib.suppress(NotFoundError):
            for each in jobs_at_work(self._session, job_id):
                with contextlib.suppress(UsageError):
                    self._session.board.cancel(each.id)
                    self._cancelled.add(each.id)

    def _fit(self) -> None:
        try:
            self._tuner().fit()
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            self._failed = error

    def _tuner(self) -> Any:
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

        folder, asked = self._sweep.folder, self._sweep.stop_file

        class Stops(tune.Stopper):  # type: ignore[misc, unused-ignore]
            """Ends the sweep where that was asked for."""

            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                return False

            def stop_all(self) -> bool:
                return asked.exists()

        class Ends(tune.Callback):  # type: ignore[misc, unused-ignore]
            """Hears of trials that the tuner is done with. Ray keeps it on disk, so it holds a path alone."""

            def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_more: Any) -> None:
                if not asked.exists():
                    _lagged_behind(Sweep(folder), int(trial.config["number"]))

        told = {"home": str(self._home.root), "sweep": str(self._sweep.folder)}
        early = self._plan.stop_early

        def trial(config: dict[str, Any]) -> None:
            def tell(value: float, step: int) -> None:
                tune.report({"value": value, "reports": step})

            run_trial(TrialTold(**told, number=config["number"], tell_series=early), tell)

        halving = ASHAScheduler(
            time_attr="reports", max_t=1_000_000, grace_period=_GRACE, reduction_factor=_KEPT_ONE_IN
        )
        return tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"number": tune.grid_search(list(range(len(self._plan.values))))},
            tune_config=tune.TuneConfig(
                metric="value",
                mode=self._plan.mode,
                scheduler=halving if early else FIFOScheduler(),
                max_concurrent_trials=self._plan.parallel,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(self._sweep.folder / "ray"),
                verbose=0,
                callbacks=[Ends()],
                stop=Stops(),
            ),
        )


def _lagged_behind(sweep: Sweep, number: int) -> None:
    """Note that a trial was ended early, if it was: one that ended by itself has said so before."""
    sweep.read()
    trial = sweep.trials[number]
    if trial.state == "running":
        sweep.write(replace(trial, t=now(), state="stopped", reason="It lagged behind the others."))


@contextlib.contextmanager
def _alone(sweep: Sweep) -> Iterator[None]:
    try:
        # Who only looks whether it is at work holds the lock for a moment.
        held = sweep.lock().acquire(timeout=_GLANCE_S)
    except Timeout:
        raise UsageError(
            f"The sweep {sweep.id} is at work already.", remedy="Wait for its end, or stop it first."
        ) from None
    with held:
        yield


def _session(home: Home) -> Session:
    try:
        return Session.open(home, supervise=True)
    except HomeInUseError:
        # A window works on this home: it runs the jobs.
        return Session.open(home, supervise=False)


@contextlib.contextmanager
def _without_cluster() -> Iterator[None]:
    """The tuner's processes read the home's database, so they run beside it, whatever cluster is near."""
    near = os.environ.pop("RAY_ADDRESS", None)
    try:
        yield
    finally:
        if near is not None:
            os.environ["RAY_ADDRESS"] = near
