"""`tenfold run`: apply an operation to a model, as a job, and wait for it."""

from __future__ import annotations

import argparse
from typing import Any

from workbench.cli.answer import Answer
from workbench.cli.follow import run_job
from workbench.errors import UsageError
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "run",
        help="run an operation as a job and wait",
        parents=[common],
        description="`tenfold operations show NAME` lists the parameters of an operation.",
    )
    parser.add_argument("operation", help="its name, for example gguf-quantize")
    parser.add_argument("--model", help="id or name of the model")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter; repeatable"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", help="what to call the result")
    parser.set_defaults(command=_run)


def _run(home: Home, arguments: argparse.Namespace) -> Answer:
    values: dict[str, str] = {}
    for pair in arguments.set:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        values[name.strip().replace("-", "_")] = value
    with Session.open(home, supervise=False) as session:
        entry = session.catalogue.operation(arguments.operation)
        record = session.library.get(arguments.model) if arguments.model else None
        facts = session.library.facts(record.id) if record else None
        source = session.library.to_spec_input(record.id) if record else None
        spec = make_spec(entry, record, facts, values, seed=arguments.seed, input=source)
    if arguments.name:
        spec = spec.model_copy(update={"output_name": arguments.name})
    return run_job(home, spec)
