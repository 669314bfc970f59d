"""What follows a fine-tuning, as jobs of one home: merge, convert, quantize; and a file for llama.cpp."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.records import JobRecord
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.session import Session

_MAKE_ADAPTER = Path(__file__).parents[1] / "fixtures" / "make_adapter.py"
LIMIT_S = 240


@pytest.fixture
def adapter(tiny_hf: Path, tmp_path: Path) -> Path:
    """A LoRA of the tiny model, made in a process of its own."""
    folder = tmp_path / "support tone"
    settings = {"r": 4, "target_modules": ["q_proj", "v_proj", "down_proj"]}
    subprocess.run([sys.executable, _MAKE_ADAPTER, tiny_hf, folder, json.dumps(settings)], check=True)
    return folder


def run(session: Session, operation: str, model: ModelRecord, **values: Any) -> ModelRecord:
    """Run an operation as a job to its end, and return the model that it made."""
    library, runner = session.library, session.runner
    assert runner is not None
    entry = session.catalogue.operation(operation)
    source = library.to_spec_input(model.id)
    job = session.board.submit(make_spec(entry, model, library.facts(model.id), values, input=source))
    tick, end = threading.Event(), time.monotonic() + LIMIT_S

    def rests(record: JobRecord) -> bool:
        return is_resting(record.state) and record.id not in runner.running

    while not rests(session.board.get(job.id)):
        runner.poll()
        assert time.monotonic() < end, session.board.get(job.id)
        tick.wait(0.05)
    ended = session.board.get(job.id)
    assert ended.state == "done", (ended.error_message, (ended.folder / "log.txt").read_text())
    assert ended.result_model_id is not None
    return library.get(ended.result_model_id)


@pytest.mark.timeout(600)
def test_an_adapter_becomes_a_quantized_model_and_a_file_for_llama_cpp(
    home: Home, tiny_hf: Path, adapter: Path
) -> None:
    with Session.open(home, supervise=True) as session:
        library = session.library
        base = library.add(tiny_hf, name="Tiny").record
        tuned = library.add(adapter).record

        merged = run(session, "merge-adapter", base, adapters=[str(tuned.path)])
        as_gguf = run(session, "gguf-convert", merged, type="F16")
        small = run(session, "gguf-quantize", as_gguf, type="Q8_0")
        beside = run(session, "adapter-to-gguf", base, adapter=str(tuned.path))

        assert [each.parent_id for each in (tuned, merged, as_gguf, small, beside)] == [
            base.id,
            base.id,
            merged.id,
            as_gguf.id,
            base.id,
        ]
        assert (merged.name, merged.source) == ("Tiny-merged", "its base with support tone")
        assert (small.name, small.quantization) == ("Tiny-merged-Q8_0", "Q8_0")
        record = json.loads((merged.path / "merge.json").read_text(encoding="utf-8"))
        assert record["base"] == {"name": "Tiny", "sha256": base.sha256}
        assert record["adapters"][0]["name"] == "support tone"
        facts = library.facts(beside.id)
        assert facts.adapter is not None
        assert (facts.format, facts.adapter.container, facts.adapter.base) == ("adapter", "gguf", "Tiny")
