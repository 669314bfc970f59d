"""Orders models by what was made from what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workbench.library.records import ModelRecord


@dataclass(frozen=True, slots=True)
class Branch:
    """A model with what was made from it, in the order of making."""

    record: ModelRecord
    children: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One line of a tree: 0 for a base, 1 for what was made from it, and so on."""

    record: ModelRecord
    depth: int


def tree(records: Iterable[ModelRecord]) -> list[Branch]:
    """The models as trees, bases in the order given, derived ones below by age.

    A model whose parent is not among the records stands as a base, and so does the first of a circle
    (which only a damaged database could hold), so that every record appears exactly once.
    """
    listed = list(records)
    known = {record.id for record in listed}
    children: dict[str, list[ModelRecord]] = {}
    bases: list[ModelRecord] = []
    for record in listed:
        if record.parent_id in known and record.parent_id != record.id:
            children.setdefault(record.parent_id or "", []).append(record)
        else:
            bases.append(record)
    placed: set[str] = set()
    branches = [_branch(base, children, placed) for base in bases]
    for record in listed:
        if record.id not in placed:
            branches.append(_branch(record, children, placed))
    return branches


def rows(branches: Iterable[Branch]) -> Iterator[TreeRow]:
    """The trees line by line, each model before what was made from it."""
    waiting = [(branch, 0) for branch in reversed(list(branches))]
    while waiting:
        branch, depth = waiting.pop()
        yield TreeRow(branch.record, depth)
        waiting += [(child, depth + 1) for child in reversed(branch.children)]


def family(records: Iterable[ModelRecord], id: str) -> frozenset[str]:
    """The ids of all models that come from the same base as this one, itself among them."""
    parents = {record.id: record.parent_id for record in records}

    def base(of: str) -> str:
        seen = {of}
        while (parent := parents.get(of)) in parents and parent is not None and parent not in seen:
            of = parent
            seen.add(of)
        return of

    own = base(id)
    return frozenset(each for each in (*parents, id) if base(each) == own)


def _branch(base: ModelRecord, children: dict[str, list[ModelRecord]], placed: set[str]) -> Branch:
    """One tree, built from the leaves up without recursion: a chain of derivations may be long."""
    order = [base]
    placed.add(base.id)
    for record in order:
        fresh = [child for child in children.get(record.id, ()) if child.id not in placed]
        placed.update(child.id for child in fresh)
        order += fresh
    owner = {child.id: parent.id for parent in order for child in children.get(parent.id, ())}
    built: dict[str, list[Branch]] = {}
    for record in reversed(order):
        made = sorted(built.pop(record.id, []), key=lambda branch: branch.record.created_at)
        branch = Branch(record, tuple(made))
        if record is base:
            return branch
        built.setdefault(owner[record.id], []).append(branch)
    return Branch(base)
