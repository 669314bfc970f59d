"""What a model has to do for one token: bytes of weights that it reads, and weights that it multiplies."""

from __future__ import annotations

from msgspec import Struct

from workbench.model import ModelFacts, TensorGroup

#: Roles of tensors by which a token is looked up, and by which the next one is chosen.
_LOOKED_UP, _CHOOSING = "embedding", "output"
_EXPERTS = "experts"
#: Of a model that also sees and hears, text needs none of these.
_OTHER_SENSES = ("vision", "audio")


class Work(Struct, frozen=True, kw_only=True):
    """Of one token.

    Attributes:
        bytes: Of the weights that are read to generate one.
        parameters: That take part in generating one.
        prompt_parameters: That take part in reading one of a prompt, of which only the last token's
            successor is asked for.
    """

    bytes: int
    parameters: int
    prompt_parameters: int


def work_of(facts: ModelFacts) -> Work:
    """The work that the tensors of a model make.

    Of an embedding one row is looked up, which is nothing; but where no output matrix of its own is stored,
    the embedding is that too, and is read whole. Of experts as many take part as the header says.
    """
    own_output = any(group.name == _CHOOSING for group in facts.groups)
    choosing = _CHOOSING if own_output else _LOOKED_UP
    passed = [group for group in facts.groups if group.name not in (_LOOKED_UP, _CHOOSING, *_OTHER_SENSES)]
    last = [group for group in facts.groups if group.name == choosing]
    return Work(
        bytes=round(sum(group.size_bytes * _used(facts, group) for group in [*passed, *last])),
        parameters=round(sum(group.parameters * _used(facts, group) for group in [*passed, *last])),
        prompt_parameters=round(sum(group.parameters * _used(facts, group) for group in passed)),
    )


def _used(facts: ModelFacts, group: TensorGroup) -> float:
    """The share of a group's weights that take part in one token."""
    if group.name != _EXPERTS or not facts.experts or not facts.experts_used:
        return 1.0
    return min(1.0, facts.experts_used / facts.experts)
