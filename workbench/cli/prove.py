"""`tenfold prove`: measure a model beside the one that it was made from, or check what a card claims."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from workbench.cli.answer import Answer, table
from workbench.cli.follow import run_job
from workbench.cli.loading import NamedModel, find_model
from workbench.errors import NotFoundError, UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.jobs.build import make_spec
from workbench.jobs.proof_jobs import on_the_way, purpose_of_model
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.library.inspect import inspect
from workbench.measure.card import ENDING, Card, Subject, encode, read_card
from workbench.measure.card_lines import main_lines, speed_lines, unmeasured_lines
from workbench.measure.checking import Finding, check_claims
from workbench.session import Session

_OPERATION = "prove"


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "prove",
        help="measure what a model gained and what it cost",
        parents=[common],
        description="The result is a proof card, which the window shows beside the model. What was measured "
        "before on the same files is not measured again. With --check a card's claims are measured anew; the "
        "exit code is 1 where one does not hold.",
    )
    parser.add_argument("model", nargs="?", help="id or name in the library, or a path")
    parser.add_argument("--against", metavar="MODEL", help="what to compare with; its parent unless given")
    parser.add_argument("--alone", action="store_true", help="speed and memory alone")
    parser.add_argument("--full", action="store_true", help="more text, batch sizes and depths")
    parser.add_argument("--text", type=Path, metavar="FILE", help="a text or dataset of your own")
    parser.add_argument("--windows", type=_count, metavar="N", help="windows of 512 tokens to compare")
    parser.add_argument(
        "--task",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="questions of your own; repeatable",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="a figure that a plugin measures, as `tenfold plugin list` names it; repeatable",
    )
    parser.add_argument("--no-speed", action="store_true", help="leave speed and memory out")
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="processes of Ray that share the text's windows",
    )
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the card there too, as JSON")
    parser.add_argument("--check", type=Path, metavar="CARD", help="measure whether this card's claims hold")
    parser.set_defaults(command=_prove)


def _prove(home: Home, arguments: argparse.Namespace) -> Answer:
    if arguments.check is not None:
        return _check(home, arguments)
    if arguments.model is None:
        raise UsageError("Name a model to measure, or a card with --check.")
    for file in (arguments.text, *arguments.task):
        if file is not None and not file.is_file():
            raise UsageError(f"{file} is not a file.")
    with Session.open(home, supervise=False) as session:
        model = find_model(session, arguments.model)
        against = _against(session, model, arguments)
        values: dict[str, Any] = {
            "form": "full" if arguments.full else "quick",
            "windows": arguments.windows or 0,
            "tasks": [str(each.resolve()) for each in arguments.task],
            "speed": not arguments.no_speed,
            "again": arguments.again,
            "metrics": arguments.metric,
            "workers": arguments.workers,
        }
        if model.id is not None:
            values |= purpose_of_model(session, model.id)._asdict()
        if arguments.text is not None:
            values["text"] = str(arguments.text.resolve())
        spec = _spec(session, model, against, values, seed=arguments.seed)
    answer, card = _measured(home, spec)
    if card is None:
        return answer
    if arguments.out is not None:
        arguments.out.write_bytes(encode(card))
    lines = [*main_lines(card), *(speed_lines(card) if card.speed is not None else ())]
    rows = [(each.label, each.value, each.reference) for each in lines]
    parts = [card.headline, "", table(["FIGURE", "MODEL", "REFERENCE"], rows), *unmeasured_lines(card)]
    return Answer("\n".join(parts), {**_data(card), **answer.data})


def _check(home: Home, arguments: argparse.Namespace) -> Answer:
    claimed = read_card(arguments.check)
    with Session.open(home, supervise=False) as session:
        model = _found(session, claimed.subject, arguments.model)
        against = None
        if claimed.reference is not None:
            against = _found(session, claimed.reference, arguments.against)
        quality = claimed.quality
        values: dict[str, Any] = {
            "form": claimed.conditions.form,
            "windows": quality.windows if quality is not None else 0,
            "speed": claimed.speed is not None and not arguments.no_speed,
            "again": True,
            "metrics": _offered(session, claimed),
            "retrained": claimed.retrained,
        }
        if arguments.text is not None:
            values["text"] = str(arguments.text.resolve())
        spec = _spec(session, model, against, values, seed=claimed.conditions.seed)
    answer, found = _measured(home, spec)
    if found is None:
        return answer
    if quality is not None and claimed.conditions.text_sha256 != found.conditions.text_sha256:
        raise UsageError(
            f"The card was measured on another text: {claimed.conditions.text}.",
            remedy="Name that text with --text.",
        )
    findings = check_claims(claimed, found)
    holds = all(each.outcome != "does not hold" for each in findings)
    said = "The claims hold." if holds else "The claims do not hold."
    rows = [(each.claim, each.claimed, each.found, _outcome(each)) for each in findings]
    text = f"{claimed.headline}\n{said}\n\n{table(['CLAIM', 'CARD', 'HERE', 'OUTCOME'], rows)}"
    data = {"holds": holds, "findings": msgspec.to_builtins(findings), "found": _data(found)}
    return Answer(text, data, exits.DONE if holds else exits.FAILED)


def _offered(session: Session, claimed: Card) -> list[str]:
    """Those metrics of a card that a plugin offers here: what a stranger's card names is not imported."""
    offered = {each.key for each in session.catalogue.operation(_OPERATION).metrics}
    return [each.key for each in claimed.metrics if each.key in offered]


