"""Quality against llama.cpp's own `llama-perplexity`: the same figures, and how long both take for them.

The sample model as F16 is compared with itself as Q8_0, Q4_K_M and Q2_K on the text that ships with Tenfold,
by the tool and by us in turns. A comparison is timed whole, from opening the files to the figures; the tool's
is two runs, one that writes the reference's predictions to a file and one that compares with them. The tool
is named by TENFOLD_LLAMA_PERPLEXITY (build the target `llama-perplexity` of the llama.cpp that the sdist of
llama-cpp-python carries under `vendor`); without it only our own throughput is printed.

With `--record FILE` nothing is timed: the tool's figures are written down with their conditions, as
`tests/workbench/measure/test_recorded_quality.py` reads them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from tests.workbench.measure.reference_tool import TYPES, figure, make_types, run_base, run_divergence
from workbench.assets import EVALUATION_TEXT
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.hardware import physical_cores
from workbench.library.library import sample_path
from workbench.measure.card import Quality
from workbench.measure.quality import measure_quality
from workbench.measure.windows import WIDTH, windows_of_text

#: The tool's name in the environment.
TOOL = "TENFOLD_LLAMA_PERPLEXITY"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    named = os.environ.get(TOOL)
    tool = Path(named) if named else None
    with tempfile.TemporaryDirectory() as folder:
        files = make_types(sample_path(), Path(folder))
        if asked.record and tool is not None:
            record(tool, files, asked.windows, asked.record)
            return
        print(f"{asked.windows} windows of {WIDTH} tokens, {physical_cores()} threads, {asked.rounds} rounds")
        for name in TYPES:
            theirs: list[float] = []
            ours: list[float] = []
            for _ in range(asked.rounds):
                figures: dict[str, float] = {}
                if tool is not None:
                    seconds, figures = run_tool(tool, files["F16"], files[name], asked.windows)
                    theirs.append(seconds)
                seconds, quality = measure(files["F16"], files[name], asked.windows)
                ours.append(seconds)
            _print(name, asked.windows, quality, ours, figures, theirs)


def run_tool(tool: Path, reference: Path, candidate: Path, windows: int) -> tuple[float, dict[str, float]]:
    """One comparison by the tool: its seconds and its figures."""
    logits = reference.with_name("logits.bin")
    first = run_base(tool, reference, EVALUATION_TEXT, logits, windows=windows, threads=physical_cores())
    second = run_divergence(tool, candidate, logits, threads=physical_cores())
    return first.seconds + second.seconds, second.figures()


def record(tool: Path, files: dict[str, Path], windows: int, target: Path) -> None:
    """Write down the tool's figures for all files."""
    logits = files["F16"].with_name("logits.bin")
    run_base(tool, files["F16"], EVALUATION_TEXT, logits, windows=windows, threads=physical_cores())
    figures = {
        name: run_divergence(tool, files[name], logits, threads=physical_cores()).figures() for name in TYPES
    }
    written = _conditions(windows, files) | {"figures": figures}
    target.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def measure(reference: Path, candidate: Path, windows: int) -> tuple[float, Quality]:
    """One comparison by us: its seconds and its figures."""
    began = time.perf_counter()
    engines = [
        open_engine(LoadOptions(path=str(path), format="gguf", context=WIDTH, parallel=1))
        for path in (reference, candidate)
    ]
    text = EVALUATION_TEXT.read_text(encoding="utf-8")
    cut = windows_of_text(engines[0].tokenizer, text, most=windows)
    quality = measure_quality(*engines, cut, threads=physical_cores())
    for each in engines:
        each.close()
    return time.perf_counter() - began, quality


def _print(
    name: str,
    windows: int,
    quality: Quality,
    ours: list[float],
    figures: dict[str, float],
    theirs: list[float],
) -> None:
    tokens = 2 * windows * WIDTH
    print(f"\n{name}: ours {tokens / min(ours):.0f} tokens/s ({', '.join(f'{each:.1f} s' for each in ours)})")
    if not figures:
        for field in ("ppl", "ppl_base", "mean_kld", "p99_kld", "same_top"):
            print(f"  {field:>18} {getattr(quality, field):12.6f}")
        return
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"  the tool {tokens / min(theirs):.0f} tokens/s ({', '.join(f'{each:.1f} s' for each in theirs)})")
    print(f"  throughput {ratio:.2f} of the tool's, by the medians")
    print(f"  {'':>18} {'ours':>12} {'the tool':>12} {'apart':>9}")
    for field, theirs_figure in figures.items():
        own = figure(quality, field)
        apart = abs(own - theirs_figure) / abs(theirs_figure) if theirs_figure else 0.0
        print(f"  {field:>18} {own:12.6f} {theirs_figure:12.6f} {apart:9.3%}")


def _conditions(windows: int, files: dict[str, Path]) -> dict[str, object]:
    return {
        "tool": f"llama-perplexity of the llama.cpp in llama-cpp-python {version('llama-cpp-python')}",
        "system": f"{platform.system()} {platform.machine()}",
        "windows": windows,
        "window_tokens": WIDTH,
        "text_sha256": hashlib.sha256(EVALUATION_TEXT.read_bytes()).hexdigest(),
        "files_sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()},
    }


if __name__ == "__main__":
    main()
