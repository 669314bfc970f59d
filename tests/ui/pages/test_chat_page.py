"""The Chat page with a real generating process and the tiny model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.fixtures.entries import PLUGINS
from ui.context import AppContext
from ui.pages.chat import ChatPage
from workbench.chat.conversations import Turn
from workbench.chat.votes import Votes

pytestmark = pytest.mark.timeout(180)
WAIT_MS = 60_000


@pytest.fixture
def page(context: AppContext, qtbot: QtBot, tiny_gguf: Path) -> Iterator[ChatPage]:
    """The page, shown, with the tiny model in the library and short answers asked for."""
    context.session.library.add(tiny_gguf)
    made = ChatPage(context)
    qtbot.addWidget(made)
    made.resize(1280, 800)
    with qtbot.waitExposed(made):
        made.show()
    made.settings.loading.context.setValue(512)
    made.settings.form.longest.setValue(12)
    made.settings.form.seed.setText("7")
    yield made
    made.close_engines()


def said(page: ChatPage) -> list[tuple[str, str]]:
    return [(view.role, view.text) for view in page.transcript.views]


def ask(page: ChatPage, qtbot: QtBot, text: str) -> None:
    before = len(page._turns)
    page.composer.set_text(text)
    qtbot.keyClick(page.composer.editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(page._turns) >= before + 2 and not page.talk.busy, timeout=WAIT_MS)


def test_first_message_loads_the_model_and_is_answered(page: ChatPage, qtbot: QtBot) -> None:
    assert page._stack.currentWidget() is page._beginning

    ask(page, qtbot, "Hello there")

    assert [role for role, _text in said(page)] == ["user", "assistant"]
    assert said(page)[0][1] == "Hello there"
    assert page._report is not None
    assert "tokens/s" in page.transcript.views[1]._figures.text()
    assert page.history.list.count() == 1


def test_answering_again_and_editing_make_branches(page: ChatPage, qtbot: QtBot) -> None:
    ask(page, qtbot, "Hello")
    first = page._turns[1].id

    page._again(first)
    qtbot.waitUntil(lambda: len(page._turns) == 2 and page._turns[1].id != first, timeout=WAIT_MS)
    assert page._turns[1].siblings[0] == first
    assert not page.transcript.views[1]._place.isHidden()

    page.transcript.views[1].branch_wanted.emit(first)
    assert page._turns[1].id == first

    page._edit(page._turns[0].id)
    assert page.composer.text == "Hello"
    page.composer.set_text("Goodbye")
    page.composer._send()
    qtbot.waitUntil(lambda: not page.talk.busy and len(page._turns) == 2, timeout=WAIT_MS)
    assert page._turns[0].text == "Goodbye"
    assert len(page._turns[0].siblings) == 2


def test_stopping_keeps_what_was_said(page: ChatPage, qtbot: QtBot) -> None:
    page.settings.form.longest.setValue(0)
    page.settings.form.preset.setCurrentIndex(0)
    page.send("Tell me everything")
    qtbot.waitUntil(lambda: page.talk.busy, timeout=WAIT_MS)
    assert page.composer.button.text() == "Stop"

    page.composer.button.click()
    qtbot.waitUntil(lambda: not page.talk.busy, timeout=WAIT_MS)

    assert page._turns[-1].role in ("user", "assistant")
    assert page.composer.button.text() == "Send"


def test_killed_engine_is_said_in_the_transcript_and_the_page_lives(page: ChatPage, qtbot: QtBot) -> None:
    ask(page, qtbot, "Hello")

    psutil.Process(page.engine.process_id).kill()
    qtbot.waitUntil(lambda: page._report is None, timeout=WAIT_MS)

    said_so = [label.text() for label in page.transcript.findChildren(QLabel)]
    assert any("generating process ended" in text for text in said_so)
    ask(page, qtbot, "Still there?")
    assert len(page._turns) == 4


def test_prompt_past_the_context_is_refused_and_shown(page: ChatPage, qtbot: QtBot) -> None:
    ask(page, qtbot, "Hello")
    page.composer.set_text("word " * 700)
    qtbot.waitUntil(lambda: "too long" in page.composer._meter_text.text(), timeout=WAIT_MS)

    page.composer._send()
    qtbot.waitUntil(lambda: not page.talk.busy and len(page._turns) == 3, timeout=WAIT_MS)

    assert page._turns[-1].role == "user"


def test_broken_model_is_a_message_and_the_text_comes_back(
    page: ChatPage, qtbot: QtBot, context: AppContext
) -> None:
    # The tiny model's heads are too narrow for a quantized cache.
    page.settings.loading.kv_type.setCurrentIndex(1)
    page.composer.set_text("Hello")
    page.composer._send()

    qtbot.waitUntil(lambda: not page.engine.is_running, timeout=WAIT_MS)

    assert page.composer.text == "Hello"
    assert page._report is None
    said_so = [label.text() for label in page.transcript.findChildren(QLabel)]
    assert any("multiple of 32" in text for text in said_so)


def test_files_are_attached_or_refused(
    page: ChatPage, qtbot: QtBot, tmp_path: Path, context: AppContext
) -> None:
    messages: list[str] = []
    context.message.connect(lambda _kind, text: messages.append(text))
    good, binary, huge = tmp_path / "a.txt", tmp_path / "b.bin", tmp_path / "c.txt"
    good.write_text("some words", encoding="utf-8")
    binary.write_bytes(bytes(range(256)))
    huge.write_bytes(b"x" * 3_000_000)

    for path in (good, binary, huge, tmp_path / "missing"):
        page.composer.attach(path)

    assert "a.txt:\n```\nsome words\n```" in page.composer.text
    assert [
        word in message for word, message in zip(("not a text", "at most", "can't"), messages, strict=True)
    ]


def test_conversations_are_found_renamed_exported_and_deleted(
    page: ChatPage, qtbot: QtBot, tmp_path: Path
) -> None:
    ask(page, qtbot, "About cats")
    id = page._conversation_id
    assert id is not None

    page.history.search.setText("nothing like it")
    page.history.refresh()
    assert page.history.list.count() == 0
    page.history.search.setText("cats")
    page.history.refresh()
    assert page.history.list.count() == 1
    page.history.write(id, tmp_path / "a.md")
    page.history.write(id, tmp_path / "a.json")
    page._conversations.delete(id)
    page._gone(id)

    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("# About cats")
    assert '"turns"' in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert page._turns == []


def test_copying_a_message_and_its_code(page: ChatPage, qtbot: QtBot) -> None:
    from PySide6.QtCore import QUrl

    view = page.transcript.add("assistant", "Model")
    view.set_text("Look:\n\n```python\nx = 1\n```\n")

    view._follow(QUrl("copy:0"))
    assert QGuiApplication.clipboard().text() == "x = 1\n"
    view._copy.click()
    assert QGuiApplication.clipboard().text().startswith("Look:")


def test_side_by_side_compares_and_votes(page: ChatPage, qtbot: QtBot, context: AppContext) -> None:
    page.settings.form.preset.setCurrentText("Greedy")
    page.settings.form._take(page.settings.form.preset.currentIndex())
    page.header.side_by_side.setChecked(True)
    side = page.side_by_side
    side.prompt.setText("Hello")

    side.ask()
    qtbot.waitUntil(lambda: not any(column.busy for column in side.columns), timeout=WAIT_MS)

    assert side.columns[0].tokens == side.columns[1].tokens != []
    assert "identical" in side._result.text()
    side.add_column()
    side.add_column()
    side.add_column()
    assert len(side.columns) == 4
    side.remove_column(side.columns[3])
    assert len(side.columns) == 3
    side.vote(0)
    # The same model on both sides is no contest.
    assert Votes(context.session.store).win_rate("a", "b") is None


def test_serve_panel_starts_a_server_that_answers_and_stops_it(page: ChatPage, qtbot: QtBot) -> None:
    import openai

    panel = page.serve
    page._right.setCurrentWidget(panel)
    panel.button.click()
    qtbot.waitUntil(lambda: bool(panel.url), timeout=WAIT_MS)
    server = psutil.Process(panel._process.processId())
    engines = server.children(recursive=True)

    client = openai.OpenAI(base_url=panel.url, api_key=panel.token)
    answer = client.chat.completions.create(
        model=client.models.list().data[0].id, messages=[{"role": "user", "content": "Hi"}], max_tokens=3
    )
    qtbot.waitUntil(lambda: "tokens generated" in panel._figures.text(), timeout=WAIT_MS)
    panel.button.click()

    assert answer.choices[0].finish_reason in ("length", "stop")
    assert engines
    _gone, alive = psutil.wait_procs([server, *engines], timeout=20)
    assert not alive
    assert panel.url == ""


def test_guesses_are_coloured_counted_and_compared(page: ChatPage, qtbot: QtBot) -> None:
    page.settings.form.preset.setCurrentText("Greedy")
    page.settings.form._take(page.settings.form.preset.currentIndex())
    page.settings.form.longest.setValue(80)
    page.settings.loading.draft.setCurrentIndex(page.settings.loading.draft.findData("ngram"))
    ask(page, qtbot, "again and again and again and again")

    view = page.transcript.views[1]
    guessed = view.turn.figures["guessed"] if view.turn is not None else []
    assert guessed
    assert all(0 <= start < end <= len(view.text) for start, end in guessed)
    assert not view._guesses.isHidden()

    panel = page.live.guessing
    assert not panel.isHidden()
    assert "guesses in the last answer were right" in panel._words.text()
    panel.button.click()
    assert not panel.button.isEnabled()
    qtbot.waitUntil(panel.button.isEnabled, timeout=WAIT_MS)
    assert "The tokens are the same." in panel._result.text()
    assert len(page._turns) == 2


def test_a_drafter_of_a_plugin_is_offered_and_guesses(
    context: AppContext, page: ChatPage, qtbot: QtBot
) -> None:
    page.hide()
    shutil.copy(PLUGINS / "guess.py", context.session.home.plugins)
    draft = page.settings.loading.draft
    page.show()
    qtbot.waitUntil(lambda: draft.findData("plugin:repeat-period") > 0, timeout=WAIT_MS)

    draft.setCurrentIndex(draft.findData("plugin:repeat-period"))
    page.settings.form.preset.setCurrentText("Greedy")
    page.settings.form._take(page.settings.form.preset.currentIndex())
    ask(page, qtbot, "again and again and again and again")

    assert "Repeat the period (plugin)" in draft.currentText()
    figures = page.transcript.views[1].turn
    assert figures is not None and figures.figures["drafted"] > 0


def test_what_was_guessed_is_coloured_where_it_stands(page: ChatPage) -> None:
    turn = Turn(
        id=1,
        parent_id=None,
        role="assistant",
        text="One <b> two\nthree",
        model_name="Model",
        figures={"completion_tokens": 4, "guessed": [[4, 7], [11, 17]]},
        created_at=0.0,
        place=0,
        siblings=(1,),
    )
    page.transcript.show_turns([turn])
    view = page.transcript.views[0]
    view._guesses.setChecked(True)

    assert view._body.toPlainText() == turn.text
    cursor = view._body.textCursor()
    coloured = ""
    for place in range(len(turn.text)):
        cursor.setPosition(place + 1)
        if cursor.charFormat().background().style() != Qt.BrushStyle.NoBrush:
            coloured += turn.text[place]
    assert coloured.replace("\n", "") == "<b>three"
    view._guesses.setChecked(False)
    assert "background-color" not in view._body.toHtml()


def test_comparing_without_a_model_or_a_question_says_what_to_do(
    page: ChatPage, context: AppContext, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(context.message) as said:
        page.compare()
    assert "Load a model" in said.args[1]


def test_a_kept_preset_is_offered_everywhere_and_sets_the_system_prompt(page: ChatPage) -> None:
    form = page.settings.form
    page.settings.set_system("Speak in rhymes.")
    form.temperature.setValue(1.35)
    form.keep("Poet")
    form.temperature.setValue(0.2)
    page.settings.set_system("")

    form._take(form.preset.findText("Poet"))

    assert form.sampling().temperature == 1.35
    assert page.settings.system() == "Speak in rhymes."
    assert page.side_by_side.columns[0].preset.findText("Poet") > 0
    form.forget()
    assert form.preset.findText("Poet") == -1
    assert form.sampling().temperature == 1.35
    assert page.side_by_side.columns[0].preset.findText("Poet") == -1


def test_side_by_side_compares_settings_of_one_model(
    page: ChatPage, qtbot: QtBot, context: AppContext
) -> None:
    page.header.side_by_side.setChecked(True)
    side = page.side_by_side
    side.columns[0].preset.setCurrentText("Greedy")
    side.columns[1].preset.setCurrentText("Creative")
    side.prompt.setText("Hello")
    side.ask()
    qtbot.waitUntil(lambda: not any(column.busy for column in side.columns), timeout=WAIT_MS)

    first, second = (column.title for column in side.columns)
    side.vote(1)

    assert first.endswith(", Greedy")
    rate = Votes(context.session.store).win_rate(second, first)
    assert rate is not None
    assert (rate.votes, rate.rate) == (1, 1.0)


def test_prompts_are_kept_on_disk_when_asked(page: ChatPage, qtbot: QtBot, context: AppContext) -> None:
    page.settings.loading.keep_prompts.setChecked(True)
    ask(page, qtbot, "A long beginning that is said again and again, so that keeping it pays. " * 6)
    page.engine.stop_now()
    kept = context.session.home.cache / "prompts"

    assert any(kept.rglob("*"))


def test_an_adapter_of_another_form_is_taken_out(page: ChatPage, tmp_path: Path) -> None:
    adapters = page.settings.adapters
    adapters.set_format("gguf")
    one, other = tmp_path / "a" / "style.gguf", tmp_path / "b" / "style.gguf"
    for path in (one, other, one):
        adapters.add(path)

    assert len({each.name for each in adapters.options()}) == 2
    adapters._rows[1].used.setChecked(False)
    adapters._rows[0].scale.setValue(0.5)
    assert [(use.name, use.scale) for use in adapters.uses()] == [(adapters.options()[0].name, 0.5)]
    adapters.set_format("hf")
    assert adapters.options() == ()
