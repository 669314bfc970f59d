"""The MLX engine: mlx-lm's batch generator, or one request at a time where an option excludes batching."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.engines.answer import Answer
from workbench.engines.base import Capabilities, Continued, Engine, Logits, Tokenizer
from workbench.engines.choose import conflicts
from workbench.engines.constraints import Constrainer
from workbench.engines.errors import RequestError
from workbench.engines.likelihoods import row_likelihoods
from workbench.engines.mlx_choosing import Chooser, device_sampler, is_plain
from workbench.engines.mlx_model import CHUNK, MlxModel
from workbench.engines.mlx_prompts import ComputedPrompts
from workbench.engines.mlx_rows import MlxRows
from workbench.engines.prompting import Prompting
from workbench.engines.request import AdapterUse, EngineName, LoadOptions, Request
from workbench.engines.wire import Emission, ErrorInfo, Failed, LoadReport, OptionCheck, Started
from workbench.model import ModelFacts

#: Tokens at the beginning that stay when the context is shifted.
_SINKS = 4


def load_mlx(
    options: LoadOptions, facts: ModelFacts, estimate: int, progress: Callable[[float], None]
) -> tuple[MlxModel, Prompting, LoadReport]:
    """Load an MLX folder, and say what became of the options.

    Raises:
        WorkbenchError: See `MlxModel`.
    """
    began = time.perf_counter()
    loaded = MlxModel(options)
    progress(1.0)
    single = runs_singly(options)
    prompting = Prompting(loaded.tokenizer, options.chat_template or loaded.tokenizer.chat_template)
    report = LoadReport(
        engine="mlx",
        version=loaded.version,
        device=loaded.device,
        context=loaded.context,
        trained_context=loaded.trained_context,
        parallel=1 if single else options.parallel,
        vocabulary=loaded.tokenizer.vocabulary,
        architecture=loaded.architecture or facts.architecture or "",
        load_s=time.perf_counter() - began,
        memory_bytes=loaded.memory_bytes(),
        estimated_bytes=estimate,
        has_template=prompting.has_template,
        checks=_checks(options, loaded, single=single),
        adapters=tuple(each.name for each in options.adapters),
    )
    return loaded, prompting, report


def runs_singly(options: LoadOptions) -> bool:
    """Whether an option excludes mlx-lm's batches."""
    return options.draft is not None or options.kv_type != "f16"


def draft_rows(options: LoadOptions) -> tuple[MlxRows, Tokenizer]:
    """A draft model's rows and tokenizer."""
    loaded = MlxModel(options)
    return MlxRows(loaded, kv_type=options.kv_type, adapters=bool(options.adapters)), loaded.tokenizer


def batched(loaded: MlxModel, prompting: Prompting, report: LoadReport) -> Engine:
    """The engine over mlx-lm's batch generator."""
    return MlxEngine(loaded, prompting, report)


@dataclass(slots=True)
class _Entry:
    """An answer in the batch."""

    answer: Answer
    chooser: Chooser | None
    prompt: list[int]


