"""Secrets of the person's: kept in the system's keyring, never in a file of ours."""

from __future__ import annotations

import os

from workbench.errors import WorkbenchError

#: `hf-token` for the hub, `place:NAME` for a cluster.
SecretName = str

_SERVICE = "tenfold"

#: Environment variables that win over the keyring, so that servers need none.
_ENVIRONMENT = {"hf-token": "HF_TOKEN"}


def get(name: SecretName) -> str | None:
    """The secret from the environment, else from the keyring; None where neither has it."""
    if from_environment := os.environ.get(variable_of(name)):
        return from_environment
    import keyring
    from keyring.errors import KeyringError

    try:
        kept: str | None = keyring.get_password(_SERVICE, name)
    except KeyringError:
        # A machine without a keyring simply has no secret stored.
        return None
    return kept


def variable_of(name: SecretName) -> str:
    """The environment variable that wins over the keyring.

    >>> variable_of("place:gpu-lab")
    'TENFOLD_SECRET_PLACE_GPU_LAB'
    """
    plain = "".join(sign if sign.isalnum() else "_" for sign in name.upper())
    return _ENVIRONMENT.get(name, f"TENFOLD_SECRET_{plain}")


def set(name: SecretName, value: str) -> None:
    """Keep a secret in the system's keyring.

    Raises:
        WorkbenchError: This machine has no keyring, or it refuses.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, name, value)
    except KeyringError as error:
        raise WorkbenchError(
            "The token can't be kept: this machine has no usable keyring.",
            remedy=f"Set {variable_of(name)} in the environment instead; it is never written to a file.",
            details=str(error),
        ) from error


def delete(name: SecretName) -> None:
    """Forget a secret; nothing happens where none is kept."""
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(_SERVICE, name)
    except PasswordDeleteError:
        return
    except KeyringError as error:
        raise WorkbenchError(
            "The keyring can't be opened, so the token can't be removed from it.", details=str(error)
        ) from error
