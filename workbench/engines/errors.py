"""The errors of generating."""

from __future__ import annotations

from workbench.errors import WorkbenchError


class RequestError(WorkbenchError):
    """A request asks for something that can't be done as it stands."""

    kind = "request"


class ContextFullError(RequestError):
    """A prompt is longer than the context, and may not be shortened.

    Attributes:
        tokens: Tokens of the prompt.
        context: Tokens of the context.
    """

    kind = "context-full"

    def __init__(self, tokens: int, context: int) -> None:
        super().__init__(
            f"The prompt has {tokens} tokens; the context holds {context}, and an answer needs at least one.",
            remedy="Shorten it, load the model with a larger context, or allow the oldest part to be let go.",
        )
        self.tokens = tokens
        self.context = context


class TemplateError(RequestError):
    """A chat template is missing, broken, or does what it may not."""

    kind = "template"


class EngineError(WorkbenchError):
    """A generating process could not load a model, or died."""

    kind = "engine"
