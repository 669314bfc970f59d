"""The table of figures: what it shows, how it sorts, and what it hands to a file."""

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication

from tests.ui.models.test_compare_variants import candidates
from tests.workbench.measure.cards import card
from ui.models.compare_columns import COLUMNS
from ui.models.compare_figures import csv_text
from ui.models.compare_table import CompareTable
from ui.models.compare_variants import compare

TITLES = [column.title for column in COLUMNS]


@pytest.fixture
def table(qapp: QApplication) -> CompareTable:
    made = CompareTable()
    bare = msgspec.structs.replace(
        card("Q6_K"), speed=None, memory=None, quality=None, tasks=(), identity=None
    )
    shown = compare(candidates(card("Q8_0"), card("Q4_K_M"), card("Q2_K"), bare))
    made.show_comparison(shown, lambda _place: QPixmap(4, 4))
    return made


def _column(table: CompareTable, title: str) -> list[str]:
    column = TITLES.index(title)
    return [str(table.index(row, column).data()) for row in range(table.rowCount())]


def test_figures_stand_with_their_errors_and_intervals(table: CompareTable) -> None:
    assert _column(table, "Mean KL, nats") == [
        "reference",
        "0.00200 ± 0.00005",
        "—",
        "0.041 ± 0.001",
        "0.61 ± 0.02",
    ]
    assert _column(table, "Decode, tok/s")[:2] == ["107 (105–109)", "150 (147–153)"]
    assert _column(table, "Tasks right, %")[3] == "69 (60–77), no difference shown"
    assert _column(table, "Same answers")[3] == "2 of 8"


@pytest.mark.parametrize("title", TITLES)
def test_each_column_sorts_both_ways_and_keeps_what_is_unknown_last(table: CompareTable, title: str) -> None:
    column = COLUMNS[TITLES.index(title)]

    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        table.sort(TITLES.index(title), order)

        index = [key for each in COLUMNS for key in each.keys].index(column.keys[0])
        found = [row[index] for row in table.table().rows]
        known = [each for each in found if each is not None]
        assert found == known + [None] * (len(found) - len(known))
        assert known == sorted(known, reverse=order is Qt.SortOrder.DescendingOrder)  # type: ignore[type-var]


def test_sorting_is_kept_when_other_models_are_shown(table: CompareTable) -> None:
    table.sort(TITLES.index("Decode, tok/s"), Qt.SortOrder.DescendingOrder)

    table.show_comparison(compare(candidates(card("Q8_0"), card("Q2_K"))), lambda _place: QPixmap(4, 4))

    assert _column(table, "Type") == ["Q2_K", "Q8_0", "F16"]


def test_a_chosen_row_stays_chosen_while_the_table_is_sorted(table: CompareTable) -> None:
    from PySide6.QtCore import QPersistentModelIndex

    kept = QPersistentModelIndex(table.index(table.row_of(1), 0))

    table.sort(TITLES.index("Decode, tok/s"), Qt.SortOrder.DescendingOrder)

    assert table.place(kept.row()) == 1


def test_a_file_holds_every_figure_in_full_under_a_name_of_its_own(table: CompareTable) -> None:
    found = table.table()
    lines = csv_text(found, tabs=True).splitlines()

    assert len(set(found.columns)) == len(found.columns)
    assert all(len(row) == len(found.columns) for row in found.rows)
    cells = dict(zip(lines[0].split("\t"), lines[2].split("\t"), strict=True))
    assert cells["model"] == "SmolLM2-135M-Instruct-Q8_0"
    assert float(cells["mean_kld_error"]) == pytest.approx(0.002 / 40)
    assert float(cells["decode_tokens_per_s_low"]) == pytest.approx(147.0)


def test_names_with_commas_and_quotes_come_through_csv(qapp: QApplication) -> None:
    import csv
    import io

    made = CompareTable()
    odd = msgspec.structs.replace(
        card("Q8_0"), subject=msgspec.structs.replace(card("Q8_0").subject, name='a, "b"')
    )
    made.show_comparison(compare(candidates(odd)), lambda _place: QPixmap(4, 4))

    rows = list(csv.reader(io.StringIO(csv_text(made.table()))))

    assert [row[0] for row in rows[1:]] == ["SmolLM2-135M-Instruct-F16", 'a, "b"']
