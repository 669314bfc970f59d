"""Forms made from an operation's fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from ui.forms import ParamsForm
from ui.widgets.form_checks import ChecksInput
from ui.widgets.form_choice import ChoiceTable
from ui.widgets.form_inputs import CalmComboBox, CalmDoubleSpinBox, CalmSpinBox, OptionalInput, Switch
from ui.widgets.form_paths import PathInput, PathsInput
from ui.widgets.form_rows import RowsInput
from workbench.conditions import setting
from workbench.errors import ParameterError
from workbench.params import FOLDER, Choice, FieldSpec, Param, Params, fields_of, validate

_TYPES = tuple(
    Choice(
        value=f"Q{bits}_{kind}",
        help=f"{bits} bits, {kind}",
        group="K-quants" if kind == "K" else "Legacy",
        facts={"bits": bits + 0.5},
    )
    for kind in ("K", "0")
    for bits in (2, 3, 4, 5, 6, 8)
)


class EveryKind(Params):
    type: str = Param("Q4_K", help="How weights are stored", choices=_TYPES)
    count: int = Param(2, ge=1, le=16, unit="layers", help="How many layers")
    rate: float = Param(0.1, ge=0.0, le=1.0, step=0.05, help="How fast")
    pure: bool = Param(False, help="Store every tensor in one type")
    mode: Literal["affine", "mxfp4"] = Param("affine", help="How numbers are scaled")
    group_size: int = Param(
        64, ge=32, le=128, help="Weights a scale", shown_when=(setting("mode").equals("affine"),)
    )
    imatrix: Path | None = Param(None, help="An importance matrix", suffixes=(".gguf", ".dat"))
    data: list[Path] = Param([], help="Examples", suffixes=(".jsonl",))
    overrides: dict[str, str] = Param({}, help="Types of single tensors")
    skip: list[str] = Param([], help="Names to skip")
    note: str = Param("", help="Anything")
    limit: int | None = Param(None, ge=1, help="Stop early")
    threads: int = Param(4, ge=1, le=64, help="CPU threads", advanced=True)


@pytest.fixture
def form(qtbot: QtBot) -> ParamsForm:
    made = ParamsForm(fields_of(EveryKind))
    qtbot.addWidget(made)
    made.resize(700, 1400)
    made.show()
    return made


def test_a_fresh_form_holds_the_defaults(form: ParamsForm) -> None:
    assert form.checked_values() == validate(fields_of(EveryKind), {})
    assert form.is_default()
    assert form.problems() == {}


def test_values_go_in_and_come_out_unchanged(form: ParamsForm, tmp_path: Path) -> None:
    matrix = tmp_path / "imatrix.gguf"
    matrix.write_bytes(b"GGUF")
    rows = [tmp_path / "b.jsonl", tmp_path / "a.jsonl"]
    for path in rows:
        path.touch()
    wanted: dict[str, Any] = {
        "type": "Q8_0",
        "count": 7,
        "rate": 0.35,
        "pure": True,
        "mode": "affine",
        "group_size": 32,
        "imatrix": str(matrix),
        "data": [str(path) for path in rows],
        "overrides": {"output": "Q8_0", "token_embd": "Q6_K"},
        "skip": ["a", "b"],
        "note": "hello",
        "limit": 12,
        "threads": 9,
    }

    form.set_values(wanted)

    assert form.values() == wanted
    assert form.checked_values() == wanted
    form.reset()
    assert form.is_default()


def test_what_plugins_offer_is_ticked_and_what_they_no_longer_offer_stays(qtbot: QtBot) -> None:
    offered = (Choice(value="a.b:one", title="One", help="Of one"), Choice(value="file:c.py:two"))
    field = FieldSpec(name="metrics", title="Metrics", kind="list", default=[], offered="metric")
    form = ParamsForm((field.model_copy(update={"choices": offered}),))
    qtbot.addWidget(form)
    box = form.field("metrics").input
    assert isinstance(box, ChecksInput)

    with qtbot.waitSignal(form.changed):
        box.boxes["a.b:one"].click()

    assert form.checked_values() == {"metrics": ["a.b:one"]}
    assert box.boxes["a.b:one"].accessibleName() == "Metrics: One"
    form.set_values({"metrics": ["file:c.py:two", "gone:three"]})
    assert form.checked_values() == {"metrics": ["file:c.py:two", "gone:three"]}
    form.reset()
    assert form.is_default()


def test_nothing_to_tick_is_said(qtbot: QtBot) -> None:
    form = ParamsForm(
        (FieldSpec(name="metrics", title="Metrics", kind="list", default=[], offered="metric"),)
    )
    qtbot.addWidget(form)

    said = [each.text() for each in form.field("metrics").findChildren(QLabel) if not each.isHidden()]

    assert "No plugin offers a metric." in said
    assert form.checked_values() == {"metrics": []}


def test_each_kind_has_the_input_that_suits_it(form: ParamsForm) -> None:
    kinds = {name: type(form.field(name).input) for name in EveryKind.model_fields}

    assert kinds == {
        "type": ChoiceTable,
        "count": CalmSpinBox,
        "rate": CalmDoubleSpinBox,
        "pure": Switch,
        "mode": CalmComboBox,
        "group_size": CalmSpinBox,
        "imatrix": PathInput,
        "data": PathsInput,
        "overrides": RowsInput,
        "skip": RowsInput,
        "note": QLineEdit,
        "limit": CalmSpinBox,
        "threads": CalmSpinBox,
    }


def test_a_dependent_field_appears_only_when_it_means_anything(form: ParamsForm) -> None:
    assert form.field("group_size").isVisible()

    form.set_values({"mode": "mxfp4"})

    assert not form.field("group_size").isVisible()
    assert "group_size" not in form.values()
    assert form.checked_values()["group_size"] == 64


def test_advanced_fields_are_folded_and_their_changes_are_counted(form: ParamsForm) -> None:
    assert not form.field("threads").isVisible()
    assert "Advanced (1)" in form.advanced_toggle.text()

    form.set_values({"threads": 2})
    form.advanced_toggle.setChecked(True)

    assert form.field("threads").isVisible()
    assert "1 changed" in form.advanced_toggle.text()


def test_an_optional_number_says_that_it_is_not_set(form: ParamsForm, qtbot: QtBot) -> None:
    optional = form.field("limit").findChild(OptionalInput)
    assert optional is not None
    assert optional.check.text() == "Not set"
    assert form.values()["limit"] is None

    optional.check.click()
    form.field("limit").input.setValue(5)  # type: ignore[attr-defined]

    assert form.values()["limit"] == 5


def test_a_wrong_path_is_explained_at_its_field(form: ParamsForm, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no matrix")

    form.set_values({"imatrix": str(tmp_path / "notes.txt")})
    assert not form.check()

    label = form.field("imatrix")._problem
    assert label.isVisible()
    assert "notes.txt does not end in .gguf or .dat" in label.text()
    with pytest.raises(ParameterError):
        form.checked_values()
    form.set_values({"imatrix": None})
    assert form.check()
    assert not label.isVisible()


def test_rows_with_a_value_but_no_name_are_refused(form: ParamsForm) -> None:
    rows = form.field("overrides").input
    assert isinstance(rows, RowsInput)

    rows.add_button.click()
    rows._rows[0].value.setText("Q8_0")

    assert form.problems() == {"overrides": "A row has a value but no name."}
    rows._rows[0].name.setText("output")
    assert form.values()["overrides"] == {"output": "Q8_0"}
    rows._rows[0].findChild(QToolButton).click()  # type: ignore[union-attr]
    assert form.values()["overrides"] == {}


def test_files_are_listed_added_and_removed(form: ParamsForm, tmp_path: Path, qtbot: QtBot) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").touch()
    files = [str(tmp_path / f"{name}.jsonl") for name in "abc"]
    paths = form.field("data").input
    assert isinstance(paths, PathsInput)

    paths.add(files[:2])
    with qtbot.waitSignal(form.changed):
        _drop(paths, [files[1], files[2]])

    assert form.values()["data"] == files
    qtbot.keyClick(paths._rows[0].remove_button, Qt.Key.Key_Space)
    assert form.values()["data"] == files[1:]
    paths._rows[0].line.setText(str(tmp_path / "gone.jsonl"))
    assert "There is no file gone.jsonl" in form.problems()["data"]
    paths._rows[0].line.setText(files[2])
    assert form.problems() == {"data": "c.jsonl stands there twice."}
    form.reset()
    assert form.values()["data"] == []


def test_required_files_must_be_given(qtbot: QtBot, tmp_path: Path) -> None:
    class Training(Params):
        data: list[Path] = Param(..., help="Examples", suffixes=(".jsonl",))
        adapters: list[Path] = Param([], help="Adapters", suffixes=(FOLDER,))

    form = ParamsForm(fields_of(Training))
    qtbot.addWidget(form)
    (tmp_path / "rows.jsonl").touch()

    assert not form.check()

    assert form.problems() == {"data": "“Data” must be given: files (.jsonl) separated by commas."}
    form.set_values({"data": [str(tmp_path / "rows.jsonl")], "adapters": [str(tmp_path / "rows.jsonl")]})
    assert form.problems() == {"adapters": "rows.jsonl is not a folder."}
    form.set_values({"adapters": [str(tmp_path)]})
    assert form.check()


def test_a_field_says_when_it_changed_and_can_be_reset(form: ParamsForm, qtbot: QtBot) -> None:
    field = form.field("count")

    with qtbot.waitSignal(form.changed):
        field.input.setValue(9)  # type: ignore[attr-defined]

    assert field.reset_button.isVisible()
    field.reset_button.click()
    assert form.values()["count"] == 2
    assert not field.reset_button.isVisible()


def test_the_wheel_never_changes_a_value(form: ParamsForm) -> None:
    before = form.values()

    for name in ("count", "rate", "mode"):
        target = form.field(name).input
        target.setFocus()
        _turn_wheel(target)

    assert form.values() == before


def test_choices_are_searched_by_their_advice_and_chosen_by_keyboard(form: ParamsForm, qtbot: QtBot) -> None:
    table = form.field("type").input
    assert isinstance(table, ChoiceTable)
    assert table.model.rowCount() == 14  # twelve choices under two headings

    table.search.setText("8 bits k")
    assert table.model.rowCount() == 2
    qtbot.keyClick(table.search, Qt.Key.Key_Return)

    assert form.values()["type"] == "Q8_K"
    table.search.clear()
    qtbot.keyClick(table.table, Qt.Key.Key_Up)
    assert form.values()["type"] == "Q6_K"


def test_a_heading_can_not_be_chosen(form: ParamsForm, qtbot: QtBot) -> None:
    table = form.field("type").input
    assert isinstance(table, ChoiceTable)
    table.set_value("Q2_0")  # first below the second heading

    qtbot.keyClick(table.table, Qt.Key.Key_Up)

    assert form.values()["type"] == "Q8_K"


def test_an_annotation_stands_beside_each_choice(form: ParamsForm) -> None:
    table = form.field("type").input
    assert isinstance(table, ChoiceTable)

    form.annotate(lambda spec, choice: f"{spec.name}:{choice.facts['bits']:g}")

    row = table.model.row_of("Q4_K")
    texts = [table.model.index(row, column).data() for column in range(table.model.columnCount())]
    assert texts == ["Q4_K", "4.5", "type:4.5", "4 bits, K"]
    assert form.values()["type"] == "Q4_K"


def test_every_control_has_an_accessible_name(form: ParamsForm) -> None:
    kinds = (
        QLineEdit,
        QPushButton,
        QToolButton,
        CalmSpinBox,
        CalmDoubleSpinBox,
        CalmComboBox,
        Switch,
        ChoiceTable,
    )
    own = [
        widget
        for widget in form.findChildren(QWidget)
        if isinstance(widget, kinds) and not widget.objectName().startswith("qt_")
    ]

    nameless = [widget for widget in own if not (widget.accessibleName() or _is_part(widget))]

    assert own
    assert nameless == []


def _is_part(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    return isinstance(parent, CalmSpinBox | CalmDoubleSpinBox | CalmComboBox | QLineEdit)


def _drop(paths_input: PathsInput, paths: list[str]) -> None:
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(path) for path in paths])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    paths_input.dropEvent(event)


def _turn_wheel(widget: QWidget) -> None:
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(widget.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, -240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_a_good_default_is_taken_with_its_reason_and_a_value_set_by_hand_stays(qtbot: QtBot) -> None:
    fields = (
        FieldSpec(name="rate", title="Rate", kind="float", default=0.001, ge=0, le=1),
        FieldSpec(name="rank", title="Rank", kind="int", default=16, ge=1, le=64),
    )
    form = ParamsForm(fields)
    qtbot.addWidget(form)
    form.field("rank").set_value(8)

    form.suggest(
        [("rate", 2e-4, "A small model learns slowly."), ("rank", 32, "Much data."), ("other", 1, "")]
    )

    assert form.values() == {"rate": pytest.approx(2e-4), "rank": 8}
    assert form.field("rate").is_default()
    assert "A small model learns slowly." in form.field("rate").input.accessibleDescription()
    form.field("rank").reset_button.click()
    assert form.values()["rank"] == 32
    assert form.is_default()
