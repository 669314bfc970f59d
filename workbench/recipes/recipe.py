"""A recipe: the content of a `recipe.py`, which leads from one model to another in several jobs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from workbench.errors import InUseError, UsageError, WorkbenchError
from workbench.jobs import exits
from workbench.jobs.events import Artifact
from workbench.jobs.leaving import leave_at_once
from workbench.jobs.loading import offer_folders, plugin_folders
from workbench.jobs.spec import ModelInput
from workbench.jobs.stop_requests import request_path
from workbench.recipes.arguments import Arguments, parse
from workbench.recipes.prepared import given_models, ready_steps
from workbench.recipes.run import STEP_FLAG, RecipeRun
from workbench.recipes.steps import Step

_USAGE_OF_STEP = "recipe.py --step NAME [flags of the step]"


class Recipe:
    """Several jobs in the order of their running. `main` runs them.

    Args:
        title: What comes of it.
        out: Where the last result goes where nothing is said.
        inputs: The models that it is given, by name; `model` is the one that `--model` names.
        steps: In order: each after those whose results it needs. The last makes the result.
    """

    def __init__(
        self, *, title: str, out: str, inputs: Mapping[str, ModelInput], steps: Sequence[Step]
    ) -> None:
        self.title = title
        self.out = out
        self.inputs = inputs
        self.steps = tuple(steps)

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the recipe, or one step of it, as the command line says; see `--help`.

        Returns:
            The exit code: 0 done, 1 failed, 2 wrong use, 75 paused, 130 cancelled.
        """
        words = list(sys.argv[1:] if argv is None else argv)
        names = [step.name for step in self.steps]
        try:
            if words[:1] == [STEP_FLAG]:
                code = self._step(words[1:])
                if argv is None and code in (exits.CANCELLED, exits.PAUSED):
                    leave_at_once(code)
                return code
            arguments = parse(
                words, description=self._description(), steps=names, inputs=tuple(self.inputs), out=self.out
            )
            if arguments.list:
                sys.stdout.write(self._listed())
                return exits.DONE
            return self._run(arguments, Path(sys.argv[0]).absolute())
        except (WorkbenchError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return exits.USAGE if isinstance(error, UsageError) else exits.FAILED
        except KeyboardInterrupt:
            return exits.CANCELLED  # while inputs were compared: no step had begun

    def _step(self, words: Sequence[str]) -> int:
        """Run one step as its own `job.py` would."""
        found = next((step for step in self.steps if words and step.name == words[0]), None)
        if found is None:
            names = ", ".join(step.name for step in self.steps)
            raise UsageError(f"{STEP_FLAG} takes the name of a step: {names}.", remedy=_USAGE_OF_STEP)
        return found.job.main(words[1:], prog=f"recipe.py {STEP_FLAG} {found.name}")

    def _run(self, arguments: Arguments, script: Path) -> int:
        out = (arguments.out or Path(self.out)).expanduser().absolute()
        work = (arguments.work or out.with_name(f"{out.name}.work")).expanduser().absolute()
        folders = plugin_folders(arguments.plugin_dir, script)
        offer_folders(folders)
        ready = ready_steps(self.steps, arguments, folders, script.parent)
        models = given_models(self.inputs, arguments)
        _may_begin(arguments, out, work)
        work.mkdir(parents=True, exist_ok=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        # Two runs in one folder would mix their steps; the system frees the lock of a dead one.
        lock = FileLock(work / "worker.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise InUseError(f"The recipe in {work} is at work already.") from None
        try:
            request_path(work).unlink(missing_ok=True)
            run = RecipeRun(script, self.steps, ready, models, arguments, work, out)
            if not arguments.resume:
                run.forget()
            if not run.is_done() and out.exists() and not arguments.overwrite:
                raise _exists(out)
            code = run.execute()
            if code == exits.DONE:
                self._conclude(run, arguments, out)
            return code
        finally:
            lock.release()

    def _conclude(self, run: RecipeRun, arguments: Arguments, out: Path) -> None:
        made = run.last
        if made is not None:
            sys.stdout.write(f"Made {out}.\n{self._compared(made, arguments)}\n")
        if arguments.work is None:
            run.clear_up()

    def _compared(self, made: Artifact, arguments: Arguments) -> str:
        wanted = self.steps[-1].sha256
        if made.sha256 == wanted:
            return f"It is the same as where this recipe was exported, sha256 {made.sha256}."
        if not wanted:
            return f"Its sha256 is {made.sha256}."
        text = f"Its sha256 is {made.sha256}, and where this recipe was exported it was {wanted}"
        if arguments.chosen or arguments.any_model:
            return f"{text}: values or models were chosen that differ."
        return f"{text}: another processor or library rounds the last bits otherwise."

    def _description(self) -> str:
        return f"{self.title}, in {len(self.steps)} steps:\n\n{self._listed()}"

    def _listed(self) -> str:
        width = max(len(step.name) for step in self.steps)
        return "".join(
            f"{number:>3}  {step.name:{width}}  {step.title}\n" for number, step in enumerate(self.steps, 1)
        )


def _may_begin(arguments: Arguments, out: Path, work: Path) -> None:
    """Refuse what would throw work away, or hide that it was done."""
    if not arguments.resume and not arguments.overwrite and work.is_dir() and any(work.glob("*/asked.txt")):
        raise UsageError(
            f"{work} holds steps of an earlier run.",
            remedy="Add --resume to go on with them, or name another --work.",
        )
    if out.exists() and not arguments.overwrite and not arguments.resume:
        raise _exists(out)


def _exists(out: Path) -> UsageError:
    return UsageError(f"{out} exists already.", remedy="Choose another --out, or add --overwrite.")
