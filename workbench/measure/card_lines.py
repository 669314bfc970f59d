"""The figures of a card as lines of a table, for every form in which a card is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.measure.card import (
    Cache,
    Card,
    Conditions,
    Figure,
    Identity,
    Memory,
    Metric,
    Quality,
    Rate,
    Speed,
    Task,
)
from workbench.measure.figures import (
    kld_text,
    moment_text,
    rate_text,
    seconds_text,
    share_text,
    size_text,
    spread_text,
    tokens_text,
    with_error,
)

#: The context at which a card tells what a model needs, in tokens; the nearest measured one stands for it.
_USUAL_CONTEXT = 4096
#: Standard errors beyond which a difference is told: one in 20 would be by chance.
_CLEAR = 1.96
#: A metric's title and unit; see `workbench.plugin.measuring`, which refuses longer ones.
_MOST_TITLE, _MOST_UNIT = 32, 12
#: A mean divergence below this is told as that.
_NOTHING = 0.0001


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.

    Attributes:
        label: What it is.
        value: The model's figure.
        reference: That of what it was compared with; empty where it has none.
        meaning: One sentence for who doesn't know the word.
        together: Both figures in their order, where one unit is enough for them.
    """

    label: str
    value: str
    reference: str = ""
    meaning: str = ""
    together: str = ""

    @property
    def change(self) -> str:
        """Both figures in their order: `14.2 → 14.8`; the model's alone where there is no other."""
        if self.together:
            return self.together
        return f"{self.reference} → {self.value}" if self.reference else self.value


def main_lines(card: Card) -> tuple[Line, ...]:
    """The figures that a person looks at first."""
    lines: list[Line] = []
    if (found := card.quality) is not None:
        lines += [
            Line("KL divergence", _mean_kld(found), "", _KLD),
            Line("worst 1 % of tokens", kld_text(found.p99_kld), "", _P99),
            Line("perplexity", _perplexity(found.ppl), _perplexity(found.ppl_base), _PPL),
            Line("same next token", _percent(found.same_top, found.same_top_error), "", _SAME_TOP),
        ]
    if card.identity is not None:
        lines.append(identity_line(card.identity))
    if (memory := card.memory) is not None:
        before = size_text(card.reference_memory.peak) if card.reference_memory is not None else ""
        lines.append(Line("memory at its peak", size_text(memory.peak), before, _PEAK))
    return (*lines, *map(metric_line, card.metrics))


def metric_line(metric: Metric) -> Line:
    """A figure of a plugin, or that it could not be measured."""
    title, unit = _cut(metric.title, _MOST_TITLE), _cut(metric.unit, _MOST_UNIT)
    if metric.figure is None:
        return Line(title, "could not be measured", "", f"{metric.problem}.")
    reference, meaning, together = "", _METRIC[metric.better], ""
    if metric.reference is not None:
        reference = _figure(metric.reference, unit)
        together = f"{_figure(metric.reference)} → {_figure(metric.figure, unit)}"
        meaning = f"{meaning} {_difference(metric)}".strip()
    elif metric.problem:
        meaning = f"Of the reference it could not be measured: {metric.problem}."
    return Line(title, _figure(metric.figure, unit), reference, meaning, together)


def metric_sentence(metric: Metric) -> str:
    """The same as one sentence: `Length of answers: 41 ± 3 against 40 ± 3 tokens`."""
    title, unit = _cut(metric.title, _MOST_TITLE), _cut(metric.unit, _MOST_UNIT)
    if metric.figure is None:
        return f"{title}: could not be measured: {metric.problem}"
    if metric.reference is not None:
        return f"{title}: {_figure(metric.figure)} against {_figure(metric.reference, unit)}"
    missing = f"; of the reference it could not be measured: {metric.problem}" if metric.problem else ""
    return f"{title}: {_figure(metric.figure, unit)}{missing}"


def unmeasured_lines(card: Card) -> tuple[str, ...]:
    """Why figures of plugins are missing, a sentence each, where a table has no room for it."""
    return tuple(metric_sentence(each) for each in card.metrics if each.problem)


