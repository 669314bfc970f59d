"""Tests which jobs prove what, and what a proof is told of the step before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import UsageError
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.proof_jobs import OPERATION, can_end_with_proof, proof_of, purpose_of, with_proof
from workbench.session import Session


@pytest.fixture
def session(home: Home) -> Session:
    with Session.open(home, supervise=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("operation", "offered", "retrained", "merged"),
    [
        ("gguf-quantize", True, False, False),
        ("gguf-convert", True, False, False),
        ("merge-adapter", True, True, True),
        ("finetune-torch", False, True, False),
        ("drop-layers", True, True, False),
        ("bnb-quantize", True, False, False),
        ("adapter-to-gguf", False, True, False),
        ("batch-generate", False, False, False),
        ("hub-download", False, False, False),
    ],
)
def test_what_makes_a_whole_model_of_another_can_be_proved(
    session: Session, operation: str, offered: bool, retrained: bool, merged: bool
) -> None:
    entry = session.catalogue.operation(operation)
    assert can_end_with_proof(entry) is offered
    assert purpose_of(entry) == (retrained, merged)


def test_a_proof_names_the_step_before_it_and_what_that_began_with(session: Session, tiny_gguf: Path) -> None:
    model = session.library.add(tiny_gguf).record
    entry = session.catalogue.operation("gguf-quantize")
    source = session.library.to_spec_input(model.id)
    spec = make_spec(entry, model, session.library.facts(model.id), {"type": "Q8_0"}, input=source)
    proof = session.catalogue.operation(OPERATION)

    assert with_proof(spec, proof, "none") == spec
    (then,) = with_proof(spec, proof, "full").then
    assert then.params["stage"] == spec.title
    assert then.params["form"] == "full"
    assert then.params["against"] == str(tiny_gguf)
    assert spec.output_name in then.title


def test_a_model_without_a_parent_is_measured_alone_unless_another_is_named(
    session: Session, tiny_gguf: Path, tmp_path: Path
) -> None:
    model = session.library.add(tiny_gguf).record
    copy = tmp_path / "other.gguf"
    copy.write_bytes(tiny_gguf.read_bytes())
    other = session.library.add(copy).record
    proof = session.catalogue.operation(OPERATION)

    assert proof_of(session.library, proof, model.id).params["against"] is None
    named = proof_of(session.library, proof, model.id, against_id=other.id, again=True)
    assert named.params["against"] == str(other.path)
    assert named.params["again"] is True


def test_a_proof_against_a_grandparent_knows_the_models_on_the_way(
    session: Session, tiny_gguf: Path, tmp_path: Path
) -> None:
    library = session.library
    line = [library.add(tiny_gguf).record]
    for name in ("F16", "Q8_0", "Q4_0"):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(tiny_gguf.read_bytes())
        line.append(
            library.add_result(
                job_id=name,
                parent_id=line[-1].id,
                path=path,
                name=name,
                facts=library.facts(line[0].id),
                sha256=None,
                source="job",
            )
        )
    proof = session.catalogue.operation(OPERATION)
    first, *between, last = line

    values = proof_of(library, proof, last.id, against_id=first.id).params
    assert values["between"] == [str(each.path) for each in between]
    assert values["between_names"] == ["F16", "Q8_0"]
    assert proof_of(library, proof, last.id).params["between"] == []
    assert proof_of(library, proof, first.id, against_id=last.id).params["between"] == []
    between[0].path.unlink()
    assert proof_of(library, proof, last.id, against_id=first.id).params["between"] == []


def test_figures_of_plugins_are_named_in_full_and_bring_their_plugin_along(
    session: Session, tiny_gguf: Path
) -> None:
    model = session.library.add(tiny_gguf).record
    proof = session.catalogue.operation(OPERATION)
    source, facts = session.library.to_spec_input(model.id), session.library.facts(model.id)

    named = make_spec(proof, model, facts, {"metrics": "repetition"}, input=source)
    again = proof_of(
        session.library, proof, model.id, metrics=["plugins.answer_repetition:repetition", "os:gone"]
    )

    assert named.params["metrics"] == again.params["metrics"] == ["plugins.answer_repetition:repetition"]
    assert named.also == ("plugins.answer_repetition",)
    assert named.plugins == ("plugins.prove_model", "plugins.answer_repetition")
    with pytest.raises(UsageError, match="“os:gone”"):
        make_spec(proof, model, facts, {"metrics": ["os:gone"]}, input=source)
