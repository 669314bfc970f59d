"""`tenfold run`: apply an operation to a model, as a job, and wait for it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from workbench.cli.answer import Answer
from workbench.cli.follow import run_job
from workbench.cluster.choice import at_place
from workbench.errors import NotFoundError, ParameterError, UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.jobs.board import JobBoard
from workbench.jobs.build import make_spec
from workbench.jobs.made_files import file_of
from workbench.jobs.proof_jobs import OPERATION, proof_of, purpose_of_model
from workbench.params import FieldSpec, split_paths
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "run",
        help="run an operation as a job and wait",
        parents=[common],
        description="`tenfold operations show NAME` lists the parameters of an operation. Where one takes "
        "files, a model or adapter of the library may be named instead, or a job that made such a file.",
    )
    parser.add_argument("operation", help="its name, for example gguf-quantize")
    parser.add_argument("--model", help="id or name of the model")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter; repeatable"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", help="what to call the result")
    parser.add_argument(
        "--prove",
        choices=("quick", "full"),
        help="measure the result against the model that it was made from",
    )
    parser.add_argument("--place", default="", metavar="NAME", help="run it there; see `tenfold place list`")
    parser.set_defaults(command=_run)


def _run(home: Home, arguments: argparse.Namespace) -> Answer:
    values: dict[str, Any] = {}
    for pair in arguments.set:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        values[name.strip().replace("-", "_")] = value
    with Session.open(home, supervise=False) as session:
        entry = session.catalogue.operation(arguments.operation)
        values = placed(entry.fields, values, session)
        record = session.library.get(arguments.model) if arguments.model else None
        facts = session.library.facts(record.id) if record else None
        source = session.library.to_spec_input(record.id) if record else None
        spec = make_spec(entry, record, facts, values, seed=arguments.seed, input=source)
        spec = at_place(spec, session.settings.load().places, arguments.place)
    if arguments.name:
        spec = spec.model_copy(update={"output_name": arguments.name})
    answer = run_job(home, spec)
    if arguments.prove is None or answer.code != exits.DONE or "model" not in answer.data:
        return answer
    return _proven(home, answer, arguments.prove, against=record.id if record else None)


def _proven(home: Home, answer: Answer, form: Literal["quick", "full"], against: str | None) -> Answer:
    """What was made, with its proof; the result stays where the proof fails."""
    with Session.open(home, supervise=False) as session:
        proof = session.catalogue.operation(OPERATION)
        made = str(answer.data["model"])
        purpose = purpose_of_model(session, made)
        spec = proof_of(session.library, proof, made, form, against_id=against, purpose=purpose)
    proved = run_job(home, spec)
    if proved.code != exits.DONE:
        return Answer(f"{answer.text}\n{proved.text}", {**answer.data, "proof": proved.data}, proved.code)
    with Session.open(home, supervise=False) as session:
        card = session.proofs.of(str(answer.data["sha256"]))[0].card
    return Answer(f"{answer.text}\n{card.headline}", {**answer.data, "proof": msgspec.to_builtins(card)})


def placed(fields: tuple[FieldSpec, ...], values: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """The values with every path whole, since a worker has a folder of its own to work in."""
    kinds = {field.name: field.kind for field in fields}
    found = dict(values)
    for name, text in values.items():
        if kinds.get(name) == "path" and text:
            found[name] = _place(name, text, session)
        elif kinds.get(name) == "paths":
            found[name] = [_place(name, each, session) for each in split_paths(text)]
    return found


def _place(name: str, text: str, session: Session) -> str:
    """The path of a file or folder that exists, of the model or adapter of this name, or of what a job made.

    Raises:
        ParameterError: There is none of these, or several models are called so.
    """
    path = Path(text).expanduser()
    if path.exists():
        return str(path.absolute())
    try:
        return str(session.library.get(text).path)
    except NotFoundError as error:
        made = _made_by_job(text, session.board)
        if made is not None:
            return made
        problem = f"There is no file {text!r} for “{name}”, and as a name it leads nowhere. {error.message}"
        raise ParameterError(name, problem, remedy=error.remedy) from error


def _made_by_job(key: str, board: JobBoard) -> str | None:
    try:
        made = file_of(board.get(key))
    except NotFoundError:
        return None
    return str(made.path) if made is not None else None
