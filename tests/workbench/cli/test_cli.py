"""The command line as scripts use it: real processes, JSON on standard output, true exit codes."""

from __future__ import annotations

import hashlib
import importlib
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from workbench.home import Home
from workbench.session import Session

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
adapters = importlib.import_module("adapters")
_STEPS = Path(__file__).parents[2] / "fixtures" / "plugins" / "steps.py"


def tenfold(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def answer(*words: object) -> dict[str, Any]:
    """What a command prints with `--json`: one object and nothing else."""
    ended = tenfold(*words, "--json")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.fixture
def model(home: Home, tiny_gguf: Path) -> dict[str, Any]:
    (home.plugins / "steps.py").write_bytes(_STEPS.read_bytes())
    return answer("models", "add", tiny_gguf)


def test_added_model_has_its_id_path_and_hash(model: dict[str, Any], tiny_gguf: Path) -> None:
    assert model["path"] == str(tiny_gguf)
    assert model["sha256"] == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()
    listed = answer("models", "list")["models"]
    assert [each["id"] for each in listed] == [model["id"]]
    again = answer("models", "add", tiny_gguf)
    assert (again["id"], again["already_known"]) == (model["id"], True)


def test_run_quantizes_and_names_the_result(model: dict[str, Any]) -> None:
    ended = tenfold("run", "gguf-quantize", "--model", model["id"], "--set", "type=Q8_0", "--json")

    said = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert said["state"] == "done"
    assert hashlib.sha256(Path(said["path"]).read_bytes()).hexdigest() == said["sha256"]
    assert "done" in ended.stderr
    shown = answer("models", "show", said["model"])
    assert (shown["quantization"], shown["parent"]) == ("Q8_0", model["id"])


def test_exported_script_makes_the_same_bytes(model: dict[str, Any], tmp_path: Path) -> None:
    made = answer("run", "gguf-quantize", "--model", model["id"], "--set", "type=Q4_K_M")
    script = tmp_path / "job.py"
    answer("jobs", "export", made["job"], "-o", script)

    out = tmp_path / "alone.gguf"
    subprocess.run([sys.executable, script, "--model", model["path"], "--out", out], check=True)

    assert hashlib.sha256(out.read_bytes()).hexdigest() == made["sha256"]


def test_failed_job_ends_with_one_and_says_why(model: dict[str, Any]) -> None:
    ended = tenfold("run", "steps", "--model", model["id"], "--set", "ending=known", "--json")

    assert ended.returncode == 1
    said = json.loads(ended.stdout)
    assert said["state"] == "failed"
    assert said["error"]["message"] == "The steps lead nowhere."
    assert "lead nowhere" in tenfold("jobs", "log", "last").stdout


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("models", "show", "nothing"), "not-found"),
        (("run", "no-such-thing"), "not-found"),
        (("jobs", "cancel", "nothing"), "not-found"),
        (("run", "gguf-quantize"), "usage"),
    ],
)
def test_wrong_use_ends_with_two(home: Home, words: tuple[str, ...], kind: str) -> None:
    ended = tenfold(*words, "--json")

    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"]["kind"] == kind


def test_wrong_value_names_what_is_allowed(model: dict[str, Any]) -> None:
    ended = tenfold("run", "steps", "--model", model["id"], "--set", "steps=0")

    assert ended.returncode == 2
    assert "a whole number from 1 to 100000" in ended.stderr


def test_adapter_is_added_below_its_base_and_described(home: Home, tiny_hf: Path, tmp_path: Path) -> None:
    base = answer("models", "add", tiny_hf, "--name", "Tiny")
    folder = adapters.peft_adapter(tmp_path / "support-tone", base="Tiny", proven=True)

    added = answer("models", "add", folder)

    assert (added["format"], added["parent"], added["name"]) == ("adapter", base["id"], "support-tone")
    assert added["tuning"]["accuracy_after"] == 0.94
    assert "LoRA r4" in tenfold("models", "list").stdout
    shown = tenfold("models", "show", "support-tone").stdout
    assert "down_proj, q_proj, v_proj" in shown
    assert "held out after      0.42" in shown
    assert "beside its base" in tenfold("models", "fit", "support-tone").stderr


def test_paths_are_files_or_models_by_their_names(model: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "two, one.txt").touch()
    notes = f'["{(tmp_path / "two, one.txt").as_posix()}", "{model["name"]}"]'

    made = answer("run", "steps", "--model", model["id"], "--set", f"notes={notes}")

    wanted = [str(tmp_path / "two, one.txt"), model["path"]]
    assert answer("jobs", "show", made["job"])["params"]["notes"] == wanted
    log = tenfold("jobs", "log", made["job"]).stdout
    assert "noted two, one.txt: True" in log
    assert f"noted {Path(model['path']).name}: True" in log
    ended = tenfold("run", "steps", "--model", model["id"], "--set", "notes=nowhere.txt", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["error"]["kind"]) == (2, "parameter")


