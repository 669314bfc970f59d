"""The worker: what `job.py` runs, in a process of its own, with nobody needed to listen."""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from filelock import FileLock, Timeout

from workbench.data.plugin_reader import PluginReader, use_data_readers
from workbench.errors import InUseError, PluginError, UsageError, WorkbenchError
from workbench.jobs import exits, publish
from workbench.jobs.arguments import Arguments, parse, plugin_dir
from workbench.jobs.beginning import begins_with_spec, spec_of_run, this_machine
from workbench.jobs.context import WorkerContext, default_threads
from workbench.jobs.events import Artifact, Event, Input, Spec, State, now
from workbench.jobs.expected import Expected
from workbench.jobs.input_checks import check_file, check_model, found_beside
from workbench.jobs.last_word import last_word
from workbench.jobs.leaving import leave_at_once
from workbench.jobs.loading import load_operation, offer_folders, offered_folders, plugin_folders
from workbench.jobs.processes import offer_to_end_first
from workbench.jobs.ranks import folder_of_rank, launch_rank
from workbench.jobs.reading_back import read_back
from workbench.jobs.refusing import refuse
from workbench.jobs.sampler import Sampler
from workbench.jobs.sink import EventSink
from workbench.jobs.spec import JobSpec, ModelInput, ReaderInput
from workbench.jobs.stop_requests import Requests, request_path
from workbench.jobs.story import forget_told, keep_told
from workbench.jobs.terminal import TerminalWatch
from workbench.jobs.verify import SeenEnough, Verification
from workbench.model import Model
from workbench.params import validate
from workbench.plugin import Operation

__all__ = ["Job", "ModelInput"]


