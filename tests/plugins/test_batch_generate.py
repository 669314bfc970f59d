"""A file of prompts answered as a job: bad rows, order, timing, and going on after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins._prompt_rows import read_prompts
from workbench.errors import ParameterError


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_row_has_its_answer_or_its_reason(
    tmp_path: Path, tiny_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"Number {number}", "id": f"r{number}"} for number in range(7)]
    text = "\n".join(json.dumps(row) for row in rows)
    prompts.write_bytes(text.encode() + b'\n\n{"prompt": 5}\n\xff\xfe\n[1]\n{"messages": []}\n')

    ran = run_plugin("batch-generate", tiny_gguf, prompts=str(prompts), max_tokens=5, width=3, context=256)

    assert ran.code == 0
    found = lines(ran.result)
    assert [row["line"] for row in found] == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]
    assert [row["id"] for row in found[:7]] == [f"r{number}" for number in range(7)]
    assert all(row["completion_tokens"] <= 5 for row in found[:7])
    measured = lines(ran.folder / "measured.jsonl")
    assert [row["line"] for row in measured] == [1, 2, 3, 4, 5, 6, 7]
    assert all(row["time_to_first_token_s"] > 0 for row in measured)
    assert not measured[0].keys() & found[0].keys() - {"line", "id"}
    assert all("error" in row and "text" not in row for row in found[7:])
    assert (ran.progress[-1].done, ran.progress[-1].unit) == (11, "prompts")


def test_going_on_answers_only_what_is_missing(
    tmp_path: Path, tiny_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("prompt\n" + "\n".join(f"Number {n}" for n in range(5)) + "\n", encoding="utf-8")
    ran = run_plugin("batch-generate", tiny_gguf, prompts=str(prompts), max_tokens=4, context=256)
    whole = ran.result.read_text(encoding="utf-8")
    kept = ran.folder / "checkpoints" / "answers.jsonl"
    kept.parent.mkdir(exist_ok=True)
    first_two = whole.splitlines()[:2]
    # As after a kill in the middle of a line.
    kept.write_text("\n".join(first_two) + '\n{"line": 3, "te', encoding="utf-8")
    ran.result.unlink()

    code = subprocess.call(
        [
            *(
                sys.executable,
                ran.folder / "job.py",
                "--job-dir",
                ran.folder,
                "--model",
                tiny_gguf,
                "--resume",
            ),
            *("--set", f"prompts={prompts}"),
        ],
        cwd=ran.folder,
    )

    assert code == 0

    assert ran.result.read_text(encoding="utf-8") == whole
    assert "5 rows, 2 of them answered before" in (ran.folder / "events.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["missing.jsonl", "prompts.parquet"])
def test_file_that_can_not_be_read_is_refused(tmp_path: Path, name: str) -> None:
    if name != "missing.jsonl":
        (tmp_path / name).write_bytes(b"PAR1")

    with pytest.raises(ParameterError):
        list(read_prompts(tmp_path / name, field_name="prompt", system=""))


def test_system_prompt_is_put_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    own = {"messages": [{"role": "system", "content": "Mine"}, {"role": "user", "content": "x"}]}
    path.write_text(json.dumps({"prompt": "a"}) + "\n" + json.dumps(own) + "\n", encoding="utf-8")

    found = list(read_prompts(path, field_name="prompt", system="Be kind."))

    assert [row.messages[0].content for row in found] == ["Be kind.", "Mine"]
