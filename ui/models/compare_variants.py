"""Sorts measured models into those that can be compared with each other, and says why the others can't."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from workbench.library.records import ModelRecord
from workbench.measure.card import Card, Rate, comparable

#: Signs that end a part of a model's name.
_PARTS = re.compile(r"[-_ ./:]")
#: What a family's names share at the least, for what they share to be left out.
_LEAST_PREFIX = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was chosen, with its cards, newest first."""

    record: ModelRecord
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A measured model as the page draws it.

    Attributes:
        name: What the person calls it.
        label: As much of that as tells it from the others.
        model_id: In the library; None for a reference that is known from cards alone.
        is_reference: Whether the others were compared with it.
    """

    name: str
    label: str
    card: Card
    model_id: str | None = None
    is_reference: bool = False

    @property
    def kld(self) -> float | None:
        """Mean KL divergence from the reference; 0 of the reference itself, None where not measured."""
        if self.is_reference:
            return 0.0
        return self.card.quality.mean_kld if self.card.quality is not None else None

    @property
    def kld_error(self) -> float:
        return self.card.quality.mean_kld_error if self.card.quality and not self.is_reference else 0.0

    @property
    def size_bytes(self) -> int | None:
        return self.card.subject.size_bytes or None

    @property
    def decode(self) -> Rate | None:
        """The speed of one answer."""
        return self.card.speed.alone if self.card.speed is not None else None


@dataclass(frozen=True, slots=True)
class Apart:
    """Chosen models that can't be compared with those shown, though with each other.

    Attributes:
        reasons: Why not, as sentences.
        other_reference: Whether they were compared with something else, so that measuring them again helps
            only against the reference of those shown.
    """

    names: tuple[str, ...]
    model_ids: tuple[str, ...]
    reasons: tuple[str, ...]
    other_reference: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What can be compared: the reference first where one is known, then by size, largest first."""

    variants: tuple[Variant, ...] = ()
    apart: tuple[Apart, ...] = ()

    @property
    def reference(self) -> Variant | None:
        return next((each for each in self.variants if each.is_reference), None)


def compare(
    candidates: Sequence[Candidate],
    known: Mapping[str, ModelRecord] | None = None,
    around: str | None = None,
) -> Comparison:
    """Put the models together that can be compared; the largest such group is shown.

    A model that was measured more than once takes part with the card that fits the others.

    Args:
        known: The library's models by their content hash, to recognise the reference in.
        around: The id of a model whose group is wanted instead of the largest.
    """
    groups = _groups(candidates)
    if not groups:
        return Comparison()
    shown = max(groups, key=lambda group: (around in group.members, len(group.members), group.newest))
    apart, told = [], set(shown.members)
    for group in sorted(groups, key=lambda group: -len(group.members)):
        left = [record for record, _ in group.members.values() if record.id not in told]
        if not left:
            continue
        told.update(record.id for record in left)
        names, ids = tuple(record.name for record in left), tuple(record.id for record in left)
        other = group.reference != shown.reference
        apart.append(Apart(names, ids, _differences(shown, group), other))
    return Comparison(_labelled(_variants(shown, known or {})), tuple(apart))


# ------------------------------------------------------------------ groups