def quality_lines(quality: Quality) -> tuple[Line, ...]:
    """Everything that was measured of the distance, with each figure's standard error."""
    found = quality
    base = with_error(found.ppl_base, found.ppl_base_error)
    return (
        Line("perplexity", with_error(found.ppl, found.ppl_error), base, _PPL),
        Line("perplexity, ratio", with_error(found.ppl_ratio, found.ppl_ratio_error)),
        Line("KL divergence, mean", with_error(found.mean_kld, found.mean_kld_error), "", _KLD),
        Line("KL divergence, median", with_error(found.median_kld, found.median_kld_error)),
        Line("KL divergence, 90 %", with_error(found.p90_kld, found.p90_kld_error)),
        Line("KL divergence, 99 %", with_error(found.p99_kld, found.p99_kld_error), "", _P99),
        Line("KL divergence, 99.9 %", with_error(found.p999_kld, found.p999_kld_error)),
        Line("KL divergence, largest", kld_text(found.max_kld)),
        Line("same next token", _percent(found.same_top, found.same_top_error), "", _SAME_TOP),
        Line("change of probability, mean", _percent(found.mean_dp, found.mean_dp_error), "", _DP),
        Line("change of probability, RMS", _percent(found.rms_dp, found.rms_dp_error), "", _DP),
    )


def speed_lines(card: Card) -> tuple[Line, ...]:
    """How fast both are; empty where that was not measured."""
    speed, before = card.speed, card.reference_speed
    if speed is None:
        return ()
    lines = [
        _rate_line(f"prompt of {tokens_text(each.tokens)}", each, before, "prompt") for each in speed.prompt
    ]
    for each in speed.decode:
        beside = f"{each.batch} at once" if each.batch > 1 else "one answer"
        lines.append(_rate_line(f"{beside}, after {tokens_text(each.tokens)}", each, before, "decode"))
    first = f"first token after {tokens_text(speed.first_token_prompt)}"
    same_prompt = before is not None and before.first_token_prompt == speed.first_token_prompt
    lines.append(
        Line(
            first, seconds_text(speed.first_token_s), _seconds(before, "first_token_s") if same_prompt else ""
        )
    )
    for name, share in (("gap_p50_s", "50 %"), ("gap_p95_s", "95 %"), ("gap_p99_s", "99 %")):
        label = f"between two tokens, {share}"
        lines.append(Line(label, _seconds(speed, name), _seconds(before, name)))
    lines.append(Line("loading", seconds_text(speed.load_s), _seconds(before, "load_s")))
    return tuple(lines)


def memory_lines(card: Card) -> tuple[Line, ...]:
    """What both take; empty where that was not measured."""
    memory, before = card.memory, card.reference_memory
    if memory is None:
        return ()
    lines = [
        Line("weights", size_text(memory.weights), size_text(before.weights) if before is not None else "")
    ]
    for cache in memory.caches:
        beside = f", {cache.batch} at once" if cache.batch > 1 else ""
        other = _cache(before, cache)
        label = f"keys and values of {tokens_text(cache.context)}{beside}"
        lines.append(Line(label, size_text(cache.bytes), size_text(other.bytes) if other is not None else ""))
    peak = size_text(before.peak) if before is not None else ""
    lines.append(Line("memory at its peak", size_text(memory.peak), peak, _PEAK))
    lines.append(
        Line(
            "estimated before",
            size_text(memory.estimated),
            "",
            "What the library had said for the same load.",
        )
    )
    lines.append(Line("this machine has", size_text(memory.limit)))
    return tuple(lines)


def usual_cache(memory: Memory) -> Cache | None:
    """Keys and values of one sequence at the context nearest to the usual one."""
    alone = [each for each in memory.caches if each.batch == 1]
    return min(alone, key=lambda each: abs(each.context - _USUAL_CONTEXT)) if alone else None


def task_line(task: Task) -> Line:
    """How both did on one set: items that are right, and what the comparison shows."""
    after, before = task.both + task.only_after, task.both + task.only_before
    meaning = f"{task.only_after} newly right, {task.only_before} newly wrong: {task.verdict}"
    return Line(task.name, f"{after} of {task.items}", f"{before} of {task.items}", meaning)


