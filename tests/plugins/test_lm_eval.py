"""Tasks of lm-eval, in the environment that its jobs get, on the sample model; nothing comes from a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.cli.main import main
from workbench.home import Home

_TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
doc_to_text: "{{{{question}}}}"
{rest}
metadata: {{version: 1.0}}
"""
_CHOICES = """
output_type: multiple_choice
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""
_WRITTEN = """
output_type: generate_until
doc_to_target: " {{choices[answer]}}"
generation_kwargs: {until: [".", ","], max_gen_toks: 3}
metric_list: [{metric: exact_match}]
"""


@pytest.mark.real_model
def test_tasks_of_ones_own_are_asked(
    home: Home, sample_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "capitals.jsonl"
    asked = [("France", ["Lyon", "Paris"], 1), ("Italy", ["Rome", "Milan"], 0)]
    rows.write_text(
        "".join(
            json.dumps({"question": f"The capital of {name} is", "choices": choices, "answer": answer}) + "\n"
            for name, choices, answer in asked
        )
    )
    for name, rest in (("chosen", _CHOICES), ("written", _WRITTEN)):
        (tmp_path / f"{name}.yaml").write_text(_TASK.format(name=name, rows=rows, rest=rest))
    model = _answer(capsys, "models", "add", sample_gguf)["id"]

    made = _answer(
        capsys, *("run", "lm-eval", "--model", model), *("--set", "tasks=chosen,written"),
        *("--set", f"folder={tmp_path}"),
    )  # fmt: skip

    found = json.loads(next((home.jobs / made["job"] / "out").glob("*.json")).read_text())
    assert found["results"]["chosen"]["acc,none"] == 1.0
    assert found["results"]["written"]["exact_match,none"] == 1.0
    assert found["n-samples"]["chosen"] == {"original": 2, "effective": 2}
    events = (home.jobs / made["job"] / "events.jsonl").read_text()
    assert "chosen acc" in events

    # The environment is there now; a task that is not is named.
    assert main(["run", "lm-eval", "--model", model, "--set", "tasks=nonsense", "--json"]) == 1
    assert "lm-eval has no task nonsense" in capsys.readouterr().out


def _answer(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr().out
    assert code == 0, said
    answer: dict[str, Any] = json.loads(said)
    return answer
