"""Puts the parts of the engine room together for one home: what a window or a command works with."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from workbench.catalogue import Catalogue
from workbench.errors import StoreError
from workbench.home import Home
from workbench.jobs.board import JobBoard
from workbench.jobs.runner import Runner
from workbench.library.hash_queue import HashQueue
from workbench.library.library import Library
from workbench.library.load_history import LoadHistory
from workbench.measure.proofs import Proofs
from workbench.settings import Settings
from workbench.store.database import Store


@dataclass(frozen=True)
class Session:
    """An open home. `runner` is None where another process runs its jobs."""

    home: Home
    store: Store
    library: Library
    board: JobBoard
    runner: Runner | None
    settings: Settings
    catalogue: Catalogue
    hashes: HashQueue
    loads: LoadHistory
    proofs: Proofs

    @classmethod
    def open(cls, home: Home, *, supervise: bool) -> Session:
        """Open a home, and make it where it is new.

        Args:
            supervise: Whether to run the jobs of this home, which one process at a time may do.

        Raises:
            HomeInUseError: Another process runs the jobs of this home.
            StoreError: The home or its database can't be opened.
        """
        try:
            home.create()
        except OSError as error:
            raise StoreError(
                f"The folder {home.root} can't be made or opened: {error.strerror}.",
                remedy="Name another one with --home or TENFOLD_HOME.",
            ) from error
        store = Store(home.database)
        try:
            library = Library(store, home)
            settings = Settings(store)
            runner = Runner(store, home, library, settings) if supervise else None
        except BaseException:
            store.close()
            raise
        return cls(
            home=home,
            store=store,
            library=library,
            board=JobBoard(store, home),
            runner=runner,
            settings=settings,
            catalogue=Catalogue(home),
            hashes=HashQueue(library),
            loads=LoadHistory(store),
            proofs=Proofs(home.proofs),
        )

    def new_runner(self) -> Runner:
        """Run the jobs of this home from now on, which one process at a time may do; whoever asks closes it.

        Raises:
            HomeInUseError: Another process runs them.
        """
        return Runner(self.store, self.home, self.library, self.settings)

    def close(self) -> None:
        """Let go of the home. Workers go on; the next session finds them."""
        self.hashes.close()
        self.catalogue.close()
        if self.runner is not None:
            self.runner.close()
        self.store.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
