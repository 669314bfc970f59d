"""What a sweep varies: how it is said, what is refused, and that draws repeat."""

from __future__ import annotations

import math

import pytest

from workbench.cluster.sweep_space import Dimension, read_dimension, trials
from workbench.errors import ParameterError, UsageError
from workbench.params import FieldSpec, Param, Params, Search, fields_of


class _Tune(Params):
    rank: int = Param(8, ge=1, le=64, help="Rank", search=Search(values=(4, 8, 16)))
    rate: float = Param(1e-3, ge=1e-8, le=1, help="Rate")
    name: str = Param("a", help="Name")


class _Pack(Params):
    type: str = Param("Q4", help="Type")


FIELDS: dict[str, tuple[FieldSpec, ...]] = {"tune": fields_of(_Tune), "pack": fields_of(_Pack)}


def test_lists_ranges_and_what_an_operation_names_itself() -> None:
    assert read_dimension("rank=4,16", FIELDS) == Dimension(name="rank", values=(4, 16))
    assert read_dimension("rank", FIELDS) == Dimension(name="rank", values=(4, 8, 16))
    assert read_dimension("rate=log:1e-5:0.1", FIELDS) == Dimension(name="rate", low=1e-5, high=0.1, log=True)
    assert read_dimension("rank=lin:2:9", FIELDS) == Dimension(name="rank", low=2, high=9, whole=True)
    assert read_dimension("pack.type=Q4,Q8", FIELDS) == Dimension(name="pack.type", values=("Q4", "Q8"))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("rankk=1", ParameterError),
        ("none.type=1", ParameterError),
        ("rank=4,100", ParameterError),
        ("rate=log:0.1:2", ParameterError),
        ("rate=log:0.1:0.01", UsageError),
        ("rate=lin:0.1", UsageError),
        ("name=lin:1:2", UsageError),
        ("rate", UsageError),
        ("rank=", UsageError),
    ],
)
def test_what_makes_no_sense_is_refused(said: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_dimension(said, FIELDS)


def test_lists_give_all_combinations_and_ranges_as_many_as_are_asked_for() -> None:
    rank, name = Dimension(name="rank", values=(4, 8)), Dimension(name="name", values=("a", "b", "c"))
    rate = Dimension(name="rate", low=1e-5, high=1e-1, log=True)

    assert len(trials([rank, name], 0, 0)) == 6
    drawn = trials([rank, rate], 200, 3)
    assert drawn == trials([rank, rate], 200, 3) != trials([rank, rate], 200, 4)
    assert all(1e-5 <= each["rate"] <= 1e-1 and each["rank"] in (4, 8) for each in drawn)
    # Half of a logarithmic range of four powers of ten lies below its second.
    below = sum(math.log10(each["rate"]) < -3 for each in drawn)
    assert 70 < below < 130
    with pytest.raises(UsageError, match="samples"):
        trials([rate], 0, 0)


def test_a_short_range_of_whole_numbers_has_no_trial_twice() -> None:
    drawn = trials([Dimension(name="rank", low=1, high=3, whole=True)], 50, 0)

    assert sorted(each["rank"] for each in drawn) == [1, 2, 3]
