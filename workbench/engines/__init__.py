"""Engines: the backends that load a model; imported inside functions, in worker processes alone."""
