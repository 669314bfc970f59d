"""Exported scripts run where Qt is not installed, and make what the jobs of the home made.

All operations share one process on each side, since their imports take longer than their work;
`tests/bench/bench_clean_scripts.py` runs each in a process of its own, as people do.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fixtures.clean_environment import make_clean_environment
from tests.fixtures.script_pairs import NOT_HERE, RUN, Pair, make_pair, run_all, same_content
from workbench.home import Home
from workbench.session import Session


@pytest.fixture(scope="module")
def pairs(
    tmp_path_factory: pytest.TempPathFactory, catalogue_cache: Path, tiny_hf: Path
) -> Mapping[str, Pair]:
    """Every operation that can run here, done as a job and as a script in a clean environment."""
    if sys.platform == "win32":
        pytest.skip("there a file that is loaded can't be linked to and removed again")
    place = tmp_path_factory.mktemp("clean")
    home = Home(place / "home").create()
    shutil.copy(catalogue_cache, home.cache)
    made = {}
    with Session.open(home, supervise=False) as session:
        for case in RUN:
            folder = place / case.operation
            folder.mkdir()
            model = tiny_hf if case.operation == "gguf-convert" else None
            made[case.operation] = make_pair(session, case, folder, model)
    clean = make_clean_environment(place / "env")
    for python, lines in (
        (Path(sys.executable), [each.job for each in made.values()]),
        (clean, [each.script for each in made.values()]),
    ):
        codes, said = run_all(python, lines, place)
        failed = [name for name, code in zip(made, codes, strict=True) if code != 0]
        assert not failed, f"{failed} failed: {said[-4000:]}"
    return made


@pytest.mark.real_model
@pytest.mark.parametrize("operation", [each.operation for each in RUN])
def test_script_makes_in_a_clean_environment_what_the_job_made(
    operation: str, pairs: Mapping[str, Pair]
) -> None:
    pair = pairs[operation]
    here, there = pair.result(pair.folder), pair.result(pair.away)

    if pair.reproducible:
        assert there.sha256 == here.sha256
    assert same_content(pair.folder / here.path, pair.away / there.path) == []


def test_every_operation_is_run_or_named_with_a_reason(home: Home) -> None:
    with Session.open(home, supervise=False) as session:
        offered = {each.name for each in session.catalogue.load().operations}

    assert {each.operation for each in RUN} | set(NOT_HERE) == offered
    assert all(NOT_HERE.values())
