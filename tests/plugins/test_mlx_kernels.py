from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from plugins._mlx_kernels import kernels_kept
from plugins._mlx_memory import on_gpu
from workbench.plugin.testing import RecordingJob


def test_compiled_kernels_lie_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mx = pytest.importorskip("mlx.core", reason="MLX is not installed")
    if on_gpu() or not shutil.which("c++"):
        pytest.skip("MLX compiles kernels on a processor alone, and with a compiler")
    passing = tmp_path / "passing"
    passing.mkdir()
    for name in ("TMPDIR", "TMP", "RAY_TMPDIR"):
        monkeypatch.setenv(name, str(passing))
    monkeypatch.setattr(tempfile, "tempdir", None)
    job = RecordingJob(tmp_path / "job")

    with kernels_kept(job):
        mx.eval(mx.compile(lambda x: mx.sin(x) * 2.0 + x)(mx.arange(4.0)))

    assert {each.suffix for each in job.cache.rglob("*") if each.is_file()} == {".cpp", ".so"}
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(passing)
    assert not list(passing.iterdir())
