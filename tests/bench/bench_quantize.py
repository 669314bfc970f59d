"""What a quantization costs through a job over calling the library directly, on the sample model as F16.

Runs of both kinds alternate; the least time of each counts, as noise only adds. The direct call starts
a process too, so the difference is what the job adds: events, sampling, hashing, fsync.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workbench.catalogue import Catalogue
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.session import Session

ROUNDS = 5
DIRECT = """
import ctypes, sys, time, llama_cpp as l
silent = l.llama_log_callback(lambda *_: None)
l.llama_log_set(silent, None)
p = l.llama_model_quantize_default_params()
p.ftype, p.nthread = l.LLAMA_FTYPE_MOSTLY_Q4_K_M, int(sys.argv[3])
began = time.perf_counter()
assert l.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(p)) == 0
print(time.perf_counter() - began)
"""
START = "import workbench.jobs.worker, workbench.library.inspect, plugins.gguf_quantize, llama_cpp"


def main() -> int:
    from workbench.hardware import physical_cores

    with tempfile.TemporaryDirectory() as folder, Session.open(Home(Path(folder)), supervise=True) as session:
        sample = session.library.add_sample().record
        unpacked = _run(session, "gguf-dequantize", sample)[0]
        reference = _run(session, "gguf-convert", unpacked, type="F16")[0]
        direct: list[float] = []
        whole: list[float] = []
        for _ in range(ROUNDS):
            out = str(Path(folder) / "direct.gguf")
            words = [sys.executable, "-c", DIRECT, str(reference.path), out, str(physical_cores())]
            direct.append(float(subprocess.run(words, capture_output=True, text=True, check=True).stdout))
            whole.append(_run(session, "gguf-quantize", reference, type="Q4_K_M")[1])
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", START], check=True)
        start = time.perf_counter() - began
    call, job = min(direct), min(whole)
    print(f"direct call        {call:6.2f} s   (all: {', '.join(f'{each:.2f}' for each in direct)})")
    print(f"whole job          {job:6.2f} s   (all: {', '.join(f'{each:.2f}' for each in whole)})")
    print(f"one process start  {start:6.2f} s   (Python, the worker's and the backend's imports)")
    print(f"over that          {job - call - start:6.2f} s   = {(job - start) / call:.3f} of the direct call")
    return 0


def _run(session: Session, operation: str, model: ModelRecord, **values: str) -> tuple[ModelRecord, float]:
    """A job from the start of its worker to its last event."""
    library = session.library
    entry = Catalogue(session.home).operation(operation)
    source = library.to_spec_input(model.id)
    job = session.board.submit(make_spec(entry, model, library.facts(model.id), values, input=source))
    assert session.runner is not None
    while not is_resting(session.board.get(job.id).state) or session.runner.running:
        session.runner.poll()
        time.sleep(0.005)
    ended = session.board.get(job.id)
    assert ended.state == "done", ended.error_message
    return library.get(ended.result_model_id or ""), (ended.ended_at or 0) - (ended.started_at or 0)


if __name__ == "__main__":
    raise SystemExit(main())
