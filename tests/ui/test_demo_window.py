"""What the demonstration says of a fine-tuning."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

from ui import format
from ui.demo_window import learned
from workbench.home import Home
from workbench.session import Session

made = import_module("adapters")


def test_what_was_learned_is_told_in_messages_with_its_price(home: Home, tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "adapter", proven=True)
    with Session.open(home, supervise=False) as session:
        adapter = session.library.add(folder).record

    said = learned(adapter)

    assert "2.310 → 0.420" in said
    assert "1 → 47 of 50 messages (p < 0.001)" in said
    assert "0.021 nats" in said


def test_an_adapter_without_a_proof_is_named_alone(home: Home, tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "adapter")
    with Session.open(home, supervise=False) as session:
        adapter = session.library.add(folder).record

    assert learned(adapter).splitlines() == [f"{adapter.name} ({format.bytes(adapter.size_bytes)}):"]
