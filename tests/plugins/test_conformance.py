"""Every bundled operation keeps to what Tenfold relies on; `bench_conformance.py` runs the jobs of all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conformance_cases import CASES, Case
from workbench.catalogue import Catalogue
from workbench.catalogue_entry import OperationEntry
from workbench.home import Home
from workbench.plugin.testing import check_operation, round_trip

#: Whose jobs are run here: each looks at four workers, and those of PyTorch take seconds to import it.
_RUN = ("gguf-quantize", "imatrix", "batch-generate")


@pytest.fixture
def bundled(home: Home) -> dict[str, OperationEntry]:
    plugins = Catalogue(home).load().plugins
    return {entry.name: entry for each in plugins if each.kind == "ours" for entry in each.operations}


def test_every_bundled_operation_has_a_case(bundled: dict[str, OperationEntry]) -> None:
    assert set(bundled) == {case.operation for case in CASES}


def test_parameters_are_the_same_in_form_flags_and_script(
    bundled: dict[str, OperationEntry], tmp_path: Path
) -> None:
    faults = {
        case.operation: round_trip.faults(bundled[case.operation], case.values(tmp_path / case.operation))
        for case in CASES
    }

    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.real_model
@pytest.mark.parametrize(
    "case", [each for each in CASES if each.operation in _RUN], ids=lambda case: case.operation
)
def test_jobs_conform(case: Case, bundled: dict[str, OperationEntry], tmp_path: Path) -> None:
    found = check_operation(
        bundled[case.operation].plugin,
        case.operation,
        folder=tmp_path / "check",
        model=case.model(tmp_path),
        values=case.values(tmp_path),
    )

    found.require()
    assert {check.verdict for check in found.checks} <= {"passed", "not applicable"}
    assert next(check for check in found.checks if check.name == "runs").verdict == "passed"