class Job:
    """One operation with fixed parameters: the content of a `job.py`. `main` runs it."""

    def __init__(
        self,
        *,
        operation: str,
        plugin: str,
        output_name: str,
        params: Mapping[str, Any],
        model: ModelInput | None = None,
        files: Mapping[str, Sequence[str]] = {},
        readers: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        expected: Mapping[str, Any] = {},
    ) -> None:
        self.operation = operation
        self.plugin = plugin
        self.output_name = output_name
        self.params = dict(params)
        self.model = model
        self.files = files
        self.readers = tuple(ReaderInput.model_validate(each) for each in readers)
        self.seed = seed
        self.expected = expected

    def main(self, argv: Sequence[str] | None = None, *, prog: str = "job.py") -> int:
        """Run the job as the command line says; see `--help`.

        Args:
            prog: What the help calls the script.

        Returns:
            The exit code: 0 done, 1 failed, 2 wrong use, 75 paused, 130 cancelled. A script that was stopped
            while it ran by its own command line ends here.
        """
        words = list(sys.argv[1:] if argv is None else argv)
        script = Path(sys.argv[0]).absolute()
        folders = plugin_folders(plugin_dir(words), script)
        offer_folders(folders)
        try:
            operation = load_operation(self.plugin, self.operation, folders)
        except WorkbenchError as error:
            return refuse(words, error)
        arguments = parse(
            words,
            description=f"{operation.title}: {operation.documentation}",
            fields=operation.fields,
            defaults=self.params,
            takes_model=operation.input is not None,
            prog=prog,
        )
        try:
            check = self._verification(operation) if arguments.verify else None
            folder, target = self._places(operation, arguments)
        except (WorkbenchError, OSError) as error:
            return refuse(words, error)
        rank = launch_rank()
        if rank:
            # The first of several processes that run this script leads, and what the others make is dropped.
            folder, target = _made(folder_of_rank(folder, rank)), None
        # Two workers in one folder would mix their checkpoints; the system frees the lock of a dead one.
        lock = FileLock(folder / "worker.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            sys.stderr.write(f"{InUseError(f'The job in {folder} is at work already.')}\n")
            return exits.FAILED
        if arguments.job_dir is None:
            request_path(folder).unlink(missing_ok=True)
            if not arguments.resume:
                forget_told(folder)
        try:
            code = _Run(self, operation, arguments, folder, target, script.parent, check).execute()
        finally:
            lock.release()
            if rank or arguments.verify:
                shutil.rmtree(folder, ignore_errors=True)
        if argv is None and code in (exits.CANCELLED, exits.PAUSED):
            leave_at_once(code)
        return code

    def data_readers(self) -> tuple[PluginReader, ...]:
        """What reads files of kinds that Tenfold does not know, with where the plugins lie."""
        folders = tuple(map(str, offered_folders()))
        return tuple(PluginReader(**each.model_dump(), folders=folders) for each in self.readers)

    def _verification(self, operation: Operation) -> Verification:
        if not self.expected:
            raise UsageError(
                "This script carries no figures to compare with.",
                remedy="Export it from a job that is done.",
            )
        expected = msgspec.convert(dict(self.expected), Expected)
        return Verification(expected, repeatable=operation.reproducible)

    def _places(self, operation: Operation, arguments: Arguments) -> tuple[Path, Path | None]:
        """The job's folder, and where the result is moved at the end: None where it stays in the folder."""
        if arguments.job_dir is not None and arguments.out is None and not arguments.verify:
            return _made(arguments.job_dir.absolute()), None
        default = Path(f"{self.output_name}.gguf" if operation.output == "gguf" else self.output_name)
        target = (arguments.out or default).expanduser().absolute()
        if arguments.verify:
            return _made(target.with_name(target.name + ".verify")), None
        places = [target]
        if arguments.out is None and operation.output in ("any", "adapter"):
            places.append(target.with_name(f"{target.name}.gguf"))
        for place in places:
            if place.exists() and not arguments.overwrite:
                raise UsageError(
                    f"{place} exists already.", remedy="Choose another --out, or add --overwrite."
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the result, so that moving it into place is one rename on one disk.
        return _made((arguments.job_dir or target.with_name(target.name + ".job")).absolute()), target


class _Run:
    """One run of a job."""

    def __init__(
        self,
        job: Job,
        operation: Operation,
        arguments: Arguments,
        folder: Path,
        target: Path | None,
        beside: Path,
        check: Verification | None = None,
    ) -> None:
        self._job = job
        self._operation = operation
        self._arguments = arguments
        self._folder = folder
        self._target = target
        self._beside = beside
        self._check = check
        self._out = folder / "out"
        self._requests = Requests(folder)
        self._sink: EventSink | None = None
        self._sampler: Sampler | None = None
        self._context: WorkerContext | None = None

    def execute(self) -> int:
        faulthandler.enable()
        self._requests.listen()
        try:
            events = self._folder / "events.jsonl"
            stated = begins_with_spec(events)
            self._sink = EventSink(events, self._watch())
            if not stated:
                self._emit(Spec(now(), self._spec().model_dump(mode="json")))
            self._emit(State(now(), "running", pid=os.getpid()))
            self._emit(this_machine())
            self._prepare_environment()
            artifact = self._work(self._sink)
        except BaseException as problem:  # noqa: BLE001 - whatever it was, the job has a last word
            return self._end_with(problem)
        return self._finish(artifact)

    def _spec(self, sha256: str | None = None) -> JobSpec:
        """What this run does, for whoever takes its result back; `sha256` where the model is another one."""
        values = {**self._job.params, **self._arguments.values}
        named = self._job.model
        if named is not None:
            path = self._arguments.model or named.path
            named = named.model_copy(update={"path": path, "sha256": sha256 or named.sha256})
        return spec_of_run(
            self._operation,
            self._job.plugin,
            values,
            model=named,
            seed=self._seed,
            output_name=self._job.output_name,
            readers=self._job.readers,
        )

    @property
    def _seed(self) -> int:
        return self._job.seed if self._arguments.seed is None else self._arguments.seed

    def _watch(self) -> Callable[[Event], None]:
        shown = TerminalWatch(log=self._folder / "log.txt")
        check = self._check
        if check is None:
            return shown

        def both(event: Event) -> None:
            shown(event)
            check(event)

        return both

    def _prepare_environment(self) -> None:
        """What backends read when they are first imported."""
        offer_to_end_first()
        threads = str(self._arguments.threads or default_threads())
        os.environ.setdefault("OMP_NUM_THREADS", threads)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        if self._operation.needs != "network":
            # Nothing may reach for the hub behind the person's back.
            os.environ["HF_HUB_OFFLINE"] = "1"

    def _work(self, sink: EventSink) -> Artifact:
        if self._check is not None or not self._arguments.resume:
            _empty(self._folder / "checkpoints")
        (self._folder / "checkpoints").mkdir(exist_ok=True)
        publish.discard_all(self._out)
        staging = publish.new_staging(self._out)
        context = WorkerContext(
            folder=self._folder,
            out=staging,
            sink=sink,
            requests=self._requests,
            seed=self._seed,
            threads=self._arguments.threads,
            output_name=self._job.output_name,
            stop_now=self._stop_now,
        )
        self._context = context
        use_data_readers(self._job.data_readers(), context.check)
        if self._check is not None:
            self._check.stop = context.fail
        self._sampler = Sampler(self._emit, context.take_amounts, context.fail)
        self._sampler.start()
        result = self._run_operation(context)
        context.check()
        placed = publish.publish(result, staging, self._job.output_name, context.check)
        result = self._moved(placed)
        return read_back(self._operation, result, self._folder, self._job.output_name, context.check)

    def _run_operation(self, context: WorkerContext) -> Path:
        operation = self._operation
        values = validate(operation.fields, {**self._job.params, **self._arguments.values})
        kinds = {field.name: field.kind for field in operation.fields}
        for name, value in values.items():
            if kinds[name] == "path" and value:
                values[name] = self._files(name, [value], context)[0]
            elif kinds[name] == "paths" and value:
                values[name] = self._files(name, value, context)
        params = operation.params(**values)
        if operation.input is None:
            returned: object = operation.run(context, params)
        else:
            returned = operation.run(context, self._model(context), params)
        if not isinstance(returned, str | os.PathLike):
            raise PluginError(
                f"{operation.title} returned {returned!r:.100}, which is no path.",
                remedy="An operation must return the file or folder that it built below job.out.",
            )
        return Path(returned)

    def _model(self, context: WorkerContext) -> Model:
        if self._arguments.model is None:
            raise UsageError("No model was named.", remedy="Add --model PATH.")
        # Imported here: a download needs no model, and the readers take a tenth of a second.
        from workbench.library.inspect import inspect

        path = self._arguments.model.expanduser().absolute()
        facts = inspect(path)
        # `any` means every model, and an adapter is none.
        takes = ("any", facts.format) if facts.format != "adapter" else ("adapter",)
        if self._operation.input not in takes:
            raise UsageError(
                f"{path.name} is a model of the format {facts.format}, and {self._operation.name} takes "
                f"{self._operation.input}.",
                remedy="Convert it first, or choose another operation.",
            )
        named, known = self._job.model, self._arguments.model_sha256
        expected = named.sha256 if named else None
        sha256 = known
        if expected is not None:
            sha256 = check_model(
                path,
                facts,
                expected,
                context,
                known=known,
                any_model=self._arguments.any_model,
                strict=self._check is not None,
            )
        if sha256 == expected or named is None or expected is None:
            return Model(path=path, name=named.name if named else path.stem, sha256=sha256, facts=facts)
        self._emit(Spec(now(), self._spec(sha256).model_dump(mode="json")))
        return Model(path=path, name=path.stem, sha256=sha256, facts=facts)

    def _files(self, name: str, paths: Sequence[str], context: WorkerContext) -> list[str]:
        """Where the files of a parameter lie, compared with those that the job was made with."""
        places = [found_beside(name, each, (self._folder, self._beside)) for each in paths]
        known = self._job.files.get(name, ())
        hashes = [
            check_file(
                name,
                Path(place),
                known[number] if number < len(known) else "",
                context,
                chosen=name in self._arguments.values,
                strict=self._check is not None,
            )
            for number, place in enumerate(places)
        ]
        self._emit(Input(now(), name, tuple(hashes)))
        return places

    def _moved(self, placed: Path) -> Path:
        """Give the result the place that `--out` named."""
        if self._target is None:
            return placed
        whole = self._out / placed.relative_to(self._out).parts[0]
        target = self._target
        if self._arguments.out is None and whole.is_file() and whole.suffix == ".gguf" != target.suffix:
            # What it would be was open until now: an adapter is a folder or a file.
            target = target.with_name(f"{target.name}.gguf")
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        publish.move(whole, target)
        return target if whole == placed else target / placed.name

    def _finish(self, artifact: Artifact) -> int:
        if self._check is not None:
            return self._verified(self._check, artifact.sha256)
        try:
            self._quiet()
            self._emit(artifact)
            self._emit(State(now(), "done"))
        except OSError as problem:
            return self._end_with(problem)
        self._close()
        _empty(self._folder / "checkpoints")
        if self._target is not None and self._arguments.job_dir is None:
            keep_told(self._folder)
        return exits.DONE

    def _verified(self, check: Verification, sha256: str | None) -> int:
        """Say what agreed; nothing is left of the run."""
        self._quiet()
        self._close()
        agreed, lines = check.outcome(sha256)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        return exits.DONE if agreed else exits.FAILED

    def _end_with(self, problem: BaseException) -> int:
        if self._check is not None and isinstance(problem, SeenEnough):
            return self._verified(self._check, None)
        word = last_word(problem, self._folder)
        if self._sink is not None:
            self._sink.make_room()
        try:
            # The staging folder goes first: on a full disk its space is what the last word needs.
            publish.discard_all(self._out)
            if word.state == "cancelled":
                _empty(self._folder / "checkpoints")
            self._quiet()
            if word.error is not None:
                self._emit(_redacted(word.error, self._context))
            self._emit(State(now(), word.state, reason=word.error.message if word.error else ""))
        except OSError as unsaid:
            sys.stderr.write(f"The last word could not be written: {unsaid}\n{word}\n")
        self._close()
        if isinstance(problem, SystemExit | GeneratorExit):
            return exits.FAILED
        return word.code

    def _stop_now(self, problem: BaseException) -> NoReturn:
        """End without waiting for a native call that doesn't listen."""
        code = self._end_with(problem)
        sys.stderr.flush()
        os._exit(code)

    def _quiet(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()
        if self._context is not None:
            self._context.flush()

    def _emit(self, event: Event) -> None:
        if self._sink is not None:
            self._sink.emit(event)

    def _close(self) -> None:
        if self._sink is not None:
            self._sink.close()
        if self._check is not None:
            # Here too: what is stopped in native code goes no further.
            shutil.rmtree(self._folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _empty(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _redacted(error: Any, context: WorkerContext | None) -> Any:
    if context is None:
        return error
    from msgspec.structs import replace

    return replace(
        error,
        message=context.redact(error.message),
        remedy=context.redact(error.remedy),
        details=context.redact(error.details),
    )
