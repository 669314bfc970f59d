"""How much answers repeat themselves: a quantized model that loops may still predict a text well."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.plugin import MetricContext, MetricResult, metric

#: Runs of four tokens, as in the paper: shorter ones come again in any text, as `of the` does.
_RUN = 4
#: Long enough to fall into a loop, short enough for a quick proof.
_TOKENS = 96


@metric("repetition", title="Repetition in answers", unit="%", better="lower")
def repetition(context: MetricContext) -> MetricResult:
    """The share of an answer that repeats what it said before.

    Of the runs of four tokens in a greedy answer of up to 96 tokens, how many stood in it before: `seq-rep-4`
    of Welleck et al., Neural Text Generation with Unlikelihood Training (arXiv 1908.04319). 0 % repeats
    nothing, 100 % says one token over and over. The mean over the proof's prompts, with its standard error;
    answers of fewer than four tokens can't repeat themselves and are left out. Divergence and perplexity
    don't show this: they look at a text that is given, never at what the model makes of its own words.
    """
    answers = context.answers(_TOKENS)
    return MetricResult.mean([100 * repeated(each.tokens) for each in answers if len(each.tokens) >= _RUN])


def repeated(tokens: Sequence[int], run: int = _RUN) -> float:
    """The share of a text's runs of tokens that stood in it before, from 0 to 1.

    >>> repeated([1, 2, 3, 4, 5]), repeated([1] * 8)
    (0.0, 0.8)

    Raises:
        ValueError: The text is shorter than one run.
    """
    runs = [tuple(tokens[place : place + run]) for place in range(len(tokens) - run + 1)]
    if not runs:
        raise ValueError(f"there is no run of {run} tokens among {len(tokens)}")
    return 1 - len(set(runs)) / len(runs)
