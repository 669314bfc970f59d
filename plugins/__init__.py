"""The optimizations that ship with Tenfold, written against `workbench.plugin` like any other plugin."""
