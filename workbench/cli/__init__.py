"""`tenfold …`: everything the window can do, for scripts and servers."""

from __future__ import annotations

from workbench.cli.main import main

__all__ = ["main"]
