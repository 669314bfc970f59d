"""The proof of a fine-tune: what was learned and forgotten, measured on the files that were published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins._torch_pair import TorchPair
from plugins._torch_tuning import greedy
from plugins._tuning_answers import _known
from plugins._tuning_answers import answers as answers_of
from plugins._tuning_forgetting import distance, knowledge
from plugins._tuning_learned import learned
from plugins._tuning_loop import Progress
from plugins._tuning_proof import compare, prove
from plugins._tuning_run import Tuned
from plugins._tuning_samples import Asked
from plugins.finetune_torch import FinetuneTorchParams, finetune_torch
from plugins.prove_adapter import ProveAdapterParams, prove_adapter
from tests.plugins.tuning_parts import Job, answers, params, preferences
from tests.plugins.tuning_parts import sides as sides_of_file
from workbench.errors import JobCancelled, WorkbenchError
from workbench.jobs.events import Metric
from workbench.library.inspect import inspect
from workbench.library.tuning_facts import tuning_facts
from workbench.model import Model
from workbench.plugin import Paired, PromptTexts, Question, Sides, general_items, general_text

pytestmark = pytest.mark.timeout(300)

TEXT = "The river is quiet in the morning, and nobody is on the bridge. " * 7
QUESTIONS = (
    Question(prompt="The capital of France is", choices=("Paris", "Madrid", "the Great Wall"), answer=0),
    Question(prompt="Two plus two equals", choices=("nine", "four"), answer=1),
    Question(prompt="A year has twelve", choices=("weeks", "seasons", "months", "days"), answer=2),
)


class Workplace(Job):
    """A job that runs in this process."""

    seed, threads, output_name = 7, 1, "made"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.out, self.cache = folder / "out", folder / "cache"
        self.out.mkdir()
        self.labels: list[str] = []
        self.cancelled_at = ""
        self.checks = 0

    def progress(self, *_figures: Any, label: str = "", **_more: Any) -> None:
        if label not in self.labels:
            self.labels.append(label)
        self.check()

    def check(self) -> None:
        self.checks += 1
        if self.cancelled_at and self.cancelled_at in self.labels:
            raise JobCancelled


@pytest.fixture
def job(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def base(tiny_hf: Path) -> Model:
    return Model(path=tiny_hf, name=tiny_hf.name, facts=inspect(tiny_hf))


@pytest.fixture(scope="session")
def adapters(tiny_hf: Path, shared_models: Path, worker_id: str) -> dict[str, Path]:
    """Two adapters for the tiny model: `zeros` changes nothing, `random` a lot."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    found = {}
    for name, begun in (("zeros", True), ("random", False)):
        found[name] = shared_models / f"proof-{name}-{worker_id}"
        model = peft.get_peft_model(
            AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32),
            peft.LoraConfig(
                task_type="CAUSAL_LM", r=8, target_modules=["q_proj", "down_proj"], init_lora_weights=begun
            ),
        )
        model.save_pretrained(found[name], save_embedding_layers=False)
    return found


@pytest.fixture
def short_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not the distance that is looked at, a text that takes no seconds to read."""
    monkeypatch.setattr("plugins._tuning_proof.general_text", lambda: TEXT)


@cache
def texts_of(model: Path) -> PromptTexts:
    return PromptTexts(model)


def tuned(base: Model, result: Path, sides: Sides) -> Tuned:
    return Tuned(result, base, sides, texts_of(base.path), Progress(step=12))


@cache
def plain_model(base: Path, adapter: Path, *, with_adapter: bool) -> Any:
    """What transformers and PEFT load, without anything of ours."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if with_adapter:
        model = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.eval()


def logits(base: Path, adapter: Path, ids: list[int], *, with_adapter: bool) -> Any:
    """Log-probabilities of every next token, shape (tokens, vocabulary)."""
    import torch

    with torch.no_grad():
        found = plain_model(base, adapter, with_adapter=with_adapter)(torch.tensor([ids])).logits[0]
        return found.log_softmax(-1).double()


# --- a whole run --------------------------------------------------------------------------------------


