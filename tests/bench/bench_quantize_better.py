"""What an importance matrix and mixed types gain over the fixed recipes, on the sample model.

    python tests/bench/bench_quantize_better.py [--sizes Q4_K_M,Q3_K_M,Q2_K] [--windows 40] [--model F16.gguf]

Fitted on the calibration text, measured on the evaluation text, which has nothing of the other. For every
recipe three files: plain, with the importance matrix, and mixed types of at most the same size.

The sample model was once quantized to Q4_1, so its weights lie on that type's grid. With an importance matrix
Q5_1 finds the grid again and stores them nearly without loss, at a thousandth of Q5_0's error. That is a
property of the sample, not of the method; so neither is a candidate here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.assets import EVALUATION_TEXT
from workbench.catalogue import Catalogue
from workbench.engines.base import Engine
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.hardware import physical_cores
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.measure.divergence import Divergence
from workbench.measure.windows import first_scored, windows_of_text
from workbench.session import Session

#: All that the operation tries by itself, but for Q5_1.
TYPES = "Q8_0,Q6_K,Q5_K,Q4_K,IQ4_XS,Q3_K,Q2_K,Q5_0,IQ4_NL,Q4_0"


@dataclass(frozen=True)
class Made:
    """One file, and how long its job took."""

    name: str
    path: Path
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", default="Q4_K_M,Q3_K_M,Q2_K", help="the recipes to compare with")
    parser.add_argument("--windows", type=int, default=40, help="windows of 512 tokens to measure on")
    parser.add_argument("--model", type=Path, help="an F16 GGUF; the sample model without")
    parser.add_argument("--home", type=Path, help="a home that keeps what was measured; else a new one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(asked.home or Path(folder)).create()
        with Session.open(home, supervise=True) as session:
            base = _base(session, asked.model)
            made = _make(session, base, asked.sizes.split(","))
            _print(base.path, made, asked.windows)
    return 0


def _base(session: Session, model: Path | None) -> ModelRecord:
    if model is not None:
        return session.library.add(model).record
    unpacked = _result(session, _run(session, "gguf-dequantize", session.library.add_sample().record))
    return _result(session, _run(session, "gguf-convert", unpacked, type="F16"))


def _make(session: Session, base: ModelRecord, sizes: list[str]) -> list[Made]:
    importance = _run(session, "imatrix", base)
    matrix = next(path for path in (importance.folder / "out").iterdir() if path.suffix == ".gguf")
    print(f"importance matrix: {_seconds(importance):.0f} s")
    made = []
    for size in sizes:
        for name, operation, values in (
            (size, "gguf-quantize", {"type": size}),
            (f"{size} + imatrix", "gguf-quantize", {"type": size, "imatrix": str(matrix)}),
            (f"mixed, as {size}", "gguf-mixed", {"size_of": size, "types": TYPES, "imatrix": str(matrix)}),
        ):
            job = _run(session, operation, base, **values)
            made.append(Made(name, _result(session, job).path, _seconds(job)))
    return made


def _print(base: Path, made: list[Made], most: int) -> None:
    reference, *candidates = (_open(path) for path in (base, *(each.path for each in made)))
    windows = windows_of_text(reference.tokenizer, EVALUATION_TEXT.read_text(encoding="utf-8"), most=most)
    first = first_scored(windows.shape[1])
    found = [Divergence() for _ in made]
    for window in windows:
        tokens = window[:-1].tolist()
        expected = reference.logits(tokens, first).copy()
        for candidate, divergence in zip(candidates, found, strict=True):
            divergence.add(expected, candidate.logits(tokens, first))
    print(f"\n{len(windows)} windows of {windows.shape[1]} tokens, the second half of each scored\n")
    print("| file | bytes | mean KL | p99 KL | same top token | job |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for each, divergence in zip(made, found, strict=True):
        distance = divergence.distance()
        print(
            f"| {each.name} | {each.path.stat().st_size:,} | {distance.mean_kld:.4f} ± "
            f"{distance.mean_kld_error:.4f} | {distance.p99_kld:.3f} | {100 * distance.same_top:.1f} % | "
            f"{each.seconds:.0f} s |"
        )
    for engine in (reference, *candidates):
        engine.close()


def _open(path: Path) -> Engine:
    return open_engine(
        LoadOptions(path=str(path), format="gguf", context=512, parallel=1, threads=physical_cores())
    )


def _run(session: Session, operation: str, model: ModelRecord, **values: str) -> JobRecord:
    library = session.library
    entry = Catalogue(session.home).operation(operation)
    source = library.to_spec_input(model.id)
    job = session.board.submit(make_spec(entry, model, library.facts(model.id), values, input=source))
    assert session.runner is not None
    while not is_resting(session.board.get(job.id).state) or session.runner.running:
        session.runner.poll()
        time.sleep(0.05)
    ended = session.board.get(job.id)
    assert ended.state == "done", ended.error_message
    return ended


def _result(session: Session, job: JobRecord) -> ModelRecord:
    return session.library.get(job.result_model_id or "")


def _seconds(job: JobRecord) -> float:
    return (job.ended_at or 0) - (job.started_at or 0)


if __name__ == "__main__":
    raise SystemExit(main())
