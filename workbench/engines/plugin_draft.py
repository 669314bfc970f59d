"""A drafter that a plugin offers, held at arm's length: what it does wrong costs guesses, never an answer."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from workbench.engines.base import Tokenizer
from workbench.engines.request import DraftOptions
from workbench.engines.speculation import Drafter
from workbench.errors import NotFoundError, PluginError, WorkbenchError


class GuardedDrafter:
    """Passes on what a plugin's drafter guesses, as far as it makes sense; after an error it guesses no more.

    Args:
        name: What to call it where it fails.
        vocabulary: How many tokens the model has; another number is no token.
    """

    costs = True

    def __init__(self, drafter: Drafter, name: str, vocabulary: int) -> None:
        self._drafter: Drafter | None = drafter
        self._name = name
        self._vocabulary = vocabulary

    def propose(self, rows: Sequence[tuple[int, Sequence[int], int]]) -> list[list[int]]:
        none: list[list[int]] = [[] for _ in rows]
        if self._drafter is None:
            return none
        try:
            found = self._drafter.propose(rows)
            return [
                self._sensible(guess, most) for guess, (_row, _tokens, most) in zip(found, rows, strict=True)
            ]
        except Exception:  # noqa: BLE001 - a plugin may raise anything
            self._give_up()
            return none

    def forget(self, row: int) -> None:
        if self._drafter is not None:
            try:
                self._drafter.forget(row)
            except Exception:  # noqa: BLE001 - a plugin may raise anything
                self._give_up()

    def close(self) -> None:
        if self._drafter is not None:
            try:
                self._drafter.close()
            except Exception:  # noqa: BLE001 - a plugin may raise anything
                self._give_up()

    def _sensible(self, guess: Sequence[int], most: int) -> list[int]:
        """The guesses up to the first that is no token, and no more than were asked for."""
        kept: list[int] = []
        for token in guess[:most]:
            if not isinstance(token, int) or not 0 <= token < self._vocabulary:
                break
            kept.append(token)
        return kept

    def _give_up(self) -> None:
        self._drafter = None
        sys.stderr.write(f"The drafter {self._name} failed, and guesses no more:\n{traceback.format_exc()}")


def open_plugin_draft(options: DraftOptions, tokenizer: Tokenizer) -> GuardedDrafter:
    """Import the plugin that offers a drafter, and make one for a model.

    Raises:
        PluginError: It can't be imported, or makes none.
        NotFoundError: It offers no such drafter.
    """
    from workbench.jobs.loading import FILE_PREFIX, import_plugin
    from workbench.plugin.drafting import drafters_in

    place = Path(options.path)
    if options.path and not options.plugin.startswith(FILE_PREFIX) and options.path not in sys.path:
        sys.path.append(options.path)
    module = import_plugin(options.plugin, [place])
    methods = {each.name: each for each in drafters_in(vars(module))}
    if options.name not in methods:
        raise NotFoundError(f"The plugin {options.plugin} offers no drafter “{options.name}”.")
    try:
        made = methods[options.name].make(tokenizer)
    except WorkbenchError:
        raise
    except Exception as error:
        raise PluginError(
            f"The drafter {options.name} can't be made: {type(error).__name__}: {error}",
            remedy="Load the model without it, or mend the plugin.",
            details=traceback.format_exc(),
        ) from error
    return GuardedDrafter(made, options.name, tokenizer.vocabulary)
