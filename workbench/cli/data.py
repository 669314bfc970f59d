"""`tenfold data`: look at examples for fine-tuning before anything is trained."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from workbench.cli.answer import Answer
from workbench.data.duplicates import refuse_shared
from workbench.data.layout import Layout, mapped
from workbench.data.report import DataReport, report
from workbench.data.tokenizing import Recipe, token_set
from workbench.errors import UsageError
from workbench.hardware import physical_cores
from workbench.home import Home
from workbench.session import Session

_SHOWN_BAD = 20


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("data", help="examples for fine-tuning", parents=[common])
    parts = group.add_subparsers(dest="part", required=True, metavar="WHAT")
    inspect = parts.add_parser(
        "inspect",
        help="rows, bad rows, tokens and lengths as a model will see them",
        parents=[common],
        description="Tokenizes the data once; training on the same data begins from what this made.",
    )
    inspect.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="JSONL, JSON, CSV, Parquet or text"
    )
    inspect.add_argument("--model", required=True, help="id or name in the library, in safetensors form")
    inspect.add_argument("--kind", help="chat, completion, instruction, preference or text")
    inspect.add_argument(
        "--map", action="append", default=[], metavar="PART=FIELD", help="with --kind; repeatable"
    )
    inspect.add_argument("--max-tokens", type=int, default=1024, help="the cut-off (1024)")
    inspect.add_argument("--held-out", type=float, default=0.1, help="share kept for evaluation (0.1)")
    inspect.add_argument(
        "--held-out-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rows for evaluation of their own; refused where one of them is trained on; repeatable",
    )
    inspect.set_defaults(command=_inspect)


def _inspect(home: Home, arguments: argparse.Namespace) -> Answer:
    if not 0 <= arguments.held_out < 1:
        raise UsageError("--held-out lies between 0 and 1.")
    if arguments.max_tokens < 1:
        raise UsageError("--max-tokens is at least 1.")
    with Session.open(home, supervise=False) as session:
        record = session.library.get(arguments.model)
    if record.format == "gguf":
        raise UsageError(
            f"{record.name} is a GGUF file, which can't be trained.",
            remedy="Unpack it first: tenfold run gguf-dequantize --model " + record.id,
        )
    recipe = Recipe(
        files=tuple(str(path.resolve()) for path in arguments.files),
        tokenizer=str(record.path),
        layout=_layout(arguments),
    )
    cache, processes = home.cache / "tokens", physical_cores()
    tokens = token_set(recipe, cache, processes=processes)
    share = arguments.held_out
    if arguments.held_out_file:
        names = tuple(str(path.resolve()) for path in arguments.held_out_file)
        apart = msgspec.structs.replace(recipe, files=names)
        refuse_shared(tokens, token_set(apart, cache, processes=processes))
        share = 0.0
    found = report(tokens, limit=arguments.max_tokens, held_out=share)
    return Answer(_words(found), msgspec.to_builtins(found))


def _layout(arguments: argparse.Namespace) -> Layout | None:
    fields = {}
    for pair in arguments.map:
        part, sign, field = pair.partition("=")
        if not sign or not part or not field:
            raise UsageError(f"--map takes PART=FIELD, not {pair!r}.")
        fields[part] = field
    if arguments.kind is None:
        if fields:
            raise UsageError(
                "--map needs --kind.", remedy="Say what the rows are, for example --kind completion."
            )
        return None
    return mapped(arguments.kind, fields)


def _words(found: DataReport) -> str:
    middle = ", ".join(f"{name} %: {value}" for name, value in found.percentiles.items())
    lines = [
        f"{found.rows} rows of kind {found.kind}, {found.bad} bad",
        f"{found.tokens} tokens, {found.masked_share:.1%} of them seen but not learned",
        f"tokens a row: {middle}, longest {found.longest}",
        f"{found.cut_rows} rows are longer than {found.limit} tokens: {found.cut_share:.1%} of all is cut",
        f"{found.held_out} rows are kept for evaluation",
        f"{found.same_rows} rows are there twice, {found.alike_rows} nearly",
    ]
    for bad in found.bad_rows[:_SHOWN_BAD]:
        lines.append(f"  {bad.file} line {bad.line}: {bad.problem}")
    if found.bad > _SHOWN_BAD:
        lines.append(f"  … and {found.bad - _SHOWN_BAD} more; --json lists them")
    return "\n".join(lines)
