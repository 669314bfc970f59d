"""The Chat page with a real generating process and the tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.pages.chat import ChatPage
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
    made.settings._context.setValue(512)
    made.settings._longest.setValue(12)
    made.settings._seed.setText("7")
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
    page.settings._longest.setValue(0)
    page.settings._preset.setCurrentIndex(0)
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
    page.settings._kv_type.setCurrentIndex(1)
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
    page.settings._preset.setCurrentText("Greedy")
    page.settings._take_preset(page.settings._preset.currentIndex())
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
