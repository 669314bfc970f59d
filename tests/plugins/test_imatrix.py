"""Importance matrices: what hooks in torch count, exact after a pause, and of use to the quantizer."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._imatrix import read_imatrix, write_imatrix
from plugins._imatrix_checkpoint import KeptSums, keep_sums, kept_sums
from plugins._imatrix_reading import ImportanceReader
from plugins._imatrix_sums import ImportanceSums
from plugins._llama_model import WatchedModel
from workbench.errors import ModelFileError, WorkbenchError
from workbench.jobs.events import EventTail, Log, Progress
from workbench.jobs.stop_requests import request_path
from workbench.library.inspect import inspect

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
make_experts = importlib.import_module("make_experts")

TEXT = "The tide tables hang beside the door, and nobody reads them twice. " * 300
WIDTH = 64
#: Enough that a pause comes in time.
WINDOWS = 60
#: Where the tensors of the tiny model lie in torch.
_PLACES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "tide.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def _measured(model: Path, tokens: list[int], *, output: bool = True) -> ImportanceSums:
    reader = ImportanceReader(ImportanceSums(), output=output)
    with WatchedModel(model, width=WIDTH, threads=1, wanted=reader.wanted, on_node=reader.add) as watched:
        for at in range(0, len(tokens), WIDTH):
            watched.logits(tokens[at : at + WIDTH])
    return reader.sums


def test_sums_are_those_that_hooks_in_torch_count(tiny_gguf: Path, tiny_hf: Path) -> None:
    tokens = list(range(100, 100 + 2 * WIDTH))

    found = _measured(tiny_gguf, tokens).tensors

    expected = dict(_hooked(tiny_hf, tokens))
    assert set(found) == set(expected)
    for name, sums in found.items():
        assert sums.counts.tolist() == [2 * WIDTH], name
        # llama.cpp keeps keys, values and weights in float16.
        np.testing.assert_allclose(
            sums.squares[0], expected[name], rtol=0.02, atol=1e-4 * expected[name].max()
        )


def _hooked(folder: Path, tokens: list[int]) -> Iterator[tuple[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    sums: dict[str, Any] = {}

    def count(name: str) -> Callable[[Any, Any], None]:
        def hook(_module: Any, inputs: Any) -> None:
            squares = inputs[0].double().square().sum(dim=(0, 1))
            sums[name] = sums.get(name, 0) + squares

        return hook

    for block, layer in enumerate(model.model.layers):
        for ours, theirs in _PLACES.items():
            layer.get_submodule(theirs).register_forward_pre_hook(count(f"blk.{block}.{ours}.weight"))
    # The tiny model's embeddings are its output layer.
    model.lm_head.register_forward_pre_hook(count("token_embd.weight"))
    with torch.inference_mode():
        model(torch.tensor(tokens).reshape(-1, WIDTH))
    return ((name, each.numpy()) for name, each in sums.items())


def test_output_layer_is_left_out_where_the_tool_leaves_it_out(tiny_gguf: Path) -> None:
    found = _measured(tiny_gguf, list(range(WIDTH)), output=False)

    assert "token_embd.weight" not in found.tensors
    assert len(found.tensors) == 14


def test_experts_get_the_inputs_of_the_tokens_that_were_sent_to_them(tiny_gguf: Path, tmp_path: Path) -> None:
    model = make_experts.make_experts(tiny_gguf, tmp_path / "experts.gguf")

    found = _measured(model, list(range(300, 300 + 3 * WIDTH))).tensors

    for block in range(2):
        router = found[f"blk.{block}.ffn_gate_inp.weight"]
        for role in ("ffn_gate_exps", "ffn_up_exps"):
            experts = found[f"blk.{block}.{role}.weight"]
            assert experts.squares.shape == (make_experts.EXPERTS, 64)
            assert experts.counts.sum() == make_experts.USED * 3 * WIDTH
            # Every token goes to two experts, and the router saw the same inputs once.
            np.testing.assert_allclose(
                experts.squares.sum(axis=0), make_experts.USED * router.squares[0], rtol=1e-5
            )
        down = found[f"blk.{block}.ffn_down_exps.weight"]
        assert down.squares.shape == (make_experts.EXPERTS, 256)
        assert down.counts.tolist() == found[f"blk.{block}.ffn_up_exps.weight"].counts.tolist()


def test_sums_of_experts_by_hand() -> None:
    sums = ImportanceSums()

    sums.add_chosen(
        "a.weight", np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[2, 0]], dtype=np.int32), matrices=3
    )

    assert sums.tensors["a.weight"].squares.tolist() == [[9.0, 16.0], [0.0, 0.0], [1.0, 4.0]]
    assert sums.tensors["a.weight"].counts.tolist() == [1, 0, 1]


def test_inputs_that_are_no_numbers_are_refused_by_name() -> None:
    with pytest.raises(WorkbenchError, match=r"blk\.3\.ffn_up"):
        ImportanceSums().add("blk.3.ffn_up.weight", np.array([[[[np.inf]]]]), matrices=1)


def test_expert_that_does_not_exist_is_refused() -> None:
    with pytest.raises(WorkbenchError, match="an expert that it does not have"):
        ImportanceSums().add_chosen("a", np.ones((1, 1, 2)), np.array([[4]]), matrices=4)


def test_file_reads_back_as_means_and_experts_without_tokens_as_even(tmp_path: Path) -> None:
    sums = ImportanceSums()
    sums.add("plain.weight", np.array([[[[1.0, 3.0], [1.0, 1.0]]]]), matrices=1)
    sums.add_chosen("experts.weight", np.array([[[2.0, 4.0]]]), np.array([[1]]), matrices=2)

    write_imatrix(tmp_path / "i.gguf", sums, texts=["a"], windows=1, width=2)

    found = read_imatrix(tmp_path / "i.gguf")
    assert found["plain.weight"].tolist() == [1.0, 5.0]
    assert found["experts.weight"].tolist() == [1.0, 1.0, 4.0, 16.0]


def test_file_has_the_keys_that_llama_quantize_asks_for(tmp_path: Path) -> None:
    from gguf import GGUFReader

    sums = ImportanceSums()
    sums.add_chosen("blk.0.ffn_up_exps.weight", np.ones((5, 1, 3)), np.zeros((5, 1), dtype=int), matrices=2)

    write_imatrix(tmp_path / "i.gguf", sums, texts=["tide.txt"], windows=7, width=32)

    reader = GGUFReader(tmp_path / "i.gguf")
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.datasets"].contents() == ["tide.txt"]
    assert reader.fields["imatrix.chunk_count"].contents() == 7
    assert reader.fields["imatrix.chunk_size"].contents() == 32
    shapes = {tensor.name: tensor.shape.tolist() for tensor in reader.tensors}
    # ggml's order: rows of columns, one a matrix; and one count a matrix.
    assert shapes == {"blk.0.ffn_up_exps.weight.in_sum2": [3, 2], "blk.0.ffn_up_exps.weight.counts": [1, 2]}


def test_result_is_no_model_to_the_library(tmp_path: Path) -> None:
    sums = ImportanceSums()
    sums.add("a.weight", np.ones((1, 1, 1, 2)), matrices=1)
    write_imatrix(tmp_path / "i.gguf", sums, texts=["a"], windows=1, width=2)

    with pytest.raises(ModelFileError, match="an importance matrix, not a model"):
        inspect(tmp_path / "i.gguf")


def test_checkpoint_is_bit_for_bit_and_only_for_its_own_work(tmp_path: Path) -> None:
    sums = ImportanceSums()
    sums.add("a.weight", np.random.default_rng(1).normal(size=(1, 1, 9, 5)), matrices=1)
    path = tmp_path / "checkpoints" / "sums.npz"

    keep_sums(path, KeptSums(3, sums), "this work")

    kept = kept_sums(path, "this work")
    assert kept is not None
    assert kept.windows == 3
    assert np.array_equal(kept.sums.tensors["a.weight"].squares, sums.tensors["a.weight"].squares)
    assert kept_sums(path, "other work") is None
    path.write_bytes(path.read_bytes()[:-40])
    assert kept_sums(path, "this work") is None


def test_paused_and_resumed_job_writes_the_same_file(
    tiny_gguf: Path, text: Path, tmp_path: Path, run_plugin: Callable[..., Any]
) -> None:
    whole = run_plugin("imatrix", tiny_gguf, text=str(text), width=WIDTH, windows=WINDOWS, output=False)
    folder = tmp_path / "paused"
    folder.mkdir()
    shutil.copy(whole.folder / "job.py", folder)
    words = [sys.executable, folder / "job.py", "--job-dir", folder, "--model", tiny_gguf]
    words += ["--set", f"text={text}"]

    with (folder / "log.txt").open("wb") as log:
        worker = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
        _until(lambda: any(0 < event.done < WINDOWS for event in _events(folder, Progress)), worker)
        request_path(folder).write_text("pause", encoding="utf-8")
        paused = worker.wait(60)
        request_path(folder).unlink()
        resumed = subprocess.call([*words, "--resume"], cwd=folder, stdout=log, stderr=log)

    assert (whole.code, paused != 0, resumed) == (0, True, 0)
    before = [int(event.text.split(";")[1].split()[0]) for event in _events(folder, Log) if ";" in event.text]
    assert before[0] == 0 < before[1] < WINDOWS
    assert (folder / "out" / whole.result.name).read_bytes() == whole.result.read_bytes()
    assert (whole.progress[-1].done, whole.progress[-1].unit) == (WINDOWS, "windows")


def _events(folder: Path, kind: type[Any]) -> list[Any]:
    path = folder / "events.jsonl"
    events = EventTail(path).read(1 << 24) if path.exists() else []
    return [event for event in events if isinstance(event, kind)]


def _until(condition: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert worker.poll() is None, "the job ended before it could be paused"
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_quantizer_takes_the_file_and_low_bits_change_by_it(
    tiny_gguf: Path, text: Path, run_plugin: Callable[..., Any]
) -> None:
    matrix = run_plugin("imatrix", tiny_gguf, text=str(text), width=WIDTH, windows=4)

    plain = run_plugin("gguf-quantize", tiny_gguf, type="IQ4_NL")
    weighted = run_plugin("gguf-quantize", tiny_gguf, type="IQ4_NL", imatrix=str(matrix.result))

    assert (matrix.code, plain.code, weighted.code) == (0, 0, 0)
    log = [event.text for event in weighted.events if isinstance(event, Log)]
    assert "The importance matrix covers 15 tensors." in log
    assert plain.result.read_bytes() != weighted.result.read_bytes()


def test_text_shorter_than_a_window_is_refused(
    tiny_gguf: Path, tmp_path: Path, run_plugin: Callable[..., Any]
) -> None:
    (tmp_path / "short.txt").write_text("Too short.", encoding="utf-8")

    ran = run_plugin("imatrix", tiny_gguf, text=str(tmp_path / "short.txt"))

    assert ran.code != 0
    assert "tokens" in ran.error.message
    assert "longer text" in ran.error.remedy
