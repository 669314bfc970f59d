"""`tenfold models`: add, list, show, estimate and remove models."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from workbench.cli.answer import Answer, size, table
from workbench.cli.follow import run_job
from workbench.errors import UsageError
from workbench.export.recipe import export_recipe
from workbench.home import Home
from workbench.library.hash_queue import HashQueue
from workbench.library.library import Library
from workbench.library.records import ModelRecord
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("models", help="models on disk", parents=[common])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser(
        "add", help="add a model or adapter: a path, hf:REPO[:FILE], or sample", parents=[common]
    )
    add.add_argument("what", help="a GGUF file, a folder, hf:ORG/NAME[:CHOICE], or the word sample")
    add.add_argument("--name", help="what to call it")
    add.add_argument("--revision", default="main", help="for hf: a branch, tag or commit")
    add.add_argument("--no-hash", action="store_true", help="don't wait for the content hash")
    add.set_defaults(command=_add)
    listed = actions.add_parser("list", help="list all, or those that match some words", parents=[common])
    listed.add_argument("words", nargs="*")
    listed.set_defaults(command=_list)
    show = actions.add_parser("show", help="all that is known of one", parents=[common])
    show.add_argument("id", help="id, name, or the beginning of either")
    show.set_defaults(command=_show)
    fit = actions.add_parser("fit", help="whether it fits into the memory here", parents=[common])
    fit.add_argument("id")
    fit.add_argument("--context", type=int, default=4096, help="tokens (default 4096)")
    fit.add_argument("--batch", type=int, default=1, help="sequences at once (default 1)")
    fit.add_argument("--measure", action="store_true", help="load it, measure the peak, and keep the figure")
    fit.set_defaults(command=_fit)
    recipe = actions.add_parser(
        "export-recipe", help="write the jobs that made it as one script", parents=[common]
    )
    recipe.add_argument("id", help="id, name, or the beginning of either")
    recipe.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    recipe.add_argument(
        "--from",
        dest="begin",
        default="",
        metavar="MODEL",
        help="the model on the way that the recipe starts from (default: the first that was not made here)",
    )
    recipe.set_defaults(command=_export_recipe)
    remove = actions.add_parser("remove", help="forget it; files in the home are deleted", parents=[common])
    remove.add_argument("id")
    remove.set_defaults(command=_remove)


def _add(home: Home, arguments: argparse.Namespace) -> Answer:
    what: str = arguments.what
    if what.startswith("hf:"):
        return _download(home, what.removeprefix("hf:"), arguments.revision)
    with Session.open(home, supervise=False) as session:
        if what == "sample":
            added = session.library.add_sample()
        else:
            added = session.library.add(Path(what), name=arguments.name)
        record = added.record
        if not arguments.no_hash and record.sha256 is None:
            record = _hashed(session.library, session.hashes, record)
        word = "Already known" if added.already_known else "Added"
        return Answer(f"{word}: {_line(record)}", {**_data(record), "already_known": added.already_known})


def _hashed(library: Library, queue: HashQueue, record: ModelRecord) -> ModelRecord:
    """Wait until the model's hash is known, or can't be."""
    while True:
        for progress in queue.poll():
            if progress.model_id == record.id and (progress.sha256 or progress.error):
                return library.get(record.id)
        time.sleep(0.02)


def _download(home: Home, what: str, revision: str) -> Answer:
    # The hub's client takes a quarter of a second to import.
    from workbench import secrets
    from workbench.jobs.build import make_spec
    from workbench.library.hub import Hub, pick

    repo, _, wanted = what.partition(":")
    with Session.open(home, supervise=False) as session:
        endpoint = session.settings.load().hub_endpoint
        entry = session.catalogue.operation("hub-download")
    listing = Hub(endpoint=endpoint or None, token=secrets.get("hf-token")).listing(repo, revision)
    choice = pick(listing, wanted)
    values = {"repo": repo, "revision": listing.commit, "files": list(choice.files), "endpoint": endpoint}
    spec = make_spec(entry, None, None, values)
    spec = spec.model_copy(update={"output_name": repo.rpartition("/")[2], "title": f"Download {repo}"})
    return run_job(home, spec)


def _list(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        records = session.library.list(" ".join(arguments.words))
    rows = [
        (each.id, each.name, each.format, each.quantization, size(each.size_bytes), each.parent_id or "")
        for each in records
    ]
    text = table(["ID", "NAME", "FORMAT", "TYPE", "SIZE", "MADE FROM"], rows)
    return Answer(
        text if rows else "No models yet. Try: tenfold models add sample",
        {"models": list(map(_data, records))},
    )


def _show(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        record = session.library.get(arguments.id)
        facts = session.library.facts(record.id)
    plain = facts.model_dump(mode="json", exclude={"chat_template", "groups", "files", "adapter"})
    known = {name: value for name, value in {**_data(record), **plain}.items() if name != "tuning"}
    lines = [f"{name.replace('_', ' '):20}{value}" for name, value in known.items() if value]
    for part in (facts.adapter, facts.tuning):
        figures = part.model_dump(mode="json") if part is not None else {}
        for name, value in figures.items():
            lines += [f"{name.replace('_', ' '):20}{_plain(value)}"] if value is not None else []
    groups = table(
        ["TENSORS", "TYPE", "COUNT", "WEIGHTS", "SIZE"],
        [
            (each.name, each.type, each.tensors, f"{each.parameters:,}", size(each.size_bytes))
            for each in facts.groups
        ],
    )
    return Answer("\n".join([*lines, "", groups]), {**_data(record), "facts": facts.model_dump(mode="json")})


def _fit(home: Home, arguments: argparse.Namespace) -> Answer:
    from workbench.library.fit import estimate
    from workbench.library.memory_need import engine_of

    if arguments.context < 1 or arguments.batch < 1:
        raise UsageError("--context and --batch must be 1 or more.")
    with Session.open(home, supervise=False) as session:
        record = session.library.get(arguments.id)
        facts = session.library.facts(record.id)
        engine_of(facts.format)
        measured = _measure(session, record, arguments) if arguments.measure else None
        found = estimate(facts, context=arguments.context, batch=arguments.batch, history=session.loads)
    rows: list[tuple[str, str]] = [
        ("weights", size(found.weights_bytes)),
        ("KV cache", size(found.kv_bytes)),
        ("working memory", size(found.working_bytes)),
        ("together", size(found.total_bytes) + _error_bar(found.error_fraction, found.loads)),
    ]
    for place in found.places:
        verdict = "fits" if place.fits else "does not fit"
        rows.append(
            (place.name, f"{verdict}: {size(place.free_bytes)} of {size(place.total_bytes)} are free")
        )
    rows.append(
        ("largest context", f"{found.largest_context:,} tokens" if found.largest_context else "none fits")
    )
    if measured is not None:
        rows.append(("measured peak", size(measured)))
    data = {
        "model": record.id,
        "context": arguments.context,
        "batch": arguments.batch,
        "weights_bytes": found.weights_bytes,
        "kv_bytes": found.kv_bytes,
        "working_bytes": found.working_bytes,
        "total_bytes": found.total_bytes,
        "error_fraction": found.error_fraction,
        "loads": found.loads,
        "largest_context": found.largest_context,
        "measured_bytes": measured,
        "places": [
            {
                "name": each.name,
                "free_bytes": each.free_bytes,
                "total_bytes": each.total_bytes,
                "fits": each.fits,
            }
            for each in found.places
        ],
    }
    return Answer("\n".join(f"{name:18}{value}" for name, value in rows), data)


def _measure(session: Session, record: ModelRecord, arguments: argparse.Namespace) -> int:
    from workbench.library.load_measure import measure

    facts = session.library.facts(record.id)
    return measure(record, facts, session.loads, context=arguments.context, batch=arguments.batch)


def _error_bar(error_fraction: float | None, loads: int) -> str:
    if error_fraction is None:
        return " (not measured on this machine yet)"
    return f" (±{error_fraction:.0%} over {loads} load{'s' if loads != 1 else ''})"


def _export_recipe(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        target, steps = export_recipe(
            home, session.library, arguments.id, arguments.out, begin=arguments.begin
        )
    count = f"{steps} step{'' if steps == 1 else 's'}"
    return Answer(
        f"Wrote {target}: {count}. Try: python {target} --help",
        {"path": str(target.absolute()), "steps": steps},
    )


def _remove(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        record = session.library.get(arguments.id)
        back = session.library.remove(record.id)
    what = f"{size(back)} came back" if back else "its files stay where they are"
    return Answer(f"Removed {record.name}: {what}.", {"id": record.id, "bytes_back": back})


def _plain(value: object) -> object:
    """A value of an adapter's or a fine-tuning's facts, for a person."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else value


def _line(record: ModelRecord) -> str:
    return f"{record.id}  {record.name}  {record.quantization}  {size(record.size_bytes)}"


def _data(record: ModelRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "path": str(record.path),
        "format": record.format,
        "architecture": record.architecture,
        "quantization": record.quantization,
        "parameters": record.parameters,
        "bits_per_weight": record.bits_per_weight,
        "size_bytes": record.size_bytes,
        "sha256": record.sha256,
        "in_place": record.in_place,
        "source": record.source,
        "parent": record.parent_id,
        "job": record.job_id,
        "tags": list(record.tags),
        "notes": record.notes,
        "tuning": record.tuning.model_dump() if record.tuning is not None else None,
    }
