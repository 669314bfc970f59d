"""Broken and hostile model files, made by code: each must be refused with a message that names the reason."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import ModelFileError, UnsafeModelError

Make = Callable[[Path], Path]

# ---------------------------------------------------------------------- GGUF, byte by byte

U32, I32, STRING, ARRAY, U64 = 4, 5, 8, 9, 10
F32, F16, Q4_0, Q4_K = 0, 1, 2, 12


def text(value: str | bytes, length: int | None = None) -> bytes:
    block = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(block) if length is None else length) + block


def pair(key: str | bytes, kind: int, block: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + block


def string(key: str, value: str | bytes, length: int | None = None) -> bytes:
    return pair(key, STRING, text(value, length))


def tensor(name: str | bytes, shape: Sequence[int], kind: int, offset: int, dims: int | None = None) -> bytes:
    count = len(shape) if dims is None else dims
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", count, *shape, kind, offset)


ARCHITECTURE = string("general.architecture", "llama")


def gguf(
    pairs: Sequence[bytes] = (ARCHITECTURE,),
    tensors: Sequence[bytes] = (tensor("token_embd.weight", (32, 4), F32, 0),),
    data: bytes = bytes(512),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    pair_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    head = magic + struct.pack(
        "<IQQ",
        version,
        len(tensors) if tensor_count is None else tensor_count,
        len(pairs) if pair_count is None else pair_count,
    )
    head += b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def nested(depth: int) -> bytes:
    """An array in an array in an array …"""
    return struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", U32, 0)


# ---------------------------------------------------------------------- safetensors and folders


def safetensors(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    block = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(block) if length is None else length) + block + data


def entry(dtype: Any = "F32", shape: Any = (2, 2), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


GOOD_WEIGHTS = safetensors({"model.embed_tokens.weight": entry()}, bytes(16))
GOOD_CONFIG = {"model_type": "llama", "hidden_size": 64}


def folder(files: dict[str, bytes | Any]) -> Make:
    """A model folder: a sound one, with these files put in its place (None leaves one out)."""

    def make(root: Path) -> Path:
        model = root / "model-folder"
        model.mkdir()
        all_files = {"config.json": GOOD_CONFIG, "model.safetensors": GOOD_WEIGHTS, **files}
        for name, content in all_files.items():
            if content is not None:
                block = content if isinstance(content, bytes) else json.dumps(content).encode()
                (model / name).write_bytes(block)
        return model

    return make


def weights(header: Any, data: bytes = b"", *, length: int | None = None) -> Make:
    return folder({"model.safetensors": safetensors(header, data, length=length)})


def sharded(weight_map: Any, **files: bytes) -> Make:
    return folder(
        {
            "model.safetensors": None,
            "model.safetensors.index.json": {"metadata": {}, "weight_map": weight_map},
            **{name.replace("__", "."): block for name, block in files.items()},
        }
    )


def file(name: str, block: bytes) -> Make:
    def make(root: Path) -> Path:
        (root / name).write_bytes(block)
        return root / name

    return make


def made(block: bytes) -> Make:
    return file("model.gguf", block)


def huge(name: str, head: bytes, size: int) -> Make:
    """A file of some gigabytes that takes up no space on disk."""

    def make(root: Path) -> Path:
        path = root / name
        with path.open("wb") as opened:
            opened.write(head)
            opened.truncate(size)
        return path

    return make


# ---------------------------------------------------------------------- pickles


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("opened-a-pickle",))


PICKLE = pickle.dumps({"weight": _Bomb()}, protocol=2)


def torch_zip() -> bytes:
    block = io.BytesIO()
    with zipfile.ZipFile(block, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLE)
        archive.writestr("archive/data/0", bytes(64))
    return block.getvalue()


def plain_zip() -> bytes:
    block = io.BytesIO()
    with zipfile.ZipFile(block, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    return block.getvalue()


# ---------------------------------------------------------------------- things of the file system


def vanished(root: Path) -> Path:
    return root / "was-here.gguf"


def vanished_folder(root: Path) -> Path:
    model = folder({})(root)
    for each in model.iterdir():
        each.unlink()
    model.rmdir()
    return model


def link_circle(root: Path) -> Path:
    (root / "a.gguf").symlink_to(root / "b.gguf")
    (root / "b.gguf").symlink_to(root / "a.gguf")
    return root / "a.gguf"


def broken_link(root: Path) -> Path:
    (root / "model.gguf").symlink_to(root / "blobs" / "0123")
    return root / "model.gguf"


def folder_named_gguf(root: Path) -> Path:
    (root / "model.gguf").mkdir()
    return root / "model.gguf"


def shard_is_a_folder(root: Path) -> Path:
    model = sharded({"a": "model-00001-of-00001.safetensors"})(root)
    (model / "model-00001-of-00001.safetensors").mkdir()
    return model


def pipe(root: Path) -> Path:
    os.mkfifo(root / "model.gguf")
    return root / "model.gguf"


def odd_name(root: Path) -> Path:
    path = root / os.fsdecode(b"mod\xffel.gguf")
    path.write_bytes(gguf())
    return path


def split(parts: Sequence[int], count: int, *blocks: bytes) -> Make:
    def make(root: Path) -> Path:
        for number, block in zip(parts, blocks, strict=True):
            (root / f"big-{number:05d}-of-{count:05d}.gguf").write_bytes(block)
        return root / f"big-{parts[0]:05d}-of-{count:05d}.gguf"

    return make


def part(number: int, count: int, total: int, *tensors: bytes) -> bytes:
    pairs = [
        pair("split.no", 2, struct.pack("<H", number)),
        pair("split.count", 2, struct.pack("<H", count)),
        pair("split.tensors.count", I32, struct.pack("<i", total)),
    ]
    return gguf([ARCHITECTURE, *pairs] if number == 0 else pairs, tensors)


FIRST = tensor("token_embd.weight", (32, 4), F32, 0)
SECOND = tensor("output.weight", (32, 4), F32, 0)

# ---------------------------------------------------------------------- the corpus


@dataclass(frozen=True)
class Case:
    """One bad file: how to make it, and a part of what must be said about it."""

    name: str
    make: Make
    says: str
    error: type[ModelFileError] = ModelFileError


_VALID = gguf([ARCHITECTURE, string("general.name", "a model with a name")])

CASES: list[Case] = [
    # GGUF: not one
    Case("empty file", file("model.gguf", b""), "empty"),
    Case("one byte", made(b"G"), "not a model file"),
    Case("web page", made(b"<!DOCTYPE html><html>Sign in</html>"), "web page"),
    Case("git lfs pointer", made(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), "Git LFS"),
    Case("ggml before gguf", made(b"tjgg" + bytes(64)), "before GGUF"),
    Case("swapped magic", made(b"FUGG" + bytes(64)), "bytes swapped"),
    Case("random bytes", made(bytes(range(7, 207))), "not a model file"),
    Case("gzip", made(b"\x1f\x8b" + bytes(64)), "gzip"),
    Case("zip without weights", file("model.gguf", plain_zip()), "zip archive"),
    # GGUF: version and byte order
    Case("version 1", made(gguf(version=1)), "version 1"),
    Case("version 77", made(gguf(version=77)), "version 77"),
    Case("version 0", made(gguf(version=0)), "version 0"),
    Case("big-endian", made(b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(64)), "big-endian"),
    # GGUF: counts and lengths
    Case("2^60 tensors", made(gguf(tensor_count=1 << 60)), "tensors are announced"),
    Case("2^64-1 metadata keys", made(gguf(pair_count=(1 << 64) - 1)), "metadata keys are announced"),
    Case(
        "string of 2^60 bytes", made(gguf([string("general.name", "x", 1 << 60)])), "string of 1152921504606"
    ),
    Case("key of 2^60 bytes", made(gguf([text("k", 1 << 60)])), "metadata key of 1152921504606"),
    Case("empty key", made(gguf([string("", "x")])), "metadata key of 0 bytes"),
    Case("key is no UTF-8", made(gguf([pair(b"\xff\xfe", U32, bytes(4))])), "UTF-8"),
    Case("tensor name of 2^62 bytes", made(gguf(tensors=[text("t", 1 << 62)])), "tensor name of 4611686018"),
    Case(
        "array of 2^61 numbers",
        made(gguf([pair("a", ARRAY, struct.pack("<IQ", U64, 1 << 61))])),
        "more than the file can hold",
    ),
    Case(
        "array of 2^40 strings",
        made(gguf([pair("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 1 << 40))])),
        "more than the file can hold",
    ),
    Case(
        "gigabytes of empty strings",
        huge(
            "model.gguf",
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + pair("tokens", ARRAY, struct.pack("<IQ", STRING, 500_000_000)),
            5_000_000_000,
        ),
        "more than the file can hold",
    ),
    Case(
        "gigabytes of keys",
        huge("model.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 100_000_000), 5_000_000_000),
        "metadata keys are announced",
    ),
    Case(
        "long string in an array",
        made(gguf([pair("a", ARRAY, struct.pack("<IQ", STRING, 1) + text("x", (1 << 64) - 9))])),
        "middle of its header",
    ),
    Case("arrays nested 1000 deep", made(gguf([pair("a", ARRAY, nested(1000))])), "nested more than"),
    Case("unknown value type", made(gguf([pair("a", 99, bytes(8))])), "unknown value type 99"),
    Case(
        "unknown item type", made(gguf([pair("a", ARRAY, struct.pack("<IQ", 99, 1))])), "unknown item type 99"
    ),
    Case("key twice", made(gguf([ARCHITECTURE, ARCHITECTURE])), "stands there twice"),
    Case("alignment 0", made(gguf([ARCHITECTURE, pair("general.alignment", U32, bytes(4))])), "power of two"),
    Case(
        "alignment 48",
        made(gguf([ARCHITECTURE, pair("general.alignment", U32, struct.pack("<I", 48))])),
        "power of two",
    ),
    # GGUF: tensors
    Case("tensor past the end", made(gguf(tensors=[tensor("a", (32, 4), F32, 1 << 40)])), "cut short"),
    Case("tensor offset 2^64-32", made(gguf(tensors=[tensor("a", (32,), F32, (1 << 64) - 32)])), "cut short"),
    Case("data cut off", made(gguf(data=bytes(500))), "ends 12 bytes after the end"),
    Case("no data at all", made(gguf(data=b"")), "cut short"),
    Case("odd offset", made(gguf(tensors=[tensor("a", (32,), F32, 7)])), "odd place"),
    Case(
        "tensors overlap",
        made(gguf(tensors=[tensor("a", (64,), F32, 0), tensor("b", (64,), F32, 32)])),
        "'a' and 'b' overlap",
    ),
    Case("tensor twice", made(gguf(tensors=[FIRST, tensor("token_embd.weight", (8,), F32, 256)])), "twice"),
    Case("dimensions overflow", made(gguf(tensors=[tensor("a", (1 << 33, 1 << 33), F32, 0)])), "impossible"),
    Case(
        "dimensions wrap to zero",
        made(gguf(tensors=[tensor("a", (1 << 32, 1 << 32), Q4_0, 0)])),
        "impossible",
    ),
    Case("dimension 2^63", made(gguf(tensors=[tensor("a", (1 << 63, 0), F32, 0)])), "impossible"),
    Case("4 billion dimensions", made(gguf(tensors=[tensor("a", (1,), F32, 0, 0xFFFFFFFF)])), "dimensions"),
    Case(
        "unknown storage type", made(gguf(tensors=[tensor("a", (32,), 200, 0)])), "unknown storage type 200"
    ),
    Case("retired storage type", made(gguf(tensors=[tensor("a", (32,), 4, 0)])), "gave up"),
    Case("half a block", made(gguf(tensors=[tensor("a", (100, 2), Q4_K, 0)])), "whole blocks"),
    # GGUF: sound, but no model
    Case("no architecture", made(gguf([string("general.name", "x")])), "architecture"),
    Case("empty architecture", made(gguf([string("general.architecture", "")])), "architecture"),
    Case(
        "architecture is a number", made(gguf([pair("general.architecture", U32, bytes(4))])), "architecture"
    ),
    Case(
        "architecture is a path", made(gguf([string("general.architecture", "../../x")])), "can't be a name"
    ),
    Case("no tensors", made(gguf(tensors=[])), "holds no weights"),
    Case("adapter", made(gguf([ARCHITECTURE, string("general.type", "adapter")])), "adapter"),
    Case("image part", made(gguf([string("general.architecture", "clip")])), "image part"),
    # GGUF: split
    Case(
        "split, second part missing",
        split([1], 2, part(0, 2, 2, FIRST)),
        "big-00002-of-00002.gguf is missing",
    ),
    Case(
        "split, first part missing",
        split([2], 2, part(1, 2, 2, SECOND)),
        "big-00001-of-00002.gguf is missing",
    ),
    Case("split into 99999", split([1], 99999, part(0, 2, 2, FIRST)), "is missing"),
    Case(
        "split, a part of another model",
        split([1, 2], 2, part(0, 2, 3, FIRST), part(1, 2, 3, SECOND)),
        "3 are announced",
    ),
    Case(
        "split, parts exchanged",
        split([2, 1], 2, part(0, 2, 2, FIRST), part(1, 2, 2, SECOND)),
        "by its",
    ),
    Case(
        "split, tensor twice",
        split([1, 2], 2, part(0, 2, 2, FIRST), part(1, 2, 2, FIRST)),
        "in another part too",
    ),
    Case("split, renamed", made(part(0, 3, 3, FIRST)), "one of 3 parts"),
    Case(
        "split, second part cut",
        split([1, 2], 2, part(0, 2, 2, FIRST), part(1, 2, 2, SECOND)[:-5]),
        "cut short",
    ),
    # safetensors
    Case("header of 2^60 bytes", weights({}, length=1 << 60), "header of 1152921504606846976 bytes"),
    Case("header of 0 bytes", weights(b"", bytes(64), length=0), "not a safetensors file"),
    Case(
        "header of gigabytes",
        lambda root: _sparse_weights(root),
        "larger than any real model's",
    ),
    Case("header cut off", weights({"a": entry()}, length=4000), "header of 4000 bytes"),
    Case("header not JSON", weights(b'{"a": nonsense}'), "not valid JSON"),
    Case("header not UTF-8", weights(b'{"\xff\xfe": {}}'), "not valid JSON"),
    Case("header a list", weights(b'["a"]        '), "not a safetensors file"),
    Case("header nested deep", weights(b'{"a":' + b"[" * 200_000), "nested absurdly deep"),
    Case("number of 100,000 digits", weights(b'{"a":' + b"9" * 100_000 + b"}"), "not valid JSON"),
    Case("tensor named twice", weights(b'{"a":{},"a":{}}'), "twice"),
    Case("entry is a number", weights({"a": 3}), "not described"),
    Case("dtype unknown", weights({"a": entry("Q9")}, bytes(16)), "unknown type 'Q9'"),
    Case("dtype a list", weights({"a": entry(["F32"])}, bytes(16)), "unknown type"),
    Case("shape negative", weights({"a": entry(shape=[-2, -2])}, bytes(16)), "no proper shape"),
    Case("shape a float", weights({"a": entry(shape=[2.0, 2])}, bytes(16)), "no proper shape"),
    Case("shape of booleans", weights({"a": entry(shape=[True, True])}, bytes(16)), "no proper shape"),
    Case(
        "shape missing",
        weights({"a": {"dtype": "F32", "data_offsets": [0, 16]}}, bytes(16)),
        "no proper shape",
    ),
    Case("shape of 1000 dimensions", weights({"a": entry(shape=[1] * 1000)}, bytes(4)), "no proper shape"),
    Case("shape overflows", weights({"a": entry(shape=[1 << 40, 1 << 40])}, bytes(16)), "impossible shape"),
    Case("offsets reversed", weights({"a": entry(offsets=[16, 0])}, bytes(16)), "no proper place"),
    Case("offsets negative", weights({"a": entry(offsets=[-16, 0])}, bytes(16)), "no proper place"),
    Case(
        "offsets past the end", weights({"a": entry(offsets=[0, 16])}, bytes(8)), "ends 8 bytes after the end"
    ),
    Case("offsets do not fit the shape", weights({"a": entry(offsets=[0, 12])}, bytes(12)), "takes 16 bytes"),
    Case(
        "offsets overlap",
        weights({"a": entry(), "b": entry(offsets=[8, 24])}, bytes(24)),
        "'a' and 'b' overlap",
    ),
    Case("hole", weights({"a": entry(offsets=[16, 32])}, bytes(32)), "hole of 16 bytes"),
    Case("bytes left over", weights({"a": entry()}, bytes(99)), "belong to none"),
    Case(
        "metadata not strings",
        weights({"__metadata__": {"a": 1}, "a": entry()}, bytes(16)),
        "table of strings",
    ),
    Case("weights empty", folder({"model.safetensors": b""}), "empty"),
    Case("no tensors in weights", weights({}), "hold no weights"),
    Case("gguf named safetensors", folder({"model.safetensors": gguf()}), "GGUF file"),
    # sharded
    Case(
        "shard missing",
        sharded({"a": "model-00001-of-00002.safetensors"}),
        "00001-of-00002.safetensors is missing",
    ),
    Case("shard escapes upward", sharded({"a": "../secret.safetensors"}), "outside its folder"),
    Case("shard escapes absolutely", sharded({"a": "/etc/secret.safetensors"}), "outside its folder"),
    Case("shard escapes by drive", sharded({"a": "C:\\secret.safetensors"}), "outside its folder"),
    Case("shard is a pickle by name", sharded({"a": "pytorch_model.bin"}), "no safetensors file"),
    Case("shard name is a number", sharded({"a": 5}), "no safetensors file"),
    Case("index names nothing", sharded({}), "names no weights"),
    Case("index is a list", folder({"model.safetensors.index.json": [1, 2]}), "not a JSON object"),
    Case("index not JSON", folder({"model.safetensors.index.json": b"{{{{"}), "not valid JSON"),
    Case("shard is a folder", shard_is_a_folder, "a folder where a file should be"),
    Case(
        "tensor in two shards",
        sharded(
            {"a": "x.safetensors", "b": "y.safetensors"},
            x__safetensors=GOOD_WEIGHTS,
            y__safetensors=GOOD_WEIGHTS,
        ),
        "is in x.safetensors too",
    ),
    Case(
        "unindexed shard missing",
        folder({"model.safetensors": None, "model-00001-of-00002.safetensors": GOOD_WEIGHTS}),
        "00002-of-00002.safetensors is missing",
    ),
    # folders
    Case("no config", folder({"config.json": None}), "no config.json"),
    Case("config not JSON", folder({"config.json": b"hidden_size: 64"}), "not valid JSON"),
    Case("config a list", folder({"config.json": [1]}), "not a JSON object"),
    Case("config empty", folder({"config.json": b""}), "empty"),
    Case("config huge", folder({"config.json": b" " * 9_000_000 + b"{}"}), "at most 8 MB"),
    Case("config nested deep", folder({"config.json": b'{"a":' * 100_000}), "nested absurdly deep"),
    Case("config without architecture", folder({"config.json": {"hidden_size": 64}}), "what architecture"),
    Case("config architecture a number", folder({"config.json": {"model_type": 7}}), "what architecture"),
    Case("tokenizer settings broken", folder({"tokenizer_config.json": b"{"}), "not valid JSON"),
    Case("config without weights", folder({"model.safetensors": None}), "no safetensors file"),
    Case("empty folder", folder({"config.json": None, "model.safetensors": None}), "no model in this folder"),
    Case(
        "adapter folder",
        folder({"model.safetensors": None, "adapter_model.safetensors": GOOD_WEIGHTS}),
        "adapter",
    ),
    Case(
        "several GGUF models in one folder",
        folder({"config.json": None, "model.safetensors": None, "a.gguf": gguf(), "b.gguf": gguf()}),
        "2 GGUF models",
    ),
    Case("weights without a folder", file("lone.safetensors", GOOD_WEIGHTS), "config.json"),
    Case(
        "mlx scales do not fit",
        folder(
            {
                "config.json": {**GOOD_CONFIG, "quantization": {"bits": 4, "group_size": 64}},
                "model.safetensors": safetensors(
                    {
                        "a.weight": entry("U32", [2, 8], [0, 64]),
                        "a.scales": entry("F16", [2, 3], [64, 76]),
                    },
                    bytes(76),
                ),
            }
        ),
        "do not fit together",
    ),
    # pickles
    Case(
        "pickle alone",
        folder({"model.safetensors": None, "pytorch_model.bin": PICKLE}),
        "pickle",
        UnsafeModelError,
    ),
    Case("pickle file", file("model.pt", PICKLE), "pickle", UnsafeModelError),
    Case("pickle named gguf", made(PICKLE), "pickle", UnsafeModelError),
    Case("torch zip named gguf", made(torch_zip()), "pickle", UnsafeModelError),
    Case("pickle named safetensors", folder({"model.safetensors": PICKLE}), "pickle", UnsafeModelError),
    Case(
        "torch zip named safetensors", folder({"model.safetensors": torch_zip()}), "pickle", UnsafeModelError
    ),
    Case("torch zip of no ending", file("checkpoint", torch_zip()), "pickle", UnsafeModelError),
    Case("bytes named ckpt", file("model.ckpt", bytes(100)), "pickle", UnsafeModelError),
    # file system
    Case("vanished file", vanished, "not there"),
    Case("vanished folder", vanished_folder, "not there"),
    Case("folder named gguf", folder_named_gguf, "no model in this folder"),
    Case("zero byte in the path", lambda root: root / "a\0b.gguf", "can't exist"),
    Case("path of 5000 characters", lambda root: root / ("x" * 5000), ""),
    *(
        Case(f"cut after {count} bytes", made(_VALID[:count]), "")
        for count in (
            3,
            4,
            5,
            7,
            8,
            15,
            16,
            23,
            24,
            25,
            31,
            32,
            40,
            51,
            60,
            64,
            69,
            80,
            100,
            120,
            128,
            150,
            160,
        )
    ),
    *(
        Case(f"weights cut after {count} bytes", folder({"model.safetensors": GOOD_WEIGHTS[:count]}), "")
        for count in (1, 7, 8, 9, 10, 30, 60, len(GOOD_WEIGHTS) - 17, len(GOOD_WEIGHTS) - 1)
    ),
]

if sys.platform != "win32":
    CASES += [
        Case("link circle", link_circle, "circle"),
        Case("broken link", broken_link, "link to a file that is not there"),
        Case("pipe", pipe, "pipe"),
    ]
if sys.platform == "linux":
    CASES += [
        Case("name is no Unicode", odd_name, "not valid Unicode"),
        Case("device", lambda _root: Path("/dev/zero"), "device"),
    ]


def _sparse_weights(root: Path) -> Path:
    model = folder({"model.safetensors": None})(root)
    huge("model.safetensors", struct.pack("<Q", 2_000_000_000) + b'{"a":', 3_000_000_000)(model)
    return model
