"""Secrets: the environment wins, the keyring keeps, and no keyring is no disaster."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordDeleteError

from workbench import secrets
from workbench.errors import WorkbenchError


class _MemoryKeyring(KeyringBackend):
    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@pytest.fixture(autouse=True)
def _keyring_of_the_test() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(_MemoryKeyring())
    yield
    keyring.set_keyring(before)


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
