"""Asks the hub from a process of its own, so that no window waits: `python -m workbench.library.hub_query`.

Prints one JSON object: `{"repos": [...]}`, a listing, the facts of a model in it, or
`{"error": {"kind", "message", "remedy"}}`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from workbench import secrets
from workbench.errors import WorkbenchError
from workbench.library.hub import Hub, pick
from workbench.library.hub_facts import remote_facts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hub_query", description=__doc__)
    parser.add_argument("--endpoint", default="")
    verbs = parser.add_subparsers(dest="verb", required=True)
    search = verbs.add_parser("search")
    search.add_argument("text")
    search.add_argument("--limit", type=int, default=30)
    listing = verbs.add_parser("listing")
    listing.add_argument("repo")
    listing.add_argument("--revision", default="main")
    facts = verbs.add_parser("facts")
    facts.add_argument("repo")
    facts.add_argument("--revision", default="main")
    facts.add_argument("--choice", default="")
    chosen = parser.parse_args(arguments)
    try:
        hub = Hub(chosen.endpoint, secrets.get("hf-token"))
        if chosen.verb == "search":
            answer = {"repos": [repo.model_dump() for repo in hub.search(chosen.text, chosen.limit)]}
        elif chosen.verb == "facts":
            listed = hub.listing(chosen.repo, chosen.revision)
            answer = remote_facts(hub, listed, pick(listed, chosen.choice)).model_dump(mode="json")
        else:
            answer = hub.listing(chosen.repo, chosen.revision).model_dump()
    except WorkbenchError as error:
        failure = {"kind": error.kind, "message": error.message, "remedy": error.remedy}
        print(json.dumps({"error": failure}))  # noqa: T201 - the answer of this process
        return 1
    print(json.dumps(answer))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
