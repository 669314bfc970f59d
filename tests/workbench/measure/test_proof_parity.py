"""What a proof says of a model that was broken on the way: which step did it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.workbench.measure import faults
from workbench.engines.base import Engine
from workbench.measure.measured import measured_model
from workbench.measure.proof_parity import parity_of
from workbench.measure.proof_request import ProofRequest

Load = Callable[..., Engine]


def test_the_step_that_broke_a_model_is_named_where_the_way_is_known(
    load: Load, small_gguf: Path, tmp_path: Path
) -> None:
    altered = faults.planted(small_gguf, tmp_path / "altered.gguf", faults.template_altered)
    result = tmp_path / "result.gguf"
    result.write_bytes(altered.read_bytes())
    request = ProofRequest(
        reference=measured_model(small_gguf, "the original"),
        between=(measured_model(altered, "the converted"),),
        candidate=measured_model(result, "the copy"),
        stage="Copy",
    )

    found = parity_of(request, load(small_gguf), load(result), progress=lambda _done, _total: None)

    broken = {each.name: each.stage for each in found if each.result == "failed"}
    assert broken == {"chat template": "the converted from the original"}


def test_without_the_way_the_last_step_is_named(load: Load, small_gguf: Path, tmp_path: Path) -> None:
    altered = faults.planted(small_gguf, tmp_path / "altered.gguf", faults.template_altered)
    request = ProofRequest(
        reference=measured_model(small_gguf), candidate=measured_model(altered), stage="Convert"
    )

    found = parity_of(request, load(small_gguf), load(altered), progress=lambda _done, _total: None)

    assert {each.stage for each in found if each.result == "failed"} == {"Convert"}
