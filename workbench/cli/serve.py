"""`tenfold serve`: offer models to any client that speaks OpenAI's protocol."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from workbench.cli.answer import Answer
from workbench.cli.loading import add_load_flags, find_model, load_options
from workbench.engines.request import AdapterUse
from workbench.errors import MissingExtraError, UsageError
from workbench.home import Home
from workbench.session import Session

#: What a generating process takes besides the model: Python, numpy and the backend's own code.
_PROCESS_BYTES = 80 * 10**6


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve models to OpenAI clients",
        parents=[common],
        description="A model is loaded when it is first asked for. With --json one line says url and token.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="id or name in the library, or a path")
    parser.add_argument("--host", default="127.0.0.1", help="this machine alone, unless said otherwise")
    parser.add_argument("--port", type=int, default=8010, help="0 for any free one (8010)")
    parser.add_argument("--token", help="what clients must send; TENFOLD_SERVE_TOKEN, or a new one each time")
    parser.add_argument("--memory-budget", type=float, metavar="GB", help="unload the least used beyond this")
    parser.add_argument("--keep-alive", type=float, metavar="S", help="unload what is unused for this long")
    parser.add_argument("--most-requests", type=int, default=256, help="more at once get a 429 (256)")
    parser.add_argument("--preload", action="store_true", help="load the first model before saying ready")
    add_load_flags(parser, parallel=4)
    parser.set_defaults(command=_serve)


def _serve(home: Home, arguments: argparse.Namespace) -> Answer:
    try:
        from workbench.serve.pool import ModelPool, Slot
        from workbench.serve.run import run_server
        from workbench.serve.security import new_token
    except ImportError as error:
        raise MissingExtraError(f"The server ({error.name})", "serve") from error
    from workbench.library.fit import estimate
    from workbench.library.inspect import inspect

    slots: list[Slot] = []
    with Session.open(home, supervise=False) as session:
        for key in arguments.models:
            model = find_model(session, key)
            options = load_options(session, model, arguments)
            facts = inspect(model.path)
            context = options.context or min(facts.context_length or 8192, 8192)
            need = estimate(facts, context=context, batch=options.parallel, history=session.loads)
            name = model.name
            if any(slot.name == name for slot in slots):
                name = f"{name}@{model.id or model.path.parent.name}"
            uses = tuple(AdapterUse(name=each.name) for each in model.adapters)
            expected = need.total_bytes + _PROCESS_BYTES
            slots.append(Slot(name, options, expected_bytes=expected, adapters=uses))
    names = [slot.name for slot in slots]
    if len(set(names)) != len(names):
        raise UsageError("The same model is named twice.")
    token = arguments.token or os.environ.get("TENFOLD_SERVE_TOKEN") or new_token()
    budget = arguments.memory_budget

    def ready(url: str) -> None:
        if arguments.json:
            said = json.dumps({"url": url, "token": token, "models": names})
        else:
            said = f"Serving {', '.join(names)}\n  base URL  {url}/v1\n  token     {token}"
        sys.stdout.write(said + "\n")
        sys.stdout.flush()

    run_server(
        ModelPool(
            slots,
            budget_bytes=int(budget * 1e9) if budget is not None else None,
            keep_alive_s=arguments.keep_alive,
        ),
        host=arguments.host,
        port=arguments.port,
        token=token,
        ready=ready,
        most_requests=arguments.most_requests,
        preload=names[:1] if arguments.preload else [],
    )
    return Answer("")
