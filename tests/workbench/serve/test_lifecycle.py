"""Loading, unloading, dying and ending."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import openai
import psutil
import pytest
from _pytest.monkeypatch import MonkeyPatch

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
TURNS = [{"role": "user", "content": "Say something."}]
SMALL = ("--context", "256", "--parallel", "1")


def engines(server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


def ask(server, model: str | None = None, **more: object) -> str:
    asked = {"model": model or server.models[0], "messages": TURNS, "max_tokens": 4, **more}
    return server.client().chat.completions.create(**asked).choices[0].finish_reason


def test_a_model_is_loaded_when_first_asked_for(serve, tiny_gguf: Path) -> None:
    with serve(str(tiny_gguf), *SMALL) as server:
        assert engines(server) == []
        ask(server)
        assert len(engines(server)) == 1


def test_preloading_and_many_first_requests_load_once(serve, tiny_gguf: Path) -> None:
    with serve(str(tiny_gguf), *SMALL, "--preload") as server:
        assert len(engines(server)) == 1
        ask(server)
        assert len(engines(server)) == 1


def test_least_recently_used_goes_when_memory_is_short(serve, tiny_gguf: Path, tmp_path: Path) -> None:
    paths = [shutil.copy(tiny_gguf, tmp_path / f"{name}.gguf") for name in ("one", "two", "three")]
    with serve(*map(str, paths), *SMALL) as server:
        ask(server, "one")
        each = _loaded_bytes(server)
    # Room for two.
    with serve(*map(str, paths), *SMALL, "--memory-budget", str(each * 2.5 / 1e9)) as server:
        for name in ("one", "two", "one", "three"):
            ask(server, name)
        loaded = {model["id"]: model["loaded"] for model in _models(server)}
        assert loaded == {"one": True, "two": False, "three": True}


def test_adapter_is_served_as_a_model_and_can_be_left_out(serve, tiny_gguf: Path, tmp_path: Path) -> None:
    file = importlib.import_module("adapters").gguf_adapter(tmp_path / "tone.gguf", base="Tiny")
    for words in ((str(tiny_gguf), "--name", "Tiny"), (str(file),)):
        command = [sys.executable, "-m", "workbench", "--home", str(tmp_path / "home"), "models", "add"]
        subprocess.run([*command, *words, "--no-hash"], check=True, capture_output=True)

    with serve("Tiny", "tone", *SMALL) as server:
        said = {}
        for name, model, more in (
            ("base", "Tiny", {}),
            ("adapter", "tone", {}),
            ("left out", "tone", {"adapters": []}),
            ("named", "tone", {"adapters": [{"name": "tone"}]}),
        ):
            options = {"temperature": 0, "max_tokens": 6, "extra_body": more}
            answer = server.client().chat.completions.create(model=model, messages=TURNS, **options)
            said[name] = answer.choices[0].message.content

    assert said["left out"] == said["base"] != said["adapter"]
    assert said["named"] == said["adapter"]


def test_budget_that_is_too_small_is_a_clear_error(serve, tiny_gguf: Path) -> None:
    with (
        serve(str(tiny_gguf), *SMALL, "--memory-budget", "0.0001") as server,
        pytest.raises(openai.InternalServerError, match="budget"),
    ):
        ask(server)


def test_unused_model_is_unloaded_after_its_time(serve, tiny_gguf: Path) -> None:
    with serve(str(tiny_gguf), *SMALL, "--keep-alive", "0.5") as server:
        ask(server)
        gone, alive = psutil.wait_procs(engines(server), timeout=20)
        assert gone
        assert not alive
        assert ask(server) in ("length", "stop")


def test_killed_engine_fails_its_requests_and_comes_back(serve, tiny_gguf: Path) -> None:
    with serve(str(tiny_gguf), *SMALL) as server:
        stream = server.client().chat.completions.create(
            model=server.models[0], messages=TURNS, stream=True, max_tokens=200
        )
        next(iter(stream))
        engines(server)[0].kill()

        with pytest.raises(openai.APIError, match="generating process ended"):
            for _ in stream:
                pass
        assert ask(server) in ("length", "stop")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
def test_told_to_stop_it_ends_with_its_engines(serve, tiny_gguf: Path, sign: signal.Signals) -> None:
    with serve(str(tiny_gguf), *SMALL) as server:
        ask(server)
        left = engines(server)
        server.process.send_signal(sign)
        server.process.wait(60)
    gone, alive = psutil.wait_procs(left, timeout=20)

    assert not alive
    assert gone


def test_broken_model_is_said_and_the_server_lives(serve, tmp_path: Path, tiny_gguf: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_gguf.read_bytes()[:-100_000])
    ended = subprocess.run(
        [sys.executable, "-m", "workbench", "--home", str(tmp_path / "home"), "serve", str(broken), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "broken.gguf" in json.loads(ended.stdout)["error"]["message"]


def test_port_that_is_taken_is_a_usage_error(server, tiny_gguf: Path, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "workbench", "--home", str(tmp_path), "serve", str(tiny_gguf)),
            *("--port", port, "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "can't listen" in json.loads(ended.stdout)["error"]["message"]


def test_without_its_packages_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from workbench.cli import main

    for name in [*sys.modules]:
        if name.startswith(("workbench.serve", "starlette", "uvicorn")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert main(["--home", str(tmp_path), "serve", "x", "--json"]) == 1
    assert 'pip install \\"tenfold[serve]\\"' in capsys.readouterr().out


def _models(server) -> list[dict[str, object]]:
    return httpx.get(server.url + "/v1/models", headers=server.headers).json()["data"]


def _loaded_bytes(server) -> float:
    text = httpx.get(server.url + "/metrics", headers=server.headers).text
    line = next(each for each in text.splitlines() if each.startswith("tenfold_model_memory_bytes{"))
    return max(float(line.split()[-1]), 50e6)
