"""The proof card: what it says, what it hides, and the files that it leaves as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, QPointF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.workbench.measure import cards
from tests.workbench.measure.hostile import HOSTILE
from ui.theme import Theme
from ui.widgets.message import MessageBar
from ui.widgets.proof_card import FORMS, ProofCard
from ui.widgets.proof_card_examples import ExamplesDialog
from ui.widgets.proof_card_export import picture, write_card
from ui.widgets.proof_card_picture import CardPicture
from workbench.errors import WorkbenchError
from workbench.measure.card import Card, Identity, ParityCheck, read_card
from workbench.measure.proofs import KeptCard

FAULT = ParityCheck(
    name="chat template", result="failed", finding="The template is gone.", stage="Convert to GGUF"
)


@pytest.fixture
def shown(theme: Theme, qtbot: QtBot) -> Iterator[ProofCard]:
    made = ProofCard(theme)
    qtbot.addWidget(made)
    made.resize(340, 1400)
    with qtbot.waitExposed(made):
        made.show()
    yield made
    made.hide()


def words_of(widget: QWidget) -> str:
    """All text that can be seen, as one line; narrow spaces count as spaces."""
    labels = [each.text() for each in widget.findChildren(QLabel) if each.isVisible()]
    return " ".join(labels).replace("\u202f", " ")


def kept(card: Card) -> KeptCard:
    return KeptCard(Path("a"), card)


def test_card_says_gain_price_and_what_they_rest_on(shown: ProofCard) -> None:
    shown.show_card(cards.card("Q4_K_M"))

    said = words_of(shown)
    for part in (
        "1.6× faster",
        "61 % smaller",
        "Close to the original: it picks the same next word 95.9 ± 0.6 % of the time.",
        "0.041 ± 0.001",
        "14.20 → 14.78",
        "2 of 8",
        "391 MB → 225 MB",
        "SmolLM2-135M-Instruct-F16",
        "84 of 120 → 83 of 120",
        "no difference shown",
        "✓ passed",
    ):
        assert part in said
    assert len([each for each in shown.findChildren(CardPicture) if each.isVisible()]) == 4
    assert "Test processor" not in said


def test_figures_of_plugins_are_lines_of_the_card(shown: ProofCard) -> None:
    shown.show_card(replace(cards.card("Q4_K_M"), metrics=cards.metrics()))

    said = words_of(shown)
    assert "Length of answers" in said and "40 ± 3 → 41 ± 3 tokens" in said
    assert "Loops could not be measured" in said
    tips = {each.toolTip() for each in shown.findChildren(QLabel)}
    assert "RuntimeError: no idea." in tips and "No difference shown." in tips


def test_conditions_unfold(shown: ProofCard, qtbot: QtBot) -> None:
    shown.show_card(cards.card("Q4_K_M"))

    shown._fold.button.click()

    assert "Test processor, 2 cores, 25 GB" in words_of(shown)


def test_model_without_a_card_offers_to_be_measured(shown: ProofCard, qtbot: QtBot) -> None:
    assert "Not measured yet" in words_of(shown)

    with qtbot.waitSignal(shown.measure_wanted):
        shown.measure.click()

    assert not shown.export.isVisible()


def test_failed_check_makes_a_red_card_that_names_the_stage(shown: ProofCard) -> None:
    shown.show_card(replace(cards.card("Q8_0"), parity=(FAULT,)))

    bar = shown.findChild(MessageBar)
    assert bar.isVisible()
    assert bar.kind == "bad"
    said = words_of(shown)
    assert "Broken by Convert to GGUF: chat template" in said
    assert "The template is gone." in said
    assert "Same to the eye" not in said
    shown.show_card(cards.card("Q8_0"))
    assert not bar.isVisible()


def test_lossless_is_said_of_identical_answers_alone(shown: ProofCard) -> None:
    same = Identity(prompts=8, tokens=32, identical=8, first_difference=(-1,) * 8)

    shown.show_card(replace(cards.card("Q8_0"), identity=same))

    assert "Lossless: all 8 answers are the same, token by token." in words_of(shown)


def test_parts_that_were_not_measured_are_not_there(shown: ProofCard) -> None:
    whole = cards.card("Q8_0")

    shown.show_card(Card(subject=whole.subject, conditions=whole.conditions, speed=whole.speed))

    said = words_of(shown)
    assert "150 tok/s" in said
    assert "KL divergence" not in said
    assert "Tasks" not in said
    shown.show_card(replace(whole, speed=None, reference_speed=None, memory=None, reference_memory=None))
    assert "46 % smaller" in words_of(shown).lower()
    assert [each.accessibleName() for each in shown.findChildren(CardPicture) if each.isVisible()] == [
        "Where it differs, KL per token"
    ]


def test_older_cards_are_offered_and_shown(shown: ProofCard) -> None:
    new, old = cards.card("Q4_K_M", made_at=1.79e9), cards.card("Q2_K", made_at=1.7e9)
    shown.show_cards((kept(new),))
    assert not shown._choose.isVisible()

    shown.show_cards((kept(new), kept(old)))
    shown._others.actions()[1].trigger()

    assert shown._choose.text() == "2 proofs"
    assert shown.card is old
    assert [each.isChecked() for each in shown._others.actions()] == [False, True]


def test_hostile_text_is_shown_as_text(shown: ProofCard, theme: Theme, qtbot: QtBot) -> None:
    card = cards.card("Q4_K_M")
    card = replace(
        card,
        subject=replace(card.subject, name=HOSTILE),
        reference=replace(card.reference, name=HOSTILE),
        tasks=(replace(card.tasks[0], name=HOSTILE, verdict=HOSTILE),),
        parity=(replace(FAULT, name=HOSTILE, stage=HOSTILE, finding=HOSTILE),),
        examples=(replace(card.examples[0], prompt=HOSTILE, reference=HOSTILE, candidate=HOSTILE + "x"),),
    )

    shown.show_card(card)
    dialog = ExamplesDialog(card, theme)
    qtbot.addWidget(dialog)

    for label in (*shown.findChildren(QLabel), *dialog.findChildren(QLabel)):
        rich = "<" in label.text() and label.textFormat().name in ("RichText", "AutoText")
        assert not (rich and "<script" in label.text()), label.text()


def test_answers_that_differ_most_stand_side_by_side(theme: Theme, qtbot: QtBot) -> None:
    dialog = ExamplesDialog(cards.card("Q4_K_M"), theme)
    qtbot.addWidget(dialog)

    texts = [each.text() for each in dialog.findChildren(QLabel)]

    assert texts.count("The cat sat.") == 5
    marked = f'The <span style="color:{theme.tokens.warn};text-decoration:underline">dog sat.</span>'
    assert texts.count(marked) == 5


def test_plot_tells_what_the_pointer_rests_on(shown: ProofCard) -> None:
    shown.show_card(cards.card("Q4_K_M"))

    distance = shown._plots.distance.picture
    decode = shown._plots.decode.picture

    assert distance.tip_at(QPointF(distance.width() * 0.6, distance.height() / 2)).endswith("of the tokens")
    assert "reference 107" in decode.accessibleDescription()
    assert decode.tip_at(QPointF(1, 1)) == ""


@pytest.mark.parametrize("form", FORMS)
def test_card_leaves_in_every_form(form: str, theme: Theme, tmp_path: Path, qtbot: QtBot) -> None:
    card = cards.card("Q4_K_M")
    path = tmp_path / f"card.{form}"

    write_card(card, form, path, theme)

    match form:
        case "json":
            assert replace(read_card(path), seal="") == card
        case "png":
            assert QImage(str(path)).width() == 880
        case _:
            assert "close to the original" in path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_file_that_cannot_be_written_is_an_error_that_says_so(theme: Theme, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="could not be saved"):
        write_card(cards.card("Q4_K_M"), "json", tmp_path / "gone" / "card.json", theme)


def test_picture_is_drawn_without_a_window(theme: Theme, qtbot: QtBot) -> None:
    before = QApplication.focusWindow()
    seen: list[str] = []

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.WindowActivate:
                seen.append(type(watched).__name__)
            return False

    watch = Watch()
    QApplication.instance().installEventFilter(watch)  # type: ignore[union-attr]

    short = picture(cards.card("Q4_K_M"), theme)
    long = picture(replace(cards.card("Q4_K_M"), parity=(FAULT,)), theme)

    QApplication.instance().removeEventFilter(watch)  # type: ignore[union-attr]
    assert seen == []
    assert QApplication.focusWindow() is before
    assert long.height() > short.height() > 2000


def test_every_button_has_a_name(shown: ProofCard) -> None:
    shown.show_card(cards.card("Q4_K_M"))

    for button in shown.findChildren(QPushButton):
        assert button.accessibleName()
