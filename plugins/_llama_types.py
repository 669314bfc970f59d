"""The file types that llama.cpp can quantize to, with what a person should know of each."""

from __future__ import annotations

from typing import Literal, get_args

from workbench.plugin import Choice

FileType = Literal[
    "Q4_K_M",
    "Q5_K_M",
    "Q6_K",
    "Q8_0",
    "Q4_K_S",
    "Q5_K_S",
    "Q3_K_L",
    "Q3_K_M",
    "Q3_K_S",
    "Q2_K",
    "Q2_K_S",
    "IQ4_XS",
    "IQ4_NL",
    "IQ3_M",
    "IQ3_S",
    "IQ3_XS",
    "IQ3_XXS",
    "IQ2_M",
    "IQ2_S",
    "IQ2_XS",
    "IQ2_XXS",
    "IQ1_M",
    "IQ1_S",
    "Q5_1",
    "Q5_0",
    "Q4_1",
    "Q4_0",
    "Q2_0",
    "Q1_0",
    "TQ2_0",
    "TQ1_0",
    "MXFP4_MOE",
    "NVFP4",
    "F32",
    "BF16",
    "F16",
]

FILE_TYPES: tuple[str, ...] = get_args(FileType)

#: Types that llama.cpp refuses to make without an importance matrix (its `tensor_requires_imatrix`).
NEEDS_IMATRIX = frozenset({"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "Q2_K_S"})

_K = "K-quants: the usual choice"
_I = "I-quants: smallest for their quality, slower on a processor"
_LEGACY = "Plain blocks: simple and fast"
_SPECIAL = "For models trained in that type"
_FULL = "Full precision"

#: Bits per weight of a whole file. K- and I-quants mix types: as llama.cpp's quantize tool states them for
#: Llama 3.1 8B; a small model with large embeddings takes more. The rest is the size of a block.
_TYPES: tuple[tuple[FileType, str, float, str], ...] = (
    ("Q4_K_M", _K, 4.89, "The usual pick: a third of the size, close to the original."),
    ("Q5_K_M", _K, 5.70, "When there is memory to spare: hard to tell from the original."),
    ("Q6_K", _K, 6.56, "Nearly the original at two fifths of its size."),
    ("Q8_0", _LEGACY, 8.50, "Half the size; the loss is hardly measurable. A good reference."),
    ("Q4_K_S", _K, 4.67, "A little smaller than Q4_K_M, a little worse."),
    ("Q5_K_S", _K, 5.57, "A little smaller than Q5_K_M, a little worse."),
    ("Q3_K_L", _K, 4.30, "When 4 bits don't fit; a visible loss."),
    ("Q3_K_M", _K, 4.00, "When 4 bits don't fit; a clear loss on small models."),
    ("Q3_K_S", _K, 3.64, "Only where every megabyte counts."),
    ("Q2_K", _K, 3.16, "A heavy loss; usable on very large models."),
    ("Q2_K_S", _K, 2.97, "A heavy loss; needs an importance matrix."),
    ("IQ4_XS", _I, 4.46, "The smallest sound 4-bit type."),
    ("IQ4_NL", _I, 4.68, "4 bits on an uneven scale; for shapes that K-quants can't take."),
    ("IQ3_M", _I, 3.76, "Better than Q3_K_M at less size; use an importance matrix."),
    ("IQ3_S", _I, 3.66, "As good as Q3_K_S or better; use an importance matrix."),
    ("IQ3_XS", _I, 3.50, "Smaller still; use an importance matrix."),
    ("IQ3_XXS", _I, 3.25, "Three bits at their least; use an importance matrix."),
    ("IQ2_M", _I, 2.93, "Two bits that still work on large models; use an importance matrix."),
    ("IQ2_S", _I, 2.74, "Needs an importance matrix."),
    ("IQ2_XS", _I, 2.59, "Needs an importance matrix."),
    ("IQ2_XXS", _I, 2.38, "Needs an importance matrix; for very large models only."),
    ("IQ1_M", _I, 2.15, "Needs an importance matrix; an experiment."),
    ("IQ1_S", _I, 2.00, "Needs an importance matrix; an experiment."),
    ("Q5_1", _LEGACY, 6.00, "An older type; Q5_K_M is better at less size."),
    ("Q5_0", _LEGACY, 5.50, "An older type; Q5_K_M is better."),
    ("Q4_1", _LEGACY, 5.00, "An older type; Q4_K_M is better at less size."),
    ("Q4_0", _LEGACY, 4.50, "An older type, quick on processors and phones."),
    ("Q2_0", _LEGACY, 2.25, "For models trained at two bits; others break."),
    ("Q1_0", _LEGACY, 1.13, "For models trained at one bit; others break."),
    ("TQ2_0", _SPECIAL, 2.06, "For ternary models (BitNet); others break."),
    ("TQ1_0", _SPECIAL, 1.69, "For ternary models (BitNet), packed tighter; others break."),
    ("MXFP4_MOE", _SPECIAL, 4.25, "Experts in 4-bit floats, the rest in Q8_0: for gpt-oss and its like."),
    ("NVFP4", _SPECIAL, 4.50, "4-bit floats as NVIDIA's newest GPUs compute with them."),
    ("F16", _FULL, 16.0, "Half precision: the usual reference."),
    ("BF16", _FULL, 16.0, "Half precision with the range of full: what most models were trained in."),
    ("F32", _FULL, 32.0, "Full precision; twice the size and no better than BF16 for most models."),
)

CHOICES = tuple(
    Choice(value=name, help=advice, group=group, facts={"bits": bits}) for name, group, bits, advice in _TYPES
)

BITS: dict[str, float] = {name: bits for name, _, bits, _ in _TYPES}


def constant(name: str) -> str:
    """The name of a file type's constant in llama.cpp: `LLAMA_FTYPE_MOSTLY_Q4_K_M`."""
    return "LLAMA_FTYPE_ALL_F32" if name == "F32" else f"LLAMA_FTYPE_MOSTLY_{name}"