def identity_line(identity: Identity) -> Line:
    """How many greedy answers are the same, and where the first one parts."""
    parted = [place for place in identity.first_difference if place >= 0]
    first = f" The first that differs does so at token {min(parted) + 1}." if parted else ""
    return Line("identical answers", f"{identity.identical} of {identity.prompts}", "", _IDENTITY + first)


def condition_lines(conditions: Conditions) -> tuple[Line, ...]:
    """Under what it was measured."""
    found = conditions
    lines = [
        Line("measured", moment_text(found.made_at)),
        Line("form", found.form),
        Line("machine", found.machine),
        Line("system", found.system),
        Line("threads", str(found.threads)),
        Line("engine", found.engine),
    ]
    if found.reference_engine:
        lines.append(Line("engine of the reference", found.reference_engine))
    lines += [Line("Tenfold", found.tenfold), Line("seed", str(found.seed))]
    if found.text or found.text_sha256:
        lines += [Line("text", found.text or "unnamed"), Line("sha256 of the text", found.text_sha256)]
    if found.bandwidth:
        lines.append(
            Line("memory bandwidth", f"{size_text(found.bandwidth)}/s", "", "Measured by a short probe.")
        )
    if found.arithmetic:
        peak = f"{found.arithmetic / 1e9:.3g} billion operations/s"
        lines.append(Line("arithmetic peak", peak, "", "Measured by a short probe."))
    return tuple(lines)


def twin_of(rate: Rate, speed: Speed | None, kind: str) -> Rate | None:
    """The other model's speed of the same kind (`prompt`, `decode`) at the same batch and length."""
    found: tuple[Rate, ...] = getattr(speed, kind) if speed is not None else ()
    return next((each for each in found if (each.batch, each.tokens) == (rate.batch, rate.tokens)), None)


def _rate_line(label: str, rate: Rate, before: Speed | None, kind: str) -> Line:
    other = twin_of(rate, before, kind)
    meaning = f"{spread_text(rate)} over {rate.runs} runs"
    if rate.share is not None:
        what = "memory bandwidth" if kind == "decode" and rate.batch == 1 else "arithmetic peak"
        meaning += f"; {share_text(rate.share)} of this machine's {what}"
    return Line(label, rate_text(rate), rate_text(other) if other is not None else "", meaning)


def _figure(figure: Figure, unit: str = "") -> str:
    return with_error(figure.value, figure.error, f" {unit}" if unit else "")


def _cut(text: str, most: int) -> str:
    """What a card from elsewhere calls something, short enough to stand beside its figure."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _difference(metric: Metric) -> str:
    """Whether two figures differ beyond what chance makes of them, where their errors are known."""
    one, other = metric.figure, metric.reference
    if one is None or other is None or not (one.error > 0 or other.error > 0):
        return ""
    change = one.value - other.value
    if abs(change) <= _CLEAR * math.hypot(one.error, other.error):
        return "No difference shown."
    if metric.better == "neither":
        return "They differ."
    return "It is better." if (change < 0) == (metric.better == "lower") else "It is worse."


def _cache(memory: Memory | None, like: Cache) -> Cache | None:
    found = memory.caches if memory is not None else ()
    return next((each for each in found if (each.context, each.batch) == (like.context, like.batch)), None)


def _seconds(speed: Speed | None, name: str) -> str:
    return seconds_text(getattr(speed, name)) if speed is not None else ""


def _mean_kld(quality: Quality) -> str:
    """With its error, but for what is as good as nothing."""
    if quality.mean_kld < _NOTHING:
        return kld_text(quality.mean_kld)
    return with_error(quality.mean_kld, quality.mean_kld_error)


def _perplexity(value: float) -> str:
    return f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def _percent(share: float, error: float) -> str:
    return with_error(share * 100, error * 100, " %")


_METRIC = {"lower": "Lower is better.", "higher": "Higher is better.", "neither": ""}
_KLD = "How far the probabilities of the next token moved, on average, in nats; 0 is the same."
_P99 = "At one token in a hundred the probabilities moved by this much or more."
_PPL = "How surprised each model is by the text; lower is better."
_SAME_TOP = "How often both find the same token likeliest."
_DP = "Of the probability that the text's own next token has."
_IDENTITY = "Greedy answers that are the same to their last token."
_PEAK = "The most that the process held above what it held before loading."
