"""The demonstration: the sample model quantized, measured and fine-tuned, each step a real job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from workbench.assets import SAMPLE_DATASET, SAMPLE_TEST
from workbench.jobs.build import make_spec
from workbench.jobs.proof_jobs import OPERATION as PROVES
from workbench.jobs.proof_jobs import with_proof
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.measure.card import Card
from workbench.session import Session

#: What makes the sample model learn the sample dataset in about a minute on two cores. Blocks below the tenth
#: last are only computed forwards, and batches of about four rows make many updates of few examples. The test
#: is scored before and after, and never in between: that would take ten seconds each time, and weights that
#: were chosen by the test would no longer be judged by it.
TUNING: Final[dict[str, Any]] = {
    "data": [str(SAMPLE_DATASET)],
    "held_out_data": [str(SAMPLE_TEST)],
    "layers": "20-29",
    "learning_rate": 2e-3,
    "epochs": 1.5,
    "batch_tokens": 256,
    "warmup": 0.1,
    "max_tokens": 128,
    "evaluate_every": 1000,
}
#: The operation that teaches.
TEACHES: Final = "finetune-torch"
#: The types that are compared.
QUANTIZATIONS: Final = ("Q8_0", "Q4_K_M")
_JOBS = 5


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One model of the demonstration: its size against the reference, its job's seconds, and its proof."""

    model_id: str
    name: str
    quantization: str
    size_bytes: int
    bits_per_weight: float
    share_of_reference: float | None
    seconds: float | None
    card: Card | None


class Demo:
    """Submits one job after the other; call `step` from a timer or a loop while a runner works on the home.

    The sample comes in 4 bits. It is unpacked once, so that what follows starts from full precision:
    safetensors, an F16 GGUF as the reference, and from that the quantizations, each followed by the proof of
    what it gained and cost. Last an adapter learns from the safetensors, alone, as training wants all cores.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._jobs: list[str] = []
        self._reference: ModelRecord | None = None
        self.sample = session.library.add_sample().record
        self._submit("gguf-dequantize", self.sample)

    @property
    def done(self) -> bool:
        """Whether nothing more will be submitted, and nothing is at work."""
        return self.failure is not None or (len(self._jobs) == _JOBS and self._all_rest())

    @property
    def reference_id(self) -> str | None:
        """The model in full precision that the others are compared with; None until it is made."""
        return self._reference.id if self._reference is not None else None

    @property
    def adapter(self) -> ModelRecord | None:
        """What was learned, with its figures; None until it is."""
        made = (job.result_model_id for job in self._records() if job.operation == TEACHES)
        return next((self._session.library.get(each) for each in made if each is not None), None)

    @property
    def failure(self) -> JobRecord | None:
        """The first job that did not succeed."""
        return next(
            (job for job in self._records() if is_resting(job.state) and job.state not in ("done", "paused")),
            None,
        )

    def step(self) -> None:
        """Submit what may be submitted now."""
        if (
            self.failure is not None
            or not self._all_rest()
            or any(job.state == "paused" for job in self._records())
        ):
            return
        made = [self._session.library.get(job.result_model_id or "") for job in self._records()]
        if len(made) == 1:
            self._submit("gguf-convert", made[0], type="F16")
        elif len(made) == 2:
            self._reference = made[1]
            for kind in QUANTIZATIONS:
                self._submit("gguf-quantize", made[1], type=kind)
        elif len(made) == 4:
            self._submit(TEACHES, made[0], **TUNING)

    def rows(self) -> list[DemoRow]:
        """The models that were made so far, the sample first."""
        made = [
            (self._session.library.get(job.result_model_id), job)
            for job in self._records()
            if job.result_model_id is not None and job.operation != TEACHES
        ]
        cards = self._session.proofs.newest(model.sha256 for model, _job in made)
        return [
            _row(self.sample, None, self._reference, None),
            *(_row(model, job, self._reference, cards.get(model.sha256 or "")) for model, job in made),
        ]

    def _submit(self, operation: str, model: ModelRecord, **values: Any) -> None:
        library = self._session.library
        entry = self._session.catalogue.operation(operation)
        source = library.to_spec_input(model.id)
        spec = make_spec(entry, model, library.facts(model.id), values, input=source)
        if operation == "gguf-quantize":
            spec = with_proof(spec, self._session.catalogue.operation(PROVES), "quick")
        self._jobs.append(self._session.board.submit(spec).id)

    def _records(self) -> list[JobRecord]:
        return [self._session.board.get(job_id) for job_id in self._jobs]

    def _all_rest(self) -> bool:
        return all(is_resting(job.state) for job in self._records())


def _row(
    model: ModelRecord, job: JobRecord | None, reference: ModelRecord | None, card: Card | None
) -> DemoRow:
    took = job.ended_at - job.started_at if job and job.ended_at and job.started_at else None
    share = model.size_bytes / reference.size_bytes if reference is not None else None
    return DemoRow(
        model.id,
        model.name,
        model.quantization,
        model.size_bytes,
        model.bits_per_weight,
        share,
        took,
        card,
    )
