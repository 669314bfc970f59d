"""`tenfold generate`: answer every prompt of a file, as a job."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from workbench.cli.answer import Answer
from workbench.cli.follow import run_job
from workbench.errors import UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.jobs.build import make_spec
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "generate",
        help="answer every prompt of a file",
        parents=[common],
        description="It runs as a job; `tenfold jobs resume` goes on after an interruption.",
    )
    parser.add_argument("model", help="id or name in the library")
    parser.add_argument("--in", dest="source", type=Path, required=True, metavar="FILE", help="JSONL or CSV")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="where the answers go, as JSONL"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of batch-generate; repeatable",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(command=_generate)


def _generate(home: Home, arguments: argparse.Namespace) -> Answer:
    if not arguments.source.is_file():
        raise UsageError(f"{arguments.source} is not a file.")
    if not arguments.out.parent.is_dir():
        raise UsageError(f"The folder {arguments.out.parent} does not exist.")
    values = {"prompts": str(arguments.source.resolve())}
    for pair in arguments.set:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        values[name.strip().replace("-", "_")] = value
    with Session.open(home, supervise=False) as session:
        entry = session.catalogue.operation("batch-generate")
        record = session.library.get(arguments.model)
        facts = session.library.facts(record.id)
        source = session.library.to_spec_input(record.id)
        spec = make_spec(entry, record, facts, values, seed=arguments.seed, input=source)
    answer = run_job(home, spec)
    if answer.code != exits.DONE:
        return answer
    with Session.open(home, supervise=False) as session:
        folder = session.board.get(str(answer.data["job"])).folder
    made = next((folder / "out").glob("*.jsonl"))
    shutil.copyfile(made, arguments.out)
    return Answer(f"{answer.text}\n{arguments.out}", {**answer.data, "out": str(arguments.out.resolve())})
