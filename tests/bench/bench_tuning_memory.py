"""The estimated peak memory of a training against the measured one on the sample model, before correction.

Each line is a whole job, of three updates on full batches; its peak is that of the worker's process.
`--backend mlx` does the same with MLX, which takes minutes on a CPU; words choose lines, for example
`lora full`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.tuning_sample import sample_folder
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.session import Session
from workbench.tuning.choices import Backend, choices_of
from workbench.tuning.memory import tuning_memory

ROW = 256
RUNS: tuple[dict[str, Any], ...] = (
    {"method": "lora", "batch_tokens": 512},
    {"method": "lora", "batch_tokens": 1024},
    {"method": "lora", "batch_tokens": 2048},
    {"method": "lora", "batch_tokens": 1024, "rank": 64},
    {"method": "lora", "batch_tokens": 1024, "layers": "20-29"},
    {"method": "lora", "batch_tokens": 1024, "batching": "packed"},
    {"method": "lora", "batch_tokens": 2048, "gradient_checkpointing": True},
    {"method": "dora", "batch_tokens": 512},
    {"method": "full", "batch_tokens": 512},
    {"method": "full", "batch_tokens": 1024},
    {"method": "full", "batch_tokens": 512, "accumulation": 2},
    {"method": "full", "batch_tokens": 1024, "gradient_checkpointing": True},
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", help="only these")
    parser.add_argument("--backend", choices=("torch", "mlx"), default="torch")
    asked = parser.parse_args()
    print(f"{'settings':58}{'estimate':>11}{'measured':>12}{'off by':>9}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = place / "rows.jsonl"
        # Longer than a row may be, so that every row is exactly as long.
        rows = [{"text": f"Row {number}. " + "All of this is learned. " * 90} for number in range(64)]
        data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        with Session.open(Home(place / "home"), supervise=True) as session:
            model = session.library.add(sample_folder(place)).record
            for run in RUNS:
                if not asked.methods or run["method"] in asked.methods:
                    _line(session, model, asked.backend, data, run)
    return 0


def _line(session: Session, model: ModelRecord, backend: Backend, data: Path, run: dict[str, Any]) -> None:
    facts = session.library.facts(model.id)
    guess = tuning_memory(facts, choices_of({**run, "max_tokens": ROW}), backend).total_bytes
    peak = _measured(session, model, backend, data, run)
    words = " ".join(f"{name}={value}" for name, value in run.items())
    print(f"{words:58}{guess / 1e6:8.0f} MB{peak / 1e6:9.0f} MB{(guess - peak) / peak:+9.1%}", flush=True)


def _measured(session: Session, model: ModelRecord, backend: Backend, data: Path, run: dict[str, Any]) -> int:
    entry = session.catalogue.operation(f"finetune-{backend}")
    params = {
        **run,
        "data": [str(data)],
        "max_tokens": ROW,
        "held_out": 0.1,
        "steps": 3,
        "evaluate_every": 1000,
        "proof": False,
    }
    source = session.library.to_spec_input(model.id)
    spec = make_spec(entry, model, session.library.facts(model.id), params, input=source)
    job = session.board.submit(spec)
    assert session.runner is not None
    while not is_resting(session.board.get(job.id).state):
        session.runner.poll()
        time.sleep(0.05)
    ended = session.board.get(job.id)
    assert ended.state == "done", ended.error_message
    measured = json.loads((ended.folder / "measured.json").read_text(encoding="utf-8"))
    return int(measured["peak_bytes"])


if __name__ == "__main__":
    raise SystemExit(main())
