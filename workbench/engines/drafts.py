"""Which models of a library could guess ahead for another one."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.library.records import ModelRecord

#: A guess has to cost clearly less than what it saves: a draft at most this share of the model's bytes.
#: Decoding reads every weight once a token, so bytes stand for time.
_MOST_SHARE = 0.6


def possible_drafts(record: ModelRecord, models: Sequence[ModelRecord]) -> list[ModelRecord]:
    """Smaller models of the same form and architecture, the smallest first.

    Whether the vocabulary is the same is checked when the draft is loaded; only the file knows.
    """
    found = [
        other
        for other in models
        if other.id != record.id
        and other.format == record.format
        and other.architecture == record.architecture
        and other.size_bytes < record.size_bytes
    ]
    return sorted(found, key=lambda other: (other.size_bytes, other.name))


def propose_draft(record: ModelRecord, models: Sequence[ModelRecord]) -> ModelRecord | None:
    """The draft that promises most: the smallest, where it is small enough to gain anything.

    Between models of one size, a sibling (made from the same model, or with as many weights) comes first:
    its guesses are right more often.
    """
    most = _MOST_SHARE * record.size_bytes
    drafts = [other for other in possible_drafts(record, models) if other.size_bytes <= most]
    if not drafts:
        return None
    smallest = drafts[0].size_bytes
    near = [other for other in drafts if other.size_bytes <= smallest * 1.25]
    return next((other for other in near if _siblings(other, record)), near[0])


def _siblings(one: ModelRecord, other: ModelRecord) -> bool:
    family = {one.id, one.parent_id} & {other.id, other.parent_id}
    return bool(family - {None}) or one.parameters == other.parameters
