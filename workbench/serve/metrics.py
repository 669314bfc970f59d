"""The server's figures in Prometheus' form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from workbench.engines.wire import Figures
from workbench.serve.pool import ModelPool

_TIMES_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """Counters and histograms of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tenfold_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self._prompt = Counter(
            "tenfold_prompt_tokens", "Prompt tokens, reused ones included", ["model"], registry=self._registry
        )
        self._cached = Counter(
            "tenfold_cached_tokens", "Prompt tokens that were reused", ["model"], registry=self._registry
        )
        self._generated = Counter(
            "tenfold_generated_tokens", "Tokens generated", ["model"], registry=self._registry
        )
        self._drafted = Counter(
            "tenfold_drafted_tokens", "Tokens guessed", ["model"], registry=self._registry
        )
        self._accepted = Counter(
            "tenfold_accepted_tokens", "Guesses that were right", ["model"], registry=self._registry
        )
        self._first = Histogram(
            "tenfold_time_to_first_token_seconds",
            "From the request to its first token",
            ["model"],
            buckets=_TIMES_S,
            registry=self._registry,
        )
        self._gap = Histogram(
            "tenfold_inter_token_seconds",
            "Median time between two tokens of an answer",
            ["model"],
            buckets=_TIMES_S,
            registry=self._registry,
        )
        self._active = Gauge("tenfold_requests_active", "Requests under way", registry=self._registry)
        self._memory = Gauge(
            "tenfold_model_memory_bytes", "Memory of a model's process", ["model"], registry=self._registry
        )
        self._speed = Gauge(
            "tenfold_tokens_per_second", "Tokens generated a second", ["model"], registry=self._registry
        )
        self._loaded = Gauge(
            "tenfold_model_loaded", "Whether a model is loaded", ["model"], registry=self._registry
        )

    def count_request(self, path: str, status: int) -> None:
        """A request was answered."""
        self._requests.labels(path, str(status)).inc()

    def count_answer(self, model: str, figures: Figures) -> None:
        """An answer is done."""
        self._prompt.labels(model).inc(figures.prompt_tokens)
        self._cached.labels(model).inc(figures.cached_tokens)
        self._generated.labels(model).inc(figures.completion_tokens)
        self._drafted.labels(model).inc(figures.drafted)
        self._accepted.labels(model).inc(figures.accepted)
        self._first.labels(model).observe(figures.time_to_first_token_s)
        self._gap.labels(model).observe(figures.inter_token_p50_s)

    def text(self, pool: ModelPool, active: int) -> bytes:
        """Everything, as a scraper reads it."""
        self._active.set(active)
        for slot in pool.slots:
            self._loaded.labels(slot.name).set(slot.loaded)
            reading = slot.process.reading if slot.process is not None else None
            self._memory.labels(slot.name).set(reading.memory_bytes if reading and slot.loaded else 0)
            self._speed.labels(slot.name).set(reading.tokens_per_s if reading and slot.users else 0)
        return generate_latest(self._registry)
