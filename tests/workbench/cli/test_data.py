from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures.entries import PLUGINS
from workbench.cli import main
from workbench.data.plugin_reader import use_data_readers
from workbench.home import Home
from workbench.session import Session


@pytest.fixture
def model(home: Home, tiny_hf: Path) -> str:
    with Session.open(home, supervise=False) as session:
        return session.library.add(tiny_hf).record.id


def test_inspect_says_what_the_model_will_see(
    home: Home, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "a.jsonl"
    rows = [{"prompt": f"Question {at}", "completion": "Answer " * (at + 1)} for at in range(20)]
    data.write_text("\n".join(map(json.dumps, rows)) + "\nbroken\n", encoding="utf-8")

    code = main(
        [
            "--home",
            str(home.root),
            "data",
            "inspect",
            str(data),
            "--model",
            model,
            "--max-tokens",
            "40",
            "--json",
        ]
    )

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["rows"], found["bad"], found["kind"]) == (20, 1, "completion")
    assert found["bad_rows"][0]["line"] == 21
    assert 0 < found["masked_share"] < 1
    assert found["percentiles"]["50"] < found["longest"]
    assert found["cut_rows"] > 0
    assert {each["name"] for each in found["defaults"]} >= {"method", "rank", "learning_rate", "max_tokens"}
    assert all(each["reason"] for each in found["defaults"])
    memory = {each["method"]: each["memory"]["total_bytes"] for each in found["estimate"]["memory"]}
    assert memory["lora"] < memory["full"]
    assert found["estimate"]["epoch"]["seconds"] > 0
    assert found["estimate"]["runs"] == []

    assert main(["--home", str(home.root), "data", "inspect", str(data), "--model", model]) == 0
    said = capsys.readouterr().out
    assert "20 rows of kind completion, 1 bad" in said
    assert "a.jsonl line 21" in said
    assert "an epoch takes about" in said
    assert "  method = lora: " in said


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--kind", "poem"], "no kind"),
        (["--map", "prompt=x"], "--kind"),
        (["--kind", "completion", "--map", "prompt"], "PART=FIELD"),
        (["--held-out", "1"], "between 0 and 1"),
    ],
)
def test_wrong_use_says_what_is_right(
    home: Home, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], word: str
) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")

    assert main(["--home", str(home.root), "data", "inspect", str(data), "--model", model, *more]) in (1, 2)
    assert word in capsys.readouterr().err


def test_a_gguf_file_is_no_model_to_train(
    home: Home, tiny_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Session.open(home, supervise=False) as session:
        id = session.library.add(tiny_gguf).record.id
    data = tmp_path / "a.jsonl"
    data.write_text('{"text": "a"}\n', encoding="utf-8")

    assert main(["--home", str(home.root), "data", "inspect", str(data), "--model", id]) == 2
    assert "gguf-dequantize" in capsys.readouterr().err


def test_held_out_rows_of_their_own_must_be_others(
    home: Home, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, apart = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    train.write_text('{"text": "one"}\n{"text": "two"}\n', encoding="utf-8")
    apart.write_text('{"text": "two"}\n', encoding="utf-8")
    call = [
        "--home",
        str(home.root),
        "data",
        "inspect",
        str(train),
        "--model",
        model,
        "--held-out-file",
        str(apart),
    ]

    assert main(call) == 0
    said = capsys.readouterr().out
    assert "refuse this: 1 row is both trained on and held out: b.jsonl line 1 is a.jsonl line 2" in said
    apart.write_text('{"text": "three"}\n', encoding="utf-8")
    assert main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["held_out"], found["train"]["rows"], found["refused"]) == (1, 2, [])
    assert found["evaluation"]["learned"] > 0


def test_rows_are_shown_token_by_token(
    home: Home, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "a.jsonl"
    rows = [{"prompt": f"Question {at}", "completion": "Answer"} for at in range(5)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    call = ["--home", str(home.root), "data", "inspect", str(data), "--model", model]
    call += ["--held-out", "0", "--preview", "2", "--offset", "3"]

    assert main([*call, "--weight", "2", "--json", "--progress"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main([*call, "--train-on", "everything"]) == 0
    said = capsys.readouterr().out

    assert lines[0]["progress"].keys() == {"done", "total"}
    shown = lines[-1]["preview"]
    assert [(row["file"], row["line"], row["held_out"]) for row in shown] == [
        ("a.jsonl", 4, False),
        ("a.jsonl", 5, False),
    ]
    sequence = shown[0]["sequences"][0]
    assert sequence[0].keys() == {"id", "text", "trained", "cut"}
    assert "".join(token["text"] for token in sequence if token["trained"]) == "Answer<|im_end|>"
    assert lines[-1]["train"]["rows"] == 5
    assert lines[-1]["files"][0]["weight"] == 2.0
    assert "a.jsonl line 5 (learned)" in said
    assert "⟦" in said.split("line 4")[1].split("Question")[0]


def test_the_fields_of_files_are_told_without_a_model(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, unknown = tmp_path / "a.csv", tmp_path / "b.jsonl"
    known.write_text("question,answer\nWhy?,Because.\n", encoding="utf-8")
    unknown.write_text('{"frage": ["\\ud83e", 1]}\nno row\n', encoding="utf-8")

    assert main(["--home", str(home.root), "data", "fields", str(known), str(unknown), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["files"]

    assert first["fields"] == {"question": "Why?", "answer": "Because."}
    assert first["layout"] == {
        "kind": "completion",
        "fields": {"prompt": "question", "completion": "answer"},
    }
    assert list(second["fields"]) == ["frage"]
    assert second["layout"] is None
    assert "no row" not in second["problem"]
    assert main(["--home", str(home.root), "data", "fields", str(tmp_path / "none.csv")]) == 1
    assert "not a file" in capsys.readouterr().err


def test_a_file_of_a_kind_that_a_plugin_reads_is_looked_at_like_any_other(
    home: Home, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "old.letters"
    data.write_text("".join(f"Question {at}|Answer\n" for at in range(20)) + "no bar\n", encoding="utf-8")
    words = ["--home", str(home.root), "--json", "data", "inspect", str(data), "--model", model]
    assert main(words) != 0
    assert "of no kind that holds examples" in capsys.readouterr().out
    shutil.copy(PLUGINS / "letters.py", home.plugins)

    code = main(words)

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["rows"], found["bad"], found["kind"]) == (20, 1, "completion")
    assert found["bad_rows"] == [{"file": "old.letters", "line": 21, "problem": "There is no bar."}]
    use_data_readers([])
