from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.assets import SAMPLE_DATASET, SAMPLE_TEST
from workbench.cli import main
from workbench.home import Home


def test_sample_writes_both_files_into_a_new_folder(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "folder"

    code = main(["data", "sample", "-o", str(folder), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert Path(found["train"]).read_bytes() == SAMPLE_DATASET.read_bytes()
    assert Path(found["test"]).read_bytes() == SAMPLE_TEST.read_bytes()
    assert {each.name for each in folder.iterdir()} == {SAMPLE_DATASET.name, SAMPLE_TEST.name}


def test_sample_goes_into_this_folder_and_says_what_to_run(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code = main(["data", "sample"])

    said = capsys.readouterr().out
    assert code == 0
    assert "tenfold run finetune-torch" in said
    assert "data=desk-codes.jsonl" in said
    assert (tmp_path / "desk-codes-test.jsonl").exists()


def test_sample_replaces_no_file_of_the_persons(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / SAMPLE_DATASET.name
    own.write_text("mine", encoding="utf-8")

    refused = main(["data", "sample", "-o", str(tmp_path)])

    assert refused == 2
    assert "other content" in capsys.readouterr().err
    assert own.read_text(encoding="utf-8") == "mine"

    own.unlink()
    assert main(["data", "sample", "-o", str(tmp_path)]) == 0
    assert main(["data", "sample", "-o", str(tmp_path)]) == 0


def test_sample_refuses_a_folder_that_is_a_file(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert main(["data", "sample", "-o", str(tmp_path / "file")]) == 2
    assert "can't be written" in capsys.readouterr().err
