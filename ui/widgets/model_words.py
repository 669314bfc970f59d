"""What the window says of a model: its badges, its gain over its parent, whether it fits here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ui import format as show
from ui.models.model_proofs import ProofRow
from ui.widgets.tuning_words import gain_and_price, shorter_gains, tuning_line
from workbench.library.fit import FitEstimate, FitPlace
from workbench.library.records import ModelRecord
from workbench.measure.figures import kld_text, times_text
from workbench.measure.grade import TONES, Grade
from workbench.measure.verdict import forgotten
from workbench.model import FORMAT_TITLES

Tone = Literal["neutral", "accent", "good", "warn", "bad"]

#: From this share of the free memory on a model fits only just: other programs grow while it runs.
_TIGHT = 0.85
_UNKNOWN = "—"
#: Grades as a narrow column has them.
_SHORT_GRADES: dict[Grade, str] = {
    "lossless": "lossless",
    "same to the eye": "same to the eye",
    "close to the original": "close",
    "noticeably different": "different",
    "damaged": "damaged",
    "broken": "broken",
}
#: Types whose bits per weight are their name.
_WHOLE_TYPES = frozenset({"F32", "F16", "BF16", "F64"})


@dataclass(frozen=True, slots=True)
class BadgeText:
    """A short word beside a name."""

    text: str
    tone: Tone = "neutral"


def format_title(format: str) -> str:
    """`safetensors` for `hf`, and so on; an unknown format as it is."""
    return {str(key): title for key, title in FORMAT_TITLES.items()}.get(format, format)


def badges(record: ModelRecord, parent: ModelRecord | None, name_shown: str) -> list[BadgeText]:
    """What stands beside a name: type, format, bits, ownership, tags; nothing that the name says already."""
    found: list[BadgeText] = []
    if record.format == "adapter":
        found = [BadgeText(record.quantization), BadgeText(adapter_title(record))]
    elif record.quantization and record.quantization.casefold() not in name_shown.casefold():
        found.append(BadgeText(record.quantization))
    if record.format != "adapter" and (parent is None or parent.format != record.format):
        found.append(BadgeText(format_title(record.format)))
    if (
        record.format != "adapter"
        and record.bits_per_weight
        and record.quantization.upper() not in _WHOLE_TYPES
    ):
        found.append(BadgeText(bits_line(record.bits_per_weight)))
    if record.in_place:
        found.append(BadgeText("used in place"))
    found += [BadgeText(tag, "accent") for tag in record.tags]
    return found


def adapter_title(record: ModelRecord) -> str:
    """What form an adapter has: llama.cpp takes another than the rest."""
    return "GGUF adapter" if record.path.suffix.lower() == ".gguf" else "adapter"


def bits_line(bits_per_weight: float) -> str:
    """`4.9 bits`; whole numbers without a fraction."""
    text = f"{bits_per_weight:.1f}".removesuffix(".0")
    return f"{text} bits"


def short_name(record: ModelRecord, parent: ModelRecord | None) -> str:
    """The name without the beginning that the parent in the line above shows already.

    `SmolLM2-135M-Instruct-Q4_K_M` under `SmolLM2-135M-Instruct-F16` (an F16) is `Q4_K_M`.
    """
    if parent is None:
        return record.name
    stem = parent.name
    if parent.quantization and stem.casefold().endswith(parent.quantization.casefold()):
        stem = stem[: -len(parent.quantization)]
    stem = stem.rstrip(" -._")
    rest = record.name[len(stem) :]
    if (
        len(stem) < 3
        or not record.name.casefold().startswith(stem.casefold())
        or rest[:1] not in tuple(" -._")
    ):
        return record.name
    shortened = rest.lstrip(" -._")
    return shortened if len(shortened) >= 2 else record.name


def gain_line(record: ModelRecord, parent: ModelRecord | None) -> str:
    """`61 % smaller` than its parent, or what a fine-tuning brought and cost; empty for a base."""
    if record.tuning is not None:
        return gain_and_price(record.tuning)
    share = size_ratio(record, parent)
    if share is None:
        return ""
    if abs(share - 1) < 0.005:
        return "same size"
    if share < 1:
        return f"{(1 - share) * 100:.0f} % smaller"
    return f"×{share:.1f} larger" if share >= 2 else f"{(share - 1) * 100:.0f} % larger"


def size_ratio(record: ModelRecord, parent: ModelRecord | None) -> float | None:
    """Bytes of a model over those of its parent; None where there is nothing to compare with.

    The size of an adapter is no gain: it comes on top of its base.
    """
    if record.format == "adapter" or parent is None or not parent.size_bytes or not record.size_bytes:
        return None
    return record.size_bytes / parent.size_bytes


def speed_line(proof: ProofRow | None) -> str:
    """`167 tok/s` of one answer; `—` where it was not measured."""
    return show.rate(proof.speed, "tok/s") if proof is not None else _UNKNOWN


def times_line(proof: ProofRow | None) -> str:
    """`×1.6` as fast as what it was compared with, `×1` where noise may be all; `—` where not measured."""
    gain = proof.gain if proof is not None else None
    if gain is None:
        return _UNKNOWN
    return f"×{times_text(gain.ratio)}" if gain.shown else "×1"


def distance_line(record: ModelRecord, proof: ProofRow | None) -> str:
    """The mean KL divergence from what it was made from: `0.041`; `—` where it was not measured."""
    kld = distance(record, proof)
    return kld_text(kld) if kld is not None else _UNKNOWN


def distance(record: ModelRecord, proof: ProofRow | None) -> float | None:
    """The same as a number; a fine-tuning has measured its own."""
    if proof is not None and proof.kld is not None:
        return proof.kld
    return record.tuning.mean_kld if record.tuning is not None else None


def grade_line(record: ModelRecord, proof: ProofRow | None) -> str:
    """The grade in a word or two, or what a fine-tuning brought; `—` where nothing was measured."""
    if record.tuning is not None:
        gains = shorter_gains(record.tuning)
        return gains[1] if len(gains) > 1 else _UNKNOWN
    return _SHORT_GRADES[proof.grade] if proof is not None and proof.grade else _UNKNOWN


def grade_tone(said: Grade | Literal[""]) -> Tone:
    """The colour that goes with a grade."""
    return TONES[said] if said else "neutral"


def distance_tone(record: ModelRecord, proof: ProofRow | None) -> Tone:
    """The colour of a distance: that of the grade; of a fine-tuning, that of what it forgot."""
    if proof is not None and proof.grade:
        return grade_tone(proof.grade)
    tones: dict[str, Tone] = {"hardly any": "good", "some": "warn", "much": "bad"}
    kld = distance(record, proof)
    return tones[forgotten(kld)] if kld is not None else "neutral"


def size_line(record: ModelRecord) -> str:
    return show.bytes(record.size_bytes)


def added_line(record: ModelRecord) -> str:
    return show.date(record.created_at)


def beside_base() -> tuple[str, Tone]:
    """What stands of an adapter where a model is said to fit."""
    return "with its base", "neutral"


def fit_line(estimate: FitEstimate | None) -> tuple[str, Tone]:
    """Whether a model fits into what is free here, with what it needs; `…` while that is not known yet."""
    if estimate is None:
        return "…", "neutral"
    needed = show.bytes(estimate.total_bytes)
    if not estimate.places:
        return needed, "neutral"
    fitting = [place for place in estimate.places if place.fits]
    if any(estimate.total_bytes <= place.free_bytes * _TIGHT for place in fitting):
        return f"fits · {needed}", "good"
    if fitting:
        return f"tight · {needed}", "warn"
    if any(estimate.total_bytes <= place.total_bytes for place in estimate.places):
        return f"free memory first · {needed}", "warn"
    return f"too large · {needed}", "bad"


def place_line(estimate: FitEstimate, place: FitPlace) -> str:
    """`0.4 of 9.1 GB free`: what a model would take of one memory."""
    return f"{show.bytes(estimate.total_bytes)} of {show.bytes(place.free_bytes)} free"


def search_text(record: ModelRecord) -> str:
    """All that a search looks through, in lower case."""
    return " ".join(
        (
            record.name,
            record.architecture or "",
            record.quantization,
            record.format,
            adapter_title(record) if record.format == "adapter" else format_title(record.format),
            *record.tags,
        )
    ).casefold()


def spoken(
    record: ModelRecord, parent: ModelRecord | None, missing: bool, proof: ProofRow | None = None
) -> str:
    """A row as a screen reader says it."""
    parts = [record.name, *(badge.text for badge in badges(record, parent, record.name))]
    if parent is not None:
        parts.append(f"{'adapter of' if record.format == 'adapter' else 'made from'} {parent.name}")
    if record.tuning is not None:
        parts.append(tuning_line(record.tuning))
    if proof is not None and proof.headline:
        parts.append(proof.headline)
    if missing:
        parts.append("its files are missing")
    return ", ".join(parts)
