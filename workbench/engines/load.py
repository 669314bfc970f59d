"""Loads a model into an engine: checks file, options and memory before, and what became of them after."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from workbench.engines.base import Engine, Rows, Tokenizer
from workbench.engines.choose import adapter_alone, choose_engine, conflicts
from workbench.engines.draft_model import ModelDrafter, check_same_vocabulary
from workbench.engines.plugin_draft import open_plugin_draft
from workbench.engines.prompt_store import PromptStore
from workbench.engines.prompting import Prompting
from workbench.engines.request import GREEDY, LoadOptions, Request
from workbench.engines.scheduler import Guessing, Scheduler
from workbench.engines.speculation import Drafter, NgramDrafter
from workbench.engines.wire import Finished, LoadReport, OptionCheck
from workbench.errors import ModelFileError, OutOfMemoryError, UsageError, WorkbenchError
from workbench.model import AdapterContainer, ModelFacts

Progress = Callable[[float], None]

#: What is asked after loading to see whether guesses are ever right. It repeats itself, as the n-gram drafter
#: lives from that, and any model goes on with it.
_PROBE_TEXT = "one two three four five six one two three four five six one two three four five six one two"
_PROBE_TOKENS = 24


def open_engine(options: LoadOptions, progress: Progress = lambda _fraction: None) -> Engine:
    """Load a model.

    Args:
        options: What and how.
        progress: Called with 0 to 1 while weights are read.

    Raises:
        ModelFileError: The file is damaged or not what it says.
        MissingExtraError: The engine is not installed.
        OutOfMemoryError: It would not fit, or did not.
        UsageError: Options that exclude each other, or an adapter without its base.
    """
    facts = _facts(Path(options.path))
    engine = choose_engine(options, [_container(Path(each.path)) for each in options.adapters])
    for conflict in conflicts(options, engine):
        if conflict.fatal:
            raise UsageError(conflict.problem, remedy=conflict.proposal)
    estimate = _check_memory(options, facts) if options.check_memory else 0
    if engine == "mlx":
        return _open_mlx(options, facts, estimate, progress)
    began = time.perf_counter()
    loaded = (
        _open_llama(options, facts, progress) if engine == "llama.cpp" else _open_torch(options, progress)
    )
    guessing = _guessing(options, loaded)
    report = LoadReport(
        engine=engine,
        version=loaded.version,
        device=loaded.device,
        context=loaded.rows.context,
        trained_context=loaded.trained_context or facts.context_length or 0,
        parallel=loaded.rows.count,
        vocabulary=loaded.tokenizer.vocabulary,
        architecture=loaded.architecture or facts.architecture or "",
        load_s=time.perf_counter() - began,
        memory_bytes=loaded.rows.memory_bytes(),
        estimated_bytes=estimate,
        has_template=loaded.template is not None,
        checks=loaded.checks,
        adapters=tuple(each.name for each in options.adapters),
    )
    scheduler = Scheduler(
        engine,
        loaded.rows,
        loaded.tokenizer,
        Prompting(loaded.tokenizer, loaded.template),
        report,
        guessing=guessing,
        store=_store(options, loaded.version),
    )
    if guessing is not None:
        _probe_draft(scheduler, options)
    return scheduler


def import_backend(options: LoadOptions) -> None:
    """Import what loading a model imports, where its time and memory are not to be taken for the model's.

    Raises:
        MissingExtraError: The engine is not installed.
        UsageError: It can't read the model.
    """
    engine = choose_engine(options)
    # What else is missing is said by loading, in its own words.
    with suppress(ImportError):
        if engine == "llama.cpp":
            import llama_cpp  # noqa: F401 - imported for the sake of having been
        elif engine == "torch":
            import torch  # noqa: F401 - as above

            # transformers imports a name's module when the name is asked for; this one brings most of it.
            from transformers import AutoModelForCausalLM, PreTrainedModel  # noqa: F401 - as above
        else:
            import mlx_lm  # noqa: F401 - as above
            from transformers import PreTrainedModel  # noqa: F401 - the tokenizer's library, as above


class _Loaded:
    """What a backend brings, in one shape for llama.cpp and torch."""

    def __init__(
        self,
        rows: Rows,
        tokenizer: Tokenizer,
        *,
        template: str | None,
        checks: tuple[OptionCheck, ...],
        device: str,
        version: str,
        trained_context: int = 0,
        architecture: str = "",
    ) -> None:
        self.rows = rows
        self.tokenizer = tokenizer
        self.template = template
        self.checks = checks
        self.device = device
        self.version = version
        self.trained_context = trained_context
        self.architecture = architecture
        self.reopen: Callable[[LoadOptions], tuple[Rows, Tokenizer]] | None = None


def _open_llama(options: LoadOptions, facts: ModelFacts, progress: Progress) -> _Loaded:
    from workbench.engines.llama import open_llama
    from workbench.engines.llama_checks import device_name, llama_checks
    from workbench.engines.llama_library import llama_library

    library = llama_library()
    found = open_llama(library, options, progress)
    loaded = _Loaded(
        found.rows,
        found.tokenizer,
        template=found.template,
        checks=llama_checks(library, options, found),
        device=device_name(library, options),
        version=f"llama-cpp-python {library.version}",
        trained_context=found.trained_context,
        architecture=found.architecture or facts.architecture or "",
    )

    def reopen(draft: LoadOptions) -> tuple[Rows, Tokenizer]:
        other = open_llama(library, draft, lambda _fraction: None)
        return other.rows, other.tokenizer

    loaded.reopen = reopen
    return loaded


def _open_torch(options: LoadOptions, progress: Progress) -> _Loaded:
    from workbench.engines.torch import open_torch

    rows, tokenizer, checks, device, version = open_torch(options, progress)
    loaded = _Loaded(
        rows,
        tokenizer,
        template=options.chat_template or tokenizer.chat_template,
        checks=checks,
        device=device,
        version=version,
    )

    def reopen(draft: LoadOptions) -> tuple[Rows, Tokenizer]:
        other_rows, other_tokenizer, *_rest = open_torch(draft, lambda _fraction: None)
        return other_rows, other_tokenizer

    loaded.reopen = reopen
    return loaded


def _open_mlx(options: LoadOptions, facts: ModelFacts, estimate: int, progress: Progress) -> Engine:
    from workbench.engines.mlx import batched, draft_rows, load_mlx, runs_singly
    from workbench.engines.mlx_rows import MlxRows

    model, prompting, report = load_mlx(options, facts, estimate, progress)
    if not runs_singly(options):
        return batched(model, prompting, report)
    loaded = _Loaded(
        MlxRows(model, kv_type=options.kv_type, adapters=bool(options.adapters)),
        model.tokenizer,
        template=None,
        checks=report.checks,
        device=model.device,
        version=model.version,
    )
    loaded.reopen = draft_rows
    scheduler = Scheduler(
        "mlx",
        loaded.rows,
        model.tokenizer,
        prompting,
        report,
        guessing=_guessing(options, loaded),
        store=_store(options, model.version),
    )
    _probe_draft(scheduler, options)
    return scheduler


def _guessing(options: LoadOptions, loaded: _Loaded) -> Guessing | None:
    draft = options.draft
    if draft is None or options.embeddings:
        return None
    if not loaded.rows.capabilities.truncate:
        raise UsageError(
            "This model's state can't be taken back by single tokens, which guessing ahead needs.",
            remedy="Load it without a draft.",
        )
    drafter: Drafter = NgramDrafter()
    if draft.kind == "plugin":
        try:
            drafter = open_plugin_draft(draft, loaded.tokenizer)
        except WorkbenchError:
            loaded.rows.close()
            raise
    elif draft.kind == "model":
        if loaded.reopen is None:
            raise UsageError("This engine takes no draft model.")
        _facts(Path(draft.path))
        rows, tokenizer = loaded.reopen(
            LoadOptions(
                path=draft.path,
                format=options.format,
                context=loaded.rows.context,
                parallel=loaded.rows.count,
                gpu_layers=options.gpu_layers,
                threads=options.threads,
                flash_attention=options.flash_attention,
            )
        )
        try:
            check_same_vocabulary(loaded.tokenizer, tokenizer)
        except UsageError:
            rows.close()
            loaded.rows.close()
            raise
        drafter = ModelDrafter(rows)
    return Guessing(drafter, max(1, min(16, draft.tokens)))


def _probe_draft(scheduler: Scheduler, options: LoadOptions) -> None:
    """Generate a few tokens to see whether any guess is right; the check says so."""
    draft = options.draft
    if draft is None:
        return
    request = Request(
        id="probe",
        prompt=_PROBE_TEXT,
        sampling=msgspec.structs.replace(GREEDY, max_tokens=_PROBE_TOKENS, ignore_end=True),
        reuse=False,
    )
    scheduler.add(request)
    drafted = accepted = 0
    while scheduler.active or scheduler.waiting:
        for each in scheduler.step():
            if isinstance(each, Finished):
                drafted, accepted = each.figures.drafted, each.figures.accepted
    what = {"ngram": "prompt n-grams", "plugin": draft.name, "model": Path(draft.path).name}[draft.kind]
    rate = f"{accepted} of {drafted} guesses right" if drafted else "no guess was made"
    scheduler.add_check(
        OptionCheck(
            option="draft",
            requested=what,
            actual=f"{what}: {rate} on a short probe",
            active=accepted > 0,
            note="" if accepted else "Guesses may still be right on your own text; each answer counts them.",
        )
    )


def _facts(path: Path) -> ModelFacts:
    """What the header says, read by the bounded reader before any native loader sees the file."""
    from workbench.library.inspect import inspect

    facts = inspect(path)
    if facts.adapter is not None:
        raise adapter_alone(str(path), facts.adapter.base)
    return facts


def _container(path: Path) -> AdapterContainer:
    """The form of an adapter, read by the bounded reader before any native loader sees it.

    Raises:
        ModelFileError: It is no adapter.
    """
    from workbench.library.inspect import inspect

    adapter = inspect(path).adapter
    if adapter is None:
        raise ModelFileError(
            path, "it is a model, not an adapter.", remedy="Load it without the other model."
        )
    return adapter.container


def _check_memory(options: LoadOptions, facts: ModelFacts) -> int:
    """The estimate in bytes.

    Raises:
        OutOfMemoryError: It would not fit anywhere.
    """
    from workbench.library.fit import estimate

    context = options.context or min(facts.context_length or 8192, 8192)
    found = estimate(facts, context=context, batch=options.parallel)
    if found.places and not any(place.fits for place in found.places):
        largest = f" A context of {found.largest_context} would fit." if found.largest_context else ""
        raise OutOfMemoryError(
            f"{Path(options.path).name} needs about {found.total_bytes / 1e9:.1f} GB with"
            f" {options.parallel} × {context} tokens of context; that is more than is free.{largest}",
            remedy="Choose a smaller context, fewer parallel requests, or a smaller model.",
        )
    return found.total_bytes


def _store(options: LoadOptions, version: str) -> PromptStore | None:
    if options.prompt_cache is None:
        return None
    path = Path(options.path)
    stamp = path.stat()
    # A state fits one file, one cache type and one version of the backend only.
    mark = f"{path.resolve()}|{stamp.st_size}|{stamp.st_mtime_ns}|{options.kv_type}|{version}"
    return PromptStore(Path(options.prompt_cache) / hashlib.sha256(mark.encode()).hexdigest()[:16])
