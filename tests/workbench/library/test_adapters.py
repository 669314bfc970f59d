"""Adapters are known for what they are, stand below their base, and are never taken for a model."""

from __future__ import annotations

import importlib
import json
import math
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
import corpus

from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.errors import ModelFileError, NotFoundError, UnsafeModelError, UsageError
from workbench.home import Home
from workbench.library.bases import base_to_load, named_base, no_base
from workbench.library.hub import HubFile, choices
from workbench.library.inspect import inspect
from workbench.library.library import Library
from workbench.library.memory_need import engine_of
from workbench.library.scan import place_of, survey
from workbench.model import AdapterFacts, TuningFacts
from workbench.store.database import Store

made = importlib.import_module("adapters")
PROVEN = TuningFacts(
    steps=120,
    held_out_before=2.31,
    held_out_after=0.42,
    accuracy_before=0.02,
    accuracy_after=0.94,
    p=1e-9,
    mean_kld=0.021,
)


@pytest.fixture
def library(store: Store, home: Home) -> Library:
    return Library(store, home)


# ---------------------------------------------------------------------- what they are


def test_folder_of_peft_is_counted_and_described(tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "tone", base="org/tiny", rank=16)
    with safe_open(folder / "adapter_model.safetensors", "np") as opened:
        expected = sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118

    facts = inspect(folder)

    assert (facts.format, facts.quantization, facts.parameters) == ("adapter", "LoRA r16", expected)
    assert facts.adapter == AdapterFacts(
        container="peft",
        method="LoRA",
        rank=16,
        alpha=32.0,
        targets=("down_proj", "q_proj", "v_proj"),
        base="org/tiny",
    )
    assert {group.name for group in facts.groups} == {"attention", "feed-forward"}
    assert facts.files == ("adapter_model.safetensors", "adapter_config.json")
    assert facts.size_bytes == sum((folder / name).stat().st_size for name in facts.files)
    assert facts.tuning is None
    assert inspect(folder / "adapter_config.json") == facts
    assert inspect(folder / "adapter_model.safetensors") == facts


@pytest.mark.parametrize(
    ("config", "label"),
    [
        ({"use_dora": True}, "DoRA r4"),
        ({"use_rslora": True}, "rsLoRA r4"),
        ({"r": 99, "rank_pattern": {"q_proj": 8}}, "LoRA r4"),
        ({"peft_type": "ADALORA"}, "AdaLoRA r4"),
    ],
)
def test_method_and_rank_are_told(config: dict[str, Any], label: str, tmp_path: Path) -> None:
    assert inspect(made.peft_adapter(tmp_path / "a", **config)).quantization == label


def test_file_of_llama_cpp_is_an_adapter(tmp_path: Path) -> None:
    facts = inspect(made.gguf_adapter(tmp_path / "tone.gguf", base="Tiny", rank=8))

    assert (facts.format, facts.architecture, facts.quantization) == ("adapter", "llama", "LoRA r8")
    assert facts.adapter == AdapterFacts(
        container="gguf",
        method="LoRA",
        rank=8,
        alpha=16.0,
        targets=("attn_q", "attn_v", "ffn_down"),
        base="Tiny",
    )


def test_folder_of_mlx_is_an_adapter_with_its_scale_as_alpha(tmp_path: Path) -> None:
    facts = inspect(made.mlx_adapter(tmp_path / "tone", rank=8, scale=20.0, kind="dora"))

    assert (facts.format, facts.quantization) == ("adapter", "DoRA r8")
    assert facts.adapter is not None
    assert (facts.adapter.container, facts.adapter.alpha, facts.adapter.base) == ("mlx", 160.0, "org/tiny")
    assert facts.files == ("adapters.safetensors", "adapter_config.json")


def test_weights_without_metadata_as_mlx_writes_them_are_read(tmp_path: Path) -> None:
    folder = made.mlx_adapter(tmp_path / "tone")
    pair = {"q_proj.lora_a": ([8, 2], 0, 64), "q_proj.lora_b": ([2, 8], 64, 128)}
    tensors = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        for name, (shape, begin, end) in pair.items()
    }
    weights = corpus.safetensors({"__metadata__": None, **tensors}, bytes(128))
    (folder / "adapters.safetensors").write_bytes(weights)

    assert inspect(folder).quantization == "LoRA r2"


