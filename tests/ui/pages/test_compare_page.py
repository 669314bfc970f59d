"""The Compare page over a real library and real cards: choosing, picking, copying, saving, keeping up."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QAbstractSpinBox, QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from sqlalchemy import insert

from tests.ui.models.test_compare_variants import under
from tests.workbench.measure.cards import FIGURES, card, subject
from ui.context import AppContext
from ui.models.compare_choices import MOST, Role
from ui.pages.compare import ComparePage
from workbench.jobs.runner import JobUpdate
from workbench.measure.card import Card
from workbench.model import ModelFacts
from workbench.session import Session
from workbench.store.tables import ModelRow

DERIVED = tuple(kind for kind in FIGURES if kind != "F16")

Asked = list[tuple[list[str], str | None]]
MakePage = Callable[[], ComparePage]


@pytest.fixture
def make_page(context: AppContext, qtbot: QtBot) -> MakePage:
    """Makes the page, as the window does on its first visit."""

    def make() -> ComparePage:
        made = ComparePage(context)
        qtbot.addWidget(made)
        made.resize(1100, 760)
        made.show()
        qtbot.waitExposed(made)
        return made

    return make


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was asked to be measured: ids, and against which; nothing is queued."""
    found: Asked = []
    monkeypatch.setattr(
        "ui.pages.compare.measure", lambda _context, ids, against=None: found.append((ids, against))
    )
    return found


def row(kind: str, id: str = "", name: str = "SmolLM2-135M-Instruct") -> dict[str, object]:
    """A model of the library as its row, without files."""
    found = subject(kind, name)
    facts = ModelFacts(format="gguf", architecture="llama", parameters=found.parameters)
    return {
        "id": id or kind,
        "name": found.name,
        "path": f"/nowhere/{id or kind}.gguf",
        "format": "gguf",
        "architecture": "llama",
        "quantization": kind,
        "parameters": found.parameters,
        "bits_per_weight": found.bits_per_weight,
        "size_bytes": found.size_bytes,
        "facts": facts.model_dump_json(),
        "sha256": found.sha256,
        "in_place": True,
        "source": "file",
        "parent_id": None if kind == "F16" else "F16",
        "tags": "[]",
        "notes": "",
        "created_at": 1.0,
    }


def fill(session: Session, *cards: Card, kinds: tuple[str, ...] = tuple(FIGURES)) -> None:
    """Put models and cards into a home."""
    with session.store.transaction() as transaction:
        transaction.execute(insert(ModelRow), [row(kind) for kind in kinds])
    for each in cards:
        session.proofs.add(each)


def cards_of(*kinds: str) -> list[Card]:
    return [card(kind) for kind in kinds]


def shown(page: ComparePage) -> list[str]:
    return [each.label for each in page.comparison.variants]


def test_without_models_the_page_says_what_to_do_next(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    page = make_page()
    button = next(each for each in page.findChildren(QPushButton) if each.text() == "Add a model")

    with qtbot.waitSignal(context.open_page) as asked:
        button.click()

    assert button.isVisible()
    assert asked.args == ["models", None]
    assert not page.pick_button.isVisible()


def test_models_without_cards_are_offered_to_be_measured(
    make_page: MakePage, context: AppContext, qtbot: QtBot, asked: Asked
) -> None:
    fill(context.session)
    page = make_page()

    next(each for each in page.findChildren(QPushButton) if each.text() == "Choose a model").click()
    assert page.chooser.isVisible()
    qtbot.keyClicks(page.chooser.search, "q4_k")
    qtbot.keyClick(page.chooser.search, Qt.Key.Key_Return)
    qtbot.keyClick(page.chooser.view, Qt.Key.Key_Return)

    assert asked == [(["Q4_K_M"], None)]
    assert page.choices.chosen == ()


def test_measured_models_of_a_family_are_chosen_at_first(make_page: MakePage, context: AppContext) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))

    page = make_page()

    assert shown(page) == ["F16", "Q8_0", "Q4_K_M"]
    assert page.comparison.reference is not None
    assert page.comparison.reference.model_id == "F16"
    assert page.board.isVisible()


