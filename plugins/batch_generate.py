"""Answers every prompt of a file, many at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from plugins._mlx_kernels import kernels_kept
from plugins._prompt_rows import PromptRow, read_prompts
from workbench.plugin import (
    Delta,
    Engine,
    Failed,
    Finished,
    JobContext,
    LoadOptions,
    Model,
    Param,
    Params,
    Request,
    Sampling,
    WorkbenchError,
    open_engine,
    spread,
    threads_of_worker,
)
from workbench.plugin import operation as declare

#: What the answers took. It lies in the job's folder and not in the result: one seed gives one result.
MEASURED = "measured.jsonl"
_TAKEN = ("cached_tokens", "queued_s", "time_to_first_token_s", "decode_s", "tokens_per_s")


class BatchGenerateParams(Params):
    prompts: Path = Param(..., help="JSONL or CSV; each row has a prompt, or JSONL messages")
    field: str = Param("prompt", help="The column or field that holds the prompt")
    system: str = Param("", help="A system prompt for rows that have none")
    max_tokens: int = Param(256, ge=1, le=100_000, unit="tokens", help="The longest answer")
    temperature: float = Param(0.0, ge=0, le=5, help="0 takes the likeliest token every time")
    top_p: float = Param(
        1.0, ge=0.01, le=1, help="Only the likeliest tokens that together have this probability"
    )
    width: int = Param(16, ge=1, le=256, unit="prompts", help="How many are computed at once")
    context: int = Param(2048, ge=64, le=1_000_000, unit="tokens", help="Longest prompt and answer together")
    engine: Literal["auto", "llama.cpp", "mlx", "torch"] = Param("auto", help="What computes the answers")
    workers: int = Param(
        1,
        ge=1,
        le=1024,
        help="Processes that share the prompts, through Ray: of this computer, or of the cluster it runs in",
        advanced=True,
    )


@declare(
    "batch-generate",
    title="Answer prompts from a file",
    group="Generate",
    input="any",
    output=None,
    label="answers",
    resumable=True,
)
def batch_generate(job: JobContext, model: Model, params: BatchGenerateParams) -> Path:
    """Answer every prompt of a JSONL or CSV file at full batch width, and write the answers as JSONL.

    Each answer's row has `line`, `id`, `text`, `reason` and the tokens of prompt and answer. A row that can't
    be answered has `error` instead. Rows stand in the order of the file. How long each took is written to
    `measured.jsonl` in the job's folder: `cached_tokens`, `queued_s`, `time_to_first_token_s`, `decode_s`,
    `tokens_per_s`.

    An answer is kept as soon as it is done; going on after a pause or a kill answers only what is missing.
    Each row has a seed of its own, made from the job's and its line, so that it does not depend on its
    neighbours; the arithmetic of a batch may still differ from that of a single prompt in the last digit.

    With several workers each loads the model and answers a share of the prompts. The model must lie where
    every worker sees it.
    """
    rows = list(read_prompts(params.prompts, field_name=params.field, system=params.system))
    if not rows:
        raise WorkbenchError(f"{params.prompts.name} has no rows.", remedy="Choose a file with prompts.")
    kept = job.checkpoints / "answers.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    done = _read_kept(kept)
    job.log(f"{len(rows)} rows, {len(done)} of them answered before")
    missing = [row for row in rows if row.line not in done]
    if missing:
        answered = _spread if params.workers > 1 else _alone
        keeping = kernels_kept(job) if model.facts.format == "mlx" else nullcontext()
        with keeping, kept.open("a", encoding="utf-8", newline="\n") as file:
            for result in answered(job, model, missing, params, len(rows)):
                done[result["line"]] = result
                file.write(json.dumps(result, ensure_ascii=False) + "\n")
                file.flush()
    results = [done[row.line] for row in rows]
    _write(job.folder / MEASURED, [_measured(each) for each in results if "error" not in each])
    return _write(job.out / f"{job.output_name}.jsonl", [_answer(each) for each in results])


def _alone(
    job: JobContext, model: Model, rows: list[PromptRow], params: BatchGenerateParams, total: int
) -> Iterator[dict[str, Any]]:
    """The answers, computed in this process."""
    engine = open_engine(_options(model, params, min(params.width, len(rows)), job.threads))
    try:
        yield from _answers(job, engine, rows, params, total)
    finally:
        engine.close()


def _spread(
    job: JobContext, model: Model, rows: list[PromptRow], params: BatchGenerateParams, total: int
) -> Iterator[dict[str, Any]]:
    """The answers, computed by several workers."""
    width = min(params.width, -(-len(rows) // params.workers))
    options = _options(model, params, width, threads_of_worker(job.threads, params.workers))
    answered = total - len(rows)
    job.progress(answered, total, unit="prompts")
    work = partial(_share_of_answers, options, params, job.seed)
    for _number, result in spread(work, rows, workers=params.workers, check=job.check):
        answered += 1
        job.throughput(result.get("completion_tokens", 0), unit="tokens")
        yield result
        job.progress(answered, total, unit="prompts")


def _share_of_answers(
    options: LoadOptions, params: BatchGenerateParams, seed: int, share: Sequence[tuple[int, PromptRow]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What one worker does."""
    numbers = {row.line: number for number, row in share}
    engine = open_engine(options)
    try:
        for result in _answers(_Worker(seed), engine, [row for _number, row in share], params, len(share)):
            yield numbers[result["line"]], result
    finally:
        engine.close()


