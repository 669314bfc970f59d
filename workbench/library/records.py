"""What the library tells of a model: the rows of its lists and the answers to its questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.jobs.spec import ModelInput
from workbench.model import TuningFacts


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model that the library knows, without its facts.

    Attributes:
        id: Eight characters of lower-case base32.
        name: What the person calls it.
        path: The GGUF file (the first part of a split one), or the folder.
        format: `gguf`, `hf`, `mlx` or `adapter`.
        architecture: For example `llama`.
        quantization: The headline type, for example `Q4_K_M`.
        parameters: Number of weights.
        bits_per_weight: Stored bits of tensor data per weight.
        size_bytes: Bytes on disk of all its files.
        sha256: Content hash (`workbench.library.hashing.content_hash`); None until it is known.
        in_place: Whether the files belong to someone else, so that they are never deleted.
        source: Where it came from, for example `file`, `sample`, `ollama`, `hf:ORG/NAME`.
        parent_id: The model it was made from.
        job_id: The job that made it.
        tags: The person's own words, in their order.
        notes: The person's own text.
        created_at: When it was added, in seconds since the epoch.
        tuning: The figures of the fine-tuning that made it; None for all else.
    """

    id: str
    name: str
    path: Path
    format: str
    architecture: str | None
    quantization: str
    parameters: int
    bits_per_weight: float
    size_bytes: int
    sha256: str | None
    in_place: bool
    source: str
    parent_id: str | None
    job_id: str | None
    tags: tuple[str, ...]
    notes: str
    created_at: float
    tuning: TuningFacts | None = None

    def as_input(self) -> ModelInput:
        """This model as what a job starts from."""
        return ModelInput(
            id=self.id,
            name=self.name,
            path=self.path,
            format=self.format,
            sha256=self.sha256,
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Added:
    """What became of adding a model.

    Attributes:
        record: The model as the library now knows it.
        already_known: Whether it was there before: the same files, or files of the same known hash.
        looks_like: Another model whose header is the same to the byte count; its hash will tell.
    """

    record: ModelRecord
    already_known: bool
    looks_like: ModelRecord | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a model would do.

    Attributes:
        bytes_back: Bytes that come free; 0 for a model that is used in place.
        in_place: Whether its files stay.
        blocked_by: Titles of the jobs that still need it; it can't be removed while there is one.
        children: Models made from it; they stay, and hang under its own parent afterwards (adapters under
            none).
    """

    bytes_back: int
    in_place: bool
    blocked_by: tuple[str, ...]
    children: tuple[ModelRecord, ...]


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes on disk: of models in Tenfold's own home, of models used in place, and free in the home."""

    owned_bytes: int
    shared_bytes: int
    free_bytes: int
