"""What the window costs: tokens a second in the Chat page against the same generating process without it.

Both answer the same question with the sample model, greedily, to the same number of tokens, in turns; the
page is shown and draws every answer with its plots, as for a person. Figures are those of the engine.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec

from ui.app import make_application
from ui.context import AppContext
from ui.pages.chat import ChatPage
from ui.screenshots import wait
from ui.theme import Theme
from ui.window import MainWindow
from workbench.engines.client import EngineClient
from workbench.engines.request import GREEDY, Message, Request
from workbench.engines.wire import Finished
from workbench.home import Home
from workbench.session import Session

QUESTION = "Tell a long story about a fox and a lighthouse."
TOKENS, RUNS, PATIENCE_MS = 256, 11, 60_000


def main() -> None:
    app = make_application()
    theme = Theme()
    theme.apply(app)
    with (
        tempfile.TemporaryDirectory() as folder,
        Session.open(Home(Path(folder)), supervise=False) as session,
    ):
        record = session.library.add_sample().record
        window = MainWindow(AppContext(session, theme))
        window.resize(1280, 800)
        window.show()
        page = window.open_page("chat", record.id)
        assert isinstance(page, ChatPage)
        page.settings.form.choose("Greedy")
        page.settings.form.longest.setValue(TOKENS)
        page.show_live()
        options = page.settings.load_options(record)
        seen: dict[str, list[float]] = {"page": [], "alone": []}
        with EngineClient() as client:
            client.load(options)
            for turn in range(RUNS + 1):
                for name, speed in (("page", in_page(page)), ("alone", alone(client, turn))):
                    if turn:  # the first of each warms up
                        seen[name].append(speed)
        page.close_engines()
        window.close()
        wait(lambda: False, 100)
    # Neighbours are compared, as the speed of a shared machine drifts over the minutes of a run.
    ratios = [one / other for one, other in zip(seen["page"], seen["alone"], strict=True)]
    print(f"{TOKENS} tokens, median of {RUNS}")
    print(f"engine alone {statistics.median(seen['alone']):8.1f} tokens/s")
    print(f"Chat page    {statistics.median(seen['page']):8.1f} tokens/s")
    print(f"ratio        {statistics.median(ratios):8.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


def in_page(page: ChatPage) -> float:
    """Ask in a new conversation."""
    page.new_conversation()
    page.send(QUESTION)
    if not wait(lambda: page.rests and len(page.transcript.views) == 2, PATIENCE_MS):
        raise SystemExit("The page gave no answer.")
    figures = page.transcript.views[1].turn.figures
    return (figures["completion_tokens"] - 1) / figures["decode_s"]


def alone(client: EngineClient, turn: int) -> float:
    request = Request(
        id=f"alone-{turn}",
        messages=(Message(role="user", content=QUESTION),),
        sampling=msgspec.structs.replace(GREEDY, max_tokens=TOKENS),
    )
    for event in client.generate(request):
        if isinstance(event, Finished):
            return event.figures.tokens_per_s
    raise SystemExit("The engine gave no answer.")


if __name__ == "__main__":
    main()
