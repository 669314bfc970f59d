"""`tenfold data`: look at examples for fine-tuning before anything is trained."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from workbench.catalogue import Catalogue
from workbench.cli import data_sample
from workbench.cli.answer import Answer, size
from workbench.data.fields import fields_in
from workbench.data.layout import Layout, said
from workbench.data.preview import PreviewRow, preview
from workbench.data.rendering import Trained
from workbench.data.report import DataReport, report
from workbench.data.sides import BadRows, LongRows, SideChoices, sides_of
from workbench.data.tokenizing import Recipe
from workbench.engines.arithmetic import matmul_flops
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.errors import UsageError
from workbench.hardware import machine, physical_cores
from workbench.home import Home
from workbench.library.records import ModelRecord
from workbench.model import ModelFacts
from workbench.plugin_home.data_readers import use_readers_for
from workbench.session import Session
from workbench.tuning.choices import Backend, TuningChoices, choices_of
from workbench.tuning.defaults import Default, good_defaults
from workbench.tuning.estimate import TuningEstimate, tuning_estimate
from workbench.tuning.memory import room_here
from workbench.tuning.past_runs import FinishedJob, past_runs
from workbench.tuning.probe import machine_flops

_SHOWN_BAD = 20
#: Finished jobs that are looked at for how fast this machine trains.
_JOBS = 300
#: Seconds between two lines of progress.
_INTERVAL_S = 0.1


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("data", help="examples for fine-tuning", parents=[common])
    parts = group.add_subparsers(dest="part", required=True, metavar="WHAT")
    _add_inspect(parts, common)
    fields = parts.add_parser(
        "fields", help="the fields that files have, and what their rows are by them", parents=[common]
    )
    fields.add_argument("files", nargs="+", type=Path, metavar="FILE")
    fields.set_defaults(command=_fields)
    data_sample.add_to(parts, common)


def _add_inspect(parts: Any, common: argparse.ArgumentParser) -> None:
    inspect = parts.add_parser(
        "inspect",
        help="rows, bad rows, tokens and lengths as a model will see them",
        parents=[common],
        description="Tokenizes the data once; training on the same data begins from what this made.",
    )
    add = inspect.add_argument
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="JSONL, JSON, CSV, TSV, Parquet, text, or what a plugin reads",
    )
    add("--model", required=True, help="id or name in the library, in safetensors form")
    add("--kind", default="auto", help="chat, completion, instruction, preference or text")
    add("--map", action="append", default=[], metavar="PART=FIELD", help="with --kind; repeatable")
    add(
        "--train-on",
        choices=get_args(Trained),
        default="all-answers",
        help="what is learned of a row (all-answers)",
    )
    add(
        "--weight",
        action="append",
        type=float,
        default=[],
        metavar="TIMES",
        help="how often an epoch has each row of a file (1); once for each file, in order",
    )
    add("--max-tokens", type=int, default=1024, help="the cut-off (1024)")
    add("--long", choices=get_args(LongRows), default="cut", help="what happens with longer rows (cut)")
    add("--bad", choices=get_args(BadRows), default="skip", help="what happens with bad rows (skip)")
    add("--held-out", type=float, default=0.1, help="share kept for evaluation (0.1)")
    add(
        "--held-out-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rows for evaluation of their own; refused where one of them is trained on; repeatable",
    )
    add("--backend", choices=get_args(Backend), help="what would train it (by the model's format)")
    add("--preview", type=int, default=0, metavar="N", help="show so many rows, token by token")
    add("--offset", type=int, default=0, metavar="M", help="pass over so many rows before (0)")
    add("--progress", action="store_true", help="print lines of JSON that say how far it is, meanwhile")
    inspect.set_defaults(command=_inspect)


def _inspect(home: Home, arguments: argparse.Namespace) -> Answer:
    if not 0 <= arguments.held_out < 1:
        raise UsageError("--held-out lies between 0 and 1.")
    if arguments.max_tokens < 2:
        raise UsageError("--max-tokens is at least 2.")
    with Session.open(home, supervise=False) as session:
        record = session.library.get(arguments.model)
        _refuse_untrainable(record)
        facts = session.library.facts(record.id)
        use_readers_for((*arguments.files, *arguments.held_out_file), home, session.catalogue)
        room = room_here()
        runs = past_runs(_finished(session), is_gpu=room.is_gpu)
    recipe = Recipe(
        files=_names(arguments.files),
        tokenizer=str(record.path),
        layout=_layout(arguments),
        trained=arguments.train_on,
    )
    choices = SideChoices(
        weights=tuple(arguments.weight),
        held_out=arguments.held_out,
        held_out_files=_names(arguments.held_out_file),
        bad_rows=arguments.bad,
        long_rows=arguments.long,
        longest=arguments.max_tokens,
    )
    progress = _printed if arguments.progress else _unseen
    sides = sides_of(recipe, choices, home.cache / "tokens", processes=physical_cores(), progress=progress())
    found = report(sides, choices.weights)
    shown: list[PreviewRow] = []
    if arguments.preview > 0:
        tokenizer = HfTokenizer(record.path)
        shown = preview(sides, tokenizer, offset=max(arguments.offset, 0), count=arguments.preview)
    backend: Backend = arguments.backend or ("mlx" if record.format == "mlx" else "torch")
    defaults = good_defaults(facts, found, room, backend=backend)
    best = choices_of({each.name: each.value for each in defaults})
    speed = machine_flops(home.cache, machine(), backend, matmul_flops)
    told = tuning_estimate(facts, found, best, backend, room, machine_flops=speed, runs=runs)
    parts = {"preview": shown, "defaults": defaults, "estimate": told}
    answer = {**msgspec.to_builtins(found), **msgspec.to_builtins(parts)}
    lines = [_words(found), *_advice(defaults, told, best), *map(_row, shown)]
    return Answer("\n".join(lines), answer)


def _finished(session: Session) -> Iterator[FinishedJob]:
    """The newest finished jobs of this home, whatever they did."""

    def reading(id: str) -> Callable[[], tuple[Mapping[str, Any], ModelFacts]]:
        def read() -> tuple[Mapping[str, Any], ModelFacts]:
            spec = session.board.spec(id)
            return spec.params, session.library.facts(spec.model.id if spec.model is not None else "")

        return read

    for job in session.board.list(("done",), limit=_JOBS):
        yield FinishedJob(folder=job.folder, read=reading(job.id))


def _fields(home: Home, arguments: argparse.Namespace) -> Answer:
    use_readers_for(arguments.files, home, Catalogue(home))
    found = [fields_in(path) for path in arguments.files]
    lines = []
    for each in found:
        kind = f"kind {each.layout.kind}" if each.layout is not None else each.problem
        lines.append(f"{each.name}: {', '.join(each.fields)}; {kind}")
    return Answer("\n".join(lines), {"files": msgspec.to_builtins(found)})


def _refuse_untrainable(record: ModelRecord) -> None:
    if record.format == "gguf":
        raise UsageError(
            f"{record.name} is a GGUF file, which can't be trained.",
            remedy="Unpack it first: tenfold run gguf-dequantize --model " + record.id,
        )
    if record.format not in ("hf", "mlx"):
        raise UsageError(f"{record.name} is no model that can be trained.", remedy="Name its base.")


def _names(paths: list[Path]) -> tuple[str, ...]:
    return tuple(str(path.expanduser().resolve()) for path in paths)


def _layout(arguments: argparse.Namespace) -> Layout | None:
    fields = {}
    for pair in arguments.map:
        part, sign, field = pair.partition("=")
        if not sign or not part or not field:
            raise UsageError(f"--map takes PART=FIELD, not {pair!r}.")
        fields[part] = field
    if fields and arguments.kind == "auto":
        raise UsageError(
            "--map needs --kind.", remedy="Say what the rows are, for example --kind completion."
        )
    return said(arguments.kind, fields)


def _unseen() -> Callable[[int, int], None]:
    return lambda _done, _total: None


def _printed() -> Callable[[int, int], None]:
    """Prints how far it is as lines of JSON, some times a second."""
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _INTERVAL_S:
            last = now
            sys.stdout.write(json.dumps({"progress": {"done": done, "total": total}}) + "\n")
            sys.stdout.flush()

    return show


def _words(found: DataReport) -> str:
    middle = ", ".join(f"{name} %: {value}" for name, value in found.percentiles.items())
    lines = [
        f"{found.rows} rows of kind {found.kind}, {found.bad} bad",
        f"{found.tokens} tokens, {found.masked_share:.1%} of them seen but not learned",
        f"tokens a row: {middle}, longest {found.longest}",
        f"{found.cut_rows} rows are longer than {found.limit} tokens: {found.cut_share:.1%} of all is cut",
        f"{found.train.rows} rows are learned: {found.train.tokens} tokens an epoch, {found.train.learned} of"
        " them to predict",
        f"{found.held_out} rows are kept for evaluation, with {found.evaluation.learned} tokens to predict",
        f"{found.same_rows} rows are there twice, {found.alike_rows} nearly",
    ]
    if found.left_out:
        lines.append(f"{found.left_out} rows are left out: too long, or nothing of them would be learned")
    if found.alike_across:
        pair = next((each for each in found.alike if each.across), None)
        named = f", {pair.other_file} line {pair.other_line} and {pair.file} line {pair.line}" if pair else ""
        lines.append(f"{found.alike_across} pairs of nearly the same rows are on different sides{named}")
    lines += [f"Training would refuse this: {problem}" for problem in found.refused]
    for bad in found.bad_rows[:_SHOWN_BAD]:
        lines.append(f"  {bad.file} line {bad.line}: {bad.problem}")
    if found.bad > _SHOWN_BAD:
        lines.append(f"  … and {found.bad - _SHOWN_BAD} more; --json lists them")
    return "\n".join(lines)


def _advice(defaults: Sequence[Default], told: TuningEstimate, best: TuningChoices) -> Iterator[str]:
    """What a training would take here, and what it would best be set to."""
    own, room = told.of(best.method), told.room
    place = room.name if room.is_gpu else "memory"
    yield (
        f"with {best.method}, training takes about {size(own.memory.total_bytes)} of"
        f" {size(room.free_bytes)} of {place} that are free" + ("" if own.fits else ": that does not fit")
    )
    if told.epoch is not None:
        yield f"an epoch takes about {_duration(told.epoch.seconds)} ({told.epoch.basis})"
    yield "good settings:"
    for each in defaults:
        yield f"  {each.name} = {each.value}: {each.reason}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _row(row: PreviewRow) -> str:
    """A row as text, with what is learned in brackets ⟦ ⟧, up to where it is cut."""
    side = "held out" if row.held_out else "learned" if row.used else "left out"
    lines = ["", f"--- {row.file} line {row.line} ({side})"]
    for sequence in row.sequences:
        text, inside = "", False
        for token in sequence:
            if token.cut:
                text += "✂"
                break
            if token.trained != inside:
                text += "⟦" if token.trained else "⟧"
                inside = token.trained
            text += token.text
        lines.append(text + ("⟧" if inside else ""))
    return "\n".join(lines)
