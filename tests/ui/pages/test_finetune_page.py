"""The Fine-tune page, over a real library, the real catalogue, real child processes and a real board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QAccessible, QDropEvent
from PySide6.QtWidgets import QAbstractSpinBox, QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.pages.finetune import DATA, SETTINGS, TRAINING, FinetunePage
from ui.panels.finetune.data_answer import DataAnswer
from ui.panels.finetune.data_choice import DataChoice
from workbench.data.preview import PreviewRow, PreviewToken
from workbench.data.report import SideReport
from workbench.data.token_set import BadRow

#: What is left of a window of 960 × 600 and of 1280 × 800 beside the rail and the strip.
_LEAST, _USUAL = QSize(783, 558), QSize(1103, 758)
_CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> FinetunePage:
    made = FinetunePage(context)
    qtbot.addWidget(made)
    made.resize(1180, 760)
    return made


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Forty conversations, one of them long, and two rows that can't be used."""
    file = tmp_path / "desk-codes.jsonl"
    lines = [_row(f"Which desk is number {number}?", f"Desk {number}.") for number in range(39)]
    lines += [_row("Tell me all.", "word " * 300), '{"messages": []}', "{broken"]
    file.write_text("\n".join(lines))
    return file


def test_without_models_the_page_offers_to_add_one(
    page: FinetunePage, context: AppContext, qtbot: QtBot
) -> None:
    page.show()
    button = next(each for each in page.findChildren(QPushButton) if each.text() == "Add a model")

    with qtbot.waitSignal(context.open_page) as asked:
        button.click()

    assert button.isVisible()
    assert asked.args[0] == "models"


