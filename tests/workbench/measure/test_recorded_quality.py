"""Our figures against those that llama.cpp's `llama-perplexity` gave for the same files and text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.measure.reference_tool import figure, make_types
from workbench.assets import EVALUATION_TEXT
from workbench.engines.base import Engine, Logits
from workbench.measure.quality import measure_quality
from workbench.measure.windows import windows_of_text

#: Written by `tests/bench/bench_quality.py --record`, which runs the tool.
RECORDED = json.loads(Path(__file__).with_name("recorded-quality.json").read_text(encoding="utf-8"))
#: Half of the last digit that the tool prints: of a percentage it prints three.
PRINTED = {"mean_dp": 5e-6, "mean_dp_error": 5e-6, "rms_dp": 5e-6, "rms_dp_error": 5e-6}
PRINTED |= {"same_top": 5e-6, "same_top_error": 5e-6}


class Remembering:
    """An engine that computes the logits of a window once, though three files are compared with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[tuple[int, ...], Logits] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def logits(self, tokens: Sequence[int], since: int = 0) -> Logits:
        key = (since, *tokens)
        if key not in self._kept:
            self._kept[key] = self._engine.logits(tokens, since)
        return self._kept[key]


@pytest.mark.real_model
@pytest.mark.timeout(600)
def test_figures_agree_with_the_reference_tool_s(load, sample_gguf: Path, tmp_path: Path) -> None:
    text = EVALUATION_TEXT.read_bytes()
    assert hashlib.sha256(text).hexdigest() == RECORDED["text_sha256"], "the text has changed: record anew"
    files = make_types(sample_gguf, tmp_path)
    reference = Remembering(load(files["F16"]))
    windows = windows_of_text(reference.tokenizer, text.decode(), most=RECORDED["windows"])

    found = {name: measure_quality(reference, load(files[name]), windows) for name in RECORDED["figures"]}

    apart = {
        f"{name} {field}": (figure(found[name], field), theirs)
        for name, figures in RECORDED["figures"].items()
        for field, theirs in figures.items()
        if abs(figure(found[name], field) - theirs) > 0.01 * abs(theirs) + PRINTED.get(field, 5e-7)
    }
    assert not apart
    assert list(found) == ["Q8_0", "Q4_K_M", "Q2_K"]
    # The tool gives percentiles no errors; ours must be there.
    for quality in found.values():
        assert 0 < quality.median_kld_error < quality.median_kld
        assert 0 < quality.p99_kld_error < quality.p99_kld
