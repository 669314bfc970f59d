"""Names the part that a tensor plays in a model, from its name in GGUF or safetensors."""

from __future__ import annotations

from functools import lru_cache

#: Role → signs in the name; the first role with a sign wins, so the special stand before the general.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vision", ("vision_", "visual.", "image_", "mm.", "v.blk", "multi_modal_projector", "embed_vision")),
    ("audio", ("audio_", "a.blk", "embed_audio")),
    ("norm", ("norm", "ln_1", "ln_2", "ln_f", "layernorm")),
    ("experts", ("_exps", ".experts", "switch_mlp", "shared_expert", "_shexp", "block_sparse_moe")),
    ("router", ("ffn_gate_inp", "router", "mlp.gate.")),
    ("state space", ("ssm_", "mamba", "mixer.", "linear_attn", "time_mix", "short_conv", "shortconv")),
    ("attention", ("attn", "attention", "q_proj", "k_proj", "v_proj", "o_proj")),
    ("feed-forward", ("ffn", "mlp", "feed_forward", "channel_mix", "fc1", "fc2")),
    ("output", ("lm_head", "embed_out")),
    ("embedding", ("embd", "embed", "wte", "wpe", "word_embeddings")),
)


@lru_cache(maxsize=4096)
def role_of(name: str) -> str:
    """The role of a tensor, for example `attention`, `feed-forward`, `norm`; `other` where it is unknown.

    >>> role_of("blk.0.attn_q.weight"), role_of("model.layers.3.mlp.up_proj.weight")
    ('attention', 'feed-forward')
    """
    lower = name.lower()
    if lower.startswith("output."):
        return "output"
    return next((role for role, signs in _SIGNS if any(sign in lower for sign in signs)), "other")
