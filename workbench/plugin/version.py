"""The version of the surface for plugin authors."""

from __future__ import annotations

#: The first number changes when a plugin must be changed.
API_VERSION = "1.0"
