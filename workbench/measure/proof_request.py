"""What a proof is to measure."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from workbench.measure.card import Form
from workbench.measure.measured import Measured


class ProofRequest(Struct, frozen=True, kw_only=True):
    """What is to be measured.

    Attributes:
        text: On which both are compared; None for the text that ships with Tenfold.
        text_name: What the card calls it.
        windows: How many of it; None for what the form takes.
        tasks: Sets of questions beside those that ship with Tenfold.
        between: The models that lie between both, oldest first: where parity fails, the step that broke it is
            looked for among them.
        stage: The step that made the candidate, which a failed parity check names.
        retrained: Whether the candidate was trained on since, so that its predictions differ on purpose.
        merged: Whether adapters were merged into the reference.
        speed: Whether speed and memory are measured too, which take most of the time of a small model.
        again: Measure anew what was measured before.
        metrics: Figures of plugins to measure of both, each as `PLUGIN:NAME`.
        workers: Processes of a Ray cluster among which the windows of the text are spread; 1 for none. The
            figures are the same.
    """

    candidate: Measured
    reference: Measured | None = None
    form: Form = "quick"
    text: str | None = None
    text_name: str = ""
    windows: int | None = None
    tasks: tuple[Path, ...] = ()
    between: tuple[Measured, ...] = ()
    stage: str = ""
    seed: int = 0
    threads: int = 1
    retrained: bool = False
    merged: bool = False
    speed: bool = True
    again: bool = False
    metrics: tuple[str, ...] = ()
    workers: int = 1
