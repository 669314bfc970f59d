"""`tenfold place`: clusters that jobs may run on."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from pydantic import ValidationError

from workbench import secrets
from workbench.cli.answer import Answer, table
from workbench.cluster.ask import Amount, ask
from workbench.cluster.ask import Answer as Said
from workbench.cluster.client import RayJobs
from workbench.cluster.leftovers import stop_leftovers
from workbench.cluster.place import Place, SharedFolder, headers_of, place_named, secret_name
from workbench.errors import InUseError, UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.session import Session
from workbench.settings import Settings


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("place", help="clusters that jobs may run on", parents=[common])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser(
        "add",
        help="add a Ray cluster, after testing the way to it",
        parents=[common],
        description="Jobs are handed over through the Jobs API of its dashboard. Its nodes need Python with "
        "Ray and the backends; Tenfold itself goes along with each job.",
    )
    add.add_argument("name")
    add.add_argument("address", help="of the dashboard, for example http://head:8265")
    add.add_argument("--cpus", type=float, default=1, metavar="N", help="CPUs that a job asks for")
    add.add_argument("--gpus", type=float, default=1, metavar="N", help="GPUs of a job that uses one")
    add.add_argument("--python", default="python", help="the Python on the nodes (default: python)")
    add.add_argument("--folder", default="", help="where nodes keep a job's files while it runs")
    add.add_argument(
        "--shared",
        action="append",
        default=[],
        metavar="HERE=THERE",
        help="a folder that both sides see; models in it are not sent. Repeatable",
    )
    add.add_argument("--token", action="store_true", help="ask for a token, and keep it in the keyring")
    add.add_argument("--untested", action="store_true", help="add it even if it can't be reached now")
    add.set_defaults(command=_add)
    actions.add_parser("list", help="list them, with what is free", parents=[common]).set_defaults(
        command=_list
    )
    for name, call, help_text in (
        ("test", _test, "ask it what it has, and stop what was left there"),
        ("token", _token, "keep another token of it in the keyring"),
        ("remove", _remove, "forget it and its token"),
    ):
        action = actions.add_parser(name, help=help_text, parents=[common])
        action.add_argument("name")
        action.set_defaults(command=call)


def _add(home: Home, arguments: argparse.Namespace) -> Answer:
    try:
        place = Place(
            name=arguments.name,
            address=arguments.address,
            cpus=arguments.cpus,
            gpus=arguments.gpus,
            python=arguments.python,
            folder=arguments.folder,
            shared=tuple(_shared(each) for each in arguments.shared),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}.") from error
    secret = _asked_secret(place.name) if arguments.token else secrets.get(secret_name(place.name))
    said = ask(place, secret)
    if said.problem and not arguments.untested:
        raise UsageError(said.problem, remedy=f"{said.remedy} Add --untested to add it all the same.".strip())
    with Session.open(home, supervise=False) as session:
        places = session.settings.load().places
        _save(session.settings, (*(each for each in places if each.name != place.name), place))
    if arguments.token and secret:
        secrets.set(secret_name(place.name), secret)
    return Answer(f"Added {place.name}. {_in_words(said)}", {"place": _data(place, said)})


def _list(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        places = session.settings.load().places
    answers = [ask(each, secrets.get(secret_name(each.name))) for each in places]
    rows = [(each.name, each.address, _in_words(said)) for each, said in zip(places, answers, strict=True)]
    text = table(["NAME", "ADDRESS", "NOW"], rows) if rows else "No places. Add one: tenfold place add"
    pairs = zip(places, answers, strict=True)
    return Answer(text, {"places": [_data(place, said) for place, said in pairs]})


def _test(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        place = place_named(session.settings.load().places, arguments.name)
    secret = secrets.get(secret_name(place.name))
    said = ask(place, secret)
    stopped = 0 if said.problem else stop_leftovers(home.jobs, RayJobs(place, headers_of(secret)))
    text = f"{place.name}: {_in_words(said)}"
    if stopped:
        text += f" Stopped {stopped} that nobody waits for any more."
    code = exits.FAILED if said.problem else exits.DONE
    return Answer(text, {"place": _data(place, said), "stopped": stopped}, code)


def _token(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        place = place_named(session.settings.load().places, arguments.name)
    secrets.set(secret_name(place.name), _asked_secret(place.name))
    return Answer(f"The token of {place.name} is in the keyring.", {"place": place.name})


def _remove(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        places = session.settings.load().places
        place = place_named(places, arguments.name)
        for job in session.board.list(("queued", "running")):
            if session.board.spec(job.id).place == place.name:
                raise InUseError(f"“{job.title}” is {job.state} on {place.name}.", remedy="Cancel it first.")
        _save(session.settings, tuple(each for each in places if each != place))
    secrets.delete(secret_name(place.name))
    return Answer(f"Removed {place.name}.", {"place": place.name})


def _save(settings: Settings, places: tuple[Place, ...]) -> None:
    settings.save(settings.load().model_copy(update={"places": places}))


def _shared(text: str) -> SharedFolder:
    here, sign, there = text.partition("=")
    if not sign:
        raise UsageError(f"--shared takes HERE=THERE, not {text!r}.")
    return SharedFolder(local=Path(here).expanduser().absolute(), remote=PurePosixPath(there))


def _asked_secret(place: str) -> str:
    """The token, typed unseen, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Token of {place}: ").strip()
    return sys.stdin.readline().strip()


def _in_words(said: Said) -> str:
    if said.problem:
        return f"{said.problem} {said.remedy}".strip()
    memory = Amount(said.memory_bytes.total / 1e9, (said.memory_bytes.free or 0) / 1e9)
    parts = [
        f"Ray {said.ray}",
        f"{said.nodes} node{'s' if said.nodes != 1 else ''}",
        f"{_free(said.cpus)} CPUs free",
        f"{_free(said.gpus)} GPUs free",
        f"{memory.free:.1f} of {memory.total:.1f} GB memory free",
    ]
    return ", ".join(parts) + (f", {said.waiting} jobs wait." if said.waiting else ".")


def _free(amount: Amount) -> str:
    return f"{amount.free:g} of {amount.total:g}" if amount.free is not None else f"? of {amount.total:g}"


def _data(place: Place, said: Said) -> dict[str, Any]:
    return {**place.model_dump(mode="json"), "now": msgspec.to_builtins(said)}
