"""The models of a server: loaded when first asked for, unloaded when memory is short or nobody asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from workbench.engines.errors import EngineError
from workbench.engines.request import AdapterUse, LoadOptions
from workbench.errors import NotFoundError, OutOfMemoryError
from workbench.serve.engine_process import EngineProcess

_LOOK_S = 1.0


@dataclass(slots=True)
class Slot:
    """One model that the server offers.

    Attributes:
        name: What clients call it.
        options: How it is loaded.
        expected_bytes: What it will take, as far as is known before it was loaded.
        adapters: What a request uses that names none: the adapter that the model was chosen by.
        users: Requests that use it now.
        used_at: When a request last began or ended.
    """

    name: str
    options: LoadOptions
    expected_bytes: int = 0
    adapters: tuple[AdapterUse, ...] = ()
    process: EngineProcess | None = None
    users: int = 0
    used_at: float = 0.0
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def loaded(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.alive


class ModelPool:
    """Keeps generating processes for several models within a memory budget.

    Args:
        slots: The models.
        budget_bytes: What all loaded models may take together; None for no limit.
        keep_alive_s: Seconds after which an unused model is unloaded; None to keep it.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        slots: list[Slot],
        *,
        budget_bytes: int | None = None,
        keep_alive_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = {slot.name: slot for slot in slots}
        self._budget_bytes = budget_bytes
        self._keep_alive_s = keep_alive_s
        self._clock = clock
        self._room = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All models, in the order in which they were given."""
        return tuple(self._slots.values())

    def find(self, name: str | None) -> Slot:
        """A model by the name that a client uses; the only one where there is one and none is named.

        Raises:
            NotFoundError: There is none of that name.
        """
        if not name and len(self._slots) == 1:
            return next(iter(self._slots.values()))
        try:
            return self._slots[name or ""]
        except KeyError:
            raise NotFoundError(
                f"This server has no model {name!r}. It has: {', '.join(self._slots)}."
            ) from None

    def start(self) -> None:
        """Begin to unload what is not used any more; needs a running event loop."""
        if self._keep_alive_s is not None and self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    @contextlib.asynccontextmanager
    async def use(self, slot: Slot) -> AsyncIterator[EngineProcess]:
        """A loaded model that stays loaded while it is used.

        Raises:
            EngineError: It can't be loaded.
            OutOfMemoryError: The budget has no room while the others are in use.
        """
        slot.users += 1
        slot.used_at = self._clock()
        try:
            async with slot.loading:
                if not slot.loaded:
                    slot.process = await self._loaded(slot)
            process = slot.process
            if process is None:
                raise EngineError(f"{slot.name} was unloaded.")
            yield process
        finally:
            slot.users -= 1
            slot.used_at = self._clock()

    async def close(self) -> None:
        """End all processes."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await asyncio.gather(*(self._unload(slot) for slot in self._slots.values()))

    async def unload_unused(self) -> None:
        """Unload what was not used for the keep-alive time."""
        for slot in self._slots.values():
            idle_s = self._clock() - slot.used_at
            if (
                slot.loaded
                and not slot.users
                and self._keep_alive_s is not None
                and idle_s > self._keep_alive_s
            ):
                await self._unload(slot)

    async def _loaded(self, slot: Slot) -> EngineProcess:
        async with self._room:
            if slot.process is not None:
                await self._unload(slot)
            await self._make_room(slot)
            process = await EngineProcess.start(slot.options)
            if process.report is not None:
                slot.expected_bytes = max(process.report.memory_bytes, slot.expected_bytes)
            return process

    async def _make_room(self, wanted: Slot) -> None:
        if self._budget_bytes is None:
            return
        while True:
            others = [slot for slot in self._slots.values() if slot.loaded and slot is not wanted]
            if not others and wanted.expected_bytes > self._budget_bytes:
                raise OutOfMemoryError(
                    f"{wanted.name} needs about {wanted.expected_bytes / 1e9:.1f} GB; the server's budget is"
                    f" {self._budget_bytes / 1e9:.1f} GB.",
                    remedy="Raise the budget, or choose a smaller context.",
                )
            if sum(each.expected_bytes for each in others) + wanted.expected_bytes <= self._budget_bytes:
                return
            idle = [slot for slot in others if not slot.users]
            if not idle:
                raise OutOfMemoryError(
                    f"There is no room for {wanted.name} while {', '.join(each.name for each in others)}"
                    " are in use.",
                    remedy="Try again when they are done, or raise the budget.",
                )
            await self._unload(min(idle, key=lambda slot: slot.used_at))

    async def _unload(self, slot: Slot) -> None:
        process, slot.process = slot.process, None
        if process is not None:
            await process.close()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.unload_unused()