def test_space_chooses_and_lets_go_by_keyboard(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of(*DERIVED))
    page = make_page()
    page.models_button.setChecked(True)
    page.chooser.show_current("Q2_K")

    qtbot.keyClick(page.chooser.view, Qt.Key.Key_Space)
    assert "Q2_K" not in shown(page)
    context.session.proofs.add(card("Q8_0", made_at=1_800_000_000.0))
    page.refresh()
    assert "Q2_K" not in shown(page)
    qtbot.keyClick(page.chooser.view, Qt.Key.Key_Space)

    assert "Q2_K" in shown(page)


def test_what_was_measured_meanwhile_joins_what_a_person_chose(
    make_page: MakePage, context: AppContext
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))
    page = make_page()
    page.open(("Q8_0", "Q8_0"))

    context.session.proofs.add(card("Q2_K"))
    context.jobs_changed.emit([JobUpdate(_job("done"))])

    assert shown(page) == ["F16", "Q8_0", "Q2_K"]


def test_choosing_nothing_says_so_and_its_family_brings_it_back(
    make_page: MakePage, context: AppContext
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q2_K"))
    page = make_page()
    page.models_button.setChecked(True)
    buttons = {each.text(): each for each in page.chooser.findChildren(QPushButton)}

    buttons["None"].click()
    assert shown(page) == []
    page.refresh()
    assert shown(page) == []
    assert page._nothing_chosen.isVisible()
    page.chooser.show_current("F16")
    buttons["Its family"].click()

    assert shown(page) == ["F16", "Q8_0", "Q2_K"]


def test_cards_that_can_t_be_compared_are_left_out_with_the_reason_and_a_way_out(
    make_page: MakePage, context: AppContext, asked: Asked
) -> None:
    other = under(card("Q2_K"), text="My letters", text_sha256="ab" * 32)
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"), other)
    page = make_page()

    (bar,) = page.board.apart
    assert shown(page) == ["F16", "Q8_0", "Q4_K_M"]
    assert "different texts: Tenfold's own text and My letters" in bar.message.accessibleName()
    bar.again.click()
    assert asked == [(["Q2_K"], None)]
    bar.instead.click()

    assert shown(page) == ["F16", "Q2_K"]
    assert [each.apart.model_ids for each in page.board.apart] == [("Q8_0", "Q4_K_M")]


def test_what_was_compared_with_something_else_is_offered_to_be_compared_as_the_others(
    make_page: MakePage, context: AppContext, asked: Asked
) -> None:
    other = msgspec.structs.replace(card("Q2_K"), reference=subject("Q6_K"))
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"), other)
    page = make_page()

    (bar,) = page.board.apart
    assert bar.again.text() == "Measure against F16"
    bar.again.click()

    assert asked == [(["Q2_K"], "F16")]


def test_a_new_card_is_seen_when_its_job_ends(make_page: MakePage, context: AppContext) -> None:
    fill(context.session, *cards_of("Q8_0"))
    page = make_page()

    context.session.proofs.add(card("Q4_K_M"))
    context.jobs_changed.emit([JobUpdate(_job("running"))])
    assert shown(page) == ["F16", "Q8_0"]
    context.jobs_changed.emit([JobUpdate(_job("done"))])

    assert shown(page) == ["F16", "Q8_0", "Q4_K_M"]


def test_cards_that_are_damaged_or_gone_and_removed_models_leave_the_comparison(
    make_page: MakePage, context: AppContext
) -> None:
    fill(context.session)
    paths = {kind: context.session.proofs.add(card(kind)) for kind in ("Q8_0", "Q4_K_M", "Q2_K")}
    page = make_page()

    paths["Q8_0"].write_bytes(b"{}")
    paths["Q2_K"].unlink()
    page.refresh()
    assert shown(page) == ["F16", "Q4_K_M"]
    with context.session.store.transaction() as transaction:
        transaction.query(ModelRow).delete()
    context.models_changed.emit()

    assert shown(page) == []
    assert page._no_models.isVisible()


def test_speeds_from_a_machine_that_was_not_quiet_are_called_noisy(
    make_page: MakePage, context: AppContext
) -> None:
    made = card("Q8_0")
    assert made.speed is not None
    decode = tuple(msgspec.structs.replace(each, noisy=True) for each in made.speed.decode)
    noisy = msgspec.structs.replace(made, speed=msgspec.structs.replace(made.speed, decode=decode))
    fill(context.session, noisy)

    page = make_page()

    assert page._summary.text().endswith("25 GB")
    assert " · speeds are noisy · " in page._summary.text()


def test_a_card_from_no_time_at_all_is_still_a_card(make_page: MakePage, context: AppContext) -> None:
    fill(context.session, under(card("Q8_0"), made_at=1e15))

    page = make_page()

    assert shown(page) == ["F16", "Q8_0"]
    assert page.choices.index(page.choices.row_of("Q8_0")).data(Role.SECOND_LINE).endswith("measured")


def test_pick_for_me_rings_the_best_and_tells_why_the_others_are_not(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of(*DERIVED))
    page = make_page()

    page.pick_button.click()
    best = page.picker.best()
    assert best is not None and best.model_id == "Q4_K_M"
    lines = [page.picker.list.item(each).text() for each in range(page.picker.list.count())]
    assert len(lines) == 6
    assert any(line.startswith("Q2_K\nIts mean KL divergence is 0.61") for line in lines)
    page.picker.kld.box.setValue(0.03)
    # No measurement tells its speed from Q5_K_M's, and it is closer.
    assert page.picker.best().model_id == "Q6_K"  # type: ignore[union-attr]
    page.picker.memory.set_limit(0.1)
    assert page.picker.best() is None
    page.picker.memory.set_limit(None)
    with qtbot.waitSignal(context.open_page) as asked:
        next(each for each in page.picker.findChildren(QPushButton) if each.text() == "Chat with it").click()

    assert asked.args == ["chat", "Q6_K"]
    assert page.board.by_size._picked == page.picker.found.best


def test_one_side_panel_at_a_time(make_page: MakePage, context: AppContext) -> None:
    fill(context.session, *cards_of("Q8_0"))
    page = make_page()

    page.models_button.click()
    assert page.chooser.isVisible()
    page.pick_button.click()
    assert page.picker.isVisible() and not page.chooser.isVisible()
    assert not page.models_button.isChecked()
    page.pick_button.click()

    assert not page.picker.isVisible()
    assert page.board.by_size._picked is None


def test_ctrl_c_in_the_table_copies_what_a_spreadsheet_pastes(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))
    page = make_page()
    table = page.board.table

    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    everything = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text()), delimiter="\t"))
    table.selectRow(1)
    table.copy()
    one = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text()), delimiter="\t"))

    assert [line[0] for line in everything[1:]] == [each.name for each in page.comparison.variants]
    assert one == [everything[0], everything[2]]


