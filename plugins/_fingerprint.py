"""Names what a kept measurement belongs to, so that it is never taken for another's."""

from __future__ import annotations

import hashlib
import json

from workbench.plugin import Model


def fingerprint(model: Model, *conditions: object) -> str:
    """A hash of a model's content and of the conditions that decide a measurement.

    A model whose content hash is not known goes by its files' sizes and times of change.
    """
    identity: object = model.sha256
    if identity is None:
        root = model.path if model.path.is_dir() else model.path.parent
        files = [root / name for name in model.facts.files] or [model.path]
        identity = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    text = json.dumps([identity, conditions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