def test_a_gguf_file_alone_can_be_converted_first(
    page: FinetunePage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    context.session.library.add(tiny_gguf)
    page.show()
    button = next(each for each in page.findChildren(QPushButton) if each.text() == "Convert to safetensors")

    with qtbot.waitSignal(context.open_page) as asked:
        button.click()

    assert button.isVisible()
    assert asked.args == ["optimize", (None, "gguf-dequantize")]


def test_dropped_examples_are_read_shown_trained_on_and_taken_up_again(
    page: FinetunePage, context: AppContext, tiny_hf: Path, rows: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    _open(page, model.id, qtbot)
    assert not page.plan.start_button.isEnabled()

    _drop(page, rows)
    qtbot.waitUntil(lambda: page.data.answer is not None, timeout=60_000)

    answer = page.data.answer
    assert answer is not None
    assert (answer.rows, answer.bad) == (40, 2)
    assert page.data.examples.figures.figures["bad"].text() == "2"
    assert "Which desk is number 0?" in page.data.preview.view.toPlainText()
    assert "learned" in page.steps.steps[DATA].state.line
    assert page.plan.start_button.isEnabled()
    assert f"{answer.train.rows} examples" in page.plan.sentence.text()
    for size in (_LEAST, _USUAL):
        page.resize(size)
        qtbot.waitUntil(lambda: _cut_off(page) <= 0)

    assert page.settings.form is not None
    page.settings.form.set_values({"rank": 4})
    page.plan.name.selectAll()
    qtbot.keyClicks(page.plan.name, "first-try")
    qtbot.keyClick(page, Qt.Key.Key_Return, _CTRL)

    job = context.session.board.list()[0]
    spec = context.session.board.spec(job.id)
    assert (spec.operation, spec.output_name) == ("finetune-torch", "first-try")
    assert (spec.params["data"], spec.params["rank"]) == ([str(rows)], 4)
    assert page.steps.current == TRAINING
    assert page.training.job is not None
    assert page.training.job.id == job.id
    assert page.teach.current_run() == job.id

    page.training.head.buttons["cancel"].click()
    page.settings.reset()
    page.data.choose(DataChoice())
    page.show_run(job.id)
    page.training.head.buttons["again"].click()

    assert page.steps.current == SETTINGS
    assert page.settings.values()["rank"] == 4
    assert [each.path for each in page.data.choice.files] == [rows]
    page.question.stop()


def test_other_cut_offs_and_examples_are_asked_for_anew(
    page: FinetunePage, context: AppContext, tiny_hf: Path, rows: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    _open(page, model.id, qtbot)
    _choose(page, rows, qtbot)

    page.data.lengths.limit.setValue(64)
    page.data.lengths.limit.setValue(96)
    qtbot.waitUntil(lambda: _limit(page) == 96, timeout=60_000)
    assert page.data.answer is not None
    assert page.data.answer.cut_rows == 1
    tabs = page.data.lists.tabs
    assert [tabs.tabText(place).split(" ·")[0] for place in range(tabs.count())][:2] == ["Bad", "Long"]
    assert page.data.lists.model.index(0, 1).data() == "41"

    page.data.preview.show_number(39)
    qtbot.waitUntil(lambda: page.data.answer.first_row == 39, timeout=60_000)  # type: ignore[union-attr]
    assert page.data.preview.number == 39
    assert "cut off" in page.data.preview.view.accessibleDescription()


def test_rows_that_nobody_can_tell_are_mapped_by_hand(
    page: FinetunePage, context: AppContext, tiny_hf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    odd = tmp_path / "odd.jsonl"
    odd.write_text("\n".join(json.dumps({"q": f"Number {n}?", "a": f"It is {n}."}) for n in range(20)))
    _open(page, model.id, qtbot)

    page.data.choose(DataChoice().with_files([odd]))
    qtbot.waitUntil(lambda: "The fields are" in page.data.trouble.accessibleName(), timeout=60_000)
    assert page.data.trouble.isVisible()
    assert page.steps.steps[DATA].state.sign == "bad"
    assert not page.plan.start_button.isEnabled()

    mapping = page.data.examples.mapping
    mapping.kind.setCurrentIndex(mapping.kind.findData("completion"))
    mapping.kind.activated.emit(mapping.kind.currentIndex())
    for part, field in (("prompt", "q"), ("completion", "a")):
        combo = mapping.combos[part]
        combo.setCurrentIndex(combo.findData(field))
        combo.activated.emit(combo.currentIndex())

    qtbot.waitUntil(lambda: page.data.answer is not None, timeout=60_000)
    assert not page.data.trouble.isVisible()
    assert page.data.choice.values(("layout", "fields")) == {
        "layout": "completion",
        "fields": {"prompt": "q", "completion": "a"},
    }


def test_nothing_starts_while_something_is_wrong_and_its_place_says_why(
    page: FinetunePage, context: AppContext, tiny_hf: Path, rows: Path, qtbot: QtBot
) -> None:
    model = context.session.library.add(tiny_hf).record
    _open(page, model.id, qtbot)
    _answered(page, rows)
    form = page.settings.form
    assert form is not None
    field = form.field("learning_rate")
    field.input.setRange(-1, 2)  # type: ignore[attr-defined] - as a pasted value would come by it

    field.set_value(2.0)
    page.start()
    assert page.steps.current == SETTINGS
    assert "learning_rate" in form.problems()
    assert page.steps.steps[SETTINGS].state.sign == "bad"
    field.reset()

    _answered(page, rows, refused=("2 rows can't be used.",))
    assert "2 rows can't be used" in page.data.trouble.accessibleName()
    assert page.steps.steps[DATA].state.sign == "warn"
    assert not page.plan.start_button.isEnabled()
    page.start()

    assert context.session.board.list() == []


def test_steps_examples_and_the_script_are_reached_by_keys(
    page: FinetunePage,
    context: AppContext,
    tiny_hf: Path,
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    model = context.session.library.add(tiny_hf).record
    _open(page, model.id, qtbot)
    _answered(page, rows)
    alt = Qt.KeyboardModifier.AltModifier
    chosen = tmp_path / "job.py"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(chosen), ""))

    qtbot.keyClick(page, Qt.Key.Key_Right, alt)
    assert page.data.preview.number == 1
    for place, key in ((SETTINGS, Qt.Key.Key_2), (TRAINING, Qt.Key.Key_3), (DATA, Qt.Key.Key_1)):
        qtbot.keyClick(page, key, alt)
        assert page.steps.current == place
        assert page.plan.isVisible() == (place != TRAINING)
        assert _nameless(page) == []
    qtbot.keyClick(page, Qt.Key.Key_E, _CTRL)

    assert "finetune-torch" in chosen.read_text()
    assert context.session.board.list() == []


def _answered(page: FinetunePage, file: Path, *, refused: tuple[str, ...] = ()) -> None:
    """The page with a file and an answer about it, for tests of what follows from one."""
    page.data.show_choice(DataChoice().with_files([file]))
    tokens = (PreviewToken(1, "Which?", False, False), PreviewToken(2, "That.", True, False))
    shown = tuple(
        PreviewRow(file=file.name, line=line, held_out=False, used=True, sequences=(tokens,), more=(0,))
        for line in (1, 2)
    )
    side = SideReport(rows=2, tokens=4, learned=2)
    answer = DataAnswer(
        kind="chat", files=(), rows=2, bad=2, tokens=4, trained=2, masked_share=0.5, longest=2,
        percentiles={"50": 2, "95": 2}, limit=512, cut_rows=0, cut_share=0.0, left_out=0, train=side,
        evaluation=side, held_out=2, same_rows=0, alike_rows=0, alike_across=0, alike_of=2, histogram=(2,),
        edges=(0, 512), long_rows=(), alike=(), bad_rows=(BadRow(file=file.name, line=3, problem="Bad."),),
        refused=refused, preview=shown,
    )  # fmt: skip
    page.question.answered.emit(answer)


def _nameless(page: FinetunePage) -> list[str]:
    """The controls on the way of Tab that a screen reader could not name."""
    found = []
    for each in page.findChildren(QWidget):
        inner = each.objectName().startswith("qt_") or isinstance(each.parentWidget(), QAbstractSpinBox)
        if each.isVisible() and each.focusPolicy() & Qt.FocusPolicy.TabFocus and not inner:
            interface = QAccessible.queryAccessibleInterface(each)
            if not interface.text(QAccessible.Text.Name):
                found.append(f"{type(each).__name__} in {type(each.parentWidget()).__name__}")
    return found


def _row(prompt: str, answer: str) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns})


def _cut_off(page: FinetunePage) -> int:
    """Pixels of the Data panel that stand outside what is seen of it."""
    scroll = page.data._scroll
    return scroll.widget().minimumSizeHint().width() - scroll.viewport().width()


def _limit(page: FinetunePage) -> int:
    return page.data.answer.limit if page.data.answer is not None else 0


def _open(page: FinetunePage, argument: object, qtbot: QtBot) -> None:
    """Show the page as the window does."""
    page.show()
    # Keys reach the shortcuts of an active window alone.
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    page.open(argument)
    qtbot.waitUntil(lambda: page.entry is not None, timeout=60_000)


def _choose(page: FinetunePage, file: Path, qtbot: QtBot) -> None:
    page.data.choose(DataChoice().with_files([file]))
    qtbot.waitUntil(lambda: page.data.answer is not None, timeout=60_000)


def _drop(page: FinetunePage, file: Path) -> None:
    carried = QMimeData()
    carried.setUrls([QUrl.fromLocalFile(str(file))])
    event = QDropEvent(
        QPointF(QPoint(50, 50)),
        Qt.DropAction.CopyAction,
        carried,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    page.data.dropEvent(event)
