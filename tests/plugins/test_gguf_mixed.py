"""Mixed types: the choice is near the best one, the budget holds, and what is expected is what comes out."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._ggml import ggml
from plugins._imatrix import write_imatrix
from plugins._imatrix_sums import ImportanceSums
from plugins._mixed_choice import Option, choose, smallest_size
from plugins._mixed_errors import output_errors, restored
from plugins._mixed_sensitivity import ChangedModel
from plugins._mixed_tensors import MatrixTensor, ModelWeights, group_name, grouped
from plugins._mixed_types import check_types, types_for
from plugins.gguf_mixed import MixedParams, gguf_mixed
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions
from workbench.errors import ParameterError, WorkbenchError
from workbench.jobs.context import WorkerContext
from workbench.jobs.events import EventTail, Log, Metric
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests
from workbench.library.gguf_header import read_gguf_header
from workbench.library.inspect import inspect
from workbench.measure.divergence import Divergence
from workbench.model import Model

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
make_experts = importlib.import_module("make_experts")

TEXT = "The tide tables hang beside the door, and nobody reads them twice. 1 + 1 = 2; e = 2.71828. " * 40


def _tensor(name: str, columns: int = 64, rows: int = 4, matrices: int = 1) -> MatrixTensor:
    return MatrixTensor(name, "F16", columns, rows, matrices)


def _model(path: Path) -> Model:
    return Model(path=path, name=path.stem, facts=inspect(path))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "tide.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", range(20))
def test_choice_is_the_best_of_all(seed: int) -> None:
    options, budget = _puzzle(seed)

    chosen = choose(options, budget)

    assert sum(option.size_bytes for option in chosen.values()) <= budget
    assert sum(option.cost for option in chosen.values()) == pytest.approx(_best(options, budget))


@pytest.mark.parametrize("seed", range(20))
def test_choice_in_coarse_units_keeps_to_the_budget_and_loses_little(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins._mixed_choice._MOST_UNITS", 12)
    options, budget = _puzzle(seed)

    chosen = choose(options, budget)

    largest = max(each[0].cost - each[-1].cost for each in options.values())
    assert sum(option.size_bytes for option in chosen.values()) <= budget
    assert sum(option.cost for option in chosen.values()) <= _best(options, budget) + largest


def _puzzle(seed: int) -> tuple[dict[str, list[Option]], int]:
    chance = np.random.default_rng(seed)
    options = {}
    for name in "abcde":
        sizes, costs = np.sort(chance.integers(1, 40, 4)), np.sort(chance.exponential(1, 4))[::-1]
        options[name] = [
            Option(str(at), int(size), float(cost))
            for at, (size, cost) in enumerate(zip(sizes, costs, strict=True))
        ]
    return options, int(chance.integers(smallest_size(options), 160))


def _best(options: dict[str, list[Option]], budget: int) -> float:
    """By trying all."""
    return min(
        sum(option.cost for option in each)
        for each in itertools.product(*options.values())
        if sum(option.size_bytes for option in each) <= budget
    )


def test_one_large_tensor_gets_what_is_left_for_it() -> None:
    """Byte for byte the small steps save more; taken first, they would leave too little for the large one."""
    small = [Option("Q4", 10, 1.0), Option("Q8", 20, 0.5)]
    options = {"embedding": [Option("Q4", 1000, 10.0), Option("Q8", 2000, 1.0)], "a": small, "b": small}

    assert [each.type for each in choose(options, 2025).values()] == ["Q8", "Q4", "Q4"]


def test_choices_by_hand() -> None:
    options = {
        "a": [Option("small", 10, 5.0), Option("middle", 20, 1.0), Option("large", 40, 0.5)],
        "b": [Option("small", 10, 2.0), Option("middle", 20, 1.5), Option("large", 40, 0.1)],
    }

    assert {name: each.type for name, each in choose(options, 30).items()} == {"a": "middle", "b": "small"}
    assert {name: each.type for name, each in choose(options, 60).items()} == {"a": "middle", "b": "large"}


def test_a_type_that_saves_little_is_taken_where_nothing_else_fits() -> None:
    options = {"a": [Option("small", 10, 4.0), Option("middle", 20, 3.9), Option("large", 30, 0.0)]}

    assert choose(options, 25)["a"].type == "middle"


def test_budget_below_the_smallest_types_is_refused() -> None:
    with pytest.raises(ValueError, match="smallest"):
        choose({"a": [Option("small", 10, 1.0)]}, 9)


def test_type_that_is_larger_and_worse_is_never_chosen() -> None:
    options = {"a": [Option("good", 10, 1.0), Option("bad", 20, 2.0)]}

    assert choose(options, 100)["a"].type == "good"


def test_groups_are_neighbours_of_one_role_and_leave_no_tensor_out() -> None:
    tensors = [_tensor("token_embd.weight")]
    tensors += [_tensor(f"blk.{at}.{role}.weight") for at in range(12) for role in ("attn_q", "ffn_up")]

    found = grouped(tensors, 11)

    assert sorted(each.name for part in found for each in part) == sorted(each.name for each in tensors)
    assert [group_name(part) for part in found if "ffn_up" in part[0].name] == [
        "ffn_up 0",
        "ffn_up 11",
        "ffn_up 1–4",
        "ffn_up 5–7",
        "ffn_up 8–10",
    ]
    assert group_name(found[0]) == "token_embd"
    assert len(grouped(tensors, 1)) == 3


def test_types_are_those_that_a_row_fits_into() -> None:
    every = ("Q8_0", "Q4_K", "IQ2_S", "Q5_0", "Q4_0", "IQ4_NL")

    assert types_for(ggml(), _tensor("a", 576), every, {}) == ("Q8_0", "Q5_0", "Q4_0", "IQ4_NL")
    # Where K types fit, the older ones of their size are not tried; grids need to know what matters.
    assert types_for(ggml(), _tensor("a", 512), every, {}) == ("Q8_0", "Q4_K", "Q5_0", "IQ4_NL")
    assert "IQ2_S" in types_for(ggml(), _tensor("a", 512), every, {"a": np.ones(512, np.float32)})
    assert types_for(ggml(), _tensor("a", 33), every, {}) == ("F16",)


@pytest.mark.parametrize("types", [["Q9_K"], ["I32"], []])
def test_types_that_hold_no_weights_are_refused(types: list[str]) -> None:
    with pytest.raises(ParameterError):
        check_types(ggml(), types)


def test_error_is_the_weighted_square_of_what_a_type_changes(tiny_gguf: Path) -> None:
    weights = ModelWeights(_model(tiny_gguf))
    name = "blk.0.ffn_down.weight"
    (tensor,) = weights.tensors([name])
    importance = np.linspace(0, 2, tensor.columns, dtype=np.float32)

    found = output_errors(
        ggml(), weights, {name: ["Q4_0", "Q8_0"]}, {name: importance}, 2, {}, lambda _: None
    )

    rows = weights.rows(tensor, 0)
    for type in ("Q4_0", "Q8_0"):
        change = rows - restored(ggml(), rows, type, importance)
        assert found[name][type] == pytest.approx(float((change.astype(np.float64) ** 2 @ importance).sum()))
    assert found[name]["Q8_0"] < found[name]["Q4_0"] / 50


def test_changed_model_moves_by_what_was_changed_and_is_put_back(tiny_gguf: Path, tmp_path: Path) -> None:
    weights = ModelWeights(_model(tiny_gguf))
    tensors = weights.tensors(["blk.0.ffn_up.weight", "blk.1.attn_v.weight", "token_embd.weight"])
    with ChangedModel(
        ggml(),
        tiny_gguf,
        weights,
        tensors,
        text=TEXT,
        width=64,
        most=2,
        threads=1,
        kept=tmp_path / "reference",
    ) as changed:
        for number in range(len(changed.windows)):
            changed.read_reference(number)

        def moved(type: str, which: int) -> float:
            found = changed.divergence({tensors[which]: type}, {})
            assert found is not None
            return found.distance().mean_kld

        assert len(changed.windows) == 2
        coarse, fine = moved("Q4_0", 1), moved("Q8_0", 1)
        assert coarse > 20 * fine
        # The same again: nothing was left behind. In full precision nothing changes.
        assert moved("Q4_0", 1) == coarse
        assert moved("F16", 0) == pytest.approx(0, abs=1e-6)
        assert moved("Q4_0", 2) > coarse


def test_tensor_that_the_model_never_computes_with_is_not_measured(tiny_gguf: Path, tmp_path: Path) -> None:
    weights = ModelWeights(_model(tiny_gguf))
    with ChangedModel(
        ggml(), tiny_gguf, weights, [], text=TEXT, width=64, most=1, threads=1, kept=tmp_path / "reference"
    ) as changed:
        changed.read_reference(0)

        assert changed.divergence({_tensor("blk.9.odd.weight"): "Q4_0"}, {}) is None


def test_result_is_no_larger_and_nearer_than_the_recipe_on_other_text(
    tiny_gguf: Path, text: Path, run_plugin: Callable[..., Any]
) -> None:
    fixed = run_plugin("gguf-quantize", tiny_gguf, type="Q4_0")

    mixed = run_plugin("gguf-mixed", tiny_gguf, size_of="Q4_0", text=str(text), width=64, windows=4)

    assert mixed.code == 0, mixed.error
    recipe, after = read_gguf_header(fixed.result), read_gguf_header(mixed.result)
    assert sum(each.size_bytes for each in after.tensors) <= sum(each.size_bytes for each in recipe.tensors)
    # Not the name of a recipe, but of what most weights are stored in.
    assert inspect(mixed.result).quantization in {each.type.name for each in after.tensors}
    figures = {event.name: event.value for event in mixed.events if isinstance(event, Metric)}
    assert figures["measured_kld"] == pytest.approx(figures["expected_kld"], rel=0.6)
    assert any("was expected" in event.text for event in mixed.events if isinstance(event, Log))
    tokens = list(range(1000, 1096))
    reference, of_recipe, of_mixed = (
        _logits(path, tokens) for path in (tiny_gguf, fixed.result, mixed.result)
    )
    assert _kld(reference, of_mixed) < _kld(reference, of_recipe)
    # Begun anew it measures nothing twice and makes the same file.
    before = mixed.result.read_bytes()
    mixed.result.unlink()
    words = [mixed.folder / "job.py", "--job-dir", mixed.folder, "--model", tiny_gguf, "--resume"]
    again = subprocess.call([sys.executable, *words, "--set", f"text={text}"], cwd=mixed.folder)
    events = EventTail(mixed.folder / "events.jsonl").read(1 << 26)
    assert again == 0
    assert sum(isinstance(each, Metric) and each.name == "kld" for each in events) == 15
    assert mixed.result.read_bytes() == before


def _logits(path: Path, tokens: list[int]) -> Any:
    engine = open_engine(LoadOptions(path=str(path), format="gguf", context=128, parallel=1, threads=1))
    try:
        return engine.logits(tokens).copy()
    finally:
        engine.close()


def _kld(reference: Any, candidate: Any) -> float:
    found = Divergence()
    found.add(reference, candidate)
    return found.distance().mean_kld


def test_layers_of_experts_are_mixed_too(
    tiny_gguf: Path, text: Path, tmp_path: Path, run_plugin: Callable[..., Any]
) -> None:
    model = make_experts.make_experts(tiny_gguf, tmp_path / "experts.gguf")

    mixed = run_plugin(
        "gguf-mixed", model, bits_per_weight=5.0, text=str(text), width=64, windows=2, groups=12
    )

    assert mixed.code == 0, mixed.error
    assert inspect(mixed.result).bits_per_weight <= 5.0
    assert not any("could not be measured" in event.text for event in mixed.events if isinstance(event, Log))


def _never(problem: BaseException) -> Any:
    raise problem


@pytest.fixture
def refused(tiny_gguf: Path, tmp_path: Path) -> Callable[..., ParameterError]:
    """Runs the operation in this process with an importance of one tensor, and gives its refusal."""

    def run(columns: int, **params: Any) -> ParameterError:
        sums = ImportanceSums()
        sums.add("blk.0.ffn_up.weight", np.ones((1, 1, 4, columns)), matrices=1)
        write_imatrix(tmp_path / "i.gguf", sums, texts=["a"], windows=1, width=4)
        job = WorkerContext(
            folder=tmp_path,
            out=tmp_path,
            sink=EventSink(tmp_path / "events.jsonl"),
            requests=Requests(tmp_path),
            seed=0,
            threads=1,
            output_name="made",
            stop_now=_never,
        )
        with pytest.raises(ParameterError) as caught:
            gguf_mixed(job, _model(tiny_gguf), MixedParams(imatrix=tmp_path / "i.gguf", **params))
        return caught.value

    return run


def test_budget_below_the_smallest_types_says_what_is_possible(
    refused: Callable[..., ParameterError],
) -> None:
    error = refused(64, bits_per_weight=2.0)

    assert "bits per weight; 2.00 were asked for" in str(error)
    assert "smaller types" in error.remedy


def test_importance_matrix_of_another_model_is_refused_before_anything_is_measured(
    refused: Callable[..., ParameterError],
) -> None:
    error = refused(96)

    assert "another model: its blk.0.ffn_up.weight has 96 columns" in str(error)


def test_damaged_importance_matrix_is_named(
    tiny_gguf: Path, tmp_path: Path, run_plugin: Callable[..., Any]
) -> None:
    (tmp_path / "broken.dat").write_bytes(b"\xff\xff\xff\x7f rubbish")

    ran = run_plugin("gguf-mixed", tiny_gguf, imatrix=str(tmp_path / "broken.dat"))

    assert ran.code == 1
    assert "broken.dat" in ran.error.message


def test_unknown_type_number_is_refused() -> None:
    with pytest.raises(WorkbenchError, match="no type"):
        ggml().type_number("Q9_X")
