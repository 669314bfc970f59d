"""Runs the steps of a recipe one after the other, each as a job in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import UsageError
from workbench.jobs import exits
from workbench.jobs.events import Artifact
from workbench.jobs.stop_requests import Requests, request_path
from workbench.params import joined_paths
from workbench.recipes.arguments import Arguments
from workbench.recipes.kept import Kept, fingerprint
from workbench.recipes.prepared import GivenModel, ReadyStep
from workbench.recipes.steps import FromInput, FromStep, Source, Step

#: The first word of a command line that runs one step.
STEP_FLAG = "--step"
#: Between two looks whether a step has ended, or was asked to, in seconds.
_TICK_S = 0.1


class RecipeRun:
    """One run of a recipe.

    Args:
        script: The recipe's file, which runs each step.
        work: The folder that holds a folder for each step.
        out: Where the last result goes.
    """

    def __init__(
        self,
        script: Path,
        steps: Sequence[Step],
        ready: Mapping[str, ReadyStep],
        models: Mapping[str, GivenModel],
        arguments: Arguments,
        work: Path,
        out: Path,
    ) -> None:
        self._script = script
        self._steps = tuple(steps)
        self._ready = ready
        self._models = models
        self._arguments = arguments
        self._work = work
        self._out = out
        self._kept = {
            step.name: Kept(work / f"{number:02d}-{step.name}") for number, step in enumerate(steps, 1)
        }
        self._whole: dict[str, bool] = {}

    @property
    def last(self) -> Artifact | None:
        """What the last step made; None where it is not done."""
        return self._made(self._steps[-1])

    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self._is_there(self._steps[-1])

    def forget(self) -> None:
        """Begin anew: nothing of earlier runs counts."""
        for kept in self._kept.values():
            kept.forget()

    def execute(self) -> int:
        """Run what is not done yet. Returns the exit code of the step that ended it, 0 where all are done."""
        requests = Requests(self._work)
        requests.listen()
        needed = self._needed()
        for number, step in enumerate(self._steps, 1):
            line = f"{number} of {len(self._steps)}: {step.title}"
            if step.name not in needed:
                done = self._made(step) is not None
                self._say(f"{line}: done already." if done else f"{line}: not needed.")
                continue
            self._say(f"{line}.")
            code = self._run(step, requests)
            if code != exits.DONE:
                self._say(f"Step {number} of {len(self._steps)} ({step.name}) {_ending(code)}")
                return code
        return exits.DONE

    def clear_up(self) -> None:
        """Remove what was made in between; what the steps told stays."""
        for kept in self._kept.values():
            kept.drop_result()

    # ------------------------------------------------------------------ what is to do

    def _needed(self) -> set[str]:
        """The steps that must run: those whose result is not there and leads to the last one."""
        needed: set[str] = set()
        waiting = [self._steps[-1]]
        while waiting:
            step = waiting.pop()
            if step.name in needed or self._is_there(step):
                continue
            needed.add(step.name)
            waiting += [self._named(each.name) for each in self._sources(step) if isinstance(each, FromStep)]
        return needed

    def _is_there(self, step: Step) -> bool:
        made = self._made(step)
        if made is None:
            return False
        if step is self._steps[-1] and not self._kept[step.name].result(made).is_relative_to(self._out):
            return False  # an earlier run put it elsewhere
        if step.name not in self._whole:
            self._whole[step.name] = self._kept[step.name].is_whole(made)
        return self._whole[step.name]

    def _made(self, step: Step) -> Artifact | None:
        """What a step made of just these inputs; its file may be gone by now."""
        asked = self._asked(step)
        return self._kept[step.name].artifact(asked) if asked else None

    def _sources(self, step: Step) -> list[Source]:
        return list(step.sources(self._arguments.chosen.get(step.name, {})))

    def _asked(self, step: Step) -> str:
        """What is asked of a step, as one text; empty while it is open what it starts from."""
        hashes = []
        for source in self._sources(step):
            content = self._content(source)
            if content is None:
                return ""
            hashes.append(content)
        ready = self._ready[step.name]
        plain = {
            name: value
            for name, value in ready.values.items()
            if name not in ready.files or not all(ready.files[name])
        }
        return fingerprint(
            {
                "operation": step.job.operation,
                "plugin": step.job.plugin,
                "seed": step.job.seed,
                "values": plain,
                "files": ready.files,
                "sources": hashes,
            }
        )

    def _content(self, source: Source) -> str | None:
        if isinstance(source, FromInput):
            given = self._models[source.name]
            return given.sha256 or str(given.path)
        made = self._made(self._named(source.name))
        return made.sha256 if made is not None else None

    # ------------------------------------------------------------------ one step

    def _run(self, step: Step, requests: Requests) -> int:
        kept = self._kept[step.name]
        goes_on = kept.begin(self._asked(step))
        self._whole.pop(step.name, None)
        child = subprocess.Popen(self._command(step, kept.folder, resume=goes_on))
        asked = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = child.wait(_TICK_S)
                break
            if requests.poll() != asked:
                # Ctrl+C reaches the step by itself; a signal or a request to this process does not.
                asked = requests.asked
                request_path(kept.folder).write_text(asked or "", encoding="utf-8")
        if code == exits.DONE and asked is not None and step is not self._steps[-1]:
            # It was too late for this step, and is in time for the next.
            return exits.PAUSED if asked == "pause" else exits.CANCELLED
        # As a shell reports the end by a signal.
        return code if code >= 0 else 128 - code

    def _command(self, step: Step, folder: Path, *, resume: bool) -> list[str]:
        words = [sys.executable, str(self._script), STEP_FLAG, step.name, "--job-dir", str(folder)]
        if step.start is not None:
            words += ["--model", str(self._place(step.start))]
            content = self._content(step.start)
            if isinstance(step.start, FromStep) or self._models[step.start.name].sha256:
                words += ["--model-sha256", content or ""]
            if self._arguments.any_model:
                words.append("--any-model")
        for name, text in self._texts(step).items():
            words += ["--set", f"{name}={text}"]
        if step is self._steps[-1]:
            words += ["--out", str(self._out)]
            words += ["--overwrite"] if self._arguments.overwrite else []
        if resume:
            words.append("--resume")
        if self._arguments.threads is not None:
            words += ["--threads", str(self._arguments.threads)]
        if self._arguments.plugin_dir is not None:
            words += ["--plugin-dir", str(self._arguments.plugin_dir)]
        return words

    def _texts(self, step: Step) -> dict[str, str]:
        """What a step can't know from the recipe's file: what was set, and where files lie."""
        ready = self._ready[step.name]
        texts = dict(self._arguments.chosen.get(step.name, {}))
        for field in ready.operation.fields:
            value = ready.values.get(field.name)
            if field.kind in ("path", "paths") and value:
                texts[field.name] = self._text(value)
        return texts

    def _text(self, value: Any) -> str:
        if isinstance(value, list):
            return joined_paths([self._text(each) for each in value])
        return str(self._place(value)) if isinstance(value, FromInput | FromStep) else str(value)

    def _place(self, source: Source) -> Path:
        if isinstance(source, FromInput):
            return self._models[source.name].path
        made = self._made(self._named(source.name))
        if made is None:
            raise UsageError(f"The step {source.name} has to run before what is made of its result.")
        return self._kept[source.name].result(made)

    def _named(self, name: str) -> Step:
        return next(step for step in self._steps if step.name == name)

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _ending(code: int) -> str:
    match code:
        case exits.PAUSED:
            return "is paused. --resume goes on from there."
        case exits.CANCELLED:
            return "was cancelled. --resume goes on with this step from its beginning."
        case exits.USAGE:
            return "was refused: see above."
    if code > 128:
        return f"died. {exits.words(code)} --resume goes on with it."
    return "failed: see above. --resume goes on with it."