def test_a_run_that_learns_is_proven(tmp_path: Path, tiny_hf: Path, run_plugin: Callable[..., Any]) -> None:
    data = tmp_path / "yes.jsonl"
    rows = [{"prompt": f"What comes after {at}?", "completion": "yes"} for at in range(60)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    ran = run_plugin(
        "finetune-torch",
        tiny_hf,
        data=[str(data)],
        held_out=0.3,
        steps=60,
        evaluate_every=60,
        learning_rate=0.02,
        batch_tokens=512,
        rank=64,
        alpha=512.0,
    )

    assert ran.code == 0
    proof = json.loads((ran.result / "proof.json").read_text(encoding="utf-8"))
    tuning = json.loads((ran.result / "tuning.json").read_text(encoding="utf-8"))
    assert proof["schema"] == 1
    assert proof["held_out"]["before"] == pytest.approx(tuning["held_out_before"], rel=1e-4)
    assert proof["held_out"]["after"] == pytest.approx(tuning["held_out_best"], rel=1e-4)
    task = proof["task"]
    assert task["kind"] == "exact match" and task["items"] == proof["held_out"]["examples"] >= 10
    assert (task["before"], task["after"]) == (0.0, 1.0)
    assert (task["only_before"], task["only_after"]) == (0, task["items"])
    assert task["p"] == 2 / 2 ** task["items"]
    assert task["verdict"] == "better, p < 0.001"
    assert task["wilson_before"][1] < task["wilson_after"][0]
    forgetting = proof["forgetting"]
    assert forgetting["mean_kld"] > 0 and forgetting["same_top"] < 1
    assert forgetting["items"] == len(general_items())
    assert len(proof["examples"]) == 5
    assert all(each["after"] == each["expected"] == "yes" for each in proof["examples"])
    assert not any(each["before"] == "yes" for each in proof["examples"])
    assert proof["examples"][0]["prompt"].startswith("What comes after ")
    assert proof["conditions"]["seed"] is not None and len(proof["conditions"]["text_sha256"]) == 64
    log = (ran.folder / "log.txt").read_text(encoding="utf-8")
    assert all(sentence in log for sentence in proof["sentences"]) and len(proof["sentences"]) == 3
    metrics = [(each.name, each.step, each.value) for each in ran.events if isinstance(each, Metric)]
    assert ("accuracy/held-out", 0, 0.0) in metrics and ("accuracy/held-out", 60, 1.0) in metrics
    facts = tuning_facts(ran.result)
    assert facts is not None
    assert (facts.accuracy_before, facts.accuracy_after, facts.p) == (0.0, 1.0, task["p"])


@pytest.mark.usefixtures("short_text")
def test_an_adapter_from_elsewhere_is_measured(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    data = answers(tmp_path / "examples.jsonl", 12)

    result = prove_adapter(job, base, ProveAdapterParams(adapter=adapters["random"], data=[data]))

    proof = json.loads(result.read_text(encoding="utf-8"))
    assert result.parent == job.out
    assert proof["held_out"]["examples"] == 12
    assert proof["held_out"]["after"] != proof["held_out"]["before"]
    assert proof["forgetting"]["mean_kld"] > 0
    assert proof["conditions"]["adapter"] == adapters["random"].name
    assert proof["conditions"]["files"] == ["examples.jsonl"]


@pytest.mark.usefixtures("short_text")
def test_only_what_a_training_held_out_is_measured_where_it_is_asked_for(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    data, apart = answers(tmp_path / "examples.jsonl"), answers(tmp_path / "apart.jsonl", 3)
    held_out = sides_of_file(data, base.path, held_out=0.3).held_out
    found = []
    for more in ({"held_out": 0.3}, {"held_out_data": [apart]}):
        chosen = ProveAdapterParams(adapter=adapters["zeros"], data=[data], max_tokens=128, **more)
        proof = json.loads(prove_adapter(job, base, chosen).read_text(encoding="utf-8"))
        found.append(proof["held_out"]["examples"])

    assert found == [len(held_out), 3]


# --- an adapter that changes nothing ------------------------------------------------------------------


def test_an_adapter_of_zeros_changes_nothing_at_all(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    sides = sides_of_file(answers(tmp_path / "examples.jsonl"), base.path)
    made = tuned(base, adapters["zeros"], sides)

    proof = compare(job, made, TorchPair(made, params()), {"seed": 7})

    assert proof["held_out"]["before"] == proof["held_out"]["after"]
    assert proof["task"]["before"] == proof["task"]["after"]
    assert proof["task"]["p"] == proof["forgetting"]["p"] == 1
    assert proof["task"]["verdict"] == proof["forgetting"]["verdict"] == "no difference shown"
    forgetting = proof["forgetting"]
    assert (forgetting["mean_kld"], forgetting["max_kld"], forgetting["same_top"]) == (0, 0, 1)
    assert forgetting["grade"] == "hardly any"
    assert forgetting["tokens"] == 8 * (128 - 32)
    assert all(each["before"] == each["after"] for each in proof["examples"])
    assert job.labels == [
        "proof: held-out examples",
        "proof: answers before",
        "proof: answers after",
        "proof: other text",
        "proof: other questions",
    ]
    assert proof["conditions"]["seed"] == 7
    assert json.loads(json.dumps(proof)) == proof


# --- right figures ------------------------------------------------------------------------------------


def test_the_distance_is_that_of_the_models_own_predictions(
    job: Workplace, base: Model, adapters: dict[str, Path], tmp_path: Path
) -> None:
    made = tuned(base, adapters["random"], sides_of_file(answers(tmp_path / "x.jsonl", 4), base.path))
    ids = made.texts.plain(TEXT)
    assert 64 < len(ids) < 128
    before, after = (logits(base.path, made.result, ids, with_adapter=each)[32:] for each in (False, True))
    expected = (before.exp() * (before - after)).sum(-1)

    pair = TorchPair(made, params())

    found = distance(job, made.texts, TEXT, pair)

    assert distance(job, made.texts, TEXT, pair, context_length=50).positions == 2 * (50 - 25)
    assert found.positions == len(ids) - 32
    assert found.mean_kld == pytest.approx(float(expected.mean()), rel=1e-3)
    assert found.max_kld == pytest.approx(float(expected.max()), rel=1e-3)
    assert found.same_top == pytest.approx(float((before.argmax(-1) == after.argmax(-1)).double().mean()))


def test_questions_are_answered_with_the_likeliest_choice(
    job: Workplace, base: Model, adapters: dict[str, Path], tmp_path: Path
) -> None:
    made = tuned(base, adapters["random"], sides_of_file(answers(tmp_path / "x.jsonl", 4), base.path))
    right = []
    for with_adapter in (False, True):
        chosen = []
        for question in QUESTIONS:
            start = len(made.texts.plain(question.prompt))
            scores = []
            for choice in question.choices:
                ids = made.texts.plain(f"{question.prompt} {choice}")
                said = logits(base.path, made.result, ids, with_adapter=with_adapter)
                scores.append(float(sum(said[at - 1, ids[at]] for at in range(start, len(ids)))))
            chosen.append(int(np.argmax(scores)) == question.answer)
        right.append(chosen)

    found = knowledge(job, made.texts, QUESTIONS, TorchPair(made, params()))

    assert found.items == len(QUESTIONS)
    assert found.both == sum(one and other for one, other in zip(*right, strict=True))
    assert (found.before, found.after) == (np.mean(right[0]), np.mean(right[1]))


@pytest.mark.usefixtures("short_text")
def test_answers_that_are_asked_are_those_that_the_scores_tell(
    tmp_path: Path, job: Workplace, base: Model
) -> None:
    data = tmp_path / "yes.jsonl"
    rows = [{"prompt": f"What comes after {at}?", "completion": "yes"} for at in range(60)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    chosen = FinetuneTorchParams(
        data=[data],
        held_out=0.2,
        steps=30,
        evaluate_every=30,
        learning_rate=0.02,
        batch_tokens=512,
        method="full",
        proof=False,
    )
    made = tuned(base, finetune_torch(job, base, chosen), sides_of_file(data, base.path))
    side, pair = made.sides.held_out, TorchPair(made, chosen)
    found = learned(job, side, pair)
    # A line break in front leaves open what follows.
    (line_break,) = made.texts.plain("\n")
    open_ended = {number: np.full_like(each, line_break) for number, each in found.likeliest.items()}

    told = answers_of(job, made.texts, side, found, pair)
    asked = answers_of(job, made.texts, side, replace(found, likeliest=open_ended), pair)

    assert asked.judged == told.judged == Paired(both=0, only_before=0, only_after=len(side), neither=0)
    assert {each.after for each in asked.shown} == {each.after for each in told.shown} == {"yes"}
    assert {each.before for each in asked.shown} == {each.before for each in told.shown}


def test_scores_tell_an_answer_up_to_its_first_other_token(tiny_hf: Path) -> None:
    texts = texts_of(tiny_hf)
    (end,) = texts.end_tokens
    (line_break,) = texts.plain("\n")
    expected = texts.plain("the number 12")
    asked = Asked((1, 2), "", "the number 12", (*expected, end, line_break))
    other, longer = texts.plain("zebra")[0], texts.plain(" numbers")[0]

    def known(*likeliest: int) -> bool | None:
        return _known(texts, asked, likeliest)

    assert known(*expected, end, line_break) is True
    # What follows the end is never said.
    assert known(*expected, end, other) is True
    assert known(other, *expected[1:], end, line_break) is False
    assert known(expected[0], longer, *expected[2:], end, line_break) is False
    assert known(*expected[:-1], end, end, line_break) is False
    assert known(*expected, other, line_break) is False
    # Only the model itself can tell how it goes on.
    assert known(line_break, *expected[1:], end, line_break) is None
    assert known(*expected, line_break, line_break) is None


def test_the_likeliest_token_is_taken_whatever_the_model_has_set_for_chatting(tiny_hf: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32).eval()
    expected = [5, 6, 7]
    with torch.no_grad():
        for _step in range(8):
            expected.append(int(model(torch.tensor([expected])).logits[0, -1].argmax()))
    model.generation_config.repetition_penalty = 5.0
    model.generation_config.no_repeat_ngram_size = 1
    model.generation_config.num_beams = 2

    assert greedy(model, [[5, 6, 7]], 8, []) == [expected[3:]]


def test_preferences_are_judged_by_which_answer_is_likelier(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    sides = sides_of_file(preferences(tmp_path / "pairs.jsonl"), base.path)
    made = tuned(base, adapters["random"], sides)
    side = sides.held_out
    right = []
    for with_adapter in (False, True):
        means = []
        for number in side.examples.tolist():
            of_both = []
            for sequence in (2 * number, 2 * number + 1):
                ids, trained = side.tokens.ids(sequence).tolist(), side.tokens.trained(sequence)
                said = logits(base.path, made.result, ids, with_adapter=with_adapter)
                of_both.append(np.mean([float(said[at - 1, ids[at]]) for at in np.flatnonzero(trained)]))
            means.append(of_both)
        right.append([better > worse for better, worse in means])

    proof = compare(job, made, TorchPair(made, params()), {})

    assert proof["task"]["kind"] == "preference"
    assert proof["task"]["items"] == len(side)
    assert (proof["task"]["before"], proof["task"]["after"]) == (np.mean(right[0]), np.mean(right[1]))
    assert "task" not in proof["reasons"]
    assert "better answers" in proof["sentences"][0] and "preferences" in proof["sentences"][1]
    # Both answers to some prompts are shown all the same.
    assert len(proof["examples"]) == 5


@pytest.mark.usefixtures("short_text")
def test_a_whole_model_is_compared_with_its_base(tmp_path: Path, job: Workplace, base: Model) -> None:
    data = answers(tmp_path / "examples.jsonl")
    chosen = FinetuneTorchParams(
        data=[data],
        method="full",
        steps=4,
        evaluate_every=4,
        held_out=0.2,
        learning_rate=0.01,
        batch_tokens=512,
    )

    result = finetune_torch(job, base, chosen)

    proof = json.loads((result / "proof.json").read_text(encoding="utf-8"))
    tuning = json.loads((result / "tuning.json").read_text(encoding="utf-8"))
    assert proof["held_out"]["before"] == pytest.approx(tuning["held_out_before"], rel=1e-4)
    # The model was published in bfloat16, as its base is stored.
    assert proof["held_out"]["after"] == pytest.approx(tuning["held_out_best"], rel=1e-2)
    assert proof["held_out"]["after"] < proof["held_out"]["before"]
    assert proof["forgetting"]["mean_kld"] > 0


# --- what can't be measured ---------------------------------------------------------------------------


@pytest.mark.usefixtures("short_text")
def test_plain_text_has_no_task(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(f"The {at}th day was much like the one before it." for at in range(20)))
    sides = sides_of_file(text, base.path, held_out=0.4)
    made = tuned(base, adapters["zeros"], sides)

    proof = compare(job, made, TorchPair(made, params()), {})

    assert proof["task"] is None and "no prompts" in proof["reasons"]["task"]
    assert proof["held_out"]["examples"] == len(sides.held_out) > 0
    assert proof["examples"] == []


def test_long_answers_are_shown_but_not_judged(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    data = tmp_path / "long.jsonl"
    rows = [{"prompt": f"Tell me about {at}.", "completion": "It is a number. " * 20} for at in range(20)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = tuned(base, adapters["random"], sides_of_file(data, base.path, held_out=0.4, longest=256))

    side, pair = made.sides.held_out, TorchPair(made, params())

    found = answers_of(job, made.texts, side, learned(job, side, pair), pair)

    assert found.judged is None and "too long to be exact" in found.reason
    assert 0 < len(found.shown) <= 5
    assert all(each.before.endswith(" …") and each.before != each.after for each in found.shown)


@pytest.mark.usefixtures("short_text")
def test_where_nothing_was_held_out_forgetting_is_measured_alone(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    sides = sides_of_file(answers(tmp_path / "examples.jsonl", 8), base.path, held_out=0)
    made = tuned(base, adapters["random"], sides)

    proof = compare(job, made, TorchPair(made, params()), {})

    assert proof["held_out"] is None and proof["task"] is None and proof["examples"] == []
    assert proof["reasons"] == {"held_out": "Nothing was held out.", "task": "Nothing was held out."}
    assert proof["forgetting"]["mean_kld"] > 0


# --- what goes wrong ----------------------------------------------------------------------------------


def spoiled(adapter: Path, target: Path) -> Path:
    """A copy of an adapter with a weight that is no number."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, target)
    weights = load_file(target / "adapter_model.safetensors")
    next(iter(weights.values()))[0, 0] = float("nan")
    save_file(weights, target / "adapter_model.safetensors")
    return target


def test_a_result_that_is_no_number_is_said_and_not_averaged(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    sides = sides_of_file(answers(tmp_path / "examples.jsonl", 12), base.path)
    made = tuned(base, spoiled(adapters["random"], tmp_path / "spoiled"), sides)
    pair = TorchPair(made, params())

    with pytest.raises(WorkbenchError, match="The result's loss"):
        learned(job, sides.held_out, pair)
    with pytest.raises(WorkbenchError, match="no finite numbers"):
        distance(job, made.texts, TEXT, pair)


def test_a_proof_that_fails_costs_no_result(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    sides = sides_of_file(answers(tmp_path / "examples.jsonl", 12), base.path)
    for name, said in (("pickled", "pickle"), ("empty", "adapter_config.json")):
        folder = tmp_path / name
        folder.mkdir()
        if name == "pickled":
            shutil.copy(adapters["zeros"] / "adapter_config.json", folder)
            (folder / "adapter_model.bin").write_bytes(b"\x80\x04.")
        made = tuned(base, folder, sides)

        proof = prove(job, made, TorchPair(made, params()), {"seed": 7})

        assert set(proof) == {"schema", "error", "conditions"}
        assert said in proof["error"]
        assert said in job.logged[-1] and job.logged[-1].startswith("The result could not be compared")


def test_a_run_whose_proof_fails_still_succeeds(
    tmp_path: Path, job: Workplace, base: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = answers(tmp_path / "examples.jsonl", 12)

    def full() -> str:
        raise MemoryError

    # Reading the text takes the last of the memory.
    monkeypatch.setattr("plugins._tuning_proof.general_text", full)
    result = finetune_torch(job, base, FinetuneTorchParams(data=[data], steps=1, held_out=0))

    assert (result / "adapter_model.safetensors").is_file()
    proof = json.loads((result / "proof.json").read_text(encoding="utf-8"))
    assert proof["error"] == "MemoryError"


@pytest.mark.parametrize("at", ["proof: held-out examples", "proof: answers after"])
def test_a_cancel_ends_a_proof_at_once(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path], at: str
) -> None:
    sides = sides_of_file(answers(tmp_path / "examples.jsonl", 12), base.path)
    made = tuned(base, adapters["zeros"], sides)
    pair = TorchPair(made, params(), job.check)
    job.cancelled_at = at

    with pytest.raises(JobCancelled):
        prove(job, made, pair, {})

    assert job.labels[-1] == at
    assert pair._models is None


def test_an_answer_can_be_cancelled_between_its_tokens(
    tmp_path: Path, job: Workplace, base: Model, adapters: dict[str, Path]
) -> None:
    made = tuned(base, adapters["zeros"], sides_of_file(answers(tmp_path / "x.jsonl", 4), base.path))
    pair = TorchPair(made, params(), job.check)
    pair.generate([made.texts.prompt("Hello")], 2, tuned=True)
    before = job.checks
    job.labels, job.cancelled_at = ["asking"], "asking"

    with pytest.raises(JobCancelled):
        pair.generate([made.texts.prompt("Hello")], 100_000, tuned=True)

    assert job.checks == before + 1


def test_another_models_adapter_is_refused_with_words(
    tmp_path: Path, base: Model, adapters: dict[str, Path]
) -> None:
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(adapters["zeros"], other)
    weights = {
        name: each.repeat(1, 2) if "lora_A" in name else each
        for name, each in load_file(other / "adapter_model.safetensors").items()
    }
    save_file(weights, other / "adapter_model.safetensors")
    made = tuned(base, other, sides_of_file(answers(tmp_path / "x.jsonl", 4), base.path))

    with pytest.raises(WorkbenchError, match=f"no adapter for {base.name}"):
        TorchPair(made, params()).generate([[1, 2]], 1, tuned=True)


def test_the_text_and_the_questions_ship_with_tenfold() -> None:
    items = general_items()

    assert len(general_text()) > 8000
    assert len(items) >= 40
    assert {each.answer for each in items} == {0, 1, 2, 3}
