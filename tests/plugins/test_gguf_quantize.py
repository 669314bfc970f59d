"""llama.cpp's quantizer through a job: the same bytes as the library called directly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from plugins._imatrix import read_imatrix
from plugins._llama_types import FILE_TYPES, NEEDS_IMATRIX, constant
from workbench.errors import ModelFileError
from workbench.library.inspect import inspect

_DIRECT = """
import ctypes, sys, llama_cpp as l
silent = l.llama_log_callback(lambda *_: None)
l.llama_log_set(silent, None)
p = l.llama_model_quantize_default_params()
p.ftype, p.nthread, p.allow_requantize = getattr(l, sys.argv[3]), 2, True
sys.exit(l.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(p)))
"""


def _direct(source: Path, target: Path, type: str) -> bytes:
    subprocess.run([sys.executable, "-c", _DIRECT, source, target, constant(type)], check=True)
    return target.read_bytes()


@pytest.mark.parametrize("type", ["Q8_0", "Q4_K_M"])
def test_result_is_byte_for_byte_the_librarys_own(
    type: str, tiny_gguf: Path, tmp_path: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", tiny_gguf, type=type)

    assert ran.code == 0
    assert ran.result.read_bytes() == _direct(tiny_gguf, tmp_path / "direct.gguf", type)


@pytest.mark.real_model
def test_sample_model_quantizes_with_progress_for_every_tensor(
    sample_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", sample_gguf, type="Q8_0", allow_requantize=True)

    assert ran.code == 0
    assert inspect(ran.result).quantization == "Q8_0"
    assert (ran.progress[-1].done, ran.progress[-1].total, ran.progress[-1].unit) == (272, 272, "tensors")
    assert len({event.label for event in ran.progress}) >= 3


def test_every_type_that_the_library_has_is_offered() -> None:
    import llama_cpp

    offered = {constant(name) for name in FILE_TYPES}
    known = {name for name in dir(llama_cpp) if name.startswith(("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_"))}
    assert offered == known


def test_already_quantized_model_is_refused_with_a_way_out(
    sample_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", sample_gguf, type="Q4_K_M")

    assert ran.code == 2
    assert "quantized already" in ran.error.message
    assert "full-precision parent" in ran.error.remedy


def test_override_reaches_the_tensors_that_its_pattern_names(
    tiny_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", tiny_gguf, type="Q4_0", overrides={"attn_v": "Q8_0"})

    types = {(group.name, group.type) for group in inspect(ran.result).groups}
    assert ("attention", "Q8_0") in types
    assert ("attention", "Q4_0") in types


@pytest.mark.parametrize(
    ("overrides", "word"), [({"attn_(": "Q8_0"}, "regular expression"), ({"attn_v": "Q99"}, "Q99")]
)
def test_wrong_override_is_named(
    overrides: dict[str, str], word: str, tiny_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", tiny_gguf, type="Q4_0", overrides=overrides)

    assert ran.code == 2
    assert word in ran.error.message


def test_types_below_three_bits_ask_for_an_importance_matrix(
    tiny_gguf: Path, run_plugin: Callable[..., object]
) -> None:
    ran = run_plugin("gguf-quantize", tiny_gguf, type="IQ2_XS")

    assert "IQ2_XS" in NEEDS_IMATRIX
    assert "needs an importance matrix" in ran.error.message


def test_importance_matrix_changes_the_result_and_lets_two_bits_through(
    tiny_gguf: Path, tmp_path: Path, run_plugin: Callable[..., object]
) -> None:
    matrix = _write_imatrix(tmp_path / "importance.gguf", tiny_gguf)

    plain = run_plugin("gguf-quantize", tiny_gguf, type="IQ4_NL")
    weighted = run_plugin("gguf-quantize", tiny_gguf, type="IQ4_NL", imatrix=str(matrix))

    assert (plain.code, weighted.code) == (0, 0)
    assert plain.result.read_bytes() != weighted.result.read_bytes()


def test_damaged_importance_matrix_is_named(
    tiny_gguf: Path, tmp_path: Path, run_plugin: Callable[..., object]
) -> None:
    matrix = tmp_path / "broken.dat"
    matrix.write_bytes(b"\xff\xff\xff\x7f rubbish")

    ran = run_plugin("gguf-quantize", tiny_gguf, type="Q4_K_M", imatrix=str(matrix))

    assert ran.code == 1
    assert "broken.dat" in ran.error.message


@pytest.mark.parametrize("content", [b"", b"\0" * 3, b"\1\0\0\0", b"\1\0\0\0\5\0\0\0ab", b"GGUF\xff\xff"])
def test_cut_importance_matrices_never_crash_the_reader(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.dat"
    path.write_bytes(content)

    with pytest.raises(ModelFileError, match=r"cut\.dat"):
        read_imatrix(path)


def _write_imatrix(path: Path, model: Path) -> Path:
    """Activations that llama-imatrix might have measured, for every matrix of the model."""
    from gguf import GGUFReader, GGUFWriter

    chance = np.random.default_rng(0)
    writer = GGUFWriter(path, "imatrix")
    for tensor in GGUFReader(model).tensors:
        if len(tensor.shape) == 2:
            columns = int(tensor.shape[0])
            sums = chance.uniform(0.1, 100, columns).astype(np.float32)
            writer.add_tensor(f"{tensor.name}.in_sum2", sums.reshape(1, columns))
            writer.add_tensor(f"{tensor.name}.counts", np.array([[10.0]], dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
