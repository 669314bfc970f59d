"""Makes whole proof cards with plausible figures, for tests that need some and measure nothing."""

import hashlib

from workbench.measure.card import (
    Cache,
    Card,
    Conditions,
    Example,
    Figure,
    Histogram,
    Identity,
    Memory,
    Metric,
    ParityCheck,
    Quality,
    Rate,
    Speed,
    Subject,
    Task,
)

#: Mean KL divergence, size in MB and decode speed, as measured on the sample model.
FIGURES = {
    "F16": (0.0, 271, 107.0),
    "Q8_0": (0.002, 145, 150.0),
    "Q6_K": (0.006, 112, 156.0),
    "Q5_K_M": (0.018, 110, 160.0),
    "Q4_K_M": (0.041, 105, 167.0),
    "Q3_K_M": (0.18, 93, 158.0),
    "Q2_K": (0.61, 88, 172.0),
}


def card(kind: str, *, made_at: float = 1_790_000_000.0, name: str = "SmolLM2-135M-Instruct") -> Card:
    """The card of a quantization of the sample model, unsealed."""
    kld, _size, speed = FIGURES[kind]
    return Card(
        subject=subject(kind, name),
        reference=subject("F16", name),
        conditions=conditions(made_at),
        headline=f"{speed / 107:.1f}× faster, KL {kld:.3f}",
        grade="close to the original",
        quality=quality(kld),
        speed=speeds(speed),
        reference_speed=speeds(107.0),
        memory=memory(kind),
        reference_memory=memory("F16"),
        tasks=(
            Task(
                name="General knowledge",
                scoring="likelihood",
                items=120,
                both=80,
                only_before=4,
                only_after=3,
                p=1.0,
                verdict="no difference shown",
            ),
        ),
        identity=Identity(prompts=8, tokens=32, identical=2, first_difference=(-1, -1, 3, 9, 4, 17, 21, 2)),
        parity=(
            ParityCheck(
                name="chat template", result="passed", finding="The tokens of 32 prompts are the same."
            ),
            ParityCheck(name="tokenizer", result="passed", finding="All tokens are the same."),
        ),
        examples=tuple(
            Example(
                prompt=f"Prompt {place}",
                reference="The cat sat.",
                candidate="The dog sat.",
                mean_kld=1.0 / place,
            )
            for place in range(1, 6)
        ),
    )


def metrics() -> tuple[Metric, ...]:
    """Figures of plugins: one of both models, one that could not be measured."""
    return (
        Metric(
            name="answer-length",
            title="Length of answers",
            unit="tokens",
            plugin="file:length.py",
            sha256=hashlib.sha256(b"source").hexdigest(),
            figure=Figure(value=41.2, error=3.1, n=12),
            reference=Figure(value=40.4, error=2.8, n=12),
        ),
        Metric(
            name="loops",
            title="Loops",
            unit="%",
            better="lower",
            plugin="loops",
            problem="RuntimeError: no idea",
        ),
    )


def subject(kind: str, name: str = "SmolLM2-135M-Instruct") -> Subject:
    return Subject(
        name=f"{name}-{kind}",
        format="gguf",
        quantization=kind,
        architecture="llama",
        parameters=134_515_008,
        bits_per_weight=FIGURES[kind][1] * 8e6 / 134_515_008,
        size_bytes=FIGURES[kind][1] * 1_000_000,
        sha256=hashlib.sha256(f"{name}{kind}".encode()).hexdigest(),
    )


def conditions(made_at: float = 1_790_000_000.0) -> Conditions:
    return Conditions(
        made_at=made_at,
        form="quick",
        machine="Test processor, 2 cores, 25 GB",
        system="Linux 6.8 x86_64",
        threads=2,
        engine="llama.cpp 0.3.36 on CPU",
        reference_engine="llama.cpp 0.3.36 on CPU",
        tenfold="0.1.0",
        seed=0,
        text="Tenfold's own text",
        text_sha256=hashlib.sha256(b"text").hexdigest(),
        bandwidth=30e9,
        arithmetic=200e9,
    )


def quality(kld: float) -> Quality:
    return Quality(
        positions=2048,
        windows=8,
        window_tokens=512,
        ppl=14.2 * (1 + kld),
        ppl_error=0.4,
        ppl_base=14.2,
        ppl_base_error=0.4,
        ppl_ratio=1 + kld,
        ppl_ratio_error=0.003,
        mean_kld=kld,
        mean_kld_error=kld / 40,
        median_kld=kld / 2,
        median_kld_error=kld / 50,
        p90_kld=kld * 2.2,
        p90_kld_error=kld / 10,
        p99_kld=kld * 6,
        p99_kld_error=kld / 2,
        p999_kld=kld * 12,
        p999_kld_error=kld,
        max_kld=kld * 20,
        same_top=max(0.5, 1 - kld),
        same_top_error=0.006,
        mean_dp=-kld / 10,
        mean_dp_error=0.001,
        rms_dp=kld,
        rms_dp_error=0.002,
        histogram=Histogram(edges=(0.0001, 0.001, 0.01, 0.1, 1.0), counts=(100, 700, 1000, 248)),
    )


def speeds(alone: float) -> Speed:
    return Speed(
        load_s=0.3,
        prompt=tuple(
            Rate(
                tokens=tokens,
                batch=1,
                tokens_per_s=alone * 6,
                low=alone * 5.9,
                high=alone * 6.1,
                runs=5,
                share=0.6,
            )
            for tokens in (128, 512)
        ),
        decode=tuple(
            Rate(
                tokens=tokens,
                batch=batch,
                tokens_per_s=alone * batch**0.5,
                low=alone * batch**0.5 * 0.98,
                high=alone * batch**0.5 * 1.02,
                runs=5,
                share=0.7 if batch == 1 else 0.4,
            )
            for batch, tokens in ((1, 64), (4, 64), (16, 64), (1, 1024))
        ),
        first_token_s=0.2,
        first_token_prompt=128,
        gap_p50_s=1 / alone,
        gap_p95_s=1.2 / alone,
        gap_p99_s=1.5 / alone,
        gaps=Histogram(
            edges=tuple(share / alone for share in (0.8, 0.9, 1.0, 1.1, 1.2, 1.5)), counts=(5, 40, 60, 15, 4)
        ),
    )


def memory(kind: str) -> Memory:
    weights = FIGURES[kind][1] * 1_000_000
    return Memory(
        weights=weights,
        caches=tuple(
            Cache(context=context, batch=batch, bytes=context * batch * 23_040)
            for context in (512, 2048, 8192)
            for batch in (1, 4)
        ),
        peak=weights + 120_000_000,
        estimated=weights + 100_000_000,
        limit=25_000_000_000,
    )
