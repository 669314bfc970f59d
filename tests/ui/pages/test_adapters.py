"""Adapters in the window: in the list of models, in Chat, and on the way to what is made of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
from ui.context import AppContext
from ui.models.model_columns import Column
from ui.pages.chat import ChatPage
from ui.pages.models import ModelsPage
from ui.pages.optimize import OptimizePage
from ui.panels.models.delete_dialog import DeleteDialog
from workbench.library.records import ModelRecord

made = importlib.import_module("adapters")
pytestmark = pytest.mark.timeout(180)
WAIT_MS = 60_000


@pytest.fixture
def base(context: AppContext, tiny_hf: Path) -> ModelRecord:
    return context.session.library.add(tiny_hf, name="Tiny").record


@pytest.fixture
def adapter(context: AppContext, base: ModelRecord, tmp_path: Path) -> ModelRecord:
    folder = made.peft_adapter(tmp_path / "tiny-tone", base=base.name, proven=True)
    return context.session.library.add(folder).record


@pytest.fixture
def models(context: AppContext, qtbot: QtBot) -> Iterator[ModelsPage]:
    page = ModelsPage(context)
    qtbot.addWidget(page)
    page.resize(1280, 800)
    yield page
    page.queue.stop()
    page.hide()


def shown(page: ModelsPage) -> set[str]:
    """The names of the buttons that can be seen, those that can't be pressed in brackets."""
    names = ("chat", "finetune", "optimize", "chat-adapter", "compare", "merge", "to-gguf")
    buttons = {name: page.detail.buttons.button(name) for name in names}
    return {
        name if button.isEnabled() else f"({name})"
        for name, button in buttons.items()
        if not button.isHidden()
    }


def test_adapter_stands_below_its_base_with_its_gain_and_its_price(
    models: ModelsPage, base: ModelRecord, adapter: ModelRecord
) -> None:
    models.show()

    models.open(adapter.id)

    row = models.tree.row_of(adapter.id)
    assert (models.tree.depth(row), models.tree.parent_row(row)) == (1, models.tree.row_of(base.id))
    cells = {column: models.tree.index(row, column).data() for column in Column}
    assert cells[Column.DISTANCE] == "0.021"
    assert cells[Column.GRADE].replace("\u202f", " ") == "2 % → 94 %"
    assert cells[Column.FITS] == "with its base"
    assert (cells[Column.SPEED], cells[Column.GAIN]) == ("—", "—")
    spoken = models.tree.index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "adapter of Tiny" in spoken
    assert "held-out loss 2.31 → 0.42" in spoken
    learned = models.detail._learned
    assert learned.isVisible()
    assert [label.text() for label, _value in learned._lines if not label.isHidden()] == [
        "Accuracy",
        "Held-out loss",
        "Forgotten",
        "Trained for",
    ]
    assert not models.detail.fits.isVisible()


def test_buttons_suit_what_is_shown_and_lead_where_they_say(
    models: ModelsPage, context: AppContext, base: ModelRecord, adapter: ModelRecord, qtbot: QtBot
) -> None:
    models.show()
    models.open(base.id)
    assert shown(models) - {"finetune"} == {"chat", "optimize"}
    models.open(adapter.id)
    assert shown(models) == {"chat-adapter", "compare", "merge", "to-gguf"}

    asked: list[tuple[str, object]] = []
    context.open_page.connect(lambda page, argument: asked.append((page, argument)))
    for name in ("chat-adapter", "compare", "merge", "to-gguf"):
        models.detail.buttons.button(name).click()
    models.table.opened.emit(adapter)

    assert asked == [
        ("chat", adapter.id),
        ("chat", ("side-by-side", base.id, adapter.id)),
        ("optimize", (adapter.id, "merge-adapter")),
        ("optimize", (adapter.id, "adapter-to-gguf")),
        ("chat", adapter.id),
    ]


def test_base_that_is_gone_is_named(
    models: ModelsPage, context: AppContext, base: ModelRecord, adapter: ModelRecord
) -> None:
    library = context.session.library
    said = [
        part.text()
        for part in DeleteDialog([(base, library.removal(base.id))], models).findChildren(
            type(models._summary)
        )
    ]
    assert any("of no use without their base: “tiny-tone”" in text for text in said)
    library.remove(base.id)
    models.show()

    models.open(adapter.id)

    assert shown(models) == {"(chat-adapter)", "(compare)", "(merge)", "(to-gguf)"}
    assert "Add Tiny first" in models.detail.buttons._need.text()
    assert models.detail.buttons._need.isVisible()


def test_gguf_adapter_is_neither_merged_nor_converted(
    models: ModelsPage, context: AppContext, base: ModelRecord, tmp_path: Path
) -> None:
    record = context.session.library.add(made.gguf_adapter(tmp_path / "tone.gguf", base="Tiny")).record
    models.show()

    models.open(record.id)

    assert record.parent_id == base.id
    assert shown(models) == {"(chat-adapter)", "(compare)"}
    assert "no GGUF form of its base" in models.detail.buttons._need.text()


