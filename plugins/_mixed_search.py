"""The search for the types of a mixed quantization: measure, scale, choose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plugins._fingerprint import fingerprint
from plugins._fitting_text import FittingText
from plugins._ggml import Floats, Ggml
from plugins._llama_quantizer import LlamaQuantizer
from plugins._llama_types import FileType
from plugins._mixed_choice import Option, choose, smallest_size
from plugins._mixed_errors import output_errors
from plugins._mixed_sensitivity import ChangedModel
from plugins._mixed_state import Kept
from plugins._mixed_tensors import MatrixTensor, ModelWeights, group_name, grouped
from plugins._mixed_types import types_for
from workbench.plugin import JobContext, Model, ParameterError, WorkbenchError

_Group = tuple[MatrixTensor, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a search came to.

    Attributes:
        types: Of each tensor.
        expected_kld: What all of them together should move the model by, in nats.
        windows: The windows that this was measured on, and the result is to be measured on.
        reference: The full-precision model's logits there; see `ChangedModel.reference`.
    """

    types: dict[str, str]
    expected_kld: float
    windows: list[list[int]]
    reference: Floats


class Search:
    """One search; nothing is measured before `run`.

    Args:
        importance: Of each tensor's inputs.
        types: The candidates.
        text: What divergences are measured on.

    Raises:
        ParameterError: The importance is that of another model.
        WorkbenchError: The model has nothing to quantize.
    """

    def __init__(
        self,
        job: JobContext,
        model: Model,
        ggml: Ggml,
        importance: Mapping[str, Floats],
        *,
        types: Sequence[str],
        text: FittingText,
    ) -> None:
        self._job, self._model, self._ggml, self._text = job, model, ggml, text
        self._importance = importance
        self._weights = ModelWeights(model)
        # What llama.cpp would quantize at all: only it knows what an architecture leaves in full precision.
        # Q6_K has a fallback for every shape, so that no tensor makes it refuse.
        plain = LlamaQuantizer("Q6_K")
        plain.native.pure = True
        self.tensors = self._weights.tensors(plain.planned_types(model))
        if not self.tensors:
            raise WorkbenchError(f"{model.name} has no tensors that llama.cpp would quantize.")
        self._check_importance()
        self._types = {each.name: types_for(ggml, each, types, importance) for each in self.tensors}

    @cached_property
    def smallest(self) -> int:
        """Bytes of the tensors in their smallest types."""
        return smallest_size(self._options({}, {}))

    def budget(self, size_of: FileType, bits_per_weight: float | None) -> int:
        """Bytes that the tensors may take."""
        if bits_per_weight is not None:
            return int(self._model.facts.parameters * bits_per_weight / 8) - self._other_bytes
        planned = LlamaQuantizer(size_of).planned_types(self._model)
        return sum(each.size_bytes(self._ggml, planned.get(each.name, each.type)) for each in self.tensors)

    def bits(self, tensor_bytes: int) -> float:
        """Bits per weight of the whole model where the tensors take so many bytes."""
        return 8 * (tensor_bytes + self._other_bytes) / self._model.facts.parameters

    @property
    def _other_bytes(self) -> int:
        """Of what is not quantized: norms and the like."""
        now = sum(each.size_bytes(self._ggml, each.type) for each in self.tensors)
        return sum(group.size_bytes for group in self._model.facts.groups) - now

    def run(self, budget: int, *, windows: int, width: int, groups: int) -> Choice:
        """Measure what is not known yet, and choose.

        Args:
            windows: How many windows each group is measured on.
            width: Tokens of a window.
            groups: Into about how many groups the tensors go.
        """
        kept = Kept(self._job.cache / "gguf-mixed", self._fingerprint(windows, width))
        self._measure_errors(kept)
        probes = self._probes(budget)
        parts = grouped(self.tensors, groups)
        reference = self._job.checkpoints / "reference.f32"
        with ChangedModel(
            self._ggml,
            self._model.path,
            self._weights,
            self.tensors,
            text=self._text.text,
            width=width,
            most=windows,
            threads=self._job.threads,
            kept=reference,
        ) as changed:
            self._measure_divergences(kept, changed, parts, probes)
            sensitivity = self._sensitivities(kept, parts, probes)
            chosen = choose(self._options(sensitivity, kept.measured.errors), budget)
            expected = sum(option.cost for option in chosen.values())
            types = {name: option.type for name, option in chosen.items()}
            used = sum(option.size_bytes for option in chosen.values())
            self._job.log(f"Chosen: {self.bits(used):.2f} of {self.bits(budget):.2f} bits per weight.")
            self._job.metric("expected_kld", expected, unit="nats")
            return Choice(types, expected, changed.windows, changed.reference)

    def _check_importance(self) -> None:
        """What llama.cpp would refuse at the very end."""
        for each in self.tensors:
            found = self._importance.get(each.name)
            if found is not None and found.size != each.columns * each.matrices:
                raise ParameterError(
                    "imatrix",
                    f"The importance matrix belongs to another model: its {each.name} has {found.size}"
                    f" columns, and {self._model.name}'s has {each.columns * each.matrices}.",
                    remedy="Name the one of this model, or leave it empty to measure it.",
                )
        covered = sum(each.name in self._importance for each in self.tensors)
        self._job.log(f"The importance of {covered} of {len(self.tensors)} tensors is known.")

    def _fingerprint(self, windows: int, width: int) -> str:
        of_importance = hashlib.sha256()
        for name in sorted(self._importance):
            of_importance.update(name.encode() + self._importance[name].tobytes())
        return fingerprint(self._model, of_importance.hexdigest(), self._text.sha256, windows, width)

    def _measure_errors(self, kept: Kept) -> None:
        total = len(self.tensors)
        before = len(kept.measured.errors)
        done = [before]

        def on_tensor(tensor: MatrixTensor) -> None:
            done[0] += 1
            self._job.throughput(tensor.weights, unit="weights")
            if self._job.pausing:
                kept.save()
            self._job.progress(
                min(done[0], total), total, unit="tensors", label=f"Trying types: {tensor.name}"
            )

        output_errors(
            self._ggml,
            self._weights,
            self._types,
            self._importance,
            self._job.threads,
            kept.measured.errors,
            on_tensor,
        )
        kept.save()

    def _probes(self, budget: int) -> dict[MatrixTensor, str]:
        """The type that each tensor is measured in: the one nearest to the bits that the budget allows.

        There the divergence is of the size that counts; further up it would be lost in rounding, further
        down it no longer grows with the error.
        """
        bits = 8 * budget / sum(each.weights for each in self.tensors)
        return {
            each: min(
                self._types[each.name],
                key=lambda type: abs(8 * each.size_bytes(self._ggml, type) / each.weights - bits),
            )
            for each in self.tensors
        }

    def _measure_divergences(
        self, kept: Kept, changed: ChangedModel, parts: Sequence[_Group], probes: Mapping[MatrixTensor, str]
    ) -> None:
        total = len(changed.windows)
        for number in range(total):
            self._job.progress(number, total, unit="windows", label="Reading with the original")
            changed.read_reference(number)
            self._let_pause()
        known = kept.measured.divergences
        for number, part in enumerate(parts):
            self._job.progress(number, len(parts), unit="groups", label=f"Measuring {group_name(part)}")
            key = _key(part, probes)
            if key in known:
                continue
            types = {each: probes[each] for each in part}
            found = changed.divergence(types, self._importance)
            if found is not None:
                known[key] = found.distance().mean_kld
                self._job.metric("kld", known[key], step=number, unit="nats")
            self._job.throughput(1, unit="groups")
            kept.save()
            self._let_pause()
        self._job.progress(len(parts), len(parts), unit="groups", label="Measured")

    def _let_pause(self) -> None:
        """Here everything is kept: a pause that was asked for need not wait."""
        if self._job.pausing:
            self._job.check()

    def _sensitivities(
        self, kept: Kept, parts: Sequence[_Group], probes: Mapping[MatrixTensor, str]
    ) -> dict[str, float]:
        """Divergence for each unit of output error, by tensor."""
        found: dict[str, float] = {}
        unknown: list[_Group] = []
        for part in parts:
            error = sum(kept.measured.errors[each.name][probes[each]] for each in part)
            divergence = kept.measured.divergences.get(_key(part, probes))
            if divergence is None or not error > 0:
                unknown.append(part)
            else:
                found |= {each.name: divergence / error for each in part}
        usual = float(np.median(list(found.values()))) if found else 1.0
        for part in unknown:
            self._job.log(f"{group_name(part)} could not be measured, and counts as usual.", level="warning")
            found |= {each.name: usual for each in part}
        return found

    def _options(
        self, sensitivity: Mapping[str, float], errors: Mapping[str, Mapping[str, float]]
    ) -> dict[str, list[Option]]:
        return {
            each.name: [
                Option(
                    type,
                    each.size_bytes(self._ggml, type),
                    sensitivity.get(each.name, 0.0) * errors.get(each.name, {}).get(type, 0.0),
                )
                for type in self._types[each.name]
            ]
            for each in self.tensors
        }


def _key(part: _Group, probes: Mapping[MatrixTensor, str]) -> str:
    return " ".join(f"{each.name}={probes[each]}" for each in part)
