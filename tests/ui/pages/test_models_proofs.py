"""Proofs on the Models page: the columns, their order, the panel, and that they follow the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from tests.workbench.measure import cards
from ui.context import AppContext
from ui.models.model_columns import Column
from ui.models.model_proofs import ModelProofs
from ui.pages.models import ModelsPage
from ui.widgets.model_table import columns_for
from workbench.jobs.events import JobState
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import JobUpdate
from workbench.library.inspect import inspect
from workbench.library.records import ModelRecord
from workbench.measure.card import ENDING, Card, ParityCheck, encode, read_card
from workbench.measure.proofs import Proofs


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> Iterator[ModelsPage]:
    made = ModelsPage(context)
    qtbot.addWidget(made)
    made.resize(1700, 760)
    yield made
    made.queue.stop()
    made.proofs.stop()
    made.hide()


@pytest.fixture
def family(context: AppContext, tiny_gguf: Path, tmp_path: Path) -> dict[str, ModelRecord]:
    """An F16 with what was made of it, each with the content that its card names."""
    library = context.session.library
    facts = inspect(tiny_gguf)
    found: dict[str, ModelRecord] = {}
    for kind in ("F16", "Q8_0", "Q4_K_M", "Q2_K", "Q6_K"):
        copy = tmp_path / f"{kind}.gguf"
        copy.write_bytes(tiny_gguf.read_bytes())
        found[kind] = library.add_result(
            job_id="j",
            parent_id=found["F16"].id if found else None,
            path=copy,
            name=f"SmolLM2-135M-Instruct-{kind}",
            facts=facts.model_copy(update={"quantization": kind}),
            sha256=cards.subject(kind).sha256,
            source="job",
        )
    return found


def show(page: ModelsPage, qtbot: QtBot, *, cards_of: int) -> None:
    """Show the page, and wait until so many models have a card."""
    page.show()
    qtbot.waitUntil(lambda: sum(bool(each.headline) for each in page.proofs.rows.values()) == cards_of)


def cell(page: ModelsPage, record: ModelRecord, column: Column) -> str:
    text: str = page.tree.index(page.tree.row_of(record.id), column).data()
    return text.replace("\u202f", " ")


def row(page: ModelsPage, record: ModelRecord) -> list[str]:
    proved = (Column.SPEED, Column.GAIN, Column.DISTANCE, Column.GRADE)
    return [cell(page, record, column) for column in proved]


def keep(context: AppContext, *made: Card) -> None:
    for each in made:
        context.session.proofs.add(each)


def test_columns_tell_speed_gain_distance_and_grade(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    keep(context, cards.card("Q8_0"), cards.card("Q4_K_M"), cards.card("Q2_K"))

    show(page, qtbot, cards_of=3)

    assert row(page, family["Q8_0"]) == ["150 tok/s", "×1.4", "0.002", "same to the eye"]
    assert row(page, family["Q4_K_M"]) == ["167 tok/s", "×1.6", "0.041", "close"]
    assert row(page, family["Q2_K"]) == ["172 tok/s", "×1.6", "0.61", "damaged"]
    assert row(page, family["Q6_K"]) == ["—", "—", "—", "—"]
    # The reference has no card; its speed was measured beside the others.
    assert row(page, family["F16"]) == ["107 tok/s", "—", "—", "—"]
    spoken = page.tree.index(page.tree.row_of(family["Q4_K_M"].id), 0).data(
        Qt.ItemDataRole.AccessibleTextRole
    )
    assert "1.6× faster, 61 % smaller, KL 0.041: close to the original" in spoken
    assert not page.grab().isNull()


def test_lists_are_sorted_by_what_was_proved(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    keep(context, cards.card("Q8_0"), cards.card("Q4_K_M"), cards.card("Q2_K"))
    show(page, qtbot, cards_of=3)

    def order(column: Column, direction: Qt.SortOrder) -> list[str]:
        page.table.sortByColumn(column, direction)
        names = [page.tree.record(place).name for place in range(1, page.tree.rowCount())]
        return [name.rpartition("-")[2] for name in names]

    down, up = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
    assert order(Column.SPEED, down) == ["Q2_K", "Q4_K_M", "Q8_0", "Q6_K"]
    assert order(Column.DISTANCE, up) == ["Q8_0", "Q4_K_M", "Q2_K", "Q6_K"]
    assert order(Column.GRADE, up) == ["Q8_0", "Q4_K_M", "Q2_K", "Q6_K"]
    assert order(Column.GAIN, down)[-1] == "Q6_K"


def test_panel_shows_the_newest_card_with_a_quality_and_offers_the_rest(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    whole = cards.card("Q4_K_M", made_at=1.7e9)
    speed_alone = replace(cards.card("Q4_K_M", made_at=1.79e9), quality=None)
    keep(context, whole, speed_alone)
    show(page, qtbot, cards_of=1)

    page.open(family["Q4_K_M"].id)

    assert page.detail.proof.card.quality is not None
    assert page.detail.proof._choose.text() == "2 proofs"
    assert not page.detail.heading._figure.isVisible()
    page.open(family["Q6_K"].id)
    assert page.detail.proof.card is None
    assert page.detail.heading._figure.isVisible()


def test_measuring_is_asked_for_by_button_and_by_menu(
    page: ModelsPage, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    page.show()
    page.open(family["Q6_K"].id)

    with qtbot.waitSignal(page.measure_wanted) as asked:
        page.detail.proof.measure.click()
    assert asked.args == [family["Q6_K"]]

    action = next(each for each in page.actions() if each.text() == "Measure the model")
    with qtbot.waitSignal(page.measure_wanted) as asked:
        action.trigger()
    assert asked.args == [family["Q6_K"]]


def test_card_of_a_job_that_ended_appears_without_being_asked_for(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    page.show()
    page.open(family["Q8_0"].id)
    assert page.detail.proof.card is None

    keep(context, cards.card("Q8_0"))
    context.jobs_changed.emit([JobUpdate(_job("running"))])
    assert page.detail.proof.card is None
    context.jobs_changed.emit([JobUpdate(_job("done"))])

    qtbot.waitUntil(lambda: page.detail.proof.card is not None)
    assert cell(page, family["Q8_0"], Column.GRADE) == "same to the eye"


def test_broken_model_is_red_in_list_and_panel(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    failed = ParityCheck(name="tokenizer", result="failed", finding="3 tokens differ.", stage="Merge")
    keep(context, replace(cards.card("Q8_0"), parity=(failed,)))
    show(page, qtbot, cards_of=1)

    page.open(family["Q8_0"].id)

    assert cell(page, family["Q8_0"], Column.GRADE) == "broken"
    assert page.detail.proof._figure.text() == "Broken"


def test_proof_is_exported_where_the_person_says(
    page: ModelsPage,
    context: AppContext,
    family: dict[str, ModelRecord],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(context, cards.card("Q8_0"))
    show(page, qtbot, cards_of=1)
    page.open(family["Q8_0"].id)
    target = tmp_path / "proof.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(target), ""))

    page.detail.proof.export_wanted.emit("html")

    assert "same to the eye" in target.read_text(encoding="utf-8")


def test_list_and_panel_fit_into_the_smallest_window(
    page: ModelsPage, context: AppContext, family: dict[str, ModelRecord], qtbot: QtBot
) -> None:
    keep(context, cards.card("Q4_K_M"))
    page.resize(784, 520)  # what the rail leaves of 960

    show(page, qtbot, cards_of=1)
    page.open(family["Q4_K_M"].id)

    assert page.minimumSizeHint().width() <= 784
    assert page.detail.mapTo(page, page.detail.rect().bottomRight()).x() < page.width()
    body = page.detail.proof
    assert body.mapTo(page.detail, body.rect().topRight()).x() < page.detail.width()


def test_columns_of_dashes_leave_first_where_nothing_was_proved() -> None:
    assert Column.GRADE in columns_for(670, proved=True)
    assert Column.FITS not in columns_for(670, proved=True)
    assert Column.GRADE not in columns_for(670, proved=False)
    assert Column.FITS in columns_for(670, proved=False)
    for proved in (True, False):
        assert 0 < sum(columns_for(320, proved=proved).values()) <= 320 - 200


def test_a_thousand_cards_hold_up_no_frame_and_are_read_once(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        (tmp_path / f"{number}{ENDING}").write_bytes(encode(cards.card("Q4_K_M", name=f"m{number}")))
    known = ModelProofs(Proofs(tmp_path))
    reads: list[Path] = []

    def counted(path: Path) -> Card:
        reads.append(path)
        return read_card(path)

    monkeypatch.setattr("workbench.measure.proofs.read_card", counted)

    known.read()
    assert known.is_reading
    qtbot.waitUntil(lambda: not known.is_reading, timeout=20_000)
    assert len(known.rows) == 2000
    known.read()
    qtbot.waitUntil(lambda: not known.is_reading, timeout=20_000)
    assert len(reads) == 1000
    (tmp_path / f"new{ENDING}").write_bytes(encode(cards.card("Q8_0", name="new")))
    known.read()
    qtbot.waitUntil(lambda: not known.is_reading, timeout=20_000)

    assert len(reads) == 1001
    assert known.rows[cards.subject("Q8_0", "new").sha256].grade == "same to the eye"


def _job(state: JobState) -> JobRecord:
    """A job as the runner tells of it."""
    return JobRecord(
        id="j",
        operation="prove-model",
        title="Measure",
        state=state,
        reason="",
        needs="cpu",
        position=1.0,
        model_id=None,
        result_model_id=None,
        created_at=1.0,
        queued_at=1.0,
        started_at=1.0,
        ended_at=None,
        pid=None,
        attempts=1,
        progress_done=0.0,
        progress_total=0.0,
        progress_unit="",
        progress_label="",
        error_kind="",
        error_message="",
        error_remedy="",
        error_details="",
        folder=Path("j"),
    )
