"""Secrets: the environment wins, the keyring keeps, and no keyring is no disaster."""

from __future__ import annotations

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from workbench import secrets
from workbench.errors import WorkbenchError

pytestmark = pytest.mark.usefixtures("own_keyring")


def test_stored_token_comes_back_and_can_be_forgotten() -> None:
    secrets.set("hf-token", "hf_abc")
    assert secrets.get("hf-token") == "hf_abc"

    secrets.delete("hf-token")
    secrets.delete("hf-token")
    assert secrets.get("hf-token") is None


def test_environment_wins_over_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.set("hf-token", "from keyring")
    monkeypatch.setenv("HF_TOKEN", "from environment")

    assert secrets.get("hf-token") == "from environment"


def test_machine_without_a_keyring_has_no_secret_and_says_what_to_do() -> None:
    keyring.set_keyring(NoKeyring())

    assert secrets.get("hf-token") is None
    with pytest.raises(WorkbenchError, match="HF_TOKEN"):
        secrets.set("hf-token", "hf_abc")