def _outcome(finding: Finding) -> str:
    return f"{finding.outcome}: {finding.why}" if finding.why else finding.outcome


def _against(session: Session, model: NamedModel, arguments: argparse.Namespace) -> NamedModel | None:
    """What to compare with: what was named, else the model's parent."""
    if arguments.alone:
        return None
    if arguments.against is not None:
        return find_model(session, arguments.against)
    parent = session.library.get(model.id).parent_id if model.id is not None else None
    if parent is None:
        raise UsageError(
            f"{model.name} was made from no model that is in the library.",
            remedy="Name one with --against, or measure speed and memory with --alone.",
        )
    return find_model(session, parent)


def _found(session: Session, subject: Subject, named: str | None) -> NamedModel:
    """The model that a card is about: what was named, else what has its hash."""
    if named is not None:
        return find_model(session, named)
    for record in session.library.list():
        if record.sha256 == subject.sha256 and subject.sha256:
            return find_model(session, record.id)
    raise NotFoundError(
        f"The library has no model with the content of {subject.name} (sha256 {subject.sha256[:12]}…).",
        remedy="Add it, or name its file: MODEL for the model, --against for what it was compared with.",
    )


def _spec(
    session: Session, model: NamedModel, against: NamedModel | None, values: dict[str, Any], *, seed: int
) -> JobSpec:
    if model.adapters or (against is not None and against.adapters):
        raise UsageError("An adapter is measured by its training, or with prove-adapter.")
    if against is not None:
        values = {**values, "against": str(against.path), "against_name": against.name}
        if model.id is not None and against.id is not None:
            values |= on_the_way(session.library, model.id, against.id)
    if model.id is not None:
        source = session.library.to_spec_input(model.id)
        facts = session.library.facts(model.id)
    else:
        source = ModelInput(name=model.name, path=model.path, format=model.format)
        facts = inspect(model.path)
    named = _Named(id=model.id or "", name=model.name, quantization=facts.quantization)
    entry = session.catalogue.operation(_OPERATION)
    return make_spec(entry, named, facts, values, seed=seed, input=source)


class _Named(msgspec.Struct, frozen=True):
    """As much of a model as names its job."""

    id: str
    name: str
    quantization: str


def _measured(home: Home, spec: JobSpec) -> tuple[Answer, Card | None]:
    """The job's answer, and its card where it made one."""
    answer = run_job(home, spec)
    if answer.code != exits.DONE:
        return answer, None
    with Session.open(home, supervise=False) as session:
        folder = session.board.get(str(answer.data["job"])).folder
    return answer, read_card(next((folder / "out").glob(f"*{ENDING}")))


def _data(card: Card) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(card)
    return found


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return value