def test_s_sorts_the_table_by_the_current_column(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))
    page = make_page()
    table, figures = page.board.table, page.board.figures
    table.setCurrentIndex(figures.index(0, 2))

    qtbot.keyClick(table, Qt.Key.Key_S)
    ascending = [figures.place(each) for each in range(3)]
    qtbot.keyClick(table, Qt.Key.Key_S)

    assert ascending == [2, 1, 0]
    assert [figures.place(each) for each in range(3)] == [0, 1, 2]


def test_a_row_of_the_table_is_brought_out_in_the_charts_and_back(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))
    page = make_page()

    page.board.table.selectRow(2)
    assert page.board.by_size.strength(2) == 1.0
    assert page.board.latency.strength(1) < 1.0
    page.board.by_size.grab()
    qtbot.keyClick(page.board.by_size, Qt.Key.Key_Right)

    chosen = page.board.table.selectionModel().selectedRows()
    assert [page.board.figures.place(each.row()) for each in chosen] == [page.board.by_size.marks[0].variant]


def test_everything_is_saved_into_one_folder(
    make_page: MakePage, context: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"))
    page = make_page()
    folder = tmp_path / "saved"
    folder.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(folder))

    with qtbot.waitSignal(context.message) as told:
        next(each for each in page.actions() if each.text().startswith("Save all")).trigger()

    assert told.args == ["good", f"21 files are in {folder}."]
    for ending in ("png", "svg", "csv"):
        assert len(list(folder.glob(f"*.{ending}"))) == 7
    assert "SmolLM2-135M-Instruct-Q4_K_M" in (folder / "all-figures.svg").read_text(encoding="utf-8")
    with qtbot.waitSignal(context.message) as told:
        page.save_all(tmp_path / "missing")
    assert told.args[0] == "bad"


