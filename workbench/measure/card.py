"""The proof card: what a model gained and what it cost beside another, as one sealed JSON document."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from workbench.errors import WorkbenchError

#: The version of the document. A reader takes its own and older ones; `docs/proof-card.md` describes each.
SCHEMA = 2
#: Fields of the card by the version that brought them: an older card is sealed, and written, without them.
_BROUGHT = {2: ("metrics",)}
#: How a proof's file is called, after the model's name.
ENDING = ".proof.json"
#: No card is nearly as long; what is longer is none.
_MAX_BYTES = 16 << 20

Form = Literal["quick", "full"]
Passed = Literal["passed", "failed", "not tested"]
#: Which of two figures is the better one; `neither` where they only tell what changed.
Better = Literal["lower", "higher", "neither"]


class CardError(WorkbenchError):
    """A proof card that can't be read, or was altered."""

    kind = "card"


class Subject(Struct, frozen=True, kw_only=True):
    """A model as a card names it: by what it is, not by where it lies.

    Attributes:
        sha256: Content hash of its files (`workbench.library.hashing.content_hash`).
    """

    name: str
    format: str
    quantization: str = ""
    architecture: str = ""
    parameters: int = 0
    bits_per_weight: float = 0.0
    size_bytes: int = 0
    sha256: str = ""


