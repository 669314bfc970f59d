"""The flags that say how a model is loaded, shared by chat, generate and serve."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from workbench.engines.choose import adapter_alone
from workbench.engines.drafts import propose_draft
from workbench.engines.request import AdapterOptions, DraftOptions, EngineName, KvType, LoadOptions
from workbench.engines.wire import LoadReport
from workbench.errors import NotFoundError, UsageError
from workbench.library.bases import base_to_load, no_base
from workbench.library.load_history import Load
from workbench.library.records import ModelRecord
from workbench.model import ModelFormat
from workbench.plugin_home.drafting import draft_of
from workbench.session import Session

#: How `--draft` names a drafter that a plugin offers.
_OF_PLUGIN = "plugin:"


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model as a command names it.

    Attributes:
        id: Its id in the library; None for a path that the library does not know.
        name: What a person and a client call it.
        path: Its file or folder.
        format: Its format.
        architecture: For example `llama`.
        adapters: What is loaded beside it, where an adapter was named: then all else is its base's.
    """

    id: str | None
    name: str
    path: Path
    format: ModelFormat
    architecture: str
    adapters: tuple[AdapterOptions, ...] = ()


def add_load_flags(parser: argparse.ArgumentParser, *, parallel: int) -> None:
    """The flags that `load_options` reads.

    Args:
        parser: Where they are added.
        parallel: How many requests at once, unless said otherwise.
    """
    group = parser.add_argument_group("loading")
    group.add_argument(
        "--engine", choices=get_args(EngineName), help="chosen by format and machine unless given"
    )
    group.add_argument("--context", type=_positive, help="longest conversation in tokens")
    group.add_argument("--parallel", type=_positive, default=parallel, help=f"requests at once ({parallel})")
    group.add_argument(
        "--draft",
        metavar="MODEL",
        help="guess ahead with this model, from the prompt itself (ngram), as the library proposes (auto), "
        "or as a plugin does (plugin:NAME)",
    )
    group.add_argument("--draft-tokens", type=_positive, default=4, help="tokens to guess at a time (4)")
    group.add_argument(
        "--kv-type", choices=get_args(KvType), default="f16", help="how keys and values are kept"
    )
    group.add_argument("--flash-attention", choices=("auto", "on", "off"), default="auto")
    group.add_argument("--gpu-layers", type=int, help="layers on the GPU; all that fit unless given")
    group.add_argument("--threads", type=_positive, help="CPU threads")
    group.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a LoRA adapter, or one of the library by its id or name; repeatable",
    )
    group.add_argument(
        "--weights",
        choices=("as-is", "8-bit", "4-bit"),
        default="as-is",
        help="quantize while loading (torch)",
    )
    group.add_argument("--keep-prompts", action="store_true", help="keep computed prompts on disk")


def find_model(session: Session, key: str) -> NamedModel:
    """A model of the library by id or name, or any model by its path; an adapter means its base with it on.

    Raises:
        NotFoundError: It is neither, or an adapter whose base is not in the library.
        ModelFileError: What lies at the path is no model.
    """
    try:
        record = session.library.get(key)
    except NotFoundError:
        path = Path(key).expanduser()
        if not path.exists():
            raise
        from workbench.library.inspect import inspect

        facts = inspect(path)
        if facts.adapter is not None:
            raise adapter_alone(str(path), facts.adapter.base) from None
        name = path.stem if path.is_file() else path.resolve().name
        return NamedModel(None, name, path.resolve(), facts.format, facts.architecture or "")
    alone = record.format != "adapter"
    base = record if alone else _base_of(session, record)
    return NamedModel(
        record.id,
        record.name,
        base.path,
        _format(base.format),
        base.architecture or "",
        adapters=() if alone else (_named_adapter(record),),
    )


def load_options(session: Session, model: NamedModel, arguments: argparse.Namespace) -> LoadOptions:
    """What the flags ask for.

    Raises:
        UsageError: An adapter is neither given as NAME=PATH nor in the library.
        NotFoundError: The draft model is not known.
    """
    flash = {"auto": None, "on": True, "off": False}
    return LoadOptions(
        path=str(model.path),
        format=model.format,
        engine=arguments.engine,
        context=arguments.context,
        parallel=arguments.parallel,
        gpu_layers=arguments.gpu_layers,
        kv_type=arguments.kv_type,
        flash_attention=flash[arguments.flash_attention],
        draft=_draft(session, model, arguments),
        adapters=(*model.adapters, *(_adapter(session, each) for each in arguments.adapter)),
        threads=arguments.threads,
        weights=arguments.weights,
        prompt_cache=str(session.home.cache / "prompts") if arguments.keep_prompts else None,
    )


