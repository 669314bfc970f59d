"""The Models page on a real library: from the first start to the deletion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from ui.context import AppContext
from ui.models.add_queue import Wanted
from ui.pages.models import ModelsPage
from ui.panels.models.delete_dialog import DeleteDialog
from ui.panels.models.scan_dialog import ScanDialog
from workbench.jobs import folder as job_folder
from workbench.jobs.events import Artifact, EventLog, now
from workbench.jobs.spec import JobSpec
from workbench.library.inspect import inspect


@pytest.fixture
def page(context: AppContext, qtbot: QtBot) -> Iterator[ModelsPage]:
    made = ModelsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 720)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.queue.stop()
    made.hide()


def test_first_start_offers_four_ways_and_the_sample_is_one_click(page: ModelsPage, qtbot: QtBot) -> None:
    assert page.welcome.isVisible()
    assert set(page.welcome.buttons) == {"sample", "scan", "file", "hub"}

    page.welcome.buttons["sample"].click()

    assert not page.welcome.isVisible()
    assert page.table.current() is not None
    assert "SmolLM2" in page.detail.record.name


def test_dropped_files_are_added_and_a_bad_one_is_named(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    bad = tmp_path / "broken.gguf"
    bad.write_bytes(b"GGUF rubbish")
    said: list[tuple[str, str]] = []
    context.message.connect(lambda kind, text: said.append((kind, text)))
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(str(tiny_gguf)), QUrl.fromLocalFile(str(bad))])
    drop = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )

    page.dropEvent(drop)
    qtbot.waitUntil(lambda: not page.queue.is_busy)

    assert page.tree.rowCount() == 1
    assert any(kind == "bad" and "broken.gguf" in text for kind, text in said)
    assert any(kind == "good" for kind, _ in said)


def test_recipe_is_exported_from_the_menu_where_a_job_made_the_model(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, said = context.session, []
    base = session.library.add(tiny_gguf, name="Tiny").record
    spec = JobSpec(
        operation="gguf-quantize",
        plugin="plugins.gguf_quantize",
        title="Quantize (Q8_0): Tiny",
        model=session.library.to_spec_input(base.id),
        params={"type": "Q8_0"},
        output_name="Tiny-Q8_0",
        output_format="gguf",
        backend="llama",
    )
    folder = job_folder.create(session.home.jobs, "j1", spec)
    result = folder / "out" / "Tiny-Q8_0.gguf"
    result.write_bytes(tiny_gguf.read_bytes())
    log = EventLog(folder / "events.jsonl")
    log.append(Artifact(now(), "model", "out/Tiny-Q8_0.gguf", "0" * 64, 1))
    log.close()
    made = session.library.add_result(
        job_id="j1",
        parent_id=base.id,
        path=result,
        name="Tiny-Q8_0",
        facts=inspect(result),
        sha256="0" * 64,
        source="job",
    )
    context.message.connect(lambda kind, text: said.append((kind, text)))
    target = tmp_path / "recipe.py"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(target), ""))
    page.refresh()

    page.table.choose(base.id)
    none = next(each for each in page.menu().actions() if "recipe" in each.text())
    page.table.choose(made.id)
    offered = next(each for each in page.menu().actions() if "recipe" in each.text())
    offered.trigger()

    assert (none.text(), none.isEnabled()) == ("Export recipe (no job made it here)", False)
    assert (offered.text(), offered.isEnabled()) == ("Export recipe…", True)
    assert 'name="gguf-quantize"' in target.read_text(encoding="utf-8")
    assert said == [("good", f"Saved {target}: 1 step.")]


def test_lineage_search_rename_tags_and_notes(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    library = context.session.library
    base = library.add(tiny_gguf, name="Tiny").record
    made = tmp_path / "made.gguf"
    made.write_bytes(tiny_gguf.read_bytes())
    child = library.add_result(
        job_id="j",
        parent_id=base.id,
        path=made,
        name="Tiny-Q8",
        facts=inspect(made),
        sha256=None,
        source="job",
    )
    page.refresh()

    assert [page.tree.depth(row) for row in range(2)] == [0, 1]
    page.search.setText("q8")
    assert page.tree.rowCount() == 2  # a match stands below what it was made from
    page.search.setText("zzz")
    assert page.tree.rowCount() == 0
    page.search.clear()
    page.open(child.id)
    assert page.detail.record == child
    page.tree.rename_wanted.emit(child.id, "Better name")
    page.detail.tags_edited.emit(child.id, ("fast",))
    page.detail.notes_edited.emit(child.id, "for the phone")
    kept = library.get(child.id)
    assert (kept.name, kept.tags, kept.notes) == ("Better name", ("fast",), "for the phone")


def test_delete_asks_first_and_leaves_files_that_are_not_ours(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    page.queue.put([Wanted(tiny_gguf)])
    qtbot.waitUntil(lambda: page.tree.rowCount() == 1)
    seen: list[str] = []

    def agree() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, DeleteDialog)
        seen.append(dialog.text.text())
        dialog.agree.click()

    QTimer.singleShot(0, agree)
    page.table.removal_wanted.emit()

    assert "stay where they are" in seen[0]
    assert tiny_gguf.exists()
    assert context.session.library.list() == []
    assert page.welcome.isVisible()


def test_vanished_model_is_shown_as_missing_and_can_be_located(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    copy = tmp_path / "here.gguf"
    copy.write_bytes(tiny_gguf.read_bytes())
    model = context.session.library.add(copy, name="Wanderer").record
    copy.rename(tmp_path / "there.gguf")

    page.refresh()
    page.open(model.id)

    assert not page.detail.buttons.button("optimize").isEnabled()
    qtbot.waitUntil(lambda: page.live.missing(model))
    context.session.library.relocate(model.id, tmp_path / "there.gguf")
    page.refresh()
    assert page.detail.buttons.button("optimize").isEnabled()


def test_scan_lists_what_a_folder_holds_without_touching_it(
    tiny_gguf: Path, tiny_hf: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    store = tmp_path / "store"
    store.mkdir()
    (store / "one.gguf").write_bytes(tiny_gguf.read_bytes())
    before = [(path, path.stat().st_mtime_ns) for path in store.rglob("*")]
    dialog = ScanDialog((), [store])
    qtbot.addWidget(dialog)

    qtbot.waitUntil(lambda: dialog.is_done)

    assert str(store / "one.gguf") in [str(wanted.path) for wanted in dialog.wanted()]
    assert [(path, path.stat().st_mtime_ns) for path in store.rglob("*")] == before
    dialog.reject()


def test_enter_opens_optimize_and_every_button_has_a_name(
    page: ModelsPage, context: AppContext, tiny_gguf: Path, qtbot: QtBot
) -> None:
    context.session.library.add(tiny_gguf)
    page.refresh()
    page.table.setFocus()

    with qtbot.waitSignal(context.open_page) as asked:
        qtbot.keyClick(page.table, Qt.Key.Key_Return)

    assert asked.args == ["optimize", page.table.current().id]
    for button in page.findChildren(QPushButton):
        assert button.accessibleName() or button.text(), button