class _Group:
    """Cards that can be compared with each other, one a model, by the model's id.

    Args:
        reference: The hash of what they were compared with; empty where they were compared with nothing.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference
        self.members: dict[str, tuple[ModelRecord, Card]] = {}

    @property
    def newest(self) -> float:
        return max(card.conditions.made_at for _, card in self.members.values())

    @property
    def reference_name(self) -> str:
        cards = [card for _, card in self.members.values()]
        subjects = (each for card in cards for each in (card.subject, card.reference) if each is not None)
        return next((each.name for each in subjects if each.sha256 == self.reference), "none")

    def takes(self, card: Card) -> bool:
        return not any(comparable(each.conditions, card.conditions) for _, each in self.members.values())

    def add(self, record: ModelRecord, card: Card) -> None:
        kept = self.members.get(record.id)
        # The newest came first; an older one is better only where it alone measured the quality.
        if kept is None or (kept[1].quality is None and card.quality is not None):
            self.members[record.id] = (record, card)


def _groups(candidates: Sequence[Candidate]) -> list[_Group]:
    """Of each reference the groups under like conditions.

    To a reference belong the cards that compare with it, its own card whatever that compares it with, and
    cards of speed alone, which compare with none.
    """
    cards = [(each.record, card) for each in candidates for card in each.cards]
    cards.sort(key=lambda each: -each[1].conditions.made_at)
    references = {_reference_hash(card) for _, card in cards}
    found = []
    for reference in sorted(references - {""}) or [""]:
        groups: list[_Group] = []
        for record, card in cards:
            if reference != card.subject.sha256 and _reference_hash(card) not in ("", reference):
                continue
            fitting = next((group for group in groups if group.takes(card)), None)
            if fitting is None:
                fitting = _Group(reference)
                groups.append(fitting)
            fitting.add(record, card)
        found += groups
    return found


def _differences(shown: _Group, other: _Group) -> tuple[str, ...]:
    """Why two groups are two, without saying anything twice."""
    one, two = (next(iter(group.members.values()))[1] for group in (shown, other))
    reasons = list(comparable(one.conditions, two.conditions))
    if shown.reference != other.reference:
        names = f"{shown.reference_name} and {other.reference_name}"
        reasons.append(f"They were compared with different references: {names}.")
    return tuple(reasons)


def _reference_hash(card: Card) -> str:
    return card.reference.sha256 if card.reference is not None else ""


# ------------------------------------------------------------------ variants


def _variants(group: _Group, known: Mapping[str, ModelRecord]) -> list[Variant]:
    found = []
    for record, card in group.members.values():
        is_reference = bool(group.reference) and card.subject.sha256 == group.reference
        found.append(Variant(record.name, record.name, card, record.id, is_reference))
    if not any(each.is_reference for each in found):
        found += _from_cards(group, known)
    return sorted(found, key=lambda each: (not each.is_reference, -(each.size_bytes or 0), each.name))


def _from_cards(group: _Group, known: Mapping[str, ModelRecord]) -> list[Variant]:
    """The reference as the newest card tells of it, where it has no card of its own among them."""
    cards = sorted((card for _, card in group.members.values()), key=lambda each: -each.conditions.made_at)
    for card in cards:
        if card.reference is not None and card.reference.sha256 == group.reference:
            own = Card(
                subject=card.reference,
                conditions=card.conditions,
                speed=card.reference_speed,
                memory=card.reference_memory,
            )
            record = known.get(card.reference.sha256)
            name = record.name if record is not None else card.reference.name
            return [Variant(name, name, own, record.id if record is not None else None, True)]
    return []


# ------------------------------------------------------------------ names


def _labelled(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    kinds = [each.card.subject.quantization for each in variants]
    labels = short_names([each.name for each in variants], kinds)
    return tuple(replace(each, label=label) for each, label in zip(variants, labels, strict=True))


def short_names(names: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """As much of each name as tells it from the others.

    Args:
        kinds: Their quantizations, which are enough within one family.

    >>> short_names(["Smol-Instruct", "Smol-Instruct-Q8_0", "Smol-Instruct-Q4_0"], ["F16", "Q8_0", "Q4_0"])
    ['F16', 'Q8_0', 'Q4_0']
    >>> short_names(["Smol-F16", "Smol-Q4_0", "Smol-Q4_0-imatrix"], ["F16", "Q4_0", "Q4_0"])
    ['F16', 'Q4_0', 'Q4_0-imatrix']
    >>> short_names(["Llama", "Qwen"], ["F16", "Q8_0"])
    ['Llama', 'Qwen']
    """
    prefix = _shared_prefix(names)
    if len(names) < 2 or prefix < _LEAST_PREFIX:
        return list(names)
    if all(kinds) and len(set(kinds)) == len(kinds):
        return list(kinds)
    rests = [name[prefix:].lstrip("-_ ./:") for name in names]
    short = [rest or kind or name for rest, kind, name in zip(rests, kinds, names, strict=True)]
    return short if len(set(short)) == len(short) else list(names)


def _shared_prefix(names: Sequence[str]) -> int:
    """How many letters all names begin with, up to the end of a part."""
    first, last = min(names, default=""), max(names, default="")
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    if all(len(name) == shared or _PARTS.match(name[shared]) for name in names):
        return shared
    ends = [match.start() for match in _PARTS.finditer(names[0][:shared])] if names else []
    return ends[-1] if ends else 0


def family_of(
    records: Sequence[ModelRecord], wanted: Callable[[ModelRecord], bool], around: str | None = None
) -> tuple[str, ...]:
    """The ids of the wanted models in one family: a base and all that was made from it, directly or not.

    Args:
        around: The id of a model whose family is meant; else it is the one with most wanted models, and of
            several such that with the newest.
    """
    by_id = {record.id: record for record in records}
    families: dict[str, list[ModelRecord]] = {}
    for record in records:
        if wanted(record):
            families.setdefault(_base(record, by_id), []).append(record)
    if around is not None and around in by_id:
        found = families.get(_base(by_id[around], by_id), [])
    else:
        found = max(
            families.values(), key=lambda each: (len(each), max(one.created_at for one in each)), default=[]
        )
    return tuple(record.id for record in found)


def _base(record: ModelRecord, by_id: Mapping[str, ModelRecord]) -> str:
    seen = {record.id}
    while (parent := by_id.get(record.parent_id or "")) is not None and parent.id not in seen:
        record = parent
        seen.add(record.id)
    return record.id
