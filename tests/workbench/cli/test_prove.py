"""Tests `tenfold prove` as scripts use it, on real files of a tiny model."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from workbench.cli.main import main
from workbench.home import Home
from workbench.measure.card import read_card
from workbench.measure.proofs import Proofs

_PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"
QUALITY = ("mean_kld", "p99_kld", "same_top", "ppl", "ppl_base")


class Line:
    """The command line within this process, which is what takes long to start; its jobs are real ones."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, dict[str, Any]]:
        """The exit code, and what was printed."""
        self._capsys.readouterr()
        code = main([*map(str, words), "--json"])
        return code, json.loads(self._capsys.readouterr().out)

    def answer(self, *words: object) -> dict[str, Any]:
        """What a command that succeeds prints."""
        code, found = self(*words)
        assert code == 0, found
        return found

    def problem(self, *words: object, code: int = 1) -> dict[str, Any]:
        """The error of a command that fails."""
        found = self(*words)
        assert found[0] == code, found
        problem: dict[str, Any] = found[1]["error"]
        return problem


@pytest.fixture
def line(home: Home, capsys: pytest.CaptureFixture[str]) -> Line:
    return Line(capsys)


@pytest.fixture
def pair(line: Line, tiny_gguf: Path) -> tuple[str, str]:
    """The ids of a tiny model in F16 and in Q4_0."""
    parent = line.answer("models", "add", tiny_gguf)["id"]
    return parent, line.answer("run", "gguf-quantize", "--model", parent, "--set", "type=Q4_0")["model"]


def test_a_proof_is_kept_found_again_and_checked(
    home: Home, line: Line, pair: tuple[str, str], tmp_path: Path
) -> None:
    parent, child = pair
    shutil.copy(_PLUGINS / "figures.py", home.plugins)
    metrics = ["--metric", "answer-length", "--metric", "raises"]
    out = tmp_path / "card.json"
    said = line.answer("prove", child, "--windows", 2, *metrics, "--out", out)

    assert said["reference"]["sha256"] == line.answer("models", "show", parent)["sha256"]
    for name in QUALITY:
        assert said["quality"][name] > 0 and said["quality"][f"{name}_error"] >= 0
    assert said["quality"]["ppl_error"] > 0
    assert said["speed"]["decode"][0]["tokens_per_s"] > 0
    assert said["memory"]["peak"] > 0
    assert said["conditions"]["text_sha256"]
    assert [each["result"] for each in said["parity"]] == ["passed"] * len(said["parity"])
    assert [each.card for each in Proofs(home.proofs).all()] == [read_card(out)]
    _check_metrics(said, home.jobs / said["job"])

    # The same again is known: not even the noisy figures change.
    again = line.answer("prove", child, "--against", parent, "--windows", 2, *metrics[:2])
    assert again["metrics"] == said["metrics"][:1]
    for part in ("quality", "speed", "memory", "tasks", "identity", "examples"):
        assert again[part] == said[part], part

    checked = line.answer("prove", "--check", out, "--no-speed")
    assert checked["holds"]
    outcomes = {each["claim"]: each["outcome"] for each in checked["findings"]}
    assert outcomes["mean KL divergence"] == "holds"
    assert outcomes["decode speed"] == "not checked"
    assert outcomes["Length of answers"] == outcomes["Length of answers, of the reference"] == "holds"
    assert "Raising" not in outcomes

    content = json.loads(out.read_text("utf-8"))
    content["quality"]["mean_kld"] /= 2
    out.write_text(json.dumps(content), encoding="utf-8")
    assert "was altered after it was made" in line.problem("prove", "--check", out)["message"]

    assert "“nothing”" in line.problem("prove", child, "--metric", "nothing", code=2)["message"]
    line.answer("jobs", "export", said["job"], "--form", "bundle", "-o", tmp_path / "job.zip")
    with zipfile.ZipFile(tmp_path / "job.zip") as bundle:
        assert bundle.read("figures.py") == (home.plugins / "figures.py").read_bytes()


def _check_metrics(card: dict[str, Any], folder: Path) -> None:
    """One figure of both models, and one that could not be measured: on the card, in log and script."""
    length, raising = card["metrics"]
    assert length["figure"]["n"] == length["reference"]["n"] == 3
    assert length["plugin"] == "file:figures.py" and len(length["sha256"]) == 64
    assert raising["figure"] is None and raising["problem"].startswith("RuntimeError: no idea")
    log, script = (folder / "log.txt").read_text("utf-8"), (folder / "job.py").read_text("utf-8")
    assert "Raising: could not be measured: RuntimeError: no idea" in log and 'raise RuntimeError("no' in log
    assert '"file:figures.py:answer-length", "file:figures.py:raises"' in script
    assert "It needs the plugin figures.py beside it" in script


def test_what_cant_be_measured_says_why_and_leaves_no_card(
    home: Home, line: Line, pair: tuple[str, str], tmp_path: Path
) -> None:
    parent, child = pair
    short, binary = tmp_path / "short.txt", tmp_path / "binary.txt"
    short.write_bytes(b"Only a few words.\n")
    binary.write_bytes(b"\x7fELF\x00\x01\xff\xfe" * 4000)

    problem = line.problem("prove", child, "--text", short, "--no-speed")
    assert "it needs 512" in problem["message"]
    problem = line.problem("prove", child, "--text", binary, "--no-speed")
    assert "is no text" in problem["message"]
    problem = line.problem("prove", child, "--against", tmp_path / "gone.gguf", code=2)
    assert "gone.gguf" in problem["message"]
    problem = line.problem("prove", parent, code=2)
    assert "--alone" in problem["remedy"]
    assert Proofs(home.proofs).all() == ()


def test_an_importance_matrix_is_named_by_the_job_that_made_it(
    home: Home, line: Line, tiny_gguf: Path, tmp_path: Path
) -> None:
    model = line.answer("models", "add", tiny_gguf)["id"]
    job = line.answer("run", "imatrix", "--model", model, "--set", "windows=1", "--set", "width=64")["job"]

    made = line.answer(
        "run", "gguf-quantize", "--model", model, "--set", "type=IQ2_XXS", "--set", f"imatrix={job}"
    )
    problem = line.problem(
        "run", "gguf-quantize", "--model", model, "--set", f"imatrix={made['job']}", code=2
    )

    assert Path(made["path"]).is_file()
    assert "imatrix" in problem["message"]
