"""Words for figures."""

from __future__ import annotations

import pytest

from workbench.measure.paired import Paired
from workbench.measure.verdict import LITTLE_KLD, MUCH_KLD, forgotten, p_text, verdict


def changed(only_before: int, only_after: int) -> Paired:
    return Paired(both=20, only_before=only_before, only_after=only_after, neither=20)


@pytest.mark.parametrize(
    ("only_before", "only_after", "said"),
    [
        (0, 11, "better, p < 0.001"),
        (0, 6, "better, p = 0.031"),
        (0, 5, "no difference shown"),
        (0, 0, "no difference shown"),
        (7, 0, "worse, p = 0.016"),
        (40, 2, "worse, p < 0.001"),
    ],
)
def test_a_difference_is_claimed_with_its_p_or_not_at_all(
    only_before: int, only_after: int, said: str
) -> None:
    assert verdict(changed(only_before, only_after)) == said


def test_p_is_never_shown_as_nothing() -> None:
    assert [p_text(each) for each in (1.0, 0.0501, 0.00123, 0.001, 0.00099, 0.0)] == [
        "p = 1",
        "p = 0.05",
        "p = 0.0012",
        "p = 0.001",
        "p < 0.001",
        "p < 0.001",
    ]


def test_forgetting_has_its_limits() -> None:
    assert forgotten(0.0) == forgotten(LITTLE_KLD) == "hardly any"
    assert forgotten(LITTLE_KLD * 1.01) == forgotten(MUCH_KLD * 0.99) == "some"
    assert forgotten(MUCH_KLD) == forgotten(7.0) == "much"


def test_questions_that_went_wrong_are_never_hardly_any() -> None:
    assert forgotten(0.001, changed(8, 0)) == "some"
    assert forgotten(0.001, changed(0, 8)) == forgotten(0.001, changed(3, 2)) == "hardly any"
    assert forgotten(0.5, changed(0, 8)) == "much"
