"""The flags that say how a model is loaded, shared by chat, generate and serve."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from workbench.engines.drafts import propose_draft
from workbench.engines.request import AdapterOptions, DraftOptions, EngineName, KvType, LoadOptions
from workbench.engines.wire import LoadReport
from workbench.errors import NotFoundError, UsageError
from workbench.library.load_history import Load
from workbench.model import ModelFormat
from workbench.session import Session


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model as a command names it.

    Attributes:
        id: Its id in the library; None for a path that the library does not know.
        name: What a person and a client call it.
        path: Its file or folder.
        format: Its format.
        architecture: For example `llama`.
    """

    id: str | None
    name: str
    path: Path
    format: ModelFormat
    architecture: str


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
        help="guess ahead with this model, from the prompt itself (ngram), or as the library proposes (auto)",
    )
    group.add_argument("--draft-tokens", type=_positive, default=4, help="tokens to guess at a time (4)")
    group.add_argument(
        "--kv-type", choices=get_args(KvType), default="f16", help="how keys and values are kept"
    )
    group.add_argument("--flash-attention", choices=("auto", "on", "off"), default="auto")
    group.add_argument("--gpu-layers", type=int, help="layers on the GPU; all that fit unless given")
    group.add_argument("--threads", type=_positive, help="CPU threads")
    group.add_argument(
        "--adapter", action="append", default=[], metavar="NAME=PATH", help="a LoRA adapter; repeatable"
    )
    group.add_argument(
        "--weights",
        choices=("as-is", "8-bit", "4-bit"),
        default="as-is",
        help="quantize while loading (torch)",
    )
    group.add_argument("--keep-prompts", action="store_true", help="keep computed prompts on disk")


def find_model(session: Session, key: str) -> NamedModel:
    """A model of the library by id or name, or any model by its path.

    Raises:
        NotFoundError: It is neither.
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
        name = path.stem if path.is_file() else path.resolve().name
        return NamedModel(None, name, path.resolve(), facts.format, facts.architecture or "")
    return NamedModel(record.id, record.name, record.path, _format(record.format), record.architecture or "")


def load_options(session: Session, model: NamedModel, arguments: argparse.Namespace) -> LoadOptions:
    """What the flags ask for.

    Raises:
        UsageError: An adapter is not given as NAME=PATH.
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
        adapters=tuple(map(_adapter, arguments.adapter)),
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
    path = find_model(session, arguments.draft).path
    return DraftOptions(kind="model", path=str(path), tokens=arguments.draft_tokens)


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


def _adapter(text: str) -> AdapterOptions:
    name, sign, path = text.partition("=")
    if not sign or not name or not path:
        raise UsageError(f"--adapter takes NAME=PATH, not {text!r}.")
    return AdapterOptions(name=name, path=str(Path(path).expanduser().resolve()))


def _format(text: str) -> ModelFormat:
    formats: dict[str, ModelFormat] = {"gguf": "gguf", "hf": "hf", "mlx": "mlx"}
    return formats[text]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
