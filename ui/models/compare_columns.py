"""The columns of the table of compared models: a figure each, with its unit, its words and its file names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ui import format as show
from ui.models.compare_figures import Value
from ui.models.compare_variants import Variant
from workbench.measure.card import Rate
from workbench.measure.figures import with_error
from workbench.measure.intervals import wilson

_NONE = "—"


@dataclass(frozen=True, slots=True)
class Column:
    """One figure.

    Attributes:
        title: With its unit.
        keys: The names of its figures in a file; the first one is what it is sorted by.
        values: These figures of a model.
        words: What is shown; an em dash where nothing was measured.
        tip: What the figure means.
    """

    title: str
    keys: tuple[str, ...]
    values: Callable[[Variant], tuple[Value, ...]]
    words: Callable[[Variant], str]
    tip: str = ""


def _with_error(title: str, key: str, tip: str, *, percent: bool = False) -> Column:
    """A figure of the quality and its standard error."""

    def values(variant: Variant) -> tuple[Value, ...]:
        quality = variant.card.quality
        if variant.is_reference or quality is None:
            return (None, None)
        return (getattr(quality, key), getattr(quality, f"{key}_error"))

    def words(variant: Variant) -> str:
        figure, error = values(variant)
        if not isinstance(figure, int | float) or not isinstance(error, int | float):
            return "reference" if variant.is_reference and key == "mean_kld" else _NONE
        if percent:
            figure, error = figure * 100, error * 100
        return with_error(figure, error)

    return Column(title, (key, f"{key}_error"), values, words, tip)


def _rate(title: str, key: str, tip: str, rate: Callable[[Variant], Rate | None]) -> Column:
    """A speed and its 95 % interval."""

    def values(variant: Variant) -> tuple[Value, ...]:
        found = rate(variant)
        return (None, None, None) if found is None else (found.tokens_per_s, found.low, found.high)

    def words(variant: Variant) -> str:
        found = rate(variant)
        if found is None:
            return _NONE
        ends = f"{show.number(found.low)}–{show.number(found.high)}"
        return f"{show.number(found.tokens_per_s)} ({ends}){' noisy' if found.noisy else ''}"

    return Column(title, (key, f"{key}_low", f"{key}_high"), values, words, tip)


def _one(
    title: str, key: str, tip: str, figure: Callable[[Variant], Value], words: Callable[..., str]
) -> Column:
    """A single figure."""

    def shown(variant: Variant) -> str:
        found = figure(variant)
        return _NONE if found is None else words(found)

    return Column(title, (key,), lambda variant: (figure(variant),), shown, tip)


def _longest_prompt(variant: Variant) -> Rate | None:
    speed = variant.card.speed
    return max(speed.prompt, key=lambda each: each.tokens, default=None) if speed is not None else None


def _largest_batch(variant: Variant) -> Rate | None:
    speed = variant.card.speed
    return max(speed.decode, key=lambda each: each.batch, default=None) if speed is not None else None


def _of_speed(name: str) -> Callable[[Variant], Value]:
    def figure(variant: Variant) -> Value:
        speed = variant.card.speed
        return getattr(speed, name) if speed is not None and getattr(speed, name) > 0 else None

    return figure


def _perplexity(variant: Variant) -> tuple[Value, ...]:
    quality = variant.card.quality
    return (None, None) if quality is None else (quality.ppl, quality.ppl_error)


def _perplexity_words(variant: Variant) -> str:
    quality = variant.card.quality
    return _NONE if quality is None else with_error(quality.ppl, quality.ppl_error)


def _accuracy(variant: Variant) -> tuple[Value, ...]:
    """Share that is right over all tasks, its Wilson interval, and the verdicts."""
    tasks = variant.card.tasks
    items = sum(task.items for task in tasks)
    if not items:
        return (None, None, None, None)
    right = sum(task.both + task.only_after for task in tasks)
    low, high = wilson(right, items)
    return (right / items, low, high, "; ".join(f"{task.name}: {task.verdict}" for task in tasks))


def _accuracy_words(variant: Variant) -> str:
    share, low, high, _ = _accuracy(variant)
    if not all(isinstance(each, float) for each in (share, low, high)):
        return _NONE
    verdicts = ", ".join(task.verdict for task in variant.card.tasks)
    return f"{share * 100:.0f} ({low * 100:.0f}–{high * 100:.0f}), {verdicts}"  # type: ignore[operator]


def _identity(variant: Variant) -> Value:
    identity = variant.card.identity
    return identity.identical / identity.prompts if identity is not None and identity.prompts else None


def _identity_words(variant: Variant) -> str:
    identity = variant.card.identity
    if identity is None or not identity.prompts:
        return _NONE
    told = f"{identity.identical} of {identity.prompts}"
    return f"{told}, lossless" if identity.lossless else told


def _peak(variant: Variant) -> Value:
    return variant.card.memory.peak if variant.card.memory is not None else None


COLUMNS: tuple[Column, ...] = (
    _one("Model", "model", "", lambda variant: variant.name, str),
    _one("Type", "quantization", "", lambda variant: variant.card.subject.quantization or None, str),
    _one("Size", "size_bytes", "All its files on disk", lambda variant: variant.size_bytes, show.bytes),
    _one(
        "Bits per weight",
        "bits_per_weight",
        "Stored bits of tensor data per weight",
        lambda variant: round(variant.card.subject.bits_per_weight, 3) or None,
        lambda bits: f"{bits:.2f}",
    ),
    _with_error("Mean KL, nats", "mean_kld", "Mean KL divergence from the reference ± its standard error"),
    _with_error("p99 KL, nats", "p99_kld", "99 % of all predictions diverge less than this"),
    _with_error(
        "Same top token, %", "same_top", "How often both find the same token likeliest", percent=True
    ),
    Column(
        "Perplexity",
        ("ppl", "ppl_error"),
        _perplexity,
        _perplexity_words,
        "On the text that it was measured on",
    ),
    _rate(
        "Decode, tok/s", "decode_tokens_per_s", "One answer: median (95 % interval)", lambda each: each.decode
    ),
    _rate("Most answers, tok/s", "batch_tokens_per_s", "The largest batch, all together", _largest_batch),
    _rate(
        "Prompt, tok/s", "prompt_tokens_per_s", "The longest prompt: median (95 % interval)", _longest_prompt
    ),
    _one(
        "First token",
        "first_token_s",
        "From a prompt to the first token",
        _of_speed("first_token_s"),
        show.duration,
    ),
    _one(
        "Gap p50",
        "gap_p50_s",
        "Half of all waits between tokens are shorter",
        _of_speed("gap_p50_s"),
        show.duration,
    ),
    _one("Gap p99", "gap_p99_s", "99 % of all waits are shorter", _of_speed("gap_p99_s"), show.duration),
    _one("Load", "load_s", "Time to load it", _of_speed("load_s"), show.duration),
    _one(
        "Peak memory", "memory_peak_bytes", "The most that it took while it was measured", _peak, show.bytes
    ),
    Column(
        "Tasks right, %",
        ("accuracy", "accuracy_low", "accuracy_high", "tasks"),
        _accuracy,
        _accuracy_words,
        "Share of all items that are right (95 % interval), and what comparing with the reference showed",
    ),
    Column(
        "Same answers",
        ("identical_answers",),
        lambda variant: (_identity(variant),),
        _identity_words,
        "Greedy answers that are the reference’s, token by token",
    ),
)
#: Columns of words.
TEXTS = (0, 1)
