"""The messages between a proof and the process in which a plugin's metric measures one model."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Struct

from workbench.engines.request import LoadOptions
from workbench.engines.wire import ErrorInfo
from workbench.measure.card import Better, Figure


class Order(Struct, frozen=True, kw_only=True):
    """What to measure.

    Attributes:
        plugin, name: The metric.
        folders: Where plugins lie that are in no Python environment.
        options: The model, and how to load it.
    """

    plugin: str
    name: str
    folders: tuple[str, ...]
    options: LoadOptions
    prompts: tuple[str, ...]
    text: str
    seed: int
    threads: int


class Declared(Struct, frozen=True, kw_only=True, tag="declared"):
    """What the metric says of itself; see `workbench.plugin.metric`."""

    title: str
    unit: str
    better: Better
    patience_s: float


class Moment(Struct, frozen=True, kw_only=True, tag="moment"):
    """How far it is, from 0 to 1."""

    share: float


class Found(Struct, frozen=True, kw_only=True, tag="found"):
    """The figure of the model."""

    figure: Figure


class Broken(Struct, frozen=True, kw_only=True, tag="broken"):
    """Why there is no figure."""

    error: ErrorInfo


Said = Declared | Moment | Found | Broken

_SAID: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Said)


def encode(message: Order | Said) -> bytes:
    """A message as one line, the line end included."""
    return msgspec.json.encode(message) + b"\n"


def decode_said(line: bytes) -> Said:
    """What the process said.

    Raises:
        ValueError: It said something else, or a figure that is none.
    """
    found: Said = _SAID.decode(line)
    if isinstance(found, Found):
        check_figure(found.figure)
    return found


def check_figure(figure: Figure) -> None:
    """Refuse what can't be a figure.

    Raises:
        ValueError: The value or its error is not finite, or an error or a number of items is below nought.
    """
    if not math.isfinite(figure.value) or not math.isfinite(figure.error):
        raise ValueError("it is not finite")
    if figure.error < 0 or figure.n < 0:
        raise ValueError("an error and a number of items can't be below nought")
