"""The parity guard names planted faults and leaves honest steps alone, with real tiny models and engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workbench.measure import faults
from workbench.engines.base import Engine
from workbench.errors import UsageError
from workbench.measure.card import ParityCheck
from workbench.measure.parity import Step, check_chain, check_parity, check_step
from workbench.measure.parity_prompts import Prompt, read_prompts

NAMES = ["chat template", "begin and end tokens", "tokenizer", "predictions", "first divergence"]

Load = Callable[..., Engine]


def failed(found: tuple[ParityCheck, ...]) -> dict[str, str]:
    """What failed, and why."""
    return {each.name: each.finding for each in found if each.result == "failed"}


@pytest.fixture(scope="module")
def prompts() -> tuple[Prompt, ...]:
    """Every other one: they are all there in the tests of honest steps."""
    return read_prompts()[1::2]


@pytest.fixture(scope="module")
def loud_gguf(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with attention that matters."""
    return faults.planted(tiny_gguf, tmp_path_factory.mktemp("loud") / "loud.gguf", faults.louder)


def test_a_model_is_at_parity_with_itself(load: Load, tiny_gguf: Path) -> None:
    engine = load(tiny_gguf, context=1024)
    told: list[tuple[int, int]] = []

    found = check_parity(
        engine, engine, stage="Copy", same_type=True, progress=lambda *each: told.append(each)
    )

    assert [each.name for each in found if each.result == "passed" and not each.stage] == NAMES
    assert told[0] == (0, 39)
    assert told[-1] == (39, 39)
    assert [done for done, _total in told] == sorted(done for done, _total in told)


@pytest.mark.parametrize(
    ("fault", "check", "finding"),
    [
        (faults.template_altered, "chat template", "<|im_start|>Assistant\\n” where"),
        (faults.begins_texts, "begin and end tokens", "“<|im_start|>” is added: the plain text"),
        (faults.ends_with_a_word, "begin and end tokens", "an ordinary token, ends answers"),
        (faults.merge_altered, "tokenizer", "The word"),
        (faults.token_altered, "tokenizer", "Token 30000 is “qqqq"),
        (faults.output_turned, "predictions", "weights are damaged"),
        (faults.rotary_order_lost, "predictions", "weights are damaged"),
        (faults.not_a_number, "predictions", "no finite numbers"),
    ],
)
def test_planted_fault_is_named(
    fault: faults.Fault,
    check: str,
    finding: str,
    load: Load,
    loud_gguf: Path,
    prompts: tuple[Prompt, ...],
    tmp_path: Path,
) -> None:
    source = load(loud_gguf)
    result = load(faults.planted(loud_gguf, tmp_path / "broken.gguf", fault))

    found = check_step(source, result, Step(stage="Convert to GGUF", same_type=True), prompts=prompts)

    assert finding in failed(found)[check]
    assert {each.stage for each in found if each.result == "failed"} == {"Convert to GGUF"}
    assert set(failed(found)) <= {check, "first divergence" if check == "predictions" else check}


def test_lost_begin_is_named(
    load: Load, tiny_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    source = load(faults.planted(tiny_gguf, tmp_path / "begins.gguf", faults.begins_texts))

    found = check_step(source, load(tiny_gguf), Step(stage="Convert", same_type=True), prompts=prompts)

    assert list(failed(found)) == ["begin and end tokens"]
    assert "“<|im_start|>” is lost: the plain text" in failed(found)["begin and end tokens"]


def test_lost_end_is_named(load: Load, tiny_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    source = load(faults.planted(tiny_gguf, tmp_path / "ends.gguf", faults.ends_with_a_word))

    found = check_step(source, load(tiny_gguf), Step(stage="Convert", same_type=True), prompts=prompts)

    assert "is lost as an end" in failed(found)["begin and end tokens"]


def test_begin_that_template_and_tokenizer_write_is_doubled(
    load: Load, tiny_gguf: Path, prompts: tuple[Prompt, ...]
) -> None:
    from workbench.library.inspect import inspect

    template = "{{ bos_token }}" + (inspect(tiny_gguf).chat_template or "")

    found = check_step(
        load(tiny_gguf),
        load(tiny_gguf, chat_template=template),
        Step(stage="Convert", same_type=True),
        prompts=prompts,
    )

    assert list(failed(found)) == ["begin and end tokens"]
    assert "“<|im_start|>” is doubled: the conversation" in failed(found)["begin and end tokens"]


def test_chain_names_its_first_broken_step(
    load: Load, tiny_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    altered = faults.planted(tiny_gguf, tmp_path / "altered.gguf", faults.template_altered)
    turned = faults.planted(altered, tmp_path / "turned.gguf", faults.output_turned)
    models = [tiny_gguf, tiny_gguf, altered, turned]
    steps = [Step(stage=name, same_type=True) for name in ("Merge", "Convert", "Quantize")]
    told: list[tuple[int, int]] = []

    found = check_chain(
        [lambda path=path: load(path) for path in models],
        steps,
        prompts=prompts,
        progress=lambda *each: told.append(each),
    )

    assert {each.name: each.stage for each in found if each.stage} == {"chat template": "Convert"}
    assert max(done / total for done, total in told) == pytest.approx(2 / 3)


def test_chain_needs_a_step_between_models(load: Load, tiny_gguf: Path) -> None:
    with pytest.raises(UsageError, match="1 models and 1 steps"):
        check_chain([lambda: load(tiny_gguf)], [Step(stage="Convert", same_type=True)])
