"""Asks the hub from a process of its own, so that no window waits: `python -m workbench.library.hub_query`.

Prints one JSON object: `{"repos": [...]}`, a listing, or `{"error": {"kind", "message", "remedy"}}`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from workbench import secrets
from workbench.errors import WorkbenchError
from workbench.library.hub import Hub


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
    chosen = parser.parse_args(arguments)
    try:
        hub = Hub(chosen.endpoint, secrets.get("hf-token"))
        if chosen.verb == "search":
            answer = {"repos": [repo.model_dump() for repo in hub.search(chosen.text, chosen.limit)]}
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
