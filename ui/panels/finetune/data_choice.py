"""What a person chose to teach from, as one value: files, what is in them, and what is held out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

#: The parameters of a fine-tuning operation that say what the data is; the Data panel sets them.
DATA_FIELDS = (
    "data",
    "weights",
    "layout",
    "fields",
    "held_out",
    "held_out_data",
    "bad_rows",
    "long_rows",
    "trained",
    "max_tokens",
)

#: What a row can be, and what it is called; `auto` looks at the names of the fields.
KINDS = {
    "auto": "Found by itself",
    "chat": "Conversations",
    "completion": "Completions",
    "instruction": "Instructions",
    "preference": "Preferences",
    "text": "Plain text",
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of examples; a weight of 2 shows each of its rows twice as often."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class DataChoice:
    """See the module.

    Attributes:
        kind: A key of `KINDS`.
        fields: For each part of the kind, the field that holds it.
        held_out: Share kept for evaluation; of no account where `held_out_files` are named.
        bad_rows: `skip` or `refuse`.
        long_rows: `cut`, `skip` or `refuse`.
        trained: Which turns of a conversation are learned.
        max_tokens: Where longer rows are cut.
    """

    files: tuple[DataFile, ...] = ()
    kind: str = "auto"
    fields: tuple[tuple[str, str], ...] = ()
    held_out: float = 0.1
    held_out_files: tuple[Path, ...] = ()
    bad_rows: str = "skip"
    long_rows: str = "cut"
    trained: str = "all-answers"
    max_tokens: int = 512

    @property
    def is_mapped(self) -> bool:
        """Whether the person said what the rows are."""
        return self.kind != "auto"

    def with_files(self, paths: Collection[Path]) -> DataChoice:
        """The same with more files; those that are there stay where they are."""
        known = {each.path for each in self.files}
        added = tuple(DataFile(path) for path in dict.fromkeys(paths) if path not in known)
        return replace(self, files=self.files + added)

    def without_file(self, path: Path) -> DataChoice:
        return replace(self, files=tuple(each for each in self.files if each.path != path))

    def with_weight(self, path: Path, weight: float) -> DataChoice:
        files = tuple(replace(each, weight=weight) if each.path == path else each for each in self.files)
        return replace(self, files=files)

    def values(self, known: Collection[str]) -> dict[str, Any]:
        """The choice as parameters, those that an operation knows.

        >>> DataChoice(files=(DataFile(Path("a.jsonl")),)).values(("data", "weights", "held_out"))
        {'data': ['a.jsonl'], 'weights': [], 'held_out': 0.1}
        """
        weighted = any(each.weight != 1 for each in self.files)
        values: dict[str, Any] = {
            "data": [str(each.path) for each in self.files],
            "weights": [f"{each.weight:g}" for each in self.files] if weighted else [],
            "layout": self.kind,
            "fields": dict(self.fields),
            "held_out": self.held_out,
            "held_out_data": [str(path) for path in self.held_out_files],
            "bad_rows": self.bad_rows,
            "long_rows": self.long_rows,
            "trained": self.trained,
            "max_tokens": self.max_tokens,
        }
        return {name: value for name, value in values.items() if name in known}


def choice_from(values: Mapping[str, Any]) -> DataChoice:
    """The choice that parameters stand for; what they leave out is as usual.

    >>> choice_from({"data": ["a.jsonl", "b.jsonl"], "weights": ["1", "2"]}).files[1].weight
    2.0
    """
    usual = DataChoice()
    paths = values.get("data") or []
    weights = list(values.get("weights") or [])
    weights += ["1"] * (len(paths) - len(weights))
    return DataChoice(
        files=tuple(
            DataFile(Path(path), float(weight)) for path, weight in zip(paths, weights, strict=False)
        ),
        kind=values.get("layout", usual.kind),
        fields=tuple((values.get("fields") or {}).items()),
        held_out=values.get("held_out", usual.held_out),
        held_out_files=tuple(Path(path) for path in values.get("held_out_data") or ()),
        bad_rows=values.get("bad_rows", usual.bad_rows),
        long_rows=values.get("long_rows", usual.long_rows),
        trained=values.get("trained", usual.trained),
        max_tokens=values.get("max_tokens", usual.max_tokens),
    )
