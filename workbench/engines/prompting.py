"""Makes the tokens of a prompt from what a request gives: turns, text, or tokens."""

from __future__ import annotations

from workbench.engines.base import Tokenizer
from workbench.engines.errors import RequestError, TemplateError
from workbench.engines.request import Request
from workbench.engines.templates import ChatTemplate


class Prompting:
    """Applies a model's chat template and tokenizer.

    Args:
        tokenizer: The model's.
        template: The template's source; None where the model brings none.
    """

    def __init__(self, tokenizer: Tokenizer, template: str | None) -> None:
        self._tokenizer = tokenizer
        self._source = template
        self._template: ChatTemplate | None = None

    @property
    def has_template(self) -> bool:
        """Whether conversations can be put."""
        return bool(self._source)

    def text(self, request: Request) -> str:
        """What the template makes of a request's messages.

        Raises:
            TemplateError: There is none, or it fails.
        """
        if not self._source:
            raise TemplateError(
                "This model has no chat template: it goes on with a text, but does not hold a conversation.",
                remedy="Send a plain prompt, or choose a model that was tuned for chat.",
            )
        if self._template is None:
            self._template = ChatTemplate(self._source, self._tokenizer.special_texts)
        return self._template.render(
            request.messages or (), tools=request.tools, options=request.template_options
        )

    def tokens(self, request: Request) -> list[int]:
        """The prompt's tokens.

        Templates write the begin-of-text token themselves or leave it out on purpose; where the rendered text
        does not begin with it, the tokenizer's own rule decides, and it is never put twice.

        Raises:
            RequestError: The request gives none or several of turns, text and tokens.
            TemplateError: See `text`.
        """
        given = [each for each in (request.messages, request.prompt, request.tokens) if each is not None]
        if len(given) != 1:
            raise RequestError("A request gives exactly one of messages, prompt and tokens.")
        if request.tokens is not None:
            return list(request.tokens)
        if request.prompt is not None:
            return self._tokenizer.encode(request.prompt, begin=True)
        text = self.text(request)
        begin = self._tokenizer.special_texts.get("bos_token", "")
        return self._tokenizer.encode(text, begin=not (begin and text.startswith(begin)))
