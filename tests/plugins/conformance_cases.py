"""What each bundled operation is given in a conformance check: the smallest of everything that it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.plugin.testing import tiny_model

_MAKE_TINY = Path(__file__).parents[1] / "fixtures" / "make_tiny.py"


_TASK = """
task: own
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{choices}}}}"
generation_kwargs: {{until: ["."], max_gen_toks: 3}}
metric_list: [{{metric: exact_match}}]
metadata: {{version: 1.0}}
"""


@dataclass(frozen=True)
class Case:
    """One operation with what it is given.

    Attributes:
        values: Makes the parameters, with the files that they name, in a folder.
        model: Makes its model, where that is not the kit's of its input's format.
    """

    operation: str
    values: Callable[[Path], Mapping[str, Any]] = field(default=lambda _folder: {})
    model: Callable[[Path], Path | None] = field(default=lambda _folder: None)


def _with_a_known_tokenizer(folder: Path) -> Path:
    """llama.cpp's converter knows a tokenizer by what it makes of one text: the kit's is none of those."""
    made = folder / "chosen"
    subprocess.run([sys.executable, str(_MAKE_TINY), "hf", str(made)], check=True, capture_output=True)
    return made


def _prompts(folder: Path) -> Mapping[str, Any]:
    rows = [{"prompt": f"What comes after the number {number}?"} for number in range(3)]
    return {"prompts": str(_lines(folder / "prompts.jsonl", rows)), "max_tokens": 4, "context": 256}


def _rows(folder: Path) -> str:
    rows = [{"prompt": f"What comes after {number}?", "completion": f" {number + 1}"} for number in range(40)]
    return str(_lines(folder / "rows.jsonl", rows))


def _tuning(folder: Path) -> Mapping[str, Any]:
    return {"data": [_rows(folder)], "steps": 3, "batch_tokens": 128, "proof": False}


def _adapter(folder: Path) -> str:
    return str(tiny_model("adapter", folder / "adapter"))


def _lines(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _proof(folder: Path) -> Mapping[str, Any]:
    return {"against": str(tiny_model("gguf", folder / "against")), "windows": 2, "speed": False}


def _teacher(folder: Path) -> Mapping[str, Any]:
    teacher = str(tiny_model("hf", folder / "teacher"))
    return {"teacher": teacher, "data": [_rows(folder)], "steps": 3, "batch_tokens": 128}


def _task(folder: Path) -> Mapping[str, Any]:
    rows = [{"question": "What comes after one?", "choices": " two"}]
    data = _lines(folder / "tasks" / "rows.jsonl", rows)
    (folder / "tasks" / "own.yaml").write_text(_TASK.format(rows=data.as_posix()), encoding="utf-8")
    return {"tasks": ["own"], "folder": str(folder / "tasks"), "context": 256}


_READING: Mapping[str, Any] = {"windows": 1, "width": 64}

CASES = (
    Case("gguf-quantize"),
    Case("gguf-mixed", lambda _folder: {**_READING, "bits_per_weight": 8.0}),
    Case("imatrix", lambda _folder: _READING),
    Case("batch-generate", _prompts),
    Case("gguf-convert", model=_with_a_known_tokenizer),
    Case("gguf-dequantize"),
    Case("adapter-to-gguf", lambda folder: {"adapter": _adapter(folder)}),
    Case("merge-adapter", lambda folder: {"adapters": [_adapter(folder)]}),
    Case("mlx-quantize", lambda _folder: {"group_size": "32"}),
    Case("mlx-mixed", lambda _folder: {**_READING, "group_size": "32", "bits_per_weight": 7.0}),
    Case("drop-layers", lambda _folder: {**_READING, "count": 1}),
    Case("distill", _teacher),
    Case("bnb-quantize"),
    Case("finetune-torch", _tuning),
    Case("finetune-mlx", _tuning, model=lambda folder: tiny_model("hf", folder / "chosen")),
    Case("prove", _proof),
    Case("prove-adapter", lambda folder: {"adapter": _adapter(folder), "data": [_rows(folder)]}),
    Case("lm-eval", _task),
    Case("hub-download", lambda _folder: {"repo": "org/tiny", "files": ["tiny.gguf"]}),
)
