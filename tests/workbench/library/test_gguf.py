"""GGUF files as the reference writer makes them are read as they are meant."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from workbench.errors import ModelFileError
from workbench.library.ggml_types import FILE_TYPES, GGML_TYPES, RETIRED_TYPES
from workbench.library.gguf_header import read_gguf_header
from workbench.library.inspect import inspect


def test_type_table_is_the_one_of_the_gguf_package() -> None:
    ours = {number: (kind.name, kind.block, kind.block_bytes) for number, kind in GGML_TYPES.items()}

    theirs = {int(kind): (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}

    assert theirs == ours
    assert not set(RETIRED_TYPES) & set(theirs)


def test_file_type_table_is_the_one_of_the_gguf_package() -> None:
    theirs = {
        int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in gguf.LlamaFileType
        if kind is not gguf.LlamaFileType.GUESSED
    }

    assert theirs == FILE_TYPES


def test_sample_model_is_read_as_the_gguf_package_reads_it(sample_gguf: Path) -> None:
    reference = gguf.GGUFReader(sample_gguf)

    header = read_gguf_header(sample_gguf)

    assert [(each.name, each.shape, each.type.name, each.size_bytes) for each in header.tensors] == [
        (each.name, tuple(int(n) for n in each.shape), each.tensor_type.name, each.n_bytes)
        for each in reference.tensors
    ]
    assert header.data_offset == reference.data_offset
    assert header.length("tokenizer.ggml.tokens") == 49152
    for key, value in header.metadata.items():
        if isinstance(value, str | int | float | bool):
            assert value == pytest.approx(reference.fields[key].contents())


def test_sample_model_facts(sample_gguf: Path) -> None:
    facts = inspect(sample_gguf)

    assert (facts.format, facts.architecture, facts.quantization) == ("gguf", "llama", "Q4_1")
    assert facts.parameters == 134_515_008
    assert (facts.layers, facts.embedding_length, facts.feed_forward_length) == (30, 576, 1536)
    assert (facts.heads, facts.kv_heads, facts.key_length, facts.value_length) == (9, 3, 64, 64)
    assert (facts.vocabulary, facts.tokenizer, facts.licence) == (49152, "gpt2", "apache-2.0")
    assert facts.chat_template is not None and "im_start" in facts.chat_template
    assert facts.size_bytes == sample_gguf.stat().st_size
    assert {group.name for group in facts.groups} == {"embedding", "attention", "feed-forward", "norm"}
    assert sum(group.parameters for group in facts.groups) == facts.parameters


def test_reading_a_vocabulary_of_300000_tokens_takes_a_moment(tmp_path: Path) -> None:
    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_token_list([f"token-{number}" for number in range(300_000)])
        writer.add_token_scores([0.0] * 300_000)

    path = written(tmp_path, add)
    begin = time.process_time()

    facts = inspect(path)

    assert time.process_time() - begin < 1.0
    assert facts.vocabulary == 300_000


@pytest.mark.parametrize("kind", ["Q4_0", "Q6_K", "IQ4_XS", "TQ2_0", "MXFP4", "F16", "BF16"])
def test_every_storage_type_is_counted_in_weights(kind: str, tmp_path: Path) -> None:
    number = gguf.GGMLQuantizationType[kind]
    block, block_bytes = gguf.GGML_QUANT_SIZES[number]
    row = np.zeros((4, 512 // block * block_bytes), dtype=np.uint8)

    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_tensor("blk.0.ffn_up.weight", row, raw_dtype=number)

    facts = inspect(written(tmp_path, add, embedding=False))

    assert facts.parameters == 4 * 512
    assert facts.quantization == kind
    assert facts.bits_per_weight == round(8 * block_bytes / block, 2)


def test_stated_file_type_names_the_quantization_unless_the_weights_contradict(tmp_path: Path) -> None:
    def fallback(writer: gguf.GGUFWriter) -> None:
        # What llama.cpp makes of Q4_K_M where rows are no multiple of 256.
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
        quantized = gguf.quants.quantize(np.ones((64, 576), np.float32), gguf.GGMLQuantizationType.Q5_0)
        writer.add_tensor("blk.0.attn_q.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q5_0)

    def wrong(writer: gguf.GGUFWriter) -> None:
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)

    assert inspect(written(tmp_path, fallback, name="fallback")).quantization == "Q4_K_M"
    assert inspect(written(tmp_path, wrong, name="wrong")).quantization == "F32"


def test_unknown_architecture_is_listed_with_its_facts(tmp_path: Path) -> None:
    path = written(tmp_path, lambda writer: writer.add_context_length(777), architecture="brandnew9")

    facts = inspect(path)

    assert (facts.architecture, facts.context_length) == ("brandnew9", 777)


def test_key_value_heads_given_per_layer_count_by_the_largest(tmp_path: Path) -> None:
    path = written(tmp_path, lambda writer: writer.add_head_count_kv([0, 8, 2]))

    assert inspect(path).kv_heads == 8


def test_ending_does_not_matter(tmp_path: Path, tiny_gguf: Path) -> None:
    blob = tmp_path / "sha256-0011"
    shutil.copy(tiny_gguf, blob)

    assert inspect(blob).architecture == "llama"


def test_tiny_model_as_llama_cpp_converts_it(tiny_gguf: Path) -> None:
    facts = inspect(tiny_gguf)

    assert (facts.quantization, facts.layers, facts.context_length) == ("F16", 2, 2048)
    assert facts.parameters == 49152 * 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 256 + 2 * 64) + 64


def test_split_model_is_read_from_any_part(tmp_path: Path) -> None:
    first = split_in_three(tmp_path)

    from_first, from_last = inspect(first), inspect(tmp_path / "big-00003-of-00003.gguf")

    assert from_first == from_last
    assert from_first.files == tuple(f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3))
    assert from_first.parameters == 3 * 32 * 32
    assert from_first.size_bytes == sum(each.stat().st_size for each in tmp_path.iterdir())


def test_split_model_names_the_missing_part(tmp_path: Path) -> None:
    first = split_in_three(tmp_path)
    (tmp_path / "big-00002-of-00003.gguf").unlink()

    with pytest.raises(ModelFileError, match=r"big-00002-of-00003\.gguf is missing"):
        inspect(first)


def test_big_endian_file_of_the_reference_writer_is_recognised(tmp_path: Path) -> None:
    path = written(tmp_path, lambda _writer: None, endianess=gguf.GGUFEndian.BIG)

    with pytest.raises(ModelFileError, match="big-endian"):
        inspect(path)


def written(
    folder: Path,
    add: Any,
    *,
    name: str = "model",
    architecture: str = "llama",
    embedding: bool = True,
    **options: Any,
) -> Path:
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, architecture, **options)
    add(writer)
    if embedding:
        writer.add_tensor("token_embd.weight", np.ones((4, 32), np.float32))
    _write(writer)
    return path


def split_in_three(folder: Path) -> Path:
    writer = gguf.GGUFWriter(folder / "big.gguf", "llama", split_max_tensors=1)
    for number in range(3):
        writer.add_tensor(f"blk.{number}.attn_q.weight", np.ones((32, 32), np.float32))
    _write(writer)
    return folder / "big-00001-of-00003.gguf"


def _write(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
