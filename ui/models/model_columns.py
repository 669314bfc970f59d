"""The columns of the list of models: what they are called, and how they are sorted."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from ui.models.model_proofs import ProofRow
from ui.widgets.model_words import distance
from workbench.library.records import ModelRecord
from workbench.measure.grade import GRADES

_Proof = Callable[[ModelRecord], ProofRow | None]


class Column(IntEnum):
    NAME = 0
    SIZE = 1
    SPEED = 2
    GAIN = 3
    DISTANCE = 4
    GRADE = 5
    FITS = 6
    ADDED = 7


TITLES = {
    Column.NAME: "Name",
    Column.SIZE: "Size",
    Column.SPEED: "Speed",
    Column.GAIN: "Gain",
    Column.DISTANCE: "Distance (KL)",
    Column.GRADE: "Grade",
    Column.FITS: "Fits here",
    Column.ADDED: "Added",
}
TIPS = {
    Column.SPEED: "Tokens a second of one answer, measured on this machine",
    Column.GAIN: "How many times as fast as what it was made from",
    Column.DISTANCE: "How far its predictions are from what it was made from: mean KL divergence, in nats",
    Column.GRADE: "What that distance means, in a word",
}
#: Figures that line up at their right edge.
RIGHT_BOUND = (Column.SIZE, Column.SPEED, Column.GAIN)
#: What comes from a proof.
PROVED = (Column.SPEED, Column.GAIN, Column.DISTANCE, Column.GRADE)


def sort_key(column: Column, proof: _Proof) -> Callable[[ModelRecord], Any]:
    """What a column is sorted by. Of what is not known, speeds and gains count as least, distances as most.

    Args:
        proof: What was proved of a model.
    """
    match column:
        case Column.NAME:
            return lambda record: (record.name.casefold(), record.created_at)
        case Column.SPEED:
            return lambda record: _speed(proof(record))
        case Column.GAIN:
            return lambda record: _gain(proof(record))
        case Column.DISTANCE:
            return lambda record: _distance(record, proof(record))
        case Column.GRADE:
            return lambda record: (_rank(proof(record)), _distance(record, proof(record)))
        case Column.SIZE | Column.FITS:
            # What it needs follows its size; estimating ten thousand to sort them would take seconds.
            return lambda record: record.size_bytes
        case Column.ADDED:
            return lambda record: record.created_at


def _speed(proof: ProofRow | None) -> float:
    return proof.speed if proof is not None and proof.speed is not None else 0.0


def _gain(proof: ProofRow | None) -> float:
    return proof.gain.ratio if proof is not None and proof.gain is not None else 0.0


def _distance(record: ModelRecord, proof: ProofRow | None) -> float:
    found = distance(record, proof)
    return found if found is not None else math.inf


def _rank(proof: ProofRow | None) -> int:
    return GRADES.index(proof.grade) if proof is not None and proof.grade else len(GRADES)
