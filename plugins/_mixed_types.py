"""Which types a tensor may be stored in when types are mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins._ggml import Floats, Ggml
from plugins._mixed_tensors import MatrixTensor
from workbench.plugin import ParameterError

#: What is tried unless told otherwise. Types of 3 bits and less that search a grid for every block (IQ3_S and
#: below) take minutes to try, so they are left to who names them.
USUAL = ("Q8_0", "Q6_K", "Q5_K", "Q4_K", "IQ4_XS", "Q3_K", "Q2_K", "Q5_1", "Q5_0", "IQ4_NL", "Q4_0")
#: These need to know which columns matter; llama.cpp refuses them otherwise.
_NEED_IMPORTANCE = frozenset({"IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"})
#: Never better at their size than the other, which needs rows that are a multiple of 256.
_FOR_ODD_ROWS = {"Q5_1": "Q5_K", "Q5_0": "Q5_K", "Q4_1": "Q4_K", "Q4_0": "Q4_K", "IQ4_NL": "IQ4_XS"}
_NOT_QUANTIZED = frozenset({"F64", "I8", "I16", "I32", "I64", "Q8_1", "Q8_K"})


def check_types(ggml: Ggml, types: Sequence[str]) -> tuple[str, ...]:
    """The types as ggml names them.

    Raises:
        ParameterError: One is unknown, or no weights are stored in it.
    """
    found = []
    for each in types:
        name = each.strip().upper()
        if name in _NOT_QUANTIZED or name not in ggml.type_names:
            known = ", ".join(sorted(set(ggml.type_names) - _NOT_QUANTIZED))
            raise ParameterError(
                "types", f"Weights can't be stored as “{each}”.", remedy=f"The types are: {known}."
            )
        found.append(name)
    if not found:
        raise ParameterError("types", "No types were given to choose from.")
    return tuple(dict.fromkeys(found))


def types_for(
    ggml: Ggml, tensor: MatrixTensor, types: Sequence[str], importance: Mapping[str, Floats]
) -> tuple[str, ...]:
    """Those types that a tensor's shape allows; its own type where none does."""
    fitting = [
        each
        for each in types
        if tensor.columns % ggml.block(each) == 0
        and (each not in _NEED_IMPORTANCE or tensor.name in importance)
    ]
    return tuple(each for each in fitting if _FOR_ODD_ROWS.get(each) not in fitting) or (tensor.type,)
