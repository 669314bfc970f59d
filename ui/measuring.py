"""Queues the jobs that measure models, for every page that offers it."""

from __future__ import annotations

from collections.abc import Sequence

from ui.context import AppContext
from workbench.errors import WorkbenchError
from workbench.jobs.proof_jobs import OPERATION, proof_of, purpose_of_model
from workbench.measure.card import Form


def measure(context: AppContext, model_ids: Sequence[str], against_id: str | None = None) -> list[str]:
    """Have models measured, each beside what it was made from; says so, or why not.

    One that has a card already is measured anew, with the same figures of plugins: who asks for it again does
    not want to be told the same.

    Args:
        against_id: What to compare them with instead.

    Returns:
        The ids of the jobs.
    """
    session = context.session
    made = []
    for model_id in model_ids:
        try:
            entry = session.catalogue.operation(OPERATION)
            known = session.proofs.of(session.library.get(model_id).sha256)
            spec = proof_of(
                session.library,
                entry,
                model_id,
                _form(context),
                against_id=against_id,
                again=bool(known),
                metrics=[each.key for each in known[0].card.metrics] if known else (),
                purpose=purpose_of_model(session, model_id),
            )
            job = session.board.submit(spec)
        except WorkbenchError as error:
            context.message.emit("bad", str(error))
            continue
        made.append(job.id)
        context.message.emit("good", f"“{job.title}” is in the queue.")
    return made


def _form(context: AppContext) -> Form:
    """The form that the person chose last; the quick one where that was none."""
    chosen = context.session.settings.load().proof
    return chosen if chosen != "none" else "quick"
