"""`tenfold bench`, as a shell calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.fixtures.children import children_running
from workbench.cli.main import main
from workbench.measure.card import Conditions, Memory, Speed

SMALL = ("--threads", "1", "--batch", "2,1", "--prompt", "8", "--depth", "4", "--seconds", "0.5", "--quick")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that the machine is probed once."""
    return tmp_path_factory.mktemp("home")


def tenfold(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_figures_as_json_have_the_shape_of_a_card(home: Path, tiny_gguf: Path) -> None:
    ended = tenfold(home, "bench", str(tiny_gguf), *SMALL, "--json")

    said = json.loads(ended.stdout)
    speed = msgspec.convert(said["speed"], Speed)
    memory = msgspec.convert(said["memory"], Memory)
    conditions = msgspec.convert(said["conditions"], Conditions)
    assert ended.returncode == 0
    assert [each.batch for each in speed.decode] == [1, 2]
    assert speed.alone is not None
    assert speed.alone.share == pytest.approx(
        speed.alone.tokens_per_s * memory.weights / conditions.bandwidth, rel=0.01
    )
    assert (conditions.form, conditions.threads) == ("quick", 1)
    assert "llama-cpp-python" in conditions.engine
    assert said["model"]["format"] == "gguf"


def test_table_has_units_intervals_and_limits(home: Path, tiny_gguf: Path) -> None:
    ended = tenfold(home, "bench", str(tiny_gguf), *SMALL)

    assert ended.returncode == 0
    for text in (
        "TOKENS/S",
        "95 % INTERVAL",
        "2 answers after 4 tokens",
        "% of bandwidth",
        "% of arithmetic",
        "first token after 8 tokens",
        "GB/s of memory bandwidth",
        "peak of this measurement",
    ):
        assert text in ended.stdout
    assert "Measured in" in ended.stderr


@pytest.mark.parametrize(("flag", "value"), [("--batch", "0"), ("--prompt", "8,x"), ("--seconds", "nan")])
def test_wrong_value_is_refused(flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "m", flag, value])

    assert caught.value.code == 2
    assert flag in capsys.readouterr().err


def test_unknown_model_is_wrong_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "bench", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err


def test_file_that_is_no_model_is_an_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("Hello")

    ended = tenfold(home, "bench", str(tmp_path / "text.gguf"), "--json")

    assert ended.returncode == 1
    assert json.loads(ended.stdout)["error"]["kind"] == "model-file"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a group of processes")
def test_interrupted_measurement_leaves_no_process_behind(home: Path, tiny_gguf: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "workbench", "--home", str(home), "bench", str(tiny_gguf), "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    measuring = _child(running.pid, "workbench.measure.bench_process")

    os.killpg(running.pid, signal.SIGINT)
    _out, errors = running.communicate(timeout=60)

    assert running.returncode == 130
    assert b"Interrupted" in errors
    # Ended, though whoever inherits it may not have taken note of that yet.
    gone, alive = psutil.wait_procs([measuring], timeout=10)
    assert gone or alive[0].status() == psutil.STATUS_ZOMBIE


def _child(pid: int, module: str) -> psutil.Process:
    """The child that runs a module, once it is there."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for child in children_running(module, psutil.Process(pid)):
            return child
        time.sleep(0.01)
    raise AssertionError(f"no child runs {module}")
