"""Writes a card's figures as text: with their unit, and with as many digits as they are worth."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from workbench.measure.card import Rate

#: With more places than this, a figure is written as a power of ten.
_MOST_PLACES = 5


def kld_text(kld: float) -> str:
    """A divergence to two digits.

    >>> kld_text(0.6123), kld_text(0.0412), kld_text(0.00002), kld_text(0.0), kld_text(12.54)
    ('0.61', '0.041', '< 0.0001', '0', '13')
    """
    if kld < 0.0001:
        # Rounding may leave a divergence of nothing a little below zero.
        return "< 0.0001" if kld > 0 else "0"
    return f"{kld:.2g}" if kld < 10 else f"{kld:.0f}"


def with_error(value: float, error: float, unit: str = "") -> str:
    """A figure with its standard error, both to the error's first digit.

    >>> with_error(0.04123, 0.00103), with_error(14.217, 0.43), with_error(91.234, 0.52, " %")
    ('0.041 ± 0.001', '14.2 ± 0.4', '91.2 ± 0.5 %')
    >>> with_error(0.0412, 0.0), with_error(0.0000123, 0.0000004)
    ('0.0412', '1.23e-05 ± 4e-07')
    """
    if not error > 0 or not math.isfinite(error):
        return f"{value:.3g}{unit}"
    places = max(-math.floor(math.log10(error)), 0)
    if places > _MOST_PLACES:
        return f"{value:.3g} ± {error:.1g}{unit}"
    return f"{value:.{places}f} ± {error:.{places}f}{unit}"


def times_text(ratio: float) -> str:
    """How many times as much: two digits, and a third where it is close to one.

    >>> times_text(1.56), times_text(1.04), times_text(0.77), times_text(12.3)
    ('1.6', '1.04', '0.77', '12')
    """
    if ratio >= 10:
        return f"{ratio:.0f}"
    return f"{ratio:.2g}" if ratio >= 1.1 else f"{ratio:.2f}"


def size_text(count: float) -> str:
    """Bytes in powers of ten.

    >>> size_text(105_450_000), size_text(25e9)
    ('105 MB', '25 GB')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def seconds_text(seconds: float) -> str:
    """A short time.

    >>> seconds_text(0.0061), seconds_text(0.214), seconds_text(3.14), seconds_text(42.4)
    ('6.1 ms', '214 ms', '3.1 s', '42 s')
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"


def rate_text(rate: Rate) -> str:
    """A speed; one from a machine that was not quiet says so.

    >>> rate_text(Rate(tokens=64, batch=1, tokens_per_s=166.7, low=160, high=170, runs=5))
    '167 tokens/s'
    """
    return f"{three_digits(rate.tokens_per_s)} tokens/s{' (noisy)' if rate.noisy else ''}"


def spread_text(rate: Rate) -> str:
    """Between what the median lies.

    >>> spread_text(Rate(tokens=64, batch=1, tokens_per_s=166.7, low=160.2, high=1701.9, runs=5))
    '160 to 1702'
    """
    return f"{three_digits(rate.low)} to {three_digits(rate.high)}"


def three_digits(value: float) -> str:
    """A bare figure; all digits before the point are kept.

    >>> three_digits(12.345), three_digits(44912.4)
    ('12.3', '44912')
    """
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def share_text(share: float) -> str:
    """A share from 0 to 1.

    >>> share_text(0.714)
    '71 %'
    """
    return f"{share * 100:.0f} %"


def tokens_text(tokens: int) -> str:
    """A length of text.

    >>> tokens_text(1), tokens_text(512), tokens_text(8192)
    ('1 token', '512 tokens', '8192 tokens')
    """
    return "1 token" if tokens == 1 else f"{tokens} tokens"


def moment_text(seconds: float) -> str:
    """A moment in world time, so that a document says the same everywhere.

    >>> moment_text(1_790_000_000.0)
    '2026-09-21 14:13 UTC'
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        # A card from elsewhere may name any number.
        return "at an unknown time"