def tell_report(report: LoadReport) -> None:
    """Say on standard error what was loaded, and which options did not take effect."""
    said = (
        f"{report.engine} on {report.device}: context {report.context}, loaded in {report.load_s:.1f} s,"
        f" {report.memory_bytes / 1e9:.2f} GB"
    )
    sys.stderr.write(said + "\n")
    for check in report.checks:
        if not check.active or check.note:
            mark = "note" if check.active else "not active"
            said = f"asked for {check.requested}, is {check.actual}. {check.note}".rstrip()
            sys.stderr.write(f"  {check.option}: {mark}: {said}\n")


def record_load(session: Session, model: NamedModel, report: LoadReport, peak_bytes: int) -> None:
    """Remember what the model really took, so that the next estimate is better."""
    if report.estimated_bytes and peak_bytes > 0:
        session.loads.record(
            Load(
                architecture=model.architecture,
                engine=report.engine,
                format=model.format,
                context=report.context,
                batch=report.parallel,
                estimated_bytes=report.estimated_bytes,
                measured_bytes=peak_bytes,
            ),
            model_id=model.id,
            created_at=time.time(),
        )


def _draft(session: Session, model: NamedModel, arguments: argparse.Namespace) -> DraftOptions | None:
    if arguments.draft is None:
        return None
    if arguments.draft == "ngram":
        return DraftOptions(kind="ngram", tokens=arguments.draft_tokens)
    if arguments.draft == "auto":
        return _proposed(session, model, arguments.draft_tokens)
    if arguments.draft.startswith(_OF_PLUGIN):
        return _of_plugin(session, arguments.draft.removeprefix(_OF_PLUGIN), arguments.draft_tokens)
    path = find_model(session, arguments.draft).path
    return DraftOptions(kind="model", path=str(path), tokens=arguments.draft_tokens)


def _of_plugin(session: Session, name: str, tokens: int) -> DraftOptions:
    return draft_of(session.home, session.catalogue.drafter(name), tokens)


def _proposed(session: Session, model: NamedModel, tokens: int) -> DraftOptions:
    """The draft that the library proposes for a model; the prompt itself where it holds none."""
    models = session.library.list()
    record = next((each for each in models if each.id == model.id), None)
    found = propose_draft(record, models) if record is not None else None
    if found is None:
        sys.stderr.write(
            "No smaller model of this kind is in the library: guessing from the prompt itself.\n"
        )
        return DraftOptions(kind="ngram", tokens=tokens)
    sys.stderr.write(f"Guessing with {found.name} ({found.quantization}).\n")
    return DraftOptions(kind="model", path=str(found.path), tokens=tokens)


def _adapter(session: Session, text: str) -> AdapterOptions:
    name, sign, path = text.partition("=")
    if sign and name and path:
        return AdapterOptions(name=name, path=str(Path(path).expanduser().resolve()))
    try:
        record = session.library.get(text)
    except NotFoundError as error:
        raise UsageError(
            f"--adapter takes NAME=PATH or an adapter of the library, not {text!r}.", remedy=error.message
        ) from error
    if record.format != "adapter":
        raise UsageError(f"{record.name} is a model, not an adapter.")
    return _named_adapter(record)


def _named_adapter(record: ModelRecord) -> AdapterOptions:
    return AdapterOptions(name=record.name, path=str(record.path))


def _base_of(session: Session, record: ModelRecord) -> ModelRecord:
    """The model that an adapter is loaded with.

    Raises:
        NotFoundError: The library does not hold it.
    """
    adapter = session.library.facts(record.id).adapter
    if adapter is None:
        raise NotFoundError(f"{record.name} is no adapter any more.", remedy="Add it again.")
    base = base_to_load(record, adapter.container, session.library.list())
    if base is None:
        raise no_base(record, adapter)
    return base


def _format(text: str) -> ModelFormat:
    formats: dict[str, ModelFormat] = {"gguf": "gguf", "hf": "hf", "mlx": "mlx"}
    return formats[text]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
