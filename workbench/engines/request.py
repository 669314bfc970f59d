"""What is asked of an engine: how to load a model, and what to generate with it.

These types cross the pipe to the generating process as JSON, so each is a plain frozen record.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from workbench.model import ModelFormat

EngineName = Literal["llama.cpp", "mlx", "torch"]
KvType = Literal["f16", "q8_0", "q4_0"]
#: What happens when a prompt or an answer is longer than the context: an error (the default), or the oldest
#: part after the system prompt is let go.
Overflow = Literal["error", "shift"]


class Constraint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the answer must look like; tokens that would break it are never sampled.

    Attributes:
        kind: `json-schema` (a JSON schema), `json` (any JSON object), `grammar` (llguidance's Lark dialect),
            `regex`.
        text: The schema, the grammar or the expression; empty for `json`.
    """

    kind: Literal["json-schema", "json", "grammar", "regex"]
    text: str = ""


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tokens are chosen and when to stop.

    Attributes:
        temperature: Divides the logits; 0 takes the likeliest token (greedy).
        top_k: Only the k likeliest tokens; 0 for all.
        top_p: Only the likeliest tokens that together have this probability (nucleus, arXiv 1904.09751).
        min_p: Only tokens with at least this share of the likeliest one's probability (arXiv 2407.01082).
        repetition_penalty: Logits of recent tokens are divided by it where positive, multiplied where
            negative (arXiv 1909.05858); 1 for none.
        repetition_window: How many recent tokens count as repeated.
        presence_penalty: Taken off the logit of every token that the answer already has.
        frequency_penalty: Taken off the logit once for each time that the answer already has the token.
        logit_bias: Added to the logits of single tokens.
        seed: Same seed, same request, same engine and settings: same text. None for a random one.
        max_tokens: The longest answer; None for what the context leaves.
        stop: Texts that end the answer, wherever token borders fall; they are not part of it.
        logprobs: How many alternatives to report for every token; None for no log-probabilities at all.
        constraint: What the answer must look like.
        ignore_end: Go on past the model's end-of-text token, for benchmarks.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repetition_penalty: float = 1.0
    repetition_window: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    constraint: Constraint | None = None
    ignore_end: bool = False


#: The likeliest token every time.
GREEDY = Sampling(temperature=0.0, top_k=0, top_p=1.0, min_p=0.0)


class ToolCall(Struct, frozen=True, kw_only=True):
    """A call of a tool that the model asks for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: str
    content: str = ""
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class AdapterUse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loaded adapter that a request wants, with the factor on its weight."""

    name: str
    scale: float = 1.0


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer to generate. Exactly one of `messages`, `prompt` and `tokens` is given.

    Attributes:
        id: Chosen by the caller; unique among the requests under way.
        messages: A conversation, put through the model's chat template.
        prompt: Text as it is, begun with the model's begin-of-text token where it has one.
        tokens: Token ids as they are.
        tools: Tools in OpenAI's form, handed to the template.
        template_options: More variables for the template, for example `{"enable_thinking": false}`.
        adapters: Which adapters to apply; none for the base model alone.
        overflow: What to do when the context is full.
        reuse: Whether prompts computed before may be reused.
        speculate: Whether the draft may be used, where one is loaded.
    """

    id: str
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    tokens: tuple[int, ...] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    template_options: dict[str, Any] = {}
    sampling: Sampling = Sampling()
    adapters: tuple[AdapterUse, ...] = ()
    overflow: Overflow = "error"
    reuse: bool = True
    speculate: bool = True


class DraftOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where guesses for speculative decoding come from (arXiv 2211.17192).

    Attributes:
        kind: `model` (a smaller model with the same vocabulary), `ngram` (the prompt itself) or `plugin`.
        path: The draft model's file or folder; where the plugin is imported from; empty otherwise.
        tokens: How many tokens to guess at a time.
        plugin: The plugin that offers the drafter: a module, or `file:NAME.py`.
        name: The drafter's name.
    """

    kind: Literal["model", "ngram", "plugin"]
    path: str = ""
    tokens: int = 4
    plugin: str = ""
    name: str = ""


class AdapterOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A LoRA adapter to load beside the base: a GGUF file for llama.cpp, a PEFT folder for torch, a folder of
    `mlx_lm`'s for MLX."""

    name: str
    path: str


class LoadOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is loaded.

    Attributes:
        path: The GGUF file, or the folder.
        format: The model's format.
        engine: None to choose by format and machine.
        context: Longest sequence in tokens, prompt and answer together; None for what the model was trained
            for, at most 8192.
        parallel: How many requests are computed at once; more wait.
        gpu_layers: Layers to put on the GPU; None for all that the build and the machine can take.
        tensor_split: Share of the weights on each GPU; empty to let the backend decide.
        kv_type: How keys and values are kept.
        flash_attention: None lets the backend decide.
        draft: Speculative decoding; None for none.
        adapters: Adapters to load beside the base.
        threads: CPU threads; None for the physical cores.
        weights: Quantize weights while loading (torch with bitsandbytes).
        prompt_cache: Folder where computed prompts are kept between sessions; None to keep them in memory.
        embeddings: Load for embeddings instead of generation.
        chat_template: Use this template instead of the model's own.
        check_memory: Refuse to load what would not fit in memory.
    """

    path: str
    format: ModelFormat
    engine: EngineName | None = None
    context: int | None = None
    parallel: int = 4
    gpu_layers: int | None = None
    tensor_split: tuple[float, ...] = ()
    kv_type: KvType = "f16"
    flash_attention: bool | None = None
    draft: DraftOptions | None = None
    adapters: tuple[AdapterOptions, ...] = ()
    threads: int | None = None
    weights: Literal["as-is", "8-bit", "4-bit"] = "as-is"
    prompt_cache: str | None = None
    embeddings: bool = False
    chat_template: str | None = None
    check_memory: bool = True