class Histogram(Struct, frozen=True, kw_only=True):
    """How often a figure fell between two edges.

    Attributes:
        edges: Rising, one more than `counts`; the first and the last bin also hold what lies beyond them.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Quality(Struct, frozen=True, kw_only=True):
    """How far a candidate's predictions of a text are from its reference's.

    By the method of llama.cpp's `llama-perplexity --kl-divergence`: the text is cut into windows, and the
    second half of each is scored. `…_error` is the standard error of the figure before it. Divergences are
    in nats; Δp is the candidate's probability of the text's next token minus the reference's, from −1 to 1.

    Attributes:
        positions: How many predictions were compared.
        windows: From how many windows they come.
        window_tokens: How long a window is.
        ppl: The candidate's perplexity.
        ppl_base: The reference's.
        ppl_ratio: `ppl / ppl_base`; its error knows that both were measured on the same tokens.
        same_top: Share of positions where both find the same token likeliest.
        histogram: Of the positions' divergences; edges in nats.
    """

    positions: int
    windows: int
    window_tokens: int
    ppl: float
    ppl_error: float
    ppl_base: float
    ppl_base_error: float
    ppl_ratio: float
    ppl_ratio_error: float
    mean_kld: float
    mean_kld_error: float
    median_kld: float
    median_kld_error: float
    p90_kld: float
    p90_kld_error: float
    p99_kld: float
    p99_kld_error: float
    p999_kld: float
    p999_kld_error: float
    max_kld: float
    same_top: float
    same_top_error: float
    mean_dp: float
    mean_dp_error: float
    rms_dp: float
    rms_dp_error: float
    histogram: Histogram


class Rate(Struct, frozen=True, kw_only=True):
    """A speed: the median of several runs.

    Attributes:
        tokens: Prompt tokens (of a prompt's speed), or tokens in the context before the first generated one.
        batch: Sequences computed at once.
        tokens_per_s: The median, of all sequences together.
        low: The lower end of the median's 95 % interval.
        high: Its upper end.
        runs: How many runs there were, warm-up not counted.
        noisy: Whether the interval stayed wider than a tenth of the median when the time was over.
        share: Of what this machine can do: of its memory bandwidth where one sequence is decoded, of its
            arithmetic peak for prompts and batches; None where that could not be measured.
    """

    tokens: int
    batch: int
    tokens_per_s: float
    low: float
    high: float
    runs: int
    noisy: bool = False
    share: float | None = None


class Speed(Struct, frozen=True, kw_only=True):
    """How fast a model is here. Seconds unless named otherwise.

    Attributes:
        prompt: By prompt length.
        decode: By batch size, then by context depth.
        first_token_s: Median time from a prompt of `first_token_prompt` tokens to its answer's first token.
        gap_p50_s, gap_p95_s, gap_p99_s: Time between two tokens of one answer.
        gaps: Histogram of these times.
    """

    load_s: float
    prompt: tuple[Rate, ...]
    decode: tuple[Rate, ...]
    first_token_s: float
    first_token_prompt: int
    gap_p50_s: float
    gap_p95_s: float
    gap_p99_s: float
    gaps: Histogram

    @property
    def alone(self) -> Rate | None:
        """The decode speed of one sequence, which a person at a chat has; at the shallowest depth."""
        found = [each for each in self.decode if each.batch == 1]
        return min(found, key=lambda each: each.tokens) if found else None


class Cache(Struct, frozen=True, kw_only=True):
    """What the keys and values of some sequences take."""

    context: int
    batch: int
    bytes: int


class Memory(Struct, frozen=True, kw_only=True):
    """What a model takes here, in bytes.

    Attributes:
        weights: Of the weights in memory.
        caches: Of keys and values, by context length and batch.
        peak: The most that the process held above what it held before loading.
        estimated: What the library's estimate had said for the same load.
        limit: What this machine has for it.
    """

    weights: int
    caches: tuple[Cache, ...]
    peak: int
    estimated: int
    limit: int


class Task(Struct, frozen=True, kw_only=True):
    """How both models did on one set of items, compared item by item.

    Attributes:
        name: What the set is called.
        scoring: `likelihood` of the choices, or `generation` and comparison.
        items: How many.
        only_before: Items that the reference alone got right.
        only_after: Items that the candidate alone got right.
        both: Items that both got right.
        p: Two-sided p of McNemar's test.
        verdict: `no difference shown`, or `worse, p = 0.01`.
        sha256: Of the set's file.
    """

    name: str
    scoring: Literal["likelihood", "generation"]
    items: int
    both: int
    only_before: int
    only_after: int
    p: float
    verdict: str
    sha256: str = ""


class Identity(Struct, frozen=True, kw_only=True):
    """Whether greedy answers are the same, token by token. Only this earns the word lossless.

    Attributes:
        prompts: How many were answered.
        tokens: How many tokens each answer has at most.
        identical: How many answers are the same to their last token.
        first_difference: Of each answer the place of its first differing token, from 0; −1 where none.
    """

    prompts: int
    tokens: int
    identical: int
    first_difference: tuple[int, ...] = ()

    @property
    def lossless(self) -> bool:
        """Whether every answer is identical."""
        return self.prompts > 0 and self.identical == self.prompts


class ParityCheck(Struct, frozen=True, kw_only=True):
    """One known way in which merging, converting and quantizing break a model, looked for.

    Attributes:
        name: For example `chat template`, `begin and end tokens`, `tokenizer`, `first divergence`.
        result: What was found.
        finding: One sentence: what is wrong and where, or that nothing is.
        stage: The step that broke it, where one did, for example `Convert to GGUF`.
    """

    name: str
    result: Passed
    finding: str = ""
    stage: str = ""


class Example(Struct, frozen=True, kw_only=True):
    """One of the prompts on which both models differ most.

    Attributes:
        mean_kld: Over the reference's answer.
    """

    prompt: str
    reference: str
    candidate: str
    mean_kld: float


class Figure(Struct, frozen=True, kw_only=True):
    """What a metric found of one model.

    Attributes:
        value: In the metric's unit.
        error: Its standard error; 0 where it is not known.
        n: How many items it was made of; 0 where it is made of none.
    """

    value: float
    error: float = 0.0
    n: int = 0


class Metric(Struct, frozen=True, kw_only=True):
    """A figure that a plugin measured of both models.

    Attributes:
        name: As a command line names it.
        title: What a person calls it.
        better: Which figure is the better one.
        plugin: What offers it: a module, or `file:NAME.py`.
        sha256: Of the plugin's source.
        figure: Of the model; None where it could not be measured.
        reference: Of what it was compared with; None where that was not measured.
        problem: Why a figure is missing; empty where none is.
    """

    name: str
    title: str
    unit: str = ""
    better: Better = "neither"
    plugin: str = ""
    sha256: str = ""
    figure: Figure | None = None
    reference: Figure | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """How a parameter names the metric; see `workbench.offered`."""
        return f"{self.plugin}:{self.name}"


class Conditions(Struct, frozen=True, kw_only=True):
    """Under what a card was measured. Two cards can be compared where `comparable` says nothing.

    Attributes:
        made_at: Seconds since the epoch.
        form: The quick or the full form.
        machine: For example `AMD EPYC, 2 cores, 25 GB`.
        system: For example `Linux 6.8 x86_64`.
        threads: CPU threads of both models.
        engine: What computed the candidate, with its version, for example `llama.cpp 0.3.36 on CPU`.
        reference_engine: The same of the reference; empty where there is none.
        tenfold: The version of Tenfold.
        seed: Of every random choice.
        text: What the text is called.
        text_sha256: Of the text's bytes.
        bandwidth: Measured memory bandwidth, bytes a second; 0 where not measured.
        arithmetic: Measured arithmetic peak, operations a second; 0 where not measured.
    """

    made_at: float
    form: Form
    machine: str
    system: str
    threads: int
    engine: str
    tenfold: str
    reference_engine: str = ""
    seed: int = 0
    text: str = ""
    text_sha256: str = ""
    bandwidth: float = 0.0
    arithmetic: float = 0.0


class Card(Struct, frozen=True, kw_only=True):
    """The whole document; parts that were not measured are None or empty.

    Attributes:
        subject: The model that it is about.
        reference: What it was compared with; None for a card of speed and memory alone.
        headline: For example `1.6× faster, 61 % smaller, KL 0.054: close to the original`.
        retrained: Whether the model was trained on since: its predictions differ on purpose, without a grade.
        grade: The plain-language grade (`workbench.measure.grade`); empty where quality was not measured.
        seal: Hash of the document without this field: an altered card no longer matches it.
    """

    schema: int = SCHEMA
    subject: Subject
    conditions: Conditions
    reference: Subject | None = None
    retrained: bool = False
    headline: str = ""
    grade: str = ""
    quality: Quality | None = None
    speed: Speed | None = None
    reference_speed: Speed | None = None
    memory: Memory | None = None
    reference_memory: Memory | None = None
    tasks: tuple[Task, ...] = ()
    identity: Identity | None = None
    parity: tuple[ParityCheck, ...] = ()
    examples: tuple[Example, ...] = ()
    metrics: tuple[Metric, ...] = ()
    seal: str = ""


class _Version(Struct):
    """As much of a card as tells whether this program can read it."""

    schema: int = 0


def encode(card: Card) -> bytes:
    """The card as JSON, sealed; two spaces to a level, so that a person can read it."""
    return msgspec.json.format(msgspec.json.encode(_document(sealed(card))), indent=2) + b"\n"


def decode(text: bytes) -> Card:
    """Read a card and check its seal.

    Raises:
        CardError: It is no card, is of a newer version, or was altered after it was made.
    """
    try:
        version = msgspec.json.decode(text, type=_Version).schema
        if version > SCHEMA:
            raise CardError(
                f"This proof card is of version {version}; this Tenfold reads up to {SCHEMA}.",
                remedy="Open it with a newer Tenfold.",
            )
        card = msgspec.json.decode(text, type=Card)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CardError("This is no proof card.", details=str(error)) from error
    if card.schema < 1:
        raise CardError("This is no proof card.", details="It names no version.")
    if card.seal != seal_of(card):
        raise CardError(
            f"The proof card of {card.subject.name} was altered after it was made.",
            remedy="Measure the model again.",
        )
    return card


def read_card(path: Path) -> Card:
    """Read a card from a file.

    Raises:
        CardError: The file is gone, no card, of a newer version, or was altered.
    """
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= _MAX_BYTES else b""
    except OSError as error:
        raise CardError(f"The proof card {path} can't be read: {error.strerror}.") from error
    return decode(text)


def sealed(card: Card) -> Card:
    """The card with the seal that fits it."""
    return msgspec.structs.replace(card, seal=seal_of(card))


def seal_of(card: Card) -> str:
    """SHA-256 of the card's canonical JSON (keys sorted, no spaces, without the seal), as hex digits."""
    bare = _document(msgspec.structs.replace(card, seal=""))
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


def _document(card: Card) -> dict[str, Any]:
    """What is written of a card: all fields of its version."""
    whole = {name: getattr(card, name) for name in card.__struct_fields__}
    for version, names in _BROUGHT.items():
        if card.schema < version:
            for name in names:
                del whole[name]
    return whole


def comparable(one: Conditions, other: Conditions) -> tuple[str, ...]:
    """Why two cards can't be compared, as sentences; empty where they can.

    Speeds need the same machine and threads, distances the same text; versions of engines may differ.
    """
    reasons = []
    if one.machine != other.machine or one.system.partition(" ")[0] != other.system.partition(" ")[0]:
        reasons.append(f"They were measured on different machines: {one.machine} and {other.machine}.")
    elif one.threads != other.threads:
        reasons.append(f"They were measured with {one.threads} and {other.threads} threads.")
    if one.text_sha256 != other.text_sha256 and one.text_sha256 and other.text_sha256:
        reasons.append(f"They were measured on different texts: {one.text} and {other.text}.")
    if one.form != other.form:
        reasons.append(f"One was measured in the {one.form} form, the other in the {other.form} form.")
    return tuple(reasons)
