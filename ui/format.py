"""Figures as a person reads them, each with its unit; a narrow space that never breaks stands before it."""

from __future__ import annotations

import math
import time
from datetime import date as calendar_date
from datetime import datetime, timedelta

_SPACE = "\u202f"
#: Between groups of three digits.
_GROUP = "\u2009"
_UNKNOWN = "—"


def bytes(n: float | None) -> str:
    """A size in decimal units, as disks and memory are sold.

    >>> bytes(105_450_000).replace(chr(0x202f), " ")
    '105 MB'
    """
    if n is None or not math.isfinite(n):
        return _UNKNOWN
    return _scaled(float(n), ("B", "kB", "MB", "GB", "TB", "PB"))


def count(n: float | None) -> str:
    """A number of things: in full below a million, above it to three digits.

    >>> count(134_515_008).replace(chr(0x202f), " ")
    '135 M'
    """
    if n is None or not math.isfinite(n):
        return _UNKNOWN
    if abs(n) >= 999_999.5:
        return _scaled(n / 1e6, ("M", "B", "T"), places=2)
    return grouped(round(n))


def grouped(n: int) -> str:
    """A whole number in groups of three digits: `12 345`."""
    return f"{n:,}".replace(",", _GROUP)


def number(value: float | None) -> str:
    """A bare figure to three digits: `0.71`, `129`, `12 345`."""
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    return grouped(round(value)) if abs(value) >= 999.5 else f"{value:.3g}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share from 0 to 1 as `71 %`."""
    if share is None or not math.isfinite(share):
        return _UNKNOWN
    return f"{share * 100:.{digits}f}{_SPACE}%"


def duration(s: float | None) -> str:
    """Seconds as one reads them: `850 ms`, `1.2 s`, `41 s`, `6 min`, `2 h 10 min`, `3 d 4 h`.

    >>> duration(130 * 60).replace(chr(0x202f), " ")
    '2 h 10 min'
    """
    if s is None or not math.isfinite(s):
        return _UNKNOWN
    s = max(s, 0.0)
    if s == 0:
        return f"0{_SPACE}s"
    if s < 0.9995:
        return f"{max(s * 1000, 1):.0f}{_SPACE}ms"
    if s < 9.95:
        return f"{s:.1f}".removesuffix(".0") + f"{_SPACE}s"
    seconds = round(s)
    if seconds < 60:
        return f"{seconds}{_SPACE}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 10 and seconds:
        return f"{minutes}{_SPACE}min {seconds}{_SPACE}s"
    minutes = round(s / 60)
    if minutes < 60:
        return f"{minutes}{_SPACE}min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}{_SPACE}h" + (f" {minutes}{_SPACE}min" if minutes else "")
    days, hours = divmod(round(s / 3600), 24)
    return f"{days}{_SPACE}d" + (f" {hours}{_SPACE}h" if hours else "")


def rate(v: float | None, unit: str) -> str:
    """A speed with its unit; bytes a second in the size that suits them.

    >>> rate(129.3, "tok/s").replace(chr(0x202f), " ")
    '129 tok/s'
    """
    if v is None or not math.isfinite(v):
        return _UNKNOWN
    if unit in ("B/s", "bytes/s"):
        return f"{bytes(v)}/s"
    return f"{number(v)}{_SPACE}{unit}" if unit else number(v)


def date(t: float | None, now: float | None = None) -> str:
    """A moment (seconds since the epoch) by the local clock.

    `today, 14:05`, `yesterday`, `24 Nov`, and `24 Nov 2024` in another year.
    """
    if t is None:
        return _UNKNOWN
    moment = datetime.fromtimestamp(t)
    today = datetime.fromtimestamp(time.time() if now is None else now).date()
    if moment.date() == today:
        return f"today, {moment:%H:%M}"
    if moment.date() == today - timedelta(days=1):
        return "yesterday"
    return _day(moment.date(), with_year=moment.year != today.year)


def _day(day: calendar_date, *, with_year: bool) -> str:
    # Not by %b: the rest of the window is in English whatever the system's language is.
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day} {months[day.month - 1]}" + (f" {day.year}" if with_year else "")


def _scaled(value: float, units: tuple[str, ...], places: int = 1) -> str:
    """Three digits at most, in the largest unit that leaves one before the point."""
    for unit in units[:-1]:
        # What would be rounded up to 1000 belongs to the next unit.
        if abs(value) < 999.5:
            return f"{_three(value, places)}{_SPACE}{unit}"
        value /= 1000
    return f"{_three(value, places)}{_SPACE}{units[-1]}"


def _three(value: float, places: int) -> str:
    if abs(value) >= 99.95:
        return grouped(round(value))
    text = f"{value:.{places if abs(value) < 9.995 else 1}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
