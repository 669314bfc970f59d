"""What an answer took, in the words of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui import format


def figures_line(figures: Mapping[str, Any]) -> str:
    """Speed, latency, reuse and guesses of one answer; empty where nothing is known.

    >>> figures_line({"completion_tokens": 3, "decode_s": 0.1, "time_to_first_token_s": 0.05})
    '20.0 tokens/s · first after 50 ms'
    """
    tokens = int(figures.get("completion_tokens", 0))
    if not tokens:
        return ""
    decode_s = float(figures.get("decode_s", 0))
    parts = []
    if decode_s > 0 and tokens > 1:
        parts.append(f"{(tokens - 1) / decode_s:.1f} tokens/s")
    parts.append(f"first after {_ms(figures, 'time_to_first_token_s')}")
    if figures.get("inter_token_p50_s"):
        slowest = _ms(figures, "inter_token_p99_s")
        parts.append(f"{_ms(figures, 'inter_token_p50_s')} between tokens, slowest {slowest}")
    if figures.get("cached_tokens"):
        saved = _ms(figures, "saved_s")
        parts.append(
            f"{figures['cached_tokens']} of {figures['prompt_tokens']} prompt tokens reused, {saved} saved"
        )
    if figures.get("drafted"):
        parts.append(f"{figures['accepted']} of {figures['drafted']} guesses right")
        plain, guessed = float(figures.get("plain_s", 0)), float(figures.get("speculative_s", 0))
        if plain and guessed:
            parts.append(f"×{plain / guessed:.2f} while guessing")
    if figures.get("speculation") == "lost":
        parts.append("guessing was slower and turned itself off")
    if figures.get("shifted_tokens"):
        parts.append(f"{format.grouped(int(figures['shifted_tokens']))} of the oldest tokens let go")
    return " · ".join(parts)


def _ms(figures: Mapping[str, Any], name: str) -> str:
    seconds = float(figures.get(name, 0))
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
