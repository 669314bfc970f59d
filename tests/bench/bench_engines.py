"""Decoding speed of the torch and MLX engines against the loops of transformers and mlx-lm themselves.

The sample model is unpacked to BF16 for both (MLX computes 4 bits on a CPU at a token a second, which would
hide everything else). Both sides of a line use the same files, prompts, greedy choice and number of tokens,
in turns in one process. Printed are tokens a second of all rows together, from the last row's first token on.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from workbench.engines.load import open_engine
from workbench.engines.request import GREEDY, EngineName, LoadOptions, Request
from workbench.engines.wire import Delta
from workbench.hardware import physical_cores
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.runner import is_resting
from workbench.library.records import ModelRecord
from workbench.session import Session

BATCHES = (1, 8)
PROMPT, TOKENS, RUNS = 16, 24, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Session.open(Home(Path(folder)), supervise=True) as session:
        sample = session.library.add_sample().record
        unpacked = _run(session, "gguf-dequantize", sample)
        print(f"{physical_cores()} threads, prompt {PROMPT}, {TOKENS} tokens, median of {RUNS}")
        print(f"{'engine':>8} {'batch':>6} {'ours tok/s':>11} {'theirs tok/s':>13} {'ratio':>6}")
        engines: tuple[tuple[EngineName, Transformers | MlxLm], ...] = (
            ("torch", Transformers(unpacked.path)),
            ("mlx", MlxLm(unpacked.path)),
        )
        for engine, reference in engines:
            for batch in BATCHES:
                ours, theirs = [], []
                for turn in range(RUNS + 1):
                    mine = ours_speed(unpacked.path, engine, batch)
                    other = reference.speed(batch)
                    if turn:  # the first of each warms up
                        ours.append(mine)
                        theirs.append(other)
                mine, other = statistics.median(ours), statistics.median(theirs)
                print(f"{engine:>8} {batch:6d} {mine:11.1f} {other:13.1f} {mine / other:6.2f}", flush=True)


def prompts(batch: int) -> list[list[int]]:
    """Every row its own prompt."""
    return [[100 + row * PROMPT + place for place in range(PROMPT)] for row in range(batch)]


def ours_speed(path: Path, engine_name: EngineName, batch: int) -> float:
    engine = open_engine(
        LoadOptions(
            path=str(path), format="hf", engine=engine_name, context=PROMPT + TOKENS + 16, parallel=batch
        )
    )
    sampling = msgspec.structs.replace(GREEDY, max_tokens=TOKENS, ignore_end=True)
    for row, tokens in enumerate(prompts(batch)):
        engine.add(Request(id=str(row), tokens=tuple(tokens), sampling=sampling))
    started: set[str] = set()
    while len(started) < batch:
        started |= {each.id for each in engine.step() if isinstance(each, Delta)}
    began, tokens_seen, ended = time.perf_counter(), 0, 0.0
    while engine.active:
        tokens_seen += sum(len(each.tokens) for each in engine.step() if isinstance(each, Delta))
        ended = time.perf_counter()
    engine.close()
    return tokens_seen / (ended - began)


class Transformers:
    """`generate` of transformers, timed by a criterion that it asks after every token."""

    def __init__(self, path: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(physical_cores())
        self._torch = torch
        self._model: Any = AutoModelForCausalLM.from_pretrained(path, dtype="auto").eval()

    def speed(self, batch: int) -> float:
        from transformers import StoppingCriteria, StoppingCriteriaList

        class Times(StoppingCriteria):  # type: ignore[misc]
            def __init__(self) -> None:
                self.seen: list[float] = []

            def __call__(self, ids: Any, _scores: Any, **_more: Any) -> Any:
                self.seen.append(time.perf_counter())
                return ids.new_zeros(ids.shape[0]).bool()

        times = Times()
        ids = self._torch.tensor(prompts(batch))
        with self._torch.inference_mode():
            self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=TOKENS,
                min_new_tokens=TOKENS,
                pad_token_id=0,
                stopping_criteria=StoppingCriteriaList([times]),
            )
        return batch * (len(times.seen) - 1) / (times.seen[-1] - times.seen[0])


class MlxLm:
    """`stream_generate` of mlx-lm for one prompt, its `BatchGenerator` for several."""

    def __init__(self, path: Path) -> None:
        from mlx_lm import load

        self._model, self._tokenizer = load(str(path))[:2]

    def speed(self, batch: int) -> float:
        return self._one() if batch == 1 else self._several(batch)

    def _one(self) -> float:
        import mlx.core as mx
        from mlx_lm.generate import generate_step

        seen = []
        for _token, _logprobs in generate_step(mx.array(prompts(1)[0]), self._model, max_tokens=TOKENS):
            seen.append(time.perf_counter())
        return (len(seen) - 1) / (seen[-1] - seen[0])

    def _several(self, batch: int) -> float:
        from mlx_lm.generate import BatchGenerator

        generator = BatchGenerator(self._model, max_tokens=TOKENS, completion_batch_size=batch)
        generator.insert(prompts(batch))
        seen: list[float] = []
        counts: list[int] = []
        while answers := generator.next_generated():
            seen.append(time.perf_counter())
            counts.append(len(answers))
        generator.close()
        return sum(counts[1:]) / (seen[-1] - seen[0])


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
    main()