def test_optimize_takes_the_base_and_fills_the_adapter_in(
    context: AppContext, base: ModelRecord, adapter: ModelRecord, qtbot: QtBot
) -> None:
    page = OptimizePage(context)
    qtbot.addWidget(page)
    page.show()
    shown: list[str] = []

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
                shown.append(type(watched).__name__)
            return False

    watch = Watch()
    QApplication.instance().installEventFilter(watch)  # type: ignore[union-attr]

    # The catalogue is not read yet, so that what is wanted has to wait for it.
    page.open((adapter.id, "merge-adapter"))
    qtbot.waitUntil(lambda: page.entry is not None and page.entry.name == "merge-adapter", timeout=WAIT_MS)

    assert page.chooser.current_id() == base.id
    assert page.chooser.count() == 1
    assert page.form is not None
    assert page.form.values()["adapters"] == [str(adapter.path)]
    assert "safetensors model appears below it" in page._plan.sentence.text()
    page.open((base.id, "merge-adapter", {"precision": "float32"}))
    assert page.form.values()["precision"] == "float32"
    page.open((adapter.id, "adapter-to-gguf"))
    assert page.form.values()["adapter"] == str(adapter.path)
    qtbot.waitUntil(lambda: "The adapter appears below it" in page._plan.sentence.text())
    assert page._plan._rows["size"].text() == "known when it is made"
    QApplication.processEvents()
    assert shown == []


def test_optimize_says_that_the_base_is_gone(
    context: AppContext, base: ModelRecord, adapter: ModelRecord, qtbot: QtBot
) -> None:
    context.session.library.remove(base.id)
    page = OptimizePage(context)
    qtbot.addWidget(page)

    with qtbot.waitSignal(context.message) as told:
        page.open((adapter.id, "merge-adapter"))

    assert "Add Tiny first" in told.args[1]


@pytest.fixture
def chat(context: AppContext, qtbot: QtBot, tiny_gguf: Path, tmp_path: Path) -> Iterator[ChatPage]:
    context.session.library.add(tiny_gguf, name="Tiny")
    context.session.library.add(made.gguf_adapter(tmp_path / "tone.gguf", base="Tiny"))
    page = ChatPage(context)
    qtbot.addWidget(page)
    page.resize(1280, 800)
    with qtbot.waitExposed(page):
        page.show()
    page.settings.loading.context.setValue(512)
    page.settings.form.longest.setValue(8)
    page.settings.form.preset.setCurrentText("Greedy")
    page.settings.form._take(page.settings.form.preset.currentIndex())
    yield page
    page.close_engines()


def test_adapter_is_chosen_as_a_model_and_answers_through_its_base(
    chat: ChatPage, context: AppContext, qtbot: QtBot
) -> None:
    tiny, tone = (context.session.library.get(name) for name in ("Tiny", "tone"))
    assert chat.header.chooser.current_id() == tiny.id

    chat.open(tone.id)
    chat.composer.set_text("Hello")
    qtbot.keyClick(chat.composer.editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(chat._turns) >= 2 and not chat.talk.busy, timeout=WAIT_MS)

    assert chat._report is not None
    assert chat._report.adapters == ("tone",)
    assert chat._turns[-1].model_name == "tone"
    assert [use.name for use in chat.settings.adapter_uses()] == ["tone"]
    chat.open(tiny.id)
    assert chat.settings.adapters.options() == ()
    assert chat._report is None


def test_base_and_adapter_answer_side_by_side(chat: ChatPage, context: AppContext, qtbot: QtBot) -> None:
    tiny, tone = (context.session.library.get(name) for name in ("Tiny", "tone"))
    chat.open(tone.id)  # what the header has chosen must not leak into the column of the base

    chat.open(("side-by-side", tiny.id, tone.id))
    side = chat.side_by_side
    side.prompt.setText("Hello")
    side.ask()
    qtbot.waitUntil(lambda: not any(column.busy for column in side.columns), timeout=WAIT_MS)

    assert chat.header.side_by_side.isChecked()
    assert [column.title for column in side.columns] == ["Tiny (F16)", "tone (LoRA r4)"]
    assert side.columns[0].tokens
    assert side.columns[1].tokens
    assert side.columns[0].tokens != side.columns[1].tokens


def test_adapter_without_its_base_is_explained_in_chat(
    chat: ChatPage, context: AppContext, qtbot: QtBot
) -> None:
    library = context.session.library
    tone = library.get("tone")
    library.remove(library.get("Tiny").id)

    with qtbot.waitSignal(context.message) as told:
        chat.refresh()
        chat.open(tone.id)
    chat.open(("side-by-side", tone.id, tone.id))
    chat.side_by_side.prompt.setText("Hello")
    chat.side_by_side.ask()

    assert "no GGUF form of its base" in told.args[1]
    assert chat._chosen is None
    assert not any(column.busy for column in chat.side_by_side.columns)
    assert "no GGUF form" in chat.side_by_side.columns[0]._figures.text()


def test_adapters_of_the_library_are_offered_beside_their_base(chat: ChatPage, context: AppContext) -> None:
    adapters = chat.settings.adapters

    assert [record.name for record in adapters._known] == ["tone"]
    adapters.add(adapters._known[0].path, adapters._known[0].name)

    assert [each.name for each in adapters.options()] == ["tone"]
    tiny = context.session.library.get("Tiny")
    assert adapters.by_hand(tiny) == adapters.options()
