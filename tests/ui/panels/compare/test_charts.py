"""The charts: what they draw of a comparison, what their points say, and what they save."""

import csv
import xml.etree.ElementTree as Xml
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from tests.ui.models.test_compare_variants import candidates
from tests.workbench.measure.cards import FIGURES, card
from ui.models.compare_variants import Comparison, compare
from ui.panels.compare.batch_chart import READING, BatchChart
from ui.panels.compare.chart import Chart
from ui.panels.compare.latency_chart import LatencyChart
from ui.panels.compare.memory_chart import MemoryChart
from ui.panels.compare.quality_chart import QualityChart, SizeChart, SpeedChart
from ui.panels.compare.steps_chart import StepsChart
from ui.theme import Theme
from workbench.errors import WorkbenchError
from workbench.measure.card import Cache, Card, Histogram

ALL = (SizeChart, SpeedChart, BatchChart, MemoryChart, LatencyChart, StepsChart)

Show = Callable[..., Chart]


@pytest.fixture
def show(theme: Theme, qtbot: QtBot) -> Show:
    """Makes a chart of a kind and shows a comparison in it."""

    def shown(kind: type[Chart], comparison: Comparison | None = None) -> Chart:
        made = kind(theme)  # type: ignore[call-arg]
        qtbot.addWidget(made)
        made.resize(520, 340)
        found = comparison if comparison is not None else of(*(each for each in FIGURES if each != "F16"))
        made.show_comparison(found)
        if isinstance(made, StepsChart):
            made.show_way_to(len(found.variants) - 1)
        made.show()
        made.grab()
        return made

    return shown


def of(*kinds: str) -> Comparison:
    return compare(candidates(*(card(kind) for kind in kinds)))


def test_the_front_is_told_and_the_beaten_model_names_who_beats_it(show: Show) -> None:
    chart = show(SpeedChart)

    told = {
        mark.text.splitlines()[0].removeprefix("SmolLM2-135M-Instruct-"): mark.text for mark in chart.marks
    }

    assert len(told) == 7
    assert "Q5_K_M is at least as good in both" in told["Q3_K_M"]
    assert "No other is better in both" in told["Q2_K"]
    assert "The reference that the others are compared with" in told["F16"]
    assert "167 (95 %: 164 to 170)" in told["Q4_K_M"]
    front = {row[0]: row[-1] for row in chart.table().rows}
    assert [name for name, on_front in front.items() if on_front == "no"] == ["SmolLM2-135M-Instruct-Q3_K_M"]


def test_points_stand_where_their_figures_say(show: Show) -> None:
    chart = show(SizeChart)
    place = {mark.variant: mark.at for mark in chart.marks}
    by_label = {each.label: place[number] for number, each in enumerate(chart.comparison.variants)}

    assert by_label["Q2_K"].x() < by_label["Q8_0"].x() < by_label["F16"].x()
    assert by_label["Q2_K"].y() < by_label["Q4_K_M"].y() < by_label["Q8_0"].y() < by_label["F16"].y()


def test_a_divergence_of_zero_or_less_has_its_own_lane(show: Show) -> None:
    lossless = msgspec.structs.replace(
        card("Q8_0"),
        quality=msgspec.structs.replace(card("Q8_0").quality, mean_kld=-1e-9),  # type: ignore[type-var]
    )

    chart = show(SizeChart, compare(candidates(lossless, card("Q2_K"))))

    heights = {mark.variant: mark.at.y() for mark in chart.marks}
    assert heights[0] == heights[1] > heights[2]


def test_a_model_without_the_figure_is_in_no_front(show: Show) -> None:
    silent = msgspec.structs.replace(card("Q8_0"), speed=None)

    chart = show(SpeedChart, compare(candidates(silent, card("Q2_K"))))

    assert [row[0] for row in chart.table().rows] == [
        "SmolLM2-135M-Instruct-F16",
        "SmolLM2-135M-Instruct-Q2_K",
    ]


def test_people_read_four_to_seven_tokens_a_second() -> None:
    slow, fast = READING

    assert 3.8 < slow < 4.0
    assert 7.0 < fast < 7.2


def test_the_largest_batch_says_what_each_answer_gets(show: Show) -> None:
    chart = show(BatchChart, of("Q4_K_M"))

    told = [mark.text for mark in chart.marks if "16 answers at once" in mark.text]

    assert "668 tok/s" in told[-1]
    assert "41.8 tok/s each" in told[-1]


def test_memory_has_the_machine_s_limit_far_above_or_near(show: Show) -> None:
    far = show(MemoryChart)
    small = msgspec.structs.replace(
        card("Q8_0"),
        memory=msgspec.structs.replace(card("Q8_0").memory, limit=300_000_000),  # type: ignore[type-var]
    )
    near = show(MemoryChart, compare([*candidates(small)]))

    assert isinstance(far, MemoryChart) and far.limits() == [25_000_000_000]
    assert far.titles[1] == "Memory (log)"
    assert isinstance(near, MemoryChart) and near.limits() == [300_000_000, 25_000_000_000]


def test_a_wait_s_percentiles_are_said_in_milliseconds(show: Show) -> None:
    chart = show(LatencyChart, of("Q4_K_M"))

    assert "p50" in chart.marks[-1].text
    assert "5.99\u202fms (p50)" in chart.marks[-1].text
    assert "8.98\u202fms (p99)" in chart.marks[-1].text


def test_the_way_to_a_model_is_told_in_the_heading(show: Show) -> None:
    chart = show(StepsChart, of("Q8_0", "Q4_K_M"))

    assert chart.heading == "From where you started to here: ×6.24"
    assert [mark.text.splitlines()[0] for mark in chart.marks] == ["F16", "Q4_K_M", "16 answers at once"]


