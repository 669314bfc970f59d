"""Exported scripts run where Qt is not installed, and make what the jobs of the home made.

All operations share one process on each side, since their imports take longer than their work;
`tests/bench/bench_clean_scripts.py` runs each in a process of its own, as people do.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.fixtures.clean_environment import make_clean_environment
from tests.fixtures.script_pairs import NOT_HERE, RUN, Pair, make_pair, run_all, same_content
from workbench.home import Home
from workbench.session import Session


@pytest.mark.real_model
@pytest.mark.skipif(
    sys.platform == "win32", reason="there a file that is loaded can't be linked to and removed again"
)
def test_scripts_make_in_a_clean_environment_what_their_jobs_made(
    tmp_path: Path, catalogue_cache: Path, tiny_hf: Path
) -> None:
    # One test for all: spread over the processes of a run, each of them would run all scripts.
    pairs = _all_pairs(tmp_path, catalogue_cache, tiny_hf)
    clean = make_clean_environment(tmp_path / "env")

    for python, lines in (
        (Path(sys.executable), [each.job for each in pairs]),
        (clean, [each.script for each in pairs]),
    ):
        codes, said = run_all(python, lines, tmp_path)
        failed = [each.operation for each, code in zip(pairs, codes, strict=True) if code != 0]
        assert not failed, said[-4000:]

    assert {each.operation: _differing(each) for each in pairs} == {each.operation: [] for each in RUN}


def test_every_operation_is_run_or_named_with_a_reason(home: Home) -> None:
    with Session.open(home, supervise=False) as session:
        offered = {each.name for each in session.catalogue.load().operations}

    assert {each.operation for each in RUN} | set(NOT_HERE) == offered
    assert all(NOT_HERE.values())


def _all_pairs(place: Path, catalogue_cache: Path, tiny_hf: Path) -> list[Pair]:
    home = Home(place / "home").create()
    shutil.copy(catalogue_cache, home.cache)
    made = []
    with Session.open(home, supervise=False) as session:
        for case in RUN:
            folder = place / case.operation
            folder.mkdir()
            # llama.cpp's converter refuses the kit's tokenizer, which it does not know.
            model = tiny_hf if case.operation == "gguf-convert" else None
            made.append(make_pair(session, case, folder, model))
    return made


def _differing(pair: Pair) -> list[str]:
    """What a script made otherwise than its job."""
    here, there = pair.result(pair.folder), pair.result(pair.away)
    found = same_content(pair.folder / here.path, pair.away / there.path)
    if pair.reproducible and there.sha256 != here.sha256:
        found.append(f"its hash is {there.sha256}, and that of the job is {here.sha256}")
    return found
