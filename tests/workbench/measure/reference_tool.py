"""llama.cpp's own `llama-perplexity`, whose figures ours are held against, and the files for both."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.measure.card import Quality

#: The types that are compared with F16.
TYPES = ("Q8_0", "Q4_K_M", "Q2_K")

#: How the tool names each figure of a `Quality`, and what it must be multiplied by.
_LINES = {
    "ppl": ("Mean PPL(Q)", 1),
    "ppl_base": ("Mean PPL(base)", 1),
    "ppl_ratio": ("Mean PPL(Q)/PPL(base)", 1),
    "ln_ppl_ratio": ("Mean ln(PPL(Q)/PPL(base))", 1),
    "mean_kld": ("Mean    KLD", 1),
    "max_kld": ("Maximum KLD", 1),
    "p999_kld": ("99.9%   KLD", 1),
    "p99_kld": ("99.0%   KLD", 1),
    "p90_kld": ("90.0%   KLD", 1),
    "median_kld": ("Median  KLD", 1),
    "mean_dp": ("Mean    Δp", 0.01),
    "rms_dp": ("RMS Δp", 0.01),
    "same_top": ("Same top p", 0.01),
}

#: Quantizes its first argument to the first `TYPE=FILE`, and that to all others.
_QUANTIZE = """
import ctypes, sys, llama_cpp
source, *wanted = sys.argv[1:]
for each in wanted:
    name, target = each.split("=", 1)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}")
    params.allow_requantize = name == "F16"
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)):
        sys.exit(f"can't make {each}")
    source = target if name == "F16" else source
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of the tool gave.

    Attributes:
        seconds: How long it took, loading included.
        text: What it printed.
    """

    seconds: float
    text: str

    def figures(self) -> dict[str, float]:
        """The figures by the names of `Quality`; those with a standard error also as `…_error`."""
        found: dict[str, float] = {}
        for name, (line, factor) in _LINES.items():
            match = re.search(
                rf"^{re.escape(line)}\s*:\s*(-?[\d.]+)(?:\s*±\s*([\d.]+))?", self.text, re.MULTILINE
            )
            assert match, f"the tool printed no line “{line}”:\n{self.text}"
            found[name] = round(float(match[1]) * factor, 9)
            if match[2]:
                found[f"{name}_error"] = round(float(match[2]) * factor, 9)
        return found


def run_base(tool: Path, model: Path, text: Path, logits: Path, *, windows: int, threads: int) -> Ran:
    """Have the tool write a reference's predictions of a text to a file."""
    return _run(tool, model, logits, threads, "-f", str(text), "--chunks", str(windows))


def run_divergence(tool: Path, model: Path, logits: Path, *, threads: int) -> Ran:
    """Have the tool compare a model with the predictions in that file."""
    return _run(tool, model, logits, threads, "--kl-divergence")


def figure(quality: Quality, name: str) -> float:
    """What we found for one of the tool's figures."""
    if name == "ln_ppl_ratio":
        return math.log(quality.ppl_ratio)
    if name == "ln_ppl_ratio_error":
        return quality.ppl_ratio_error / quality.ppl_ratio
    return float(getattr(quality, name))


def make_types(sample: Path, folder: Path) -> dict[str, Path]:
    """The sample model, which its package holds in Q4_1, as F16, and from that in each of `TYPES`."""
    made = {name: folder / f"{name}.gguf" for name in ("F16", *TYPES)}
    words = [f"{name}={path}" for name, path in made.items()]
    # A process of its own: what llama.cpp prints and how it logs stays there.
    ran = subprocess.run(
        [sys.executable, "-c", _QUANTIZE, str(sample), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return made


def _run(tool: Path, model: Path, logits: Path, threads: int, *words: str) -> Ran:
    command = [str(tool), "-m", str(model), "--kl-divergence-base", str(logits), "-t", str(threads), *words]
    began = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert ran.returncode == 0, ran.stderr
    return Ran(time.perf_counter() - began, ran.stdout + ran.stderr)
