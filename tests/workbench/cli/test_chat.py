"""`tenfold chat` and `tenfold generate`, as a shell calls them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
adapters = importlib.import_module("adapters")
SMALL = ("--context", "256", "--threads", "1", "--temperature", "0", "--max-tokens", "6")


def tenfold(home: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        input=given,
        timeout=120,
        check=False,
    )


def test_one_question_as_json(tmp_path: Path, tiny_gguf: Path) -> None:
    ended = tenfold(tmp_path, "chat", str(tiny_gguf), "-p", "Hi", *SMALL, "--json")

    said = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert said["figures"]["completion_tokens"] <= 6
    assert said["report"]["engine"] == "llama.cpp"
    assert said["reason"] in ("length", "stop")


def test_conversation_on_standard_input_reuses_its_turns(tmp_path: Path, tiny_gguf: Path) -> None:
    ended = tenfold(tmp_path, "chat", str(tiny_gguf), *SMALL, given="Hi\nAnd then?\n")

    assert ended.returncode == 0
    assert "prompt tokens reused" in ended.stderr
    assert ended.stderr.count("tokens at") == 2


def test_draft_is_compared(tmp_path: Path, tiny_gguf: Path) -> None:
    ended = tenfold(
        tmp_path,
        "chat",
        str(tiny_gguf),
        "-p",
        "a b c a b c",
        "--draft",
        "ngram",
        "--compare",
        *SMALL,
        "--json",
    )

    said = json.loads(ended.stdout)
    assert said["identical"] is True
    assert said["speed_up"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("chat", "nothing", "-p", "x"), 2, "No model is called 'nothing'"),
        (("chat", "MODEL", "--json"), 2, "--json needs -p"),
        (("chat", "MODEL", "-p", "x", "--engine", "torch"), 1, "can't run a model in gguf form"),
        (("chat", "MODEL", "-p", "x", "--context", "100000000"), 1, "more than is free"),
        (("chat", "MODEL", "-p", "word " * 900, "--context", "256"), 1, "The prompt has"),
        (("chat", "MODEL", "-p", "x", "--adapter", "a=/nothing"), 1, "it is not there"),
        (("chat", "MODEL", "-p", "x", "--adapter", "a=MODEL"), 1, "a model, not an adapter"),
        (("chat", "MODEL", "-p", "x", "--adapter", "a"), 2, "NAME=PATH"),
        (("generate", "MODEL", "--in", "/nothing", "--out", "x"), 2, "is not a file"),
    ],
)
def test_mistakes_are_said(
    tmp_path: Path, tiny_gguf: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ended = tenfold(tmp_path, *(each.replace("MODEL", str(tiny_gguf)) for each in arguments))

    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr + ended.stdout


def test_adapter_of_the_library_answers_through_its_base(tmp_path: Path, tiny_gguf: Path) -> None:
    home = tmp_path / "home"
    file = adapters.gguf_adapter(tmp_path / "tone.gguf", base="Tiny")
    alone = tenfold(home, "models", "add", str(file))
    without = tenfold(home, "chat", "tone", "-p", "Hi", *SMALL)
    tenfold(home, "models", "add", str(tiny_gguf), "--name", "Tiny", "--no-hash")

    named = json.loads(tenfold(home, "chat", "tone", "-p", "Hi", *SMALL, "--json").stdout)
    beside = tenfold(home, "chat", "Tiny", "--adapter", "tone", "-p", "Hi", *SMALL, "--json")
    base = json.loads(tenfold(home, "chat", "Tiny", "-p", "Hi", *SMALL, "--json").stdout)

    assert alone.returncode == 0
    assert without.returncode == 2
    assert "Add Tiny as GGUF" in without.stderr
    assert named["report"]["adapters"] == ["tone"]
    assert named["text"] == json.loads(beside.stdout)["text"] != base["text"]
    direct = tenfold(home, "chat", str(file), "-p", "Hi")
    assert "is an adapter" in direct.stderr


def test_file_of_prompts_is_answered(tmp_path: Path, tiny_gguf: Path) -> None:
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("id,prompt\na,Hello\nb,\nc,Goodbye\n", encoding="utf-8")
    home = tmp_path / "home"
    added = tenfold(home, "models", "add", str(tiny_gguf), "--json")

    ended = tenfold(
        home,
        *(
            "generate",
            json.loads(added.stdout)["id"],
            "--in",
            str(prompts),
            "--out",
            str(tmp_path / "a.jsonl"),
        ),
        *("--set", "max_tokens=4", "--set", "context=256", "--json"),
    )

    said = json.loads(ended.stdout)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert said["state"] == "done"
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["completion_tokens"] <= 4
    assert "no text" in rows[1]["error"]
    measured = next(home.glob("jobs/*/measured.jsonl")).read_text(encoding="utf-8")
    assert json.loads(measured.splitlines()[-1])["tokens_per_s"] >= 0
