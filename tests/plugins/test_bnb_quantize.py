"""Quantizing with bitsandbytes: what it makes is smaller, near, understood, and refused twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bitsandbytes", reason="bitsandbytes has no build for this system")

from plugins.bnb_quantize import BnbQuantizeParams, bnb_quantize
from plugins.gguf_convert import GgufConvertParams, gguf_convert
from tests.plugins.here import job_in, model_at
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.errors import MissingExtraError, ModelFileError, ParameterError, UsageError
from workbench.library.hashing import content_hash
from workbench.library.inspect import inspect
from workbench.measure.divergence import Divergence

IDS = list(range(20, 84))


def run(place: Path, model: Path, **values: Any) -> Path:
    return bnb_quantize(job_in(place), model_at(model), BnbQuantizeParams(**values))


def options(path: Path, **more: Any) -> LoadOptions:
    return LoadOptions(
        path=str(path), format="hf", engine="torch", context=128, parallel=1, threads=1, **more
    )


@pytest.mark.parametrize(
    ("kind", "label", "bits", "nearer_than"),
    # Each matrix of so small a model has hundreds of bytes beside its weights.
    [("nf4", "NF4", (4.0, 6.0), 0.1), ("fp4", "FP4", (4.0, 6.0), 0.2), ("int8", "INT8", (8.0, 8.8), 0.01)],
)
def test_the_result_is_smaller_near_and_understood(
    kind: str, label: str, bits: tuple[float, float], nearer_than: float, small_hf: Path, tmp_path: Path
) -> None:
    made = run(tmp_path, small_hf, type=kind)

    facts = inspect(made)
    stored = {each.name: each.type for each in facts.groups}
    assert (stored["attention"], stored["feed-forward"], stored["embedding"]) == (label, label, "F32")
    linear = next(each for each in facts.groups if each.name == "feed-forward")
    assert bits[0] < 8 * linear.size_bytes / linear.parameters < bits[1]
    assert (facts.format, facts.parameters, facts.layers) == ("hf", inspect(small_hf).parameters, 2)
    assert (made / "chat_template.jinja").is_file()
    found = Divergence()
    engines = [open_engine(options(path)) for path in (small_hf, made)]
    found.add(*(each.logits(IDS).copy() for each in engines))
    for each in engines:
        each.close()
    assert 0 < found.distance().mean_kld < nearer_than


def test_the_engine_says_in_how_many_bits_such_a_model_is(small_hf: Path, tmp_path: Path) -> None:
    made = run(tmp_path, small_hf, type="nf4")

    engine = open_engine(options(made))
    weights = next(each for each in engine.report.checks if each.option == "weights")
    engine.close()

    assert (weights.actual, weights.active) == ("4-bit", True)
    with pytest.raises(UsageError, match="quantized already"):
        open_engine(options(made, weights="8-bit"))


def test_one_input_gives_one_result(small_hf: Path, tmp_path: Path) -> None:
    first, second = (run(tmp_path / name, small_hf, double_quant=False) for name in ("one", "two"))

    assert content_hash(first) == content_hash(second)
    settings = json.loads((first / "config.json").read_text(encoding="utf-8"))["quantization_config"]
    assert (settings["bnb_4bit_quant_type"], settings["bnb_4bit_use_double_quant"]) == ("nf4", False)
    assert settings["bnb_4bit_compute_dtype"] == "float32"


def test_layers_that_are_kept_stay_as_they_are(small_hf: Path, tmp_path: Path) -> None:
    made = run(tmp_path / "some", small_hf, keep=["q_proj", "o_proj"])

    attention = {each.type: each.tensors for each in inspect(made).groups if each.name == "attention"}
    assert attention == {"F32": 4, "NF4": 4}
    with pytest.raises(ParameterError, match="every layer"):
        run(tmp_path / "all", small_hf, keep=["_proj"])
    with pytest.raises(ParameterError, match="ends in 'w_proj'"):
        run(tmp_path / "none", small_hf, keep=["w_proj"])


def test_a_quantized_model_is_refused(small_hf: Path, tmp_path: Path) -> None:
    made = run(tmp_path / "once", small_hf)

    with pytest.raises(ModelFileError, match="its weights are quantized"):
        run(tmp_path / "twice", made)


def test_the_converter_to_gguf_says_that_it_can_not_read_it(small_hf: Path, tmp_path: Path) -> None:
    made = run(tmp_path / "once", small_hf)

    with pytest.raises(ModelFileError, match="quantized in this way"):
        gguf_convert(job_in(tmp_path / "convert"), model_at(made), GgufConvertParams())


def test_without_bitsandbytes_it_says_what_to_install(
    small_hf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)

    with pytest.raises(MissingExtraError) as raised:
        run(tmp_path, small_hf)

    assert "tenfold[bnb]" in raised.value.remedy
