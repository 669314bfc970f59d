"""`tenfold jobs`: look at jobs, and ask things of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.cli.answer import Answer, table
from workbench.cli.follow import wait_for
from workbench.export.forms import FORMS, export_job
from workbench.export.imported import of as imported_by
from workbench.export.importing import import_result
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.records import JobRecord
from workbench.session import Session

#: What to do with each form.
_HINTS = {
    "script": "Try: python {target} --help",
    "bundle": "Unpack it anywhere, and run: python run.py --help",
    "slurm": "Its first lines say how to hand it to Slurm.",
    "notebook": "Open it with Jupyter; its second cell holds the parameters.",
}


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("jobs", help="jobs, running and past", parents=[common])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="list jobs, newest first", parents=[common])
    listed.add_argument("--limit", type=int, default=50)
    listed.set_defaults(command=_list)
    for name, call, help_text in (
        ("show", _show, "all that is known of one"),
        ("log", _log, "the end of its log"),
        ("cancel", _asking(JobBoard.cancel), "end it and throw away what it has"),
        ("pause", _asking(JobBoard.pause), "stop it, keep what it has, give the memory back"),
        ("resume", _going(JobBoard.resume), "go on where it was"),
        ("retry", _going(JobBoard.retry), "run it again from its beginning"),
        ("remove", _remove, "forget it"),
    ):
        action = actions.add_parser(name, help=help_text, parents=[common])
        action.add_argument("job", help="id, the end of one, or the word last")
        if name in ("resume", "retry"):
            action.add_argument(
                "--wait", action="store_true", help="run it here and wait, as `tenfold run` does"
            )
        action.set_defaults(command=call)
    export = actions.add_parser(
        "export", help="write it to a file: a script, bundle, batch file or notebook", parents=[common]
    )
    export.add_argument("job", help="id, the end of one, or the word last")
    export.add_argument("--form", choices=FORMS, default="script", help="default: script")
    export.add_argument(
        "--wheels",
        action="store_true",
        help="for a bundle: carry the wheels of all packages too, so that it runs without a network",
    )
    export.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    export.set_defaults(command=_export)
    brought = actions.add_parser("import", help="take in what a script made elsewhere", parents=[common])
    brought.add_argument(
        "job",
        nargs="?",
        help="the job that was exported: id, the end of one, or the word last; left out, the folder says it",
    )
    brought.add_argument(
        "source", type=Path, metavar="FOLDER|ZIP", help="what --job-dir named there, or a zip of it"
    )
    brought.set_defaults(command=_import)


def _list(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        jobs = session.board.list(limit=arguments.limit)
    rows = [(each.id, each.state, _progress(each), _when(each.created_at), each.title) for each in jobs]
    text = table(["ID", "STATE", "PROGRESS", "CREATED", "TITLE"], rows) if rows else "No jobs yet."
    return Answer(text, {"jobs": [_data(each) for each in jobs]})


def _show(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        job = session.board.get(arguments.job)
        spec = session.board.spec(job.id)
    came = imported_by(job.folder)
    data = {
        **_data(job),
        "params": spec.params,
        "model_input": spec.model.name if spec.model else None,
        "imported": came.words if came is not None else None,
    }
    lines = [
        f"{name.replace('_', ' '):18}{value}" for name, value in data.items() if value not in (None, "", {})
    ]
    return Answer("\n".join(lines), data)


def _log(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        job = session.board.get(arguments.job)
        lines = session.board.last_log_lines(job.id)
    return Answer("\n".join(lines), {"job": job.id, "lines": lines})


def _asking(ask: Callable[[JobBoard, str], JobRecord]) -> Callable[[Home, argparse.Namespace], Answer]:
    def command(home: Home, arguments: argparse.Namespace) -> Answer:
        with Session.open(home, supervise=False) as session:
            job = ask(session.board, session.board.get(arguments.job).id)
        return Answer(f"{job.id} is {job.state}. {job.reason}".rstrip(), {"job": job.id, "state": job.state})

    return command


def _going(ask: Callable[[JobBoard, str], JobRecord]) -> Callable[[Home, argparse.Namespace], Answer]:
    put_back = _asking(ask)

    def command(home: Home, arguments: argparse.Namespace) -> Answer:
        answer = put_back(home, arguments)
        if arguments.wait:
            return wait_for(home, str(answer.data["job"]))
        return Answer(
            f"{answer.text} It starts when a window or `tenfold run` works on this home.", answer.data
        )

    return command


def _remove(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        job = session.board.get(arguments.job)
        session.board.remove(job.id)
    return Answer(f"Removed {job.title}.", {"job": job.id})


def _export(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        job = session.board.get(arguments.job)
        target = export_job(
            home,
            session.board,
            job.id,
            arguments.form,
            arguments.out,
            wheels=arguments.wheels,
            say=lambda line: sys.stderr.write(line + "\n"),
        )
    hint = _HINTS[arguments.form].format(target=target)
    return Answer(f"Wrote {target}. {hint}", {"job": job.id, "path": str(target.absolute())})


def _import(home: Home, arguments: argparse.Namespace) -> Answer:
    with Session.open(home, supervise=False) as session:
        spec = session.board.spec(session.board.get(arguments.job).id) if arguments.job else None
        taken = import_result(session, arguments.source, spec)
        job = session.board.get(taken.job_id)
    came = imported_by(job.folder)
    where = f" It was {came.words}." if came is not None else ""
    if taken.known:
        return Answer(f"{job.title} was imported before: it is job {job.id}.{where}", _data(job))
    return Answer(
        f"{job.title} is here as job {job.id}. Its result is what it made there.{where}", _data(job)
    )


def _progress(job: JobRecord) -> str:
    if job.state == "done":
        return "100 %"
    return f"{job.progress_done / job.progress_total:.0%}" if job.progress_total else ""


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _data(job: JobRecord) -> dict[str, Any]:
    plain = asdict(job)
    return {"job": plain.pop("id"), **plain, "folder": str(job.folder)}
