"""The hub through the real client, against a hub of the tests' own."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.errors import HubError, NotFoundError
from workbench.library.hub import Hub, HubFile, choices, pick

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
HubServer = importlib.import_module("hub_server").HubServer


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer()
    server.add(
        "tests/tiny-GGUF",
        {
            "tiny-Q4_0.gguf": b"4" * 2000,
            "tiny-Q8_0.gguf": b"8" * 4000,
            "mmproj-tiny.gguf": b"m" * 1500,
            "README.md": b"hello",
        },
        ["gguf", "license:apache-2.0"],
    )
    server.add("tests/pickled", {"pytorch_model.bin": b"p" * 2000, "config.json": b"{}"})
    with server.running():
        yield server


def _query(hub: HubServer, *arguments: str) -> tuple[int, dict[str, object]]:
    """Ask in a child process: the client reads HF_HUB_OFFLINE once, when it is imported."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
    done = subprocess.run(
        [sys.executable, "-m", "workbench.library.hub_query", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def _files(*names: str) -> list[HubFile]:
    return [HubFile(name=name, size_bytes=10) for name in names]


def test_search_finds_repositories_with_their_formats(hub: HubServer) -> None:
    code, answer = _query(hub, "search", "tiny")

    assert code == 0
    assert [repo["id"] for repo in answer["repos"]] == ["tests/tiny-GGUF"]
    assert answer["repos"][0]["formats"] == ["gguf"]
    assert answer["repos"][0]["licence"] == "apache-2.0"
    assert answer["repos"][0]["updated"] == "2026-01-02"


def test_listing_offers_one_choice_for_each_quantization(hub: HubServer) -> None:
    code, answer = _query(hub, "listing", "tests/tiny-GGUF")

    assert code == 0
    assert [(each["title"], each["size_bytes"]) for each in answer["choices"]] == [
        ("Q4_0", 2000),
        ("Q8_0", 4000),
    ]
    assert len(answer["commit"]) == 40


def test_pickle_only_repository_is_refused_with_the_reason(hub: HubServer) -> None:
    _, answer = _query(hub, "listing", "tests/pickled")

    assert answer["choices"] == []
    assert "pickle" in answer["refused"]


def test_unknown_repository_is_not_found(hub: HubServer) -> None:
    code, answer = _query(hub, "listing", "tests/absent")

    assert code == 1
    assert answer["error"]["kind"] == "not-found"
    assert "tests/absent" in answer["error"]["message"]


def test_gated_repository_says_what_to_do(hub: HubServer) -> None:
    hub.token = "hf_secret"

    code, answer = _query(hub, "listing", "tests/tiny-GGUF")

    assert code == 1
    assert "consent" in answer["error"]["message"]
    assert "token" in answer["error"]["remedy"]


def test_token_from_the_environment_is_sent(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    code, _ = _query(hub, "listing", "tests/tiny-GGUF")

    assert code == 0
    assert set(hub.authorizations) == {"Bearer hf_secret"}


def test_unreachable_hub_is_a_clear_error(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    code, answer = _query(hub, "--endpoint", "http://127.0.0.1:9", "listing", "tests/tiny-GGUF")

    assert code == 1
    assert answer["error"]["kind"] == "hub"


def test_offline_setting_is_respected_and_named() -> None:
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        Hub("http://127.0.0.1:9").listing("tests/tiny-GGUF")


def test_split_gguf_parts_are_one_choice() -> None:
    offered = choices(_files("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "m-Q4_0.gguf"))

    assert {choice.title: len(choice.files) for choice in offered} == {"Q8_0": 2, "Q4_0": 1}


def test_single_gguf_is_named_by_its_quantization() -> None:
    assert choices(_files("SmolLM2-135M.Q4_1.gguf"))[0].title == "Q4_1"


def test_folder_leaves_out_pickles_and_pictures() -> None:
    offered = choices(
        _files("config.json", "model.safetensors", "tokenizer.json", "pytorch_model.bin", "logo.png")
    )

    assert offered[0].files == ("config.json", "model.safetensors", "tokenizer.json")
    assert offered[0].format == "hf"


def test_ambiguous_choice_lists_what_is_offered() -> None:
    from workbench.library.hub import HubListing

    offered = choices(_files("m-Q4_0.gguf", "m-Q8_0.gguf"))
    listing = HubListing(repo="a/b", commit="c", files=(), choices=offered)

    with pytest.raises(NotFoundError, match="Q4_0, Q8_0"):
        pick(listing, "")
    assert pick(listing, "q8_0").files == ("m-Q8_0.gguf",)
