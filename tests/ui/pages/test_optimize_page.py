"""The Optimize page, over a real library, the real catalogue and a real board."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from tests.fixtures.entries import PLUGINS
from ui.context import AppContext
from ui.pages.optimize import OptimizePage
from ui.widgets.form_choice import ChoiceTable
from ui.widgets.operation_list import texts
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.made_files import files_made_by


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> OptimizePage:
    made = OptimizePage(context)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    return made


def test_without_models_the_page_offers_to_add_one(
    page: OptimizePage, context: AppContext, qtbot: QtBot
) -> None:
    page.show()
    button = next(each for each in page.findChildren(QPushButton) if each.text() == "Add a model")

    with qtbot.waitSignal(context.open_page) as asked:
        button.click()

    assert button.isVisible()
    assert asked.args[0] == "models"


def test_a_start_submits_what_the_form_and_the_plan_say(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)
    assert page.entry is not None
    assert page.entry.name == "gguf-quantize"

    page.form.set_values({"type": "Q5_K_M"})  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: "Q5_K_M" in page._plan.name.text())
    # Shortcuts reach the active window alone, which a busy machine makes one only after a while.
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    qtbot.keyClick(page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    qtbot.waitUntil(lambda: len(context.session.board.list()) == 1)
    job = context.session.board.list()[0]
    spec = context.session.board.spec(job.id)
    assert job.state == "queued"
    assert spec.params["type"] == "Q5_K_M"
    assert spec.model is not None
    assert spec.model.path == tiny_gguf
    assert "Q5_K_M" in spec.output_name
    assert page._show_job.isVisible()


@pytest.mark.parametrize("form", ["quick", "full", "none"])
def test_a_result_is_measured_as_was_chosen_and_the_choice_is_kept(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot, form: str
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)
    page.show()
    proof = page._plan.proof
    assert proof.isVisible() and proof.currentData() == "quick"
    proof.setFocus()
    while proof.currentData() != form:
        qtbot.keyClick(proof, Qt.Key.Key_Down)
    proof.activated.emit(proof.currentIndex())
    page._plan.start_button.click()

    then = context.session.board.spec(context.session.board.list()[0].id).then
    assert context.session.settings.load().proof == form
    assert [each.params["form"] for each in then] == ([] if form == "none" else [form])
    for each in then:
        assert each.operation == "prove"
        assert each.params["against"] == str(tiny_gguf)
        assert each.model is None


def test_what_makes_no_whole_model_offers_no_proof(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "batch-generate"), qtbot)
    page.show()
    assert not page._plan.proof.isVisible()


def test_the_name_of_the_result_can_be_chosen(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)

    page._plan.name.selectAll()
    qtbot.keyClicks(page._plan.name, "my-small-model")
    page._plan.start_button.click()

    spec = context.session.board.spec(context.session.board.list()[0].id)
    assert spec.output_name == "my-small-model"


def test_each_type_shows_about_how_large_the_result_becomes(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)
    table = page.form.field("type").input  # type: ignore[union-attr]

    assert isinstance(table, ChoiceTable)
    row = table.model.row_of("Q8_0")
    cells = [table.model.index(row, column).data() for column in range(table.model.columnCount())]
    assert any(str(cell).startswith("≈") for cell in cells)


def test_an_operation_for_another_format_is_dimmed_with_the_reason(
    page: OptimizePage, context: AppContext, tiny_hf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)

    row = page.operations.row(page.operations.row_of("gguf-quantize"))

    assert row is not None
    assert row.obstacles
    assert "GGUF" in texts(row)[1]
    assert not page._plan.start_button.isEnabled()
    assert page._plan.notice.isVisible()
    page._start()
    assert context.session.board.list() == []


def test_a_wrong_value_is_explained_at_its_field_and_nothing_starts(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)

    path = next(field for field in page.entry.fields if field.kind == "path")  # type: ignore[union-attr]
    page.form.set_values({path.name: "/nowhere/imatrix.gguf"})  # type: ignore[union-attr]
    page._plan.start_button.click()

    assert "There is no file imatrix.gguf" in page.form.problems()[path.name]  # type: ignore[union-attr]
    assert context.session.board.list() == []


def test_a_script_is_exported_without_starting_anything(
    page: OptimizePage,
    context: AppContext,
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)
    chosen = tmp_path / "job.py"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(chosen), ""))

    page._plan.export_button.click()

    assert "gguf-quantize" in chosen.read_text()
    assert context.session.board.list() == []


def test_a_plugin_that_fails_is_one_row_with_its_reason(
    page: OptimizePage, context: AppContext, home: Home, tiny_gguf: Path, qtbot: QtBot
) -> None:
    (home.plugins / "broken.py").write_text("raise ValueError('no such luck')\n")
    context.session.library.add(tiny_gguf)
    _open(page, None, qtbot)

    assert len(page._failures) == 1
    row = page.operations.row_of(page._failures[0].plugin)
    page._list.setCurrentIndex(page.operations.index(row))

    assert page._head.failure.isVisible()
    assert "no such luck" in page._failures[0].reason + page._failures[0].traceback
    assert not page._plan.isVisible()


def test_values_are_kept_while_one_looks_at_another_operation(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_gguf).record
    _open(page, (model.id, "gguf-quantize"), qtbot)
    page.form.set_values({"type": "Q6_K"})  # type: ignore[union-attr]

    page.open((None, "gguf-dequantize"))
    assert page.entry.name == "gguf-dequantize"  # type: ignore[union-attr]
    page.open((None, "gguf-quantize"))

    assert page.form.values()["type"] == "Q6_K"  # type: ignore[union-attr]


def _open(page: OptimizePage, argument: object, qtbot: QtBot) -> None:
    """Show the page as the window does; the catalogue process takes seconds the first time."""
    page.show()
    # Keys reach the shortcuts of an active window alone.
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    qtbot.waitUntil(lambda: page.operations.rowCount() > 0, timeout=60_000)
    if argument is not None:
        page.open(argument)


def test_what_a_job_made_from_this_model_is_offered_where_it_serves(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    library, board = context.session.library, context.session.board
    model = library.add(tiny_gguf).record
    entry = context.session.catalogue.operation("imatrix")
    values = {"windows": 1, "width": 64}
    spec = make_spec(entry, model, library.facts(model.id), values, input=library.to_spec_input(model.id))
    job = board.submit(spec)

    def done() -> bool:
        context.session.runner.poll()
        return board.get(job.id).state == "done"

    qtbot.waitUntil(done, timeout=120_000)
    _open(page, (model.id, "gguf-quantize"), qtbot)
    field = page.form.field("imatrix")  # type: ignore[union-attr]
    offered = field.input.made.menu().actions()  # type: ignore[attr-defined]
    assert [action.text().split(" · ")[0] for action in offered] == [spec.title]
    offered[0].trigger()
    made = files_made_by(board, "imatrix")
    assert field.value() == str(made[0].path)

    stranger = library.add(shutil.copy(tiny_gguf, tmp_path / "other.gguf")).record
    _open(page, (stranger.id, "gguf-quantize"), qtbot)
    assert not page.form.field("imatrix").input.made.menu().actions()  # type: ignore[union-attr, attr-defined]


def test_a_page_that_was_left_before_the_plugins_were_looked_at_shows_them_later(
    page: OptimizePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    context.session.library.add(tiny_gguf)
    shutil.copy(PLUGINS / "steps.py", context.session.home.plugins)

    page.show()
    page.hide()
    page.show()

    qtbot.waitUntil(lambda: page.operations.row_of("steps") >= 0, timeout=60_000)