def test_every_chart_is_walked_by_keyboard_and_says_what_it_is_at(show: Show, qtbot: QtBot) -> None:
    for kind in ALL:
        chart = show(kind)
        pointed: list[object] = []
        chart.highlighted.connect(pointed.append)

        for _ in chart.marks:
            qtbot.keyClick(chart, Qt.Key.Key_Right)
            assert chart.accessibleDescription() == chart.current_text().replace("\n", ", ") != ""

        assert [each for each in pointed if each is not None] == [mark.variant for mark in chart.marks][
            : len(pointed)
        ]
        qtbot.keyClick(chart, Qt.Key.Key_Left)
        qtbot.keyClick(chart, Qt.Key.Key_Escape)
        assert chart.current_text() == ""
        assert pointed[-1] is None


def test_every_chart_saves_a_picture_a_drawing_and_its_figures(
    show: Show, tmp_path: Path, qtbot: QtBot
) -> None:
    for kind in ALL:
        chart = show(kind)

        for ending in ("png", "svg", "csv"):
            with qtbot.waitSignal(chart.saved):
                chart.save_to(tmp_path / f"chart.{ending}")

        image = QImage(str(tmp_path / "chart.png"))
        assert image.size() == QSize(2 * 640, 2 * 400)
        assert len({image.pixelColor(x, y).rgb() for x in range(0, 1280, 7) for y in range(0, 800, 7)}) > 5
        assert image.pixelColor(0, 0).alpha() == 255
        drawing = Xml.parse(tmp_path / "chart.svg").getroot()  # noqa: S314 - just written here
        texts = "".join(drawing.itertext())
        assert chart.heading in texts
        rows = list(csv.reader((tmp_path / "chart.csv").open(encoding="utf-8")))
        assert len(rows) == 1 + len(chart.table().rows)
        assert all(len(row) == len(rows[0]) for row in rows)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["chart.csv", "chart.png", "chart.svg"]


def test_a_place_that_can_t_be_written_is_a_message_and_leaves_nothing(show: Show, tmp_path: Path) -> None:
    chart = show(SizeChart)
    failures: list[WorkbenchError] = []
    chart.failed.connect(failures.append)

    for name in ("missing/chart.png", "chart.bmp"):
        chart.save_to(tmp_path / name)

    assert len(failures) == 2
    assert "could not be saved" in failures[0].message
    assert ".png, .svg or .csv" in failures[1].remedy
    assert list(tmp_path.iterdir()) == []


def test_a_chart_without_figures_says_so(show: Show) -> None:
    for kind in ALL:
        bare = msgspec.structs.replace(
            card("Q8_0"), quality=None, reference=None, speed=None, memory=None, reference_speed=None
        )

        chart = show(kind, compare(candidates(bare)))

        assert not chart.has_anything()
        assert chart.marks == []
        assert chart.accessibleDescription() == chart.nothing


def test_a_chart_is_drawn_at_any_size_and_with_the_longest_names(show: Show, theme: Theme) -> None:
    long = compare(candidates(*(card(each, name="n" * 300) for each in ("Q8_0", "Q2_K"))))
    charts = [show(kind, long) for kind in ALL]

    for chart in charts:
        for size in (QSize(1, 1), QSize(300, 200), QSize(2400, 900)):
            chart.resize(size)
            chart.grab()
    theme.set_mode("light")
    for chart in charts:
        chart.grab()

    assert all(chart.marks for chart in charts)


def test_models_fade_while_another_is_pointed_at(show: Show) -> None:
    chart = show(SizeChart)

    chart.highlight(2)

    assert chart.strength(2) == 1.0
    assert chart.strength(1) < 0.5
    chart.highlight(None)
    assert chart.strength(1) == 1.0


def test_the_picked_model_is_ringed(show: Show) -> None:
    chart = show(SizeChart)
    assert isinstance(chart, QualityChart)
    before = chart.grab().toImage()

    chart.set_picked(3)

    assert chart.grab().toImage() != before


def test_a_card_with_senseless_figures_breaks_no_chart(show: Show, tmp_path: Path) -> None:
    for kind in ALL:
        for cards in ((_senseless(),), (_senseless(), card("Q2_K"))):
            chart = show(kind, compare(candidates(*cards)))
            chart.save_to(tmp_path / f"{kind.__name__}.png")

    assert len(list(tmp_path.iterdir())) == len(ALL)


def _senseless() -> Card:
    """A card that reads well and whose figures can't be true."""
    made = card("Q8_0")
    speed, memory, quality = made.speed, made.memory, made.quality
    assert speed is not None and memory is not None and quality is not None
    decode = tuple(
        msgspec.structs.replace(speed.decode[0], batch=batch, tokens_per_s=rate, low=rate, high=-rate)
        for batch, rate in ((0, 5.0), (-1, 5.0), (1, 0.0), (2, -3.0), (4, 1e300))
    )
    gaps = Histogram(edges=(1.0, 1.0, 0.5), counts=(0, -4, 7, 9, 9))
    sizes = ((0, 1), (-5, 1), (7, -(10**12)), (10**15, 10**18))
    return msgspec.structs.replace(
        made,
        speed=msgspec.structs.replace(speed, decode=decode, gaps=gaps, gap_p50_s=1e-9, gap_p99_s=-1.0),
        memory=msgspec.structs.replace(
            memory,
            limit=1,
            caches=tuple(Cache(context=context, batch=1, bytes=size) for context, size in sizes),
        ),
        quality=msgspec.structs.replace(quality, mean_kld=1e300, mean_kld_error=-1.0),
    )