def test_checkpoint_with_pickles_beside_is_read_without_them(tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "checkpoint-100")
    for name in ("optimizer.pt", "training_args.bin", "rng_state.pth"):
        (folder / name).write_bytes(pickle.dumps({"a": 1}))

    assert inspect(folder).files == ("adapter_model.safetensors", "adapter_config.json")


def test_model_folder_with_an_adapter_in_it_is_the_model(tiny_hf: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_hf, tmp_path / "both")
    made.peft_adapter(folder)

    assert inspect(folder).format == "hf"


def test_figures_of_the_fine_tuning_are_facts_and_the_proof_wins(tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "tone", proven=True)
    assert inspect(folder).tuning == PROVEN

    (folder / "proof.json").unlink()

    assert inspect(folder).tuning == TuningFacts(steps=120, held_out_before=2.4, held_out_after=0.5)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[1]",
        b'{"task": 3}',
        b'{"task": {"before": NaN, "after": -1, "p": "0"}}',
        b'{"task": {"p": 1e999}}',
    ],
)
def test_damaged_figures_count_as_none(content: bytes, tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "tone")
    (folder / "proof.json").write_bytes(content)

    assert inspect(folder).tuning is None


def test_whole_model_that_was_fine_tuned_has_its_figures_too(tiny_hf: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_hf, tmp_path / "tuned")
    (folder / "proof.json").write_text(json.dumps(made.PROOF))

    tuning = inspect(folder).tuning

    assert tuning is not None
    assert (tuning.accuracy_after, tuning.mean_kld) == (0.94, 0.021)


# ---------------------------------------------------------------------- broken and hostile


def _pickled(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps({}))


def _pickle_in_disguise(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(pickle.dumps({"a": list(range(100))}, protocol=4))


@pytest.mark.parametrize("spoil", [_pickled, _pickle_in_disguise])
def test_pickles_are_refused_as_unsafe(spoil: Any, tmp_path: Path) -> None:
    folder = made.peft_adapter(tmp_path / "tone")
    spoil(folder)

    with pytest.raises(UnsafeModelError, match="pickle"):
        inspect(folder)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"adapter_model.safetensors": None}, "no adapter_model.safetensors"),
        ({"adapter_config.json": None}, "no adapter_config.json"),
        ({"adapter_config.json": b"{"}, "not valid JSON"),
        ({"adapter_config.json": b"[]"}, "not a JSON object"),
        ({"adapter_config.json": b"{}"}, "what kind of adapter"),
        ({"adapter_config.json": b'{"peft_type": 7}'}, "of the kind '7'"),
        ({"adapter_config.json": b'{"peft_type": "PROMPT_TUNING"}'}, "of the kind 'PROMPT_TUNING'"),
        ({"adapter_config.json": b" " * 9_000_000 + b"{}"}, "at most 8 MB"),
        ({"adapter_model.safetensors": corpus.safetensors({})}, "holds no weights"),
        ({"adapter_model.safetensors": corpus.GOOD_WEIGHTS}, "not those of a LoRA"),
        ({"adapter_model.safetensors": corpus.GOOD_WEIGHTS[:-1]}, "cut short"),
    ],
)
def test_broken_adapter_is_refused_in_words(
    files: dict[str, bytes | None], words: str, tmp_path: Path
) -> None:
    folder = made.peft_adapter(tmp_path / "tone")
    for name, content in files.items():
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)

    with pytest.raises(ModelFileError, match=words):
        inspect(folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"kind": ""}, "no kind"), ({"kind": "control\x1bvector"}, "unknown kind"), ({"whole": False}, "pairs")],
)
def test_broken_gguf_adapter_is_refused_in_words(
    settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=words):
        inspect(made.gguf_adapter(tmp_path / "tone.gguf", **settings))


@pytest.mark.parametrize(
    "config",
    [
        {"r": -1, "lora_alpha": "16", "target_modules": [1, None, ["x"]], "base_model_name_or_path": 5},
        {
            "r": 10**30,
            "lora_alpha": 1e308,
            "target_modules": "all\nlinear",
            "base_model_name_or_path": "a" * 9999,
        },
    ],
)
def test_hostile_settings_are_bounded(config: dict[str, Any], tmp_path: Path) -> None:
    adapter = inspect(made.peft_adapter(tmp_path / "tone", **config)).adapter

    assert adapter is not None
    assert adapter.rank == 4
    assert len(adapter.base or "") <= 300


