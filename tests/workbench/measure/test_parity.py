"""The parity guard names planted faults and leaves honest steps alone, with real tiny models and engines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workbench.measure import faults
from tests.workbench.measure.small_gguf import convert
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
    """Some: they are all there in the tests of honest steps."""
    return read_prompts()[1::3]


def test_a_model_is_at_parity_with_itself(load: Load, small_gguf: Path) -> None:
    engine = load(small_gguf)
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
        (faults.merge_altered, "tokenizer", "is split into “Wh” “at”"),
        (
            faults.token_altered,
            "tokenizer",
            "Token 300 is “qqqq”, “stem” at the source; 1 of 308 tokens differ.",
        ),
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
    small_gguf: Path,
    prompts: tuple[Prompt, ...],
    tmp_path: Path,
) -> None:
    source = load(small_gguf)
    result = load(faults.planted(small_gguf, tmp_path / "broken.gguf", fault))

    found = check_step(source, result, Step(stage="Convert to GGUF", same_type=True), prompts=prompts)

    assert finding in failed(found)[check]
    assert {each.stage for each in found if each.result == "failed"} == {"Convert to GGUF"}
    assert set(failed(found)) <= {check, "first divergence" if check == "predictions" else check}


def test_merge_that_no_prompt_needs_is_tried_too(load: Load, small_gguf: Path, tmp_path: Path) -> None:
    result = load(faults.planted(small_gguf, tmp_path / "broken.gguf", faults.merge_altered))

    found = check_step(
        load(small_gguf), result, Step(stage="Convert", same_type=True), prompts=read_prompts()[:1]
    )

    expected = "The word “What” is split into “Wh” “at”, “What” at the source."
    assert failed(found) == {"tokenizer": expected}


def test_lost_begin_is_named(
    load: Load, small_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    source = load(faults.planted(small_gguf, tmp_path / "begins.gguf", faults.begins_texts))

    found = check_step(source, load(small_gguf), Step(stage="Convert", same_type=True), prompts=prompts)

    assert list(failed(found)) == ["begin and end tokens"]
    assert "“<|im_start|>” is lost: the plain text" in failed(found)["begin and end tokens"]


def test_lost_end_is_named(load: Load, small_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    source = load(faults.planted(small_gguf, tmp_path / "ends.gguf", faults.ends_with_a_word))

    found = check_step(source, load(small_gguf), Step(stage="Convert", same_type=True), prompts=prompts)

    assert "is lost as an end" in failed(found)["begin and end tokens"]


def test_begin_that_template_and_tokenizer_write_is_doubled(
    load: Load, small_gguf: Path, prompts: tuple[Prompt, ...]
) -> None:
    from workbench.library.inspect import inspect

    template = "{{ bos_token }}" + (inspect(small_gguf).chat_template or "")

    found = check_step(
        load(small_gguf),
        load(small_gguf, chat_template=template),
        Step(stage="Convert", same_type=True),
        prompts=prompts,
    )

    assert list(failed(found)) == ["begin and end tokens"]
    assert "“<|im_start|>” is doubled: the conversation" in failed(found)["begin and end tokens"]


def test_chain_names_its_first_broken_step(
    load: Load, small_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    altered = faults.planted(small_gguf, tmp_path / "altered.gguf", faults.template_altered)
    turned = faults.planted(altered, tmp_path / "turned.gguf", faults.output_turned)
    models = [small_gguf, small_gguf, altered, turned]
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


def test_chain_needs_a_step_between_models(load: Load, small_gguf: Path) -> None:
    with pytest.raises(UsageError, match="1 models and 1 steps"):
        check_chain([lambda: load(small_gguf)], [Step(stage="Convert", same_type=True)])


def test_another_vocabulary_is_named_and_nothing_is_computed_with_it(
    load: Load, small_gguf: Path, tiny_gguf: Path, prompts: tuple[Prompt, ...]
) -> None:
    step = Step(stage="Convert", same_type=True)

    longer = check_step(load(small_gguf), load(tiny_gguf), step, prompts=prompts)
    shorter = check_step(load(tiny_gguf), load(small_gguf), step, prompts=prompts)

    for found in (longer, shorter):
        assert "tokens differ" in failed(found)["tokenizer"]
        assert [each.result for each in found[-2:]] == ["not tested"] * 2


def test_without_a_template_plain_texts_are_compared(
    load: Load, small_hf: Path, small_gguf: Path, prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    shutil.copytree(small_hf, tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    base = load(convert(tmp_path / "base", tmp_path / "base.gguf"))
    step = Step(stage="Prune", same_type=True)

    plain = check_step(base, base, step, prompts=prompts)
    lost = check_step(load(small_gguf), base, step, prompts=prompts)
    retrained = check_step(base, base, replace(step, retrained=True), prompts=prompts)

    assert [each.result for each in plain] == ["not tested", *["passed"] * 4]
    assert failed(lost) == {"chat template": "The chat template is lost."}
    assert [each.result for each in retrained] == [
        "not tested",
        "passed",
        "passed",
        "not tested",
        "not tested",
    ]


def test_there_must_be_prompts(load: Load, small_gguf: Path) -> None:
    engine = load(small_gguf)

    with pytest.raises(UsageError, match="there are none"):
        check_step(engine, engine, Step(stage="Convert", same_type=True), prompts=())
