"""Names beside points: they never cover each other or a point, never leave the frame, and stand near."""

import random
from itertools import combinations, pairwise

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF

from ui.panels.compare.labels import Wanted, place_names, spread

FRAME = QRectF(0, 0, 400, 260)


def _crowd(seed: int, count: int) -> list[Wanted]:
    chance = random.Random(seed)
    return [
        Wanted(QPointF(chance.uniform(10, 390), chance.uniform(10, 250)), QSizeF(chance.uniform(20, 90), 15))
        for _ in range(count)
    ]


def test_names_cover_neither_each_other_nor_any_point() -> None:
    for seed in range(20):
        wanted = _crowd(seed, 24)

        found = place_names(wanted, FRAME)

        boxes = [box for box in found if box is not None]
        assert len(boxes) >= 12
        assert all(FRAME.contains(box) for box in boxes)
        assert not any(one.intersects(two) for one, two in combinations(boxes, 2))
        assert not any(box.contains(each.point) for box in boxes for each in wanted)


def test_a_lonely_point_has_its_name_at_its_right() -> None:
    (box,) = place_names([Wanted(QPointF(100, 100), QSizeF(50, 15))], FRAME)

    assert box is not None
    assert box.left() > 100
    assert box.center().y() == 100


def test_a_name_gives_way_to_a_line_where_it_can() -> None:
    line = QLineF(100, 100, 300, 100)

    (box,) = place_names([Wanted(QPointF(100, 100), QSizeF(50, 15))], FRAME, [line])

    assert box is not None
    assert not box.contains(QPointF(130, 100))


def test_a_name_without_room_is_left_out() -> None:
    assert place_names([Wanted(QPointF(100, 100), QSizeF(500, 15))], FRAME) == [None]


def test_lines_of_text_are_spread_in_their_order_within_their_room() -> None:
    chance = random.Random(2)
    for _ in range(100):
        wanted = [chance.uniform(0, 200) for _ in range(chance.randrange(1, 12))]

        found = spread(wanted, 16.0, 0.0, 200.0)

        order = sorted(range(len(wanted)), key=lambda place: wanted[place])
        stood = [found[place] for place in order]
        assert all(b - a >= 16.0 - 1e-6 for a, b in pairwise(stood))
        assert min(stood) >= -1e-6
        assert max(stood) <= 200 + 1e-6


def test_lines_that_are_far_apart_stay_where_they_are_wanted() -> None:
    assert spread([10.0, 50.0, 90.0], 16.0, 0.0, 100.0) == [10.0, 50.0, 90.0]


def test_more_lines_than_there_is_room_for_stand_closer() -> None:
    found = spread([5.0] * 11, 16.0, 0.0, 100.0)

    assert sorted(found) == [10.0 * number for number in range(11)]
    assert spread([], 16.0, 0.0, 100.0) == []