# ---------------------------------------------------------------------- in the library


def test_adapter_stands_below_the_one_base_that_it_names(
    library: Library, tiny_hf: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    base = library.add(tiny_hf, name="Tiny").record
    library.add(tiny_gguf, name="Tiny")

    adapter = library.add(made.peft_adapter(tmp_path / "tone", base="org/tiny", proven=True)).record

    assert (adapter.parent_id, adapter.format, adapter.quantization) == (base.id, "adapter", "LoRA r4")
    assert adapter.tuning == PROVEN
    assert library.get("tone") == adapter
    assert [each.id for each in library.list("lora")] == [adapter.id]
    assert library.list()[0].tuning is None


def test_adapter_waits_for_its_base(library: Library, tiny_hf: Path, tmp_path: Path) -> None:
    adapter = library.add(made.peft_adapter(tmp_path / "tone", base="Tiny")).record
    other = library.add(made.peft_adapter(tmp_path / "other", base="Huge", seed=1)).record
    assert adapter.parent_id is None

    base = library.add(tiny_hf, name="Tiny").record

    assert library.get(adapter.id).parent_id == base.id
    assert library.get(other.id).parent_id is None


def test_downloads_find_each_other(library: Library, home: Home, tiny_hf: Path) -> None:
    def downloaded(folder: Path, repo: str) -> str:
        record = library.add_result(
            job_id=repo,
            parent_id=None,
            path=folder,
            name=repo.partition("/")[2],
            facts=inspect(folder),
            sha256=None,
            source=f"hf:{repo}",
        )
        return record.id

    early = made.peft_adapter(home.jobs / "a" / "out" / "early", base="org/tiny")
    late = made.peft_adapter(home.jobs / "c" / "out" / "late", base="org/tiny")
    first = downloaded(early, "me/early")

    base = downloaded(shutil.copytree(tiny_hf, home.jobs / "b" / "out" / "tiny"), "org/tiny")
    second = downloaded(late, "me/late")

    assert [library.get(id).parent_id for id in (first, second, base)] == [base, base, None]


def test_two_bases_of_one_name_leave_an_adapter_alone(
    library: Library, tiny_hf: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        library.add(shutil.copytree(tiny_hf, tmp_path / name), name="Tiny")

    assert library.add(made.peft_adapter(tmp_path / "tone", base="Tiny")).record.parent_id is None


@pytest.mark.parametrize("stated", ["PATH", "hub", "C:\\models\\tiny-hf", "/elsewhere/tiny-hf", "tiny-hf"])
def test_base_is_known_by_path_address_or_name(
    stated: str, library: Library, tiny_hf: Path, tmp_path: Path
) -> None:
    base = library.add(tiny_hf, name="My own name", source="hf:org/some-model").record
    library.add(shutil.copytree(tiny_hf, tmp_path / "b"), name="some-model")
    named = {"PATH": str(tiny_hf), "hub": "https://huggingface.co/org/some-model"}.get(stated, stated)

    found = named_base(AdapterFacts(container="peft", method="LoRA", base=named), library.list())

    assert found is not None
    assert found.id == base.id


def test_alike_adapters_are_no_copies_and_same_content_is(library: Library, tmp_path: Path) -> None:
    first = library.add(made.peft_adapter(tmp_path / "one", seed=1)).record
    added = library.add(made.peft_adapter(tmp_path / "two", seed=2))
    copy = library.add(shutil.copytree(tmp_path / "one", tmp_path / "three")).record

    assert added.looks_like is None
    for record in (first, copy):
        library.set_sha256(record.id, "ab" * 32)
    assert [each.id for each in library.duplicates(first.id)] == [copy.id]


def test_adapter_is_renamed_located_and_removed(library: Library, home: Home, tmp_path: Path) -> None:
    folder = made.peft_adapter(home.models / "tone")
    record = library.add(folder, in_place=False).record
    library.rename(record.id, "Support tone")
    moved = folder.rename(home.models / "moved")

    assert library.relocate(record.id, moved).path == moved
    assert library.remove(record.id) > 0
    assert not moved.exists()


def test_removed_base_leaves_its_adapters_and_they_say_what_they_need(
    library: Library, home: Home, tiny_hf: Path, tmp_path: Path
) -> None:
    root = library.add(tiny_hf, name="Root").record
    folder = shutil.copytree(tiny_hf, home.jobs / "job1" / "out" / "Tuned")
    tuned = library.add_result(
        job_id="job1",
        parent_id=root.id,
        path=folder,
        name="Tuned",
        facts=inspect(folder),
        sha256=None,
        source="job",
    )
    adapter = library.add(made.peft_adapter(tmp_path / "tone", base="Tuned")).record
    assert adapter.parent_id == tuned.id

    library.remove(tuned.id)

    left = library.get(adapter.id)
    assert left.parent_id is None  # of no use with the root, which it was not trained on
    facts = library.facts(adapter.id).adapter
    assert facts is not None
    assert base_to_load(left, facts.container, library.list()) is None
    assert no_base(left, facts).remedy == "Add Tuned first."


def test_gguf_adapter_is_loaded_with_the_best_gguf_form_of_its_base(
    library: Library, home: Home, tiny_hf: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    def result(parent: str, name: str, bits: float) -> str:
        path = home.jobs / name / "out" / f"{name}.gguf"
        path.parent.mkdir(parents=True)
        shutil.copy(tiny_gguf, path)
        facts = inspect(path).model_copy(update={"bits_per_weight": bits})
        kept = library.add_result(
            job_id=name, parent_id=parent, path=path, name=name, facts=facts, sha256=None, source="job"
        )
        return kept.id

    base = library.add(tiny_hf, name="Tiny").record
    adapter = library.add(made.gguf_adapter(tmp_path / "tone.gguf", base="Tiny")).record
    assert base_to_load(adapter, "gguf", library.list()) is None
    q8 = result(base.id, "q8", 8.5)
    result(q8, "q4", 4.5)
    merged = library.add_result(
        job_id="m",
        parent_id=base.id,
        path=shutil.copytree(tiny_hf, home.jobs / "m" / "out" / "merged"),
        name="merged",
        facts=inspect(tiny_hf),
        sha256=None,
        source="job",
    )
    result(merged.id, "merged-f16", 16.0)

    found = base_to_load(adapter, "gguf", library.list())

    assert adapter.parent_id == base.id
    assert found is not None
    assert found.id == q8


# ---------------------------------------------------------------------- never a model


def test_adapter_alone_is_never_loaded(tmp_path: Path) -> None:
    for path in (made.peft_adapter(tmp_path / "tone", base="Tiny"), made.gguf_adapter(tmp_path / "a.gguf")):
        for format in ("adapter", "hf", "gguf"):
            with pytest.raises(UsageError, match="is an adapter") as told:
                open_engine(LoadOptions(path=str(path), format=format))
            assert "Load its base" in told.value.remedy
    with pytest.raises(UsageError, match="beside its base"):
        engine_of("adapter")


def test_scan_tells_adapters_from_models(tiny_hf: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    shutil.copytree(tiny_hf, place / "tiny")
    made.peft_adapter(place / "tone")
    made.mlx_adapter(place / "mlx-tone")
    made.gguf_adapter(place / "files" / "voice.gguf")
    (place / "weights-gone").mkdir()
    (place / "weights-gone" / "adapter_config.json").write_text("{}")

    found = survey(place_of(place))

    assert {each.name: each.format for each in found.found} == {
        "tiny": "hf",
        "tone": "adapter",
        "mlx-tone": "adapter",
        "voice": "adapter",
    }
    assert [each.path.name for each in found.skipped] == ["weights-gone"]


def test_hub_offers_an_adapter_as_one_choice() -> None:
    names = ("README.md", "adapter_config.json", "adapter_model.safetensors", "training_args.bin")

    offered = choices([HubFile(name=name, size_bytes=10) for name in names])

    assert [(each.title, each.format, each.size_bytes) for each in offered] == [("adapter", "adapter", 30)]
    assert (
        choices([HubFile(name=name, size_bytes=1) for name in ("adapter_config.json", "adapter_model.bin")])
        == ()
    )


def test_unknown_name_of_a_base_is_none(library: Library) -> None:
    for base in (None, "", "/", "nowhere"):
        assert named_base(AdapterFacts(container="peft", method="LoRA", base=base), library.list()) is None
    with pytest.raises(NotFoundError):
        library.get("nowhere")
