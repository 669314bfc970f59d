"""The hub's dialog against a hub of the tests' own: search, choice, fit before the download, the job."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.panels.models.hub_dialog import HubDialog
from workbench.library.fit import estimate

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
HubServer = importlib.import_module("hub_server").HubServer


@pytest.fixture
def hub(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = HubServer()
    content = tiny_gguf.read_bytes()
    server.add("tests/tiny", {"tiny-F16.gguf": content, "tiny-Q8_0.gguf": content[:5000]}, ["gguf"])
    with server.running():
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def dialog(hub: Any, context: AppContext, qtbot: QtBot) -> Iterator[HubDialog]:
    made = HubDialog(context, lambda facts, tokens: estimate(facts, context=tokens, batch=1))
    qtbot.addWidget(made)
    made.show()
    yield made
    made.reject()


def test_nothing_is_asked_before_the_person_searches(dialog: HubDialog, hub: Any) -> None:
    assert hub.ranges == []
    assert not dialog.download_button.isEnabled()


def test_search_choice_fit_and_download_job(dialog: HubDialog, context: AppContext, qtbot: QtBot) -> None:
    dialog.field.setText("tiny")
    dialog.search()
    qtbot.waitUntil(lambda: dialog.choices.rowCount() == 2, timeout=20_000)
    titles = [dialog.choices.item(row, 0).text() for row in range(2)]
    whole = titles.index("F16")
    qtbot.waitUntil(lambda: dialog.choices.item(whole, 3).text() not in ("", "…"), timeout=30_000)
    assert "fits" in dialog.choices.item(whole, 3).text()

    dialog.choices.selectRow(whole)
    dialog.download()

    job = context.session.board.list()[0]
    spec = context.session.board.spec(job.id)
    assert (job.operation, job.needs, job.state) == ("hub-download", "network", "queued")
    assert spec.params["files"] == ["tiny-F16.gguf"]
    assert spec.result_source == "hf:tests/tiny"


def test_adapter_is_offered_and_needs_no_memory_of_its_own(
    dialog: HubDialog, hub: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = importlib.import_module("adapters").peft_adapter(tmp_path / "tone")
    hub.add(
        "tests/tone", {each.name: each.read_bytes() for each in folder.iterdir()}, ["peft", "safetensors"]
    )
    dialog.field.setText("tone")

    dialog.search()
    qtbot.waitUntil(lambda: dialog.choices.rowCount() == 1, timeout=20_000)
    qtbot.waitUntil(lambda: dialog.choices.item(0, 3).text() not in ("", "…"), timeout=30_000)

    texts = [dialog.choices.item(0, column).text() for column in range(4)]
    assert (texts[0], texts[1], texts[3]) == ("adapter", "Adapter", "with its base")


def test_hub_that_does_not_answer_is_a_readable_message(
    context: AppContext, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    dialog = HubDialog(context, lambda facts, tokens: estimate(facts, context=tokens, batch=1))
    qtbot.addWidget(dialog)
    dialog.show()

    dialog.field.setText("anything")
    dialog.search()

    qtbot.waitUntil(dialog.problem.isVisible, timeout=60_000)
    dialog.reject()
