"""The two models of a proof, loaded where something of them is not known from before."""

from __future__ import annotations

from workbench.engines.base import Engine
from workbench.measure.measured import Measured
from workbench.measure.proof_parity import opened


class Pair:
    """Both models, loaded when the first part asks for them.

    Attributes:
        models: The reference and the candidate.
    """

    def __init__(self, reference: Measured, candidate: Measured, threads: int) -> None:
        self.models = (reference, candidate)
        self._threads = threads
        self._loaded: list[Engine] = []

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """The same, loaded."""
        for model in self.models[len(self._loaded) :]:
            self._loaded.append(opened(model, self._threads))
        reference, candidate = self._loaded
        return reference, candidate

    def close(self) -> None:
        """Give up what was loaded."""
        while self._loaded:
            self._loaded.pop().close()
