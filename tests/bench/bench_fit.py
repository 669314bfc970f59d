"""The estimate against the measured peak for the sample model in three formats, before any correction."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.runner import is_resting
from workbench.library.fit import estimate
from workbench.library.load_measure import measure
from workbench.library.records import ModelRecord
from workbench.session import Session

SIZES = ((512, 1), (4096, 1), (2048, 4))


def main() -> int:
    print(f"{'format':14}{'context':>8}{'batch':>6}{'estimate':>12}{'measured':>12}{'off by':>9}")
    with tempfile.TemporaryDirectory() as folder, Session.open(Home(Path(folder)), supervise=True) as session:
        sample = session.library.add_sample().record
        unpacked = _run(session, "gguf-dequantize", sample)
        for model in (sample, unpacked, _run(session, "mlx-quantize", unpacked)):
            facts = session.library.facts(model.id)
            for context, batch in SIZES:
                guess = estimate(facts, context=context, batch=batch).total_bytes
                peak = measure(model, facts, session.loads, context=context, batch=batch)
                print(
                    f"{model.format + ' ' + model.quantization:14}{context:8}{batch:6}"
                    f"{guess / 1e6:9.0f} MB{peak / 1e6:9.0f} MB{(guess - peak) / peak:+9.1%}"
                )
    return 0


def _run(session: Session, operation: str, model: ModelRecord) -> ModelRecord:
    library = session.library
    entry = session.catalogue.operation(operation)
    source = library.to_spec_input(model.id)
    job = session.board.submit(make_spec(entry, model, library.facts(model.id), {}, input=source))
    assert session.runner is not None
    while not is_resting(session.board.get(job.id).state):
        session.runner.poll()
        time.sleep(0.05)
    return library.get(session.board.get(job.id).result_model_id or "")


if __name__ == "__main__":
    raise SystemExit(main())
