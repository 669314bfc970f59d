"""`tenfold chat`: talk to a model in the terminal, or ask it one thing."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from workbench.cli.answer import Answer
from workbench.cli.loading import add_load_flags, find_model, load_options, record_load, tell_report
from workbench.engines.client import EngineClient
from workbench.engines.errors import RequestError
from workbench.engines.request import AdapterUse, Message, Request, Sampling
from workbench.engines.wire import Compare, Compared, Delta, Failed, Figures, Finished, LoadReport
from workbench.errors import UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.session import Session


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "chat",
        help="talk to a model",
        parents=[common],
        description="Without -p it goes on until an empty line. Ctrl+C ends an answer.",
    )
    parser.add_argument("model", help="id or name in the library, or a path")
    parser.add_argument("-p", "--prompt", help="ask this one thing and end")
    parser.add_argument("--system", help="the system prompt")
    parser.add_argument(
        "--compare", action="store_true", help="with -p and --draft: measure with and without it"
    )
    sampling = parser.add_argument_group("sampling")
    sampling.add_argument("--temperature", type=float, default=0.7)
    sampling.add_argument("--top-k", type=int, default=40)
    sampling.add_argument("--top-p", type=float, default=0.95)
    sampling.add_argument("--min-p", type=float, default=0.05)
    sampling.add_argument("--repetition-penalty", type=float, default=1.0)
    sampling.add_argument("--seed", type=int)
    sampling.add_argument("--max-tokens", type=int)
    sampling.add_argument("--stop", action="append", default=[], metavar="TEXT", help="repeatable")
    parser.add_argument(
        "--overflow",
        choices=("error", "shift"),
        default="error",
        help="when the context is full: stop with an error, or let the oldest part go",
    )
    add_load_flags(parser, parallel=1)
    parser.set_defaults(command=_chat)


def _chat(home: Home, arguments: argparse.Namespace) -> Answer:
    if arguments.json and arguments.prompt is None:
        raise UsageError("--json needs -p PROMPT.")
    if arguments.compare and (arguments.prompt is None or arguments.draft is None):
        raise UsageError("--compare needs -p PROMPT and --draft.")
    with Session.open(home, supervise=False) as session:
        model = find_model(session, arguments.model)
        options = load_options(session, model, arguments)
        with EngineClient() as client:
            report = client.load(options)
            if not arguments.json:
                tell_report(report)
            talk = _Talk(client, arguments, report)
            try:
                if arguments.compare:
                    return talk.compare(arguments.prompt)
                if arguments.prompt is not None:
                    return talk.once(arguments.prompt)
                return talk.on_and_on()
            finally:
                record_load(session, model, report, report.memory_bytes)


class _Talk:
    """One conversation in the terminal."""

    def __init__(self, client: EngineClient, arguments: argparse.Namespace, report: LoadReport) -> None:
        self._client = client
        self._arguments = arguments
        self._report = report
        self._turns: list[Message] = []
        self._asked = 0
        if arguments.system:
            self._turns.append(Message(role="system", content=arguments.system))

    def once(self, prompt: str) -> Answer:
        """One question, one answer."""
        end = self._ask(prompt, shown=not self._arguments.json)
        code = exits.CANCELLED if end.reason == "cancelled" else exits.DONE
        if self._arguments.json:
            return Answer("", _data(end, self._report), code)
        _tell(end.figures)
        return Answer("", code=code)

    def compare(self, prompt: str) -> Answer:
        """One question, answered greedily with and without the draft."""
        self._turns.append(Message(role="user", content=prompt))
        request = self._request()
        self._client.send(Compare(id=request.id, request=request))
        for event in self._client.events():
            if isinstance(event, Failed):
                raise RequestError(event.error.message, remedy=event.error.remedy)
            if isinstance(event, Compared):
                return _compared(event)
        raise RequestError("The generating process ended.")

    def on_and_on(self) -> Answer:
        """Question after question."""
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "").strip()
            except (EOFError, KeyboardInterrupt):
                break
            if not line:
                break
            _tell(self._ask(line, shown=True).figures)
        return Answer("")

    def _ask(self, prompt: str, *, shown: bool) -> Finished:
        self._turns.append(Message(role="user", content=prompt))
        request = self._request()
        answer = self._client.generate(request)
        while True:
            try:
                for event in answer:
                    if isinstance(event, Delta) and shown:
                        sys.stdout.write(event.text)
                        sys.stdout.flush()
                    if isinstance(event, Finished):
                        if shown:
                            sys.stdout.write("\n")
                        self._turns.append(Message(role="assistant", content=event.text))
                        return event
            except KeyboardInterrupt:
                # The process ignores the key; it is asked, and its last word is waited for.
                self._client.cancel(request.id)
                answer = self._client.rest_of(request.id)

    def _request(self) -> Request:
        given = self._arguments
        self._asked += 1
        return Request(
            id=str(self._asked),
            messages=tuple(self._turns),
            overflow=given.overflow,
            adapters=tuple(AdapterUse(name=name) for name in self._report.adapters),
            sampling=Sampling(
                temperature=given.temperature,
                top_k=given.top_k,
                top_p=given.top_p,
                min_p=given.min_p,
                repetition_penalty=given.repetition_penalty,
                seed=given.seed,
                max_tokens=given.max_tokens,
                stop=tuple(given.stop),
            ),
        )


def _tell(figures: Figures) -> None:
    said = [
        f"{figures.completion_tokens} tokens at {figures.tokens_per_s:.1f}/s",
        f"first after {figures.time_to_first_token_s * 1000:.0f} ms",
    ]
    if figures.cached_tokens:
        said.append(f"{figures.cached_tokens} prompt tokens reused, {figures.saved_s * 1000:.0f} ms saved")
    if figures.drafted:
        said.append(f"{figures.accepted} of {figures.drafted} guesses right")
    if figures.speculation == "lost":
        said.append("guessing was slower and turned itself off")
    if figures.shifted_tokens:
        said.append(f"{figures.shifted_tokens} of the oldest tokens let go")
    sys.stderr.write("  [" + "; ".join(said) + "]\n")


def _data(end: Finished, report: LoadReport) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.to_builtins(end.figures)
    figures["tokens_per_s"] = end.figures.tokens_per_s
    return {
        "text": end.text,
        "reason": end.reason,
        "figures": figures,
        "report": msgspec.to_builtins(report),
    }


def _compared(found: Compared) -> Answer:
    plain, guessed = found.plain, found.speculative
    gain = guessed.tokens_per_s / plain.tokens_per_s if plain.tokens_per_s else 0.0
    by_position = ", ".join(
        f"{right / offered:.0%}"
        for right, offered in zip(guessed.accepted_at, guessed.offered_at, strict=True)
        if offered
    )
    same = "identical" if found.identical else f"the first difference is at token {found.first_difference}"
    text = (
        f"plain      {plain.tokens_per_s:8.1f} tokens/s\n"
        f"with draft {guessed.tokens_per_s:8.1f} tokens/s   ×{gain:.2f}\n"
        f"guesses right by position: {by_position or 'none were made'}\n"
        f"tokens: {same}"
    )
    data = {**msgspec.to_builtins(found), "speed_up": gain}
    return Answer(text, data)