class MlxEngine:
    """An `Engine` over mlx-lm's `BatchGenerator`; see `base.Engine` for what each method does."""

    name: EngineName = "mlx"

    def __init__(self, loaded: MlxModel, prompting: Prompting, report: LoadReport) -> None:
        from mlx_lm.generate import BatchGenerator

        self.report = report
        self.capabilities = Capabilities(adapters=bool(report.adapters), embeddings=True)
        self._loaded = loaded
        self._prompting = prompting
        self._constrainer = Constrainer(loaded.tokenizer)
        self._queue: deque[Answer] = deque()
        self._entries: dict[int, _Entry] = {}
        self._adapters: tuple[AdapterUse, ...] = ()
        self._prompts = ComputedPrompts()
        self._prompt_s = 0.0
        self._generator: Any = BatchGenerator(
            loaded.model,
            completion_batch_size=report.parallel,
            prefill_batch_size=min(8, report.parallel),
            prefill_step_size=CHUNK,
        )

    @property
    def tokenizer(self) -> Tokenizer:
        return self._loaded.tokenizer

    @property
    def active(self) -> int:
        return len(self._entries)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def context_used(self) -> int:
        """Tokens held for the requests under way."""
        return sum(len(each.prompt) + len(each.answer.tokens) for each in self._entries.values())

    def prompt_tokens(self, request: Request) -> list[int]:
        return self._prompting.tokens(request)

    def add(self, request: Request) -> None:
        unknown = {use.name for use in request.adapters} - set(self.report.adapters)
        if unknown:
            raise RequestError(
                f"No adapter named {', '.join(sorted(unknown))} is loaded.",
                remedy="Load the model with it, or leave it out.",
            )
        self._queue.append(
            Answer(
                request,
                self.prompt_tokens(request),
                self.tokenizer,
                self._constrainer,
                context=self._loaded.context,
            )
        )

    def step(self) -> list[Emission]:
        out = self._admit()
        if not self._entries:
            return out
        began = time.perf_counter()
        prompts, tokens = self._generator.next()
        if prompts and not tokens:
            self._time_prompts(prompts, time.perf_counter() - began)
        for each in tokens:
            out += self._took(each.uid, int(each.token))
        return out

    def cancel(self, request_id: str) -> list[Emission]:
        for answer in self._queue:
            if answer.id == request_id:
                self._queue.remove(answer)
                answer.reason = "cancelled"
                return [*answer.finish()]
        for uid, entry in self._entries.items():
            if entry.answer.id == request_id:
                entry.answer.reason = "cancelled"
                return self._ended(uid)
        return []

    def logits(self, tokens: Sequence[int], since: int = 0, adapters: tuple[AdapterUse, ...] = ()) -> Logits:
        with self._alone(adapters):
            return self._loaded.logits(tokens, since)

    def likelihoods(
        self,
        items: Sequence[Continued],
        adapters: tuple[AdapterUse, ...] = (),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> list[tuple[float, ...]]:
        with self._alone(adapters):
            return row_likelihoods(MlxRows(self._loaded), items, adapters, progress)

    def embed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], int]:
        vectors, count = [], 0
        with self._alone():
            for text in texts:
                tokens = self.tokenizer.encode(text, begin=True)[: self._loaded.context]
                if not tokens:
                    raise RequestError("A text to embed is empty.")
                count += len(tokens)
                vector = self._loaded.embed(tokens)
                vectors.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
        return np.stack(vectors).astype(np.float32), count

    def memory_bytes(self) -> int:
        return self._loaded.memory_bytes()

    def close(self) -> None:
        self._prompts.clear()
        self._generator.close()
        self._loaded.mx.clear_cache()

    def _admit(self) -> list[Emission]:
        out: list[Emission] = []
        while self._queue and len(self._entries) < self.report.parallel:
            answer = self._queue[0]
            if answer.request.adapters != self._adapters:
                if self._entries:
                    break  # one set of adapters at a time: the batch empties first
                self._adapters = answer.request.adapters
                self._loaded.apply(self._adapters)
                self._prompts.clear()
            self._queue.popleft()
            prompt = answer.prompt
            if len(prompt) >= self._loaded.context:
                most = self._loaded.context - max(1, self._loaded.context // 4)
                prompt = prompt[:_SINKS] + prompt[len(prompt) - (most - _SINKS) :]
                answer.shifted_tokens = len(answer.prompt) - len(prompt)
            answer.begin()
            answer.cached_tokens = self._insert(answer, prompt)
            answer.saved_s = answer.cached_tokens * self._prompt_s
            out.append(
                Started(
                    id=answer.id,
                    prompt_tokens=len(answer.prompt),
                    cached_tokens=answer.cached_tokens,
                    saved_s=answer.saved_s,
                )
            )
        return out

    def _insert(self, answer: Answer, prompt: list[int]) -> int:
        """Put an answer into the batch; returns how many of its tokens were computed before."""
        asked = answer.request.sampling
        mx = self._loaded.mx
        chooser = None
        if not is_plain(asked):
            mask = self._constrainer.mask(asked.constraint) if asked.constraint else None
            end = min(self.tokenizer.end_tokens, default=0)
            chooser = Chooser(mx, asked, answer, mask, end)
        cache, reused = self._prompts.longest(prompt) if answer.request.reuse else (None, 0)
        uid = self._generator.insert(
            [prompt[reused:]],
            # The answer ends itself; one more keeps the generator from doing so first.
            max_tokens=[1 << 30],
            caches=[cache] if cache is not None else None,
            all_tokens=[prompt[:reused]],
            samplers=[None if chooser else device_sampler(mx, asked)],
            logits_processors=[[chooser] if chooser else []],
        )[0]
        self._entries[uid] = _Entry(answer, chooser, prompt)
        return reused

    def _took(self, uid: int, token: int) -> list[Emission]:
        entry = self._entries[uid]
        answer, chooser = entry.answer, entry.chooser
        if chooser is not None and chooser.error is not None and not chooser.logprobs:
            self._remove(uid, keep=False)
            return [Failed(id=answer.id, error=ErrorInfo.of(chooser.error))]
        logprob = chooser.logprobs.pop(0) if chooser is not None and chooser.logprobs else None
        answer.accept(token, logprob=logprob)
        if answer.reason is not None:
            return self._ended(uid)
        if len(entry.prompt) + len(answer.tokens) >= self._loaded.context:
            self._shift(uid, entry)
        delta = answer.delta()
        return [delta] if delta is not None else []

    def _shift(self, uid: int, entry: _Entry) -> None:
        """Let the oldest half go and compute what stays anew."""
        held = [*entry.prompt, *entry.answer.tokens][-self._loaded.context :]
        self._remove(uid, keep=False)
        discard = (len(held) - _SINKS) // 2
        entry.answer.shifted_tokens += discard
        self._insert(entry.answer, held[:_SINKS] + held[_SINKS + discard :])

    def _ended(self, uid: int) -> list[Emission]:
        answer = self._entries[uid].answer
        self._remove(uid, keep=True)
        if not answer.saved_s:
            answer.saved_s = answer.cached_tokens * self._prompt_s
        return [*answer.finish()]

    def _remove(self, uid: int, *, keep: bool) -> None:
        left = self._generator.remove([uid], return_prompt_caches=keep)
        del self._entries[uid]
        if keep and uid in left:
            cache, tokens = left[uid][:2]
            if isinstance(tokens, list) and tokens and all(isinstance(each, int) for each in tokens):
                self._prompts.keep(tokens, cache)

    def _time_prompts(self, prompts: Sequence[Any], taken_s: float) -> None:
        tokens = sum(min(CHUNK, each.progress[0]) for each in prompts)
        if tokens >= 16:
            each = taken_s / tokens
            self._prompt_s = each if not self._prompt_s else 0.7 * self._prompt_s + 0.3 * each

    @contextmanager
    def _alone(self, adapters: tuple[AdapterUse, ...] = ()) -> Iterator[None]:
        """While nothing is under way, with some adapters switched on; afterwards those of before."""
        if self._entries or self._queue:
            raise RequestError("Requests are under way.", remedy="Wait until they are done.")
        self._loaded.apply(adapters)
        try:
            yield
        finally:
            self._loaded.apply(self._adapters)


def _checks(options: LoadOptions, loaded: MlxModel, *, single: bool) -> tuple[OptionCheck, ...]:
    found = [
        OptionCheck(
            option="context",
            requested=f"{options.context} tokens" if options.context else "automatic",
            actual=f"{loaded.context} tokens",
            active=True,
        ),
        OptionCheck(
            option="parallel",
            requested=str(options.parallel),
            actual="1" if single else str(options.parallel),
            active=not single or options.parallel == 1,
            note=" ".join(each.proposal for each in conflicts(options, "mlx") if "parallel" in each.options),
        ),
        OptionCheck(
            option="KV cache",
            requested=options.kv_type,
            actual=options.kv_type if single else "f16",
            active=True,
        ),
    ]
    if options.flash_attention is False:
        found.append(
            OptionCheck(
                option="flash attention",
                requested="disabled",
                actual="enabled",
                active=False,
                note="MLX's fused attention has no switch.",
            )
        )
    return tuple(found)
