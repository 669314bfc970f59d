"""Ways of answering that a person keeps under a name: sampling and system prompt."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from workbench.engines.request import GREEDY, Sampling
from workbench.errors import UsageError
from workbench.store.database import Store
from workbench.store.guarded import guarded
from workbench.store.tables import SettingRow

_KEY = "chat.presets"
_LONGEST_NAME = 60


class Preset(Struct, frozen=True, kw_only=True):
    """One way of answering.

    Attributes:
        system: The system prompt; None leaves the conversation's own alone.
    """

    name: str
    sampling: Sampling
    system: str | None = None


#: Sampling as most models' makers advise it, the careful end, the other end, the likeliest token every time.
BUILT_IN = (
    Preset(name="Balanced", sampling=Sampling()),
    Preset(name="Precise", sampling=Sampling(temperature=0.2, top_k=20, top_p=0.9, min_p=0.1)),
    Preset(name="Creative", sampling=Sampling(temperature=1.1, top_k=0, top_p=0.98, min_p=0.03)),
    Preset(name="Greedy", sampling=GREEDY),
)


class Presets:
    """The built-in presets and the person's own, kept in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> tuple[Preset, ...]:
        """The built-in ones first, then the person's own by name."""
        return (*BUILT_IN, *self.own())

    def own(self) -> tuple[Preset, ...]:
        """Those that were kept; none where another version wrote what this one can't read."""
        with guarded(self._store) as session:
            row = session.get(SettingRow, _KEY)
            text = row.value if row is not None else "[]"
        try:
            return tuple(msgspec.json.decode(text, type=list[Preset]))
        except msgspec.DecodeError:
            return ()

    def keep(self, preset: Preset) -> None:
        """Keep one; another of its name is replaced.

        Raises:
            UsageError: The name is empty, too long or that of a built-in one.
        """
        name = preset.name.strip()
        if not name or len(name) > _LONGEST_NAME:
            raise UsageError(
                f"A preset's name has 1 to {_LONGEST_NAME} characters.", remedy="Choose another name."
            )
        if any(name.casefold() == each.name.casefold() for each in BUILT_IN):
            raise UsageError(
                f"“{name}” comes with Tenfold and stays as it is.", remedy="Choose another name."
            )
        others = [each for each in self.own() if each.name.casefold() != name.casefold()]
        self._write([*others, msgspec.structs.replace(preset, name=name)])

    def forget(self, name: str) -> None:
        """Delete one; a name that is not there is no error."""
        self._write([each for each in self.own() if each.name != name])

    def _write(self, presets: list[Preset]) -> None:
        presets.sort(key=lambda each: each.name.casefold())
        with guarded(self._store, lock=True) as session:
            session.merge(SettingRow(key=_KEY, value=msgspec.json.encode(presets).decode()))
