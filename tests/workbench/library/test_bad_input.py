"""Bad input of every kind gives a message, costs little, and leaves nothing behind."""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import corpus

from workbench.errors import ModelFileError, WorkbenchError
from workbench.home import Home
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.model import ModelFacts
from workbench.store.database import Store

_MEMORY_BYTES = 100_000_000


def test_the_corpus_is_large_and_names_nothing_twice() -> None:
    names = [case.name for case in corpus.CASES]

    assert len(names) >= 100
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", corpus.CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_model_is_refused_with_the_reason_and_nothing_is_registered(
    case: corpus.Case, tmp_path: Path, home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = case.make(tmp_path)
    library = Library(store, home)
    tracemalloc.start()
    begin = time.process_time()

    with pytest.raises(case.error) as caught:
        library.add(path)

    seconds = time.process_time() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    error = caught.value
    assert case.says in error.message
    assert error.path.name in error.message or "\ufffd" in error.message
    assert path.name.encode("utf-8", "ignore").decode()[:3] in str(error.path)
    error.message.encode()
    # Of processor time, so that a busy machine can't fail it.
    assert seconds < 1.0
    assert peak < _MEMORY_BYTES
    assert library.list() == []
    assert not (tmp_path / "opened-a-pickle").exists()


def test_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated, since the system lets root read everything, and Windows has other permissions."""
    path = tmp_path / "secret.gguf"
    path.write_bytes(corpus.gguf())
    opened = Path.open

    def refuse(self: Path, *args: object, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ModelFileError, match=r"secret\.gguf: this user is not permitted"):
        inspect(path)


def test_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = corpus.folder({})(tmp_path)

    def refuse(self: Path) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(ModelFileError, match="model-folder: this user is not permitted"):
        inspect(model)


def test_file_that_vanishes_between_two_looks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(corpus.gguf())
    from workbench.library import gguf_header

    def look_then_lose(looked_at: Path) -> bytes:
        head = looked_at.read_bytes()[:64]
        looked_at.unlink()
        return head

    monkeypatch.setattr(gguf_header, "head_of", look_then_lose)

    with pytest.raises(ModelFileError, match=r"model\.gguf: it is not there \(any more\)"):
        inspect(path)


def test_text_that_no_database_holds_is_mended(home: Home, store: Store, tmp_path: Path) -> None:
    """Lone surrogates in JSON and broken UTF-8 in GGUF come from real files with odd tokens."""
    make = corpus.folder(
        {"tokenizer_config.json": b'{"chat_template": "\\ud800 hi", "tokenizer_class": "A\\u0007"}'}
    )
    library = Library(store, home)
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(corpus.gguf([corpus.ARCHITECTURE, corpus.string("general.name", b"nam\xffe\x1b[2J")]))

    folder_facts = library.facts(library.add(make(tmp_path)).record.id)
    gguf_facts = library.facts(library.add(gguf).record.id)

    assert folder_facts.chat_template == "? hi"
    assert gguf_facts.name == "nam\ufffde\ufffd[2J"


@pytest.mark.parametrize("seed", range(8))
def test_mutated_gguf_gives_an_error_or_sound_facts(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    sound = _rich_gguf()
    chance = random.Random(seed)
    outcomes = {"error": 0, "facts": 0}

    for _ in range(120):
        path.write_bytes(_mutated(sound, chance))
        outcomes[_outcome(path)] += 1

    assert outcomes["error"] > 0


@pytest.mark.parametrize("seed", range(8))
def test_mutated_safetensors_gives_an_error_or_sound_facts(seed: int, tmp_path: Path) -> None:
    model = corpus.folder({})(tmp_path)
    sound = corpus.safetensors(
        {
            "__metadata__": {"format": "pt"},
            "model.embed_tokens.weight": corpus.entry("BF16", [8, 4], [0, 64]),
            "model.layers.0.mlp.up_proj.weight": corpus.entry("F32", [4, 4], [64, 128]),
        },
        bytes(128),
    )
    chance = random.Random(seed)
    outcomes = {"error": 0, "facts": 0}

    for _ in range(120):
        (model / "model.safetensors").write_bytes(_mutated(sound, chance))
        outcomes[_outcome(model)] += 1

    assert outcomes["error"] > 0


def _outcome(path: Path) -> str:
    try:
        facts = inspect(path)
    except WorkbenchError as error:
        assert error.message
        return "error"
    assert facts == ModelFacts.model_validate_json(facts.model_dump_json())
    assert 0 <= facts.parameters <= facts.size_bytes * 8
    assert sum(group.size_bytes for group in facts.groups) <= facts.size_bytes
    assert all(value is None or value > 0 for value in (facts.context_length, facts.layers, facts.kv_heads))
    return "facts"


def _mutated(sound: bytes, chance: random.Random) -> bytes:
    block = bytearray(sound)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(block))
        match chance.randrange(4):
            case 0:
                block[place] = chance.randrange(256)
            case 1:
                block[place] ^= 1 << chance.randrange(8)
            case 2:
                block[place : place + 8] = chance.choice((b"\xff" * 8, bytes(8), b"\0" * 7 + b"\x10"))
            case 3:
                del block[place : place + chance.randrange(1, 9)]
        if not block:
            return b"\0"
    return bytes(block)


def _rich_gguf() -> bytes:
    import struct

    pairs = [
        corpus.ARCHITECTURE,
        corpus.string("general.name", "tiny"),
        corpus.pair("general.file_type", corpus.U32, struct.pack("<I", 2)),
        corpus.pair("llama.block_count", corpus.U32, struct.pack("<I", 2)),
        corpus.pair("llama.context_length", corpus.U32, struct.pack("<I", 2048)),
        corpus.pair("llama.embedding_length", corpus.U32, struct.pack("<I", 64)),
        corpus.pair(
            "llama.attention.head_count_kv",
            corpus.ARRAY,
            struct.pack("<IQ2I", corpus.U32, 2, 4, 2),
        ),
        corpus.pair(
            "tokenizer.ggml.tokens",
            corpus.ARRAY,
            struct.pack("<IQ", corpus.STRING, 3) + corpus.text("a") + corpus.text("b") + corpus.text("cc"),
        ),
    ]
    tensors = [
        corpus.tensor("token_embd.weight", (64, 3), corpus.Q4_0, 0),
        corpus.tensor("blk.0.attn_q.weight", (64, 2), corpus.F16, 128),
        corpus.tensor("output_norm.weight", (64,), corpus.F32, 384),
    ]
    return corpus.gguf(pairs, tensors, bytes(640))
