from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.batches import Plan, epoch_batches
from workbench.data.collate import IGNORED, Arrays, collate
from workbench.data.token_set import TokenSet
from workbench.data.tokenizing import Recipe, token_set


@pytest.fixture(scope="module")
def tokens(tiny_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenSet:
    folder = tmp_path_factory.mktemp("data")
    rows = [{"prompt": f"Question {at}?", "completion": "an answer " * (at % 5 + 1)} for at in range(12)]
    data = folder / "a.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return token_set(Recipe(files=(str(data),), tokenizer=str(tiny_hf)), folder / "cache")


def test_targets_are_the_next_learned_tokens_of_the_same_example(tokens: TokenSet) -> None:
    arrays = collate(tokens, ((0, 1), (2,)), 1000)

    first = len(tokens.ids(0))
    assert arrays.ids[0, :first].tolist() == tokens.ids(0).tolist()
    assert arrays.ids[0, first : first + len(tokens.ids(1))].tolist() == tokens.ids(1).tolist()
    assert arrays.targets[0, first - 1] == IGNORED
    assert arrays.positions[0, first] == 0
    learned = [int(t) for t, on in zip(tokens.ids(0), tokens.trained(0), strict=True) if on]
    assert [t for t in arrays.targets[0, :first].tolist() if t != IGNORED] == learned
    assert arrays.learned == sum(int(tokens.trained(each).sum()) for each in (0, 1, 2))
    assert arrays.real == sum(len(tokens.ids(each)) for each in (0, 1, 2))
    assert (arrays.is_packed, collate(tokens, ((0,), (2,)), 1000).is_packed) == (True, False)


def test_a_token_sees_its_own_example_up_to_itself(tokens: TokenSet) -> None:
    arrays = collate(tokens, ((0, 1),), 1000)
    allowed, first = arrays.allowed()[0], len(tokens.ids(0))

    assert allowed[first - 1, :first].all()
    assert not allowed[first, :first].any()
    assert not np.triu(allowed, 1).any()
    assert allowed.diagonal().all()


def test_examples_are_cut_and_widths_rounded(tokens: TokenSet) -> None:
    arrays = collate(tokens, ((4,), (0,)), 10, multiple=8)

    assert arrays.ids.shape == (2, 16)
    assert (arrays.segments[0] > 0).sum() == 10
    assert arrays.targets[0, 9] == IGNORED


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_row_has_the_loss_and_gradients_of_its_examples_apart(
    tokens: TokenSet, tiny_hf: Path, attention: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_hf, dtype=torch.float32, attn_implementation=attention)
    packed = epoch_batches(tokens.lengths, Plan(batching="packed", tokens=600, longest=200), 7, 0)
    examples = range(len(tokens))
    assert any(len(row) > 1 for batch in packed for row in batch)

    together = summed(model, [collate(tokens, batch, 200) for batch in packed])
    apart = summed(model, [collate(tokens, ((each,),), 200) for each in examples])
    padded = summed(model, [collate(tokens, tuple((each,) for each in examples), 200)])

    for loss, gradients in (together, padded):
        assert loss == pytest.approx(apart[0], rel=1e-5)
        for name, found in gradients.items():
            torch.testing.assert_close(found, apart[1][name], rtol=1e-3, atol=1e-4, msg=name)
    # Without the boundaries it is another loss: what the test compares is not blind to them.
    blind = summed(model, [collate(tokens, batch, 200) for batch in packed], boundaries=False)
    assert blind[0] != pytest.approx(apart[0], rel=1e-4)


def summed(model: Any, batches: list[Arrays], *, boundaries: bool = True) -> tuple[float, dict[str, Any]]:
    """The loss over all learned tokens and its gradients."""
    import torch

    model.zero_grad()
    total = 0.0
    for arrays in batches:
        allowed = arrays.allowed() if boundaries else np.tril(np.ones_like(arrays.allowed()))
        mask = torch.zeros(allowed.shape).masked_fill(torch.from_numpy(~allowed.astype(bool)), -torch.inf)
        positions = arrays.positions if boundaries else np.arange(arrays.ids.shape[1])[None]
        logits = model(
            input_ids=torch.from_numpy(arrays.ids),
            attention_mask=mask[:, None],
            position_ids=torch.from_numpy(positions),
            use_cache=False,
        ).logits
        targets = torch.from_numpy(arrays.targets)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        loss.backward()
        total += float(loss.detach())
    return total, {
        name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None
    }