def _options(model: Model, params: BatchGenerateParams, parallel: int, threads: int) -> LoadOptions:
    return LoadOptions(
        path=str(model.path),
        format=model.facts.format,
        engine=None if params.engine == "auto" else params.engine,
        context=params.context,
        parallel=parallel,
        threads=threads,
    )


class _Reports(Protocol):
    """As much of a job as answering needs."""

    @property
    def seed(self) -> int: ...

    def progress(self, done: float, total: float, *, unit: str = "") -> None: ...

    def throughput(self, amount: float, *, unit: str) -> None: ...

    def log(self, text: str) -> None: ...


class _Worker:
    """A job that nobody listens to: what a worker makes is counted where it arrives."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def progress(self, done: float, total: float, *, unit: str = "") -> None:
        pass

    def throughput(self, amount: float, *, unit: str) -> None:
        pass

    def log(self, text: str) -> None:
        pass


def _answers(
    job: _Reports, engine: Engine, rows: list[PromptRow], params: BatchGenerateParams, total: int
) -> Iterator[dict[str, Any]]:
    waiting = iter(rows)
    open_rows: dict[str, PromptRow] = {}
    began = time.perf_counter()
    tokens = 0
    answered = total - len(rows)
    job.progress(answered, total, unit="prompts")
    more = True
    while more or open_rows:
        # Twice the width, so that a free place is filled in the same step.
        while more and len(open_rows) < 2 * params.width:
            row = next(waiting, None)
            if row is None:
                more = False
                break
            problem = row.problem or _add(job, engine, row, params)
            if problem:
                answered += 1
                yield {"line": row.line, "id": row.id, "error": problem}
            else:
                open_rows[str(row.line)] = row
        for each in engine.step():
            if isinstance(each, Delta):
                job.throughput(len(each.tokens), unit="tokens")
                tokens += len(each.tokens)
            elif isinstance(each, Finished):
                answered += 1
                yield _result(open_rows.pop(each.id), each)
            elif isinstance(each, Failed):
                answered += 1
                row = open_rows.pop(each.id)
                yield {"line": row.line, "id": row.id, "error": each.error.message}
        job.progress(answered, total, unit="prompts")
    seconds = max(time.perf_counter() - began, 1e-9)
    job.log(f"{tokens} tokens in {seconds:.1f} s: {tokens / seconds:.1f} tokens/s")


def _add(job: _Reports, engine: Engine, row: PromptRow, params: BatchGenerateParams) -> str:
    """Put a row into the queue; returns why not, where it can't be."""
    sampling = Sampling(
        temperature=params.temperature,
        top_k=0,
        top_p=params.top_p,
        min_p=0.0,
        max_tokens=params.max_tokens,
        seed=job.seed * 1_000_003 + row.line,
    )
    try:
        engine.add(Request(id=str(row.line), messages=row.messages, sampling=sampling))
    except WorkbenchError as error:
        return str(error)
    return ""


def _result(row: PromptRow, end: Finished) -> dict[str, Any]:
    figures = end.figures
    return {
        "line": row.line,
        "id": row.id,
        "text": end.text,
        "reason": end.reason,
        "prompt_tokens": figures.prompt_tokens,
        "cached_tokens": figures.cached_tokens,
        "completion_tokens": figures.completion_tokens,
        "queued_s": round(figures.queued_s, 6),
        "time_to_first_token_s": round(figures.time_to_first_token_s, 6),
        "decode_s": round(figures.decode_s, 6),
        "tokens_per_s": round(figures.tokens_per_s, 3),
    }


def _answer(result: dict[str, Any]) -> dict[str, Any]:
    """What the same seed gives again."""
    return {name: value for name, value in result.items() if name not in _TAKEN}


def _measured(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("line", "id", *_TAKEN) if name in result}


def _read_kept(path: Path) -> dict[int, dict[str, Any]]:
    """What was answered before; a half-written last line is cut off, so that nothing is appended to it."""
    done: dict[int, dict[str, Any]] = {}
    whole = 0
    if path.exists():
        with path.open("rb") as file:
            for raw in file:
                try:
                    result = json.loads(raw)
                except ValueError:
                    break
                if not raw.endswith(b"\n"):
                    break
                done[int(result["line"])] = result
                whole += len(raw)
        with path.open("rb+") as file:
            file.truncate(whole)
    return done


def _write(path: Path, results: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for each in results:
            file.write(json.dumps(each, ensure_ascii=False) + "\n")
    return path
