"""Imports one plugin and writes down what it offers, for the catalogue: PLUGIN FOLDER OUT.

A process of its own, because a plugin may hang, crash, print, or end the process while it is imported.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.jobs.loading import import_plugin
from workbench.plugin.drafting import drafters_in
from workbench.plugin.measuring import metrics_in
from workbench.plugin.operation import Operation, operations_in
from workbench.plugin.reading import readers_in
from workbench.plugin.training import training_methods_in


def main(argv: list[str]) -> int:
    plugin, folder, out = argv
    answer: dict[str, object]
    try:
        module = import_plugin(plugin, [Path(folder)])
        answer = {
            "operations": [as_data(each) for each in operations_in(vars(module))],
            "drafters": [
                each.model_dump(mode="json", exclude={"make"}) for each in drafters_in(vars(module))
            ],
            "metrics": [
                each.model_dump(mode="json", exclude={"measure"}) for each in metrics_in(vars(module))
            ],
            "readers": [each.model_dump(mode="json", exclude={"read"}) for each in readers_in(vars(module))],
            "trainings": [
                each.model_dump(mode="json", exclude={"params", "loss"})
                for each in training_methods_in(vars(module))
            ],
        }
        if not any(answer.values()):
            answer = {"error": "It offers nothing.", "traceback": ""}
    except WorkbenchError as error:
        answer = {"error": error.message, "traceback": error.details}
    except Exception as error:  # noqa: BLE001 - what a plugin declares may be wrong in any way
        answer = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    target = Path(out)
    target.with_suffix(".part").write_text(json.dumps(answer), encoding="utf-8")
    os.replace(target.with_suffix(".part"), target)  # noqa: PTH105 - seen whole or not at all
    return 0


def as_data(operation: Operation) -> dict[str, object]:
    """An operation as JSON, all but where it comes from."""
    plain = operation.model_dump(mode="json", exclude={"params", "run"})
    return {**plain, "fields": [field.model_dump(mode="json") for field in operation.fields]}


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Threads that the plugin left running must not keep the process alive.
    os._exit(code)
