"""The demonstration's training: accepted, and judged on rows that it never saw."""

from __future__ import annotations

from pathlib import Path

from workbench.demo import TEACHES, TUNING
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.session import Session


def test_the_demonstrations_training_is_one_that_the_operation_accepts(home: Home, tiny_hf: Path) -> None:
    with Session.open(home, supervise=False) as session:
        model = session.library.add(tiny_hf).record
        entry = session.catalogue.operation(TEACHES)
        source = session.library.to_spec_input(model.id)

        spec = make_spec(entry, model, session.library.facts(model.id), TUNING, input=source)

    assert spec.params["learning_rate"] == TUNING["learning_rate"]
    for name in ("data", "held_out_data"):
        assert all(Path(each).is_file() for each in spec.params[name])


def test_no_message_of_the_demonstrations_training_is_in_its_test() -> None:
    train, test = (Path(*TUNING[name]).read_text("utf-8").splitlines() for name in ("data", "held_out_data"))

    assert len(train) > len(test) > 0
    assert not set(train) & set(test)