def test_the_chart_in_focus_is_saved_by_its_keys(
    make_page: MakePage, context: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    fill(context.session, *cards_of("Q8_0"))
    page = make_page()
    page.activateWindow()
    chosen = tmp_path / "waits"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(chosen), ""))
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier

    page.board.latency.setFocus()
    qtbot.waitUntil(page.board.latency.hasFocus)
    with qtbot.waitSignal(page.board.saved) as saved:
        qtbot.keyClick(page.board.latency, Qt.Key.Key_G, keys)

    assert saved.args == [tmp_path / "waits.svg"]
    assert "Wait for the next token" in (tmp_path / "waits.svg").read_text(encoding="utf-8")
    page.board.table.setFocus()
    qtbot.waitUntil(page.board.table.hasFocus)
    with qtbot.waitSignal(context.message) as told:
        qtbot.keyClick(page.board.table, Qt.Key.Key_P, keys)
    assert "Go to a chart first" in told.args[1]


def test_a_page_is_opened_for_a_model_and_its_family(make_page: MakePage, context: AppContext) -> None:
    fill(context.session, *cards_of(*DERIVED))
    page = make_page()

    page.open(("Q8_0", "Q2_K"))
    assert shown(page) == ["F16", "Q8_0", "Q2_K"]
    page.open("Q4_K_M")

    assert len(shown(page)) == 7


def test_a_thousand_models_are_listed_and_the_charts_take_as_many_as_fit(
    make_page: MakePage, context: AppContext, qtbot: QtBot
) -> None:
    kinds = [DERIVED[number % len(DERIVED)] for number in range(1000)]
    rows = [row("F16"), *(row(kind, f"m{number}", f"Model {number}") for number, kind in enumerate(kinds))]
    with context.session.store.transaction() as transaction:
        transaction.execute(insert(ModelRow), rows)
    for number, kind in enumerate(kinds[: MOST + 6]):
        made = card(kind, name=f"Model {number}")
        context.session.proofs.add(msgspec.structs.replace(made, reference=subject("F16")))
    page = make_page()
    page.models_button.setChecked(True)

    assert page.choices.rowCount() == 1001
    assert len(page.choices.chosen) == MOST
    assert len(shown(page)) == MOST + 1
    unchosen = next(
        each.id
        for number in range(1001)
        if (each := page.choices.record(number)) is not None
        and page.choices.is_measured(number)
        and each.id not in page.choices.chosen
    )
    page.chooser.show_current(unchosen)
    with qtbot.waitSignal(context.message) as told:
        qtbot.keyClick(page.chooser.view, Qt.Key.Key_Space)
    assert str(MOST) in told.args[1]
    page.chooser.search.setText("model 999")

    assert page.choices.rowCount() == 1


def _job(state: str) -> object:
    """As much of a job as the page looks at."""
    from dataclasses import dataclass

    @dataclass
    class Job:
        state: str

    return Job(state)


def test_every_control_has_a_name_that_can_be_spoken(make_page: MakePage, context: AppContext) -> None:
    other = under(card("Q2_K"), form="full")
    fill(context.session, *cards_of("Q8_0", "Q4_K_M"), other)
    page = make_page()

    nameless = []
    for button in (page.models_button, page.pick_button):
        button.setChecked(True)
        nameless += [
            type(each).__name__
            for each in page.findChildren(QWidget)
            if each.isVisible()
            and each.focusPolicy() & Qt.FocusPolicy.TabFocus
            and not isinstance(each.parentWidget(), QAbstractSpinBox)
            and not each.objectName().startswith("qt_")
            and (found := QAccessible.queryAccessibleInterface(each)) is not None
            and not found.text(QAccessible.Text.Name)
        ]

    assert nameless == []
