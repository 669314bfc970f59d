"""Says in words what a comparison showed, so that no page shows two numbers without their meaning."""

from __future__ import annotations

from typing import Literal

from workbench.measure.paired import Paired

#: The largest p that counts as evidence of a difference.
EVIDENCE = 0.05

#: What a training made a model forget, from its mean KL divergence in nats on text that it was not trained
#: on. Up to the first that is less than what 5 bits change in LLaMA 3 8B on Wikitext-2 (Q5_0: 0.022), which
#: hardly anybody notices; from the second on it is as much as 3 bits change (Q3_K_S: 0.200 to 0.228), which
#: many do. Figures of llama.cpp's tools/perplexity/README.md.
LITTLE_KLD, MUCH_KLD = 0.02, 0.2

Forgotten = Literal["hardly any", "some", "much"]


def p_text(p: float) -> str:
    """A probability as one reads it.

    >>> p_text(1e-9), p_text(0.0432), p_text(0.5)
    ('p < 0.001', 'p = 0.043', 'p = 0.5')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def verdict(found: Paired) -> str:
    """What a paired comparison showed of the second model.

    >>> verdict(Paired(both=10, only_before=1, only_after=9, neither=3))
    'better, p = 0.021'
    >>> verdict(Paired(both=10, only_before=12, only_after=0, neither=3))
    'worse, p < 0.001'
    >>> verdict(Paired(both=10, only_before=3, only_after=4, neither=3))
    'no difference shown'
    """
    if found.p > EVIDENCE:
        return "no difference shown"
    return f"{'better' if found.only_after > found.only_before else 'worse'}, {p_text(found.p)}"


def forgotten(mean_kld: float, items: Paired | None = None) -> Forgotten:
    """How much a model forgot.

    Args:
        mean_kld: From what it was made from, on other text, in nats.
        items: How both did on questions that have nothing to do with what was learned. Where fewer are right
            by more than chance, it is never hardly any.

    >>> forgotten(0.004), forgotten(0.05), forgotten(0.3)
    ('hardly any', 'some', 'much')
    >>> forgotten(0.004, Paired(both=20, only_before=9, only_after=1, neither=10))
    'some'
    """
    if mean_kld >= MUCH_KLD:
        return "much"
    worse = items is not None and items.p <= EVIDENCE and items.only_after < items.only_before
    return "some" if mean_kld > LITTLE_KLD or worse else "hardly any"