def test_exported_script_finds_files_and_folders_beside_it(model: dict[str, Any], tmp_path: Path) -> None:
    for name in ("here/adapter", "there"):
        (tmp_path / name).mkdir(parents=True)
    made = answer("run", "steps", "--model", model["id"], "--set", f"notes={tmp_path / 'here' / 'adapter'}")
    script = tmp_path / "there" / "job.py"
    answer("jobs", "export", made["job"], "-o", script)
    words = [sys.executable, script, "--model", model["path"], "--out", tmp_path / "alone.gguf"]
    words += ["--plugin-dir", _STEPS.parent]

    without = subprocess.run(words, capture_output=True, text=True, check=False)
    (script.parent / "adapter").mkdir()
    beside = subprocess.run(words, capture_output=True, text=True, check=False)

    assert without.returncode == 1
    assert "the file for “notes” was not found" in without.stderr
    assert beside.returncode == 0, beside.stderr


def test_broken_file_is_a_clear_failure(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 16)

    ended = tenfold("models", "add", broken)

    assert ended.returncode == 1
    assert "broken.gguf" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert answer("models", "list")["models"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C can't be sent to one process there")
def test_interrupt_cancels_the_job_and_ends_with_130(model: dict[str, Any], home: Home) -> None:
    words = ["run", "steps", "--model", model["id"], "--set", "steps=100000", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-m", "workbench", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    tick = threading.Event()
    while not list(home.jobs.glob("*/checkpoints/step")):
        assert running.poll() is None
        tick.wait(0.05)

    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)

    assert running.returncode == 130
    assert json.loads(out)["state"] == "cancelled"


def test_pause_and_resume_from_other_processes(model: dict[str, Any], home: Home) -> None:
    # More than pausing takes, however busy the machine is.
    words = ["run", "steps", "--model", model["id"], "--set", "steps=50000", "--set", "pause_ms=20", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-m", "workbench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    tick = threading.Event()
    while not list(home.jobs.glob("*/checkpoints/step")):
        assert running.poll() is None
        tick.wait(0.05)

    answer("jobs", "pause", "last")
    out, _ = running.communicate(timeout=60)
    assert json.loads(out)["state"] == "paused"
    next(home.jobs.glob("*/checkpoints/step")).write_text("49990")
    resumed = answer("jobs", "resume", "last", "--wait")

    assert resumed["state"] == "done"


def test_job_is_taken_over_from_a_window_that_closes(model: dict[str, Any], home: Home) -> None:
    words = ["run", "steps", "--model", model["id"], "--set", "steps=3", "--json"]
    with Session.open(home, supervise=True) as window:
        running = subprocess.Popen(
            [sys.executable, "-m", "workbench", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        tick = threading.Event()
        while not window.board.list():
            assert running.poll() is None
            tick.wait(0.05)

    out, _ = running.communicate(timeout=60)

    assert running.returncode == 0
    assert json.loads(out)["state"] == "done"


def test_operations_list_their_parameters(home: Home) -> None:
    listed = answer("operations", "list")
    assert {"gguf-quantize", "gguf-convert", "gguf-dequantize", "mlx-quantize", "hub-download"} <= {
        each["name"] for each in listed["operations"]
    }
    assert listed["failures"] == []
    shown = tenfold("operations", "show", "gguf-quantize").stdout
    assert "Q4_K_M" in shown
    assert "4.89 bits" in shown


def test_plugins_that_raise_hang_or_leave_are_one_failure_each(home: Home, monkeypatch: Any) -> None:
    from workbench import catalogue, catalogue_probe

    monkeypatch.setattr(catalogue_probe, "LIMIT_S", 3.0)
    (home.plugins / "raises.py").write_text("raise RuntimeError('bad day')")
    (home.plugins / "hangs.py").write_text("import time\ntime.sleep(60)")
    (home.plugins / "leaves.py").write_text("import os\nos._exit(4)")
    (home.plugins / "empty.py").write_text("")

    contents = catalogue.Catalogue(home).load()

    reasons = {each.plugin: each.reason for each in contents.failures}
    assert "bad day" in reasons["file:raises.py"]
    assert "3 seconds" in reasons["file:hangs.py"]
    assert "exit code 4" in reasons["file:leaves.py"]
    assert "offers nothing" in reasons["file:empty.py"]
    assert any(each.name == "gguf-quantize" for each in contents.operations)


def test_fit_tells_weights_cache_and_places(model: dict[str, Any]) -> None:
    fit = answer("models", "fit", model["id"], "--context", "1024")

    # 2 layers, 2 key-value heads of 16, keys and values in 2 bytes.
    assert fit["kv_bytes"] == 2 * 2 * (16 + 16) * 2 * 1024
    assert fit["places"][-1]["fits"] is True
    assert fit["error_fraction"] is None
    measured = answer("models", "fit", model["id"], "--context", "1024", "--measure")
    assert measured["loads"] == 1
    assert measured["measured_bytes"] > 0


def test_doctor_tries_every_backend_in_a_process(home: Home) -> None:
    said = answer("doctor")

    works = {each["name"]: each["works"] for each in said["backends"]}
    assert works == {"llama.cpp": True, "PyTorch": True, "MLX": True, "GGUF conversion": True}
    assert said["machine"]["cores"] >= 1


def test_engine_room_works_where_no_qt_is(home: Home) -> None:
    code = (
        "import sys; sys.modules['PySide6'] = None\n"
        "from workbench.cli import main; sys.exit(main(['models', 'list']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "No models yet" in ended.stdout
