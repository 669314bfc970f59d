"""Work that is spread over the workers of a cluster: each item once, and what one process would find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.workbench.measure.conftest import copy_of
from tests.workbench.measure.small_gguf import convert
from workbench.cluster.shards import spread
from workbench.errors import MissingExtraError, UsageError, WorkbenchError
from workbench.jobs.script import render
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.measure.measured import Measured, measured_model
from workbench.measure.proof_parity import opened
from workbench.measure.quality import measure_quality
from workbench.measure.quality_shards import spread_quality
from workbench.measure.windows import windows_of

pytestmark = pytest.mark.timeout(240)
Share = Sequence[tuple[int, int]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster of this machine with two CPUs, which `RAY_ADDRESS` names, for all tests here."""
    pytest.importorskip("ray", reason='no cluster without Ray: pip install "tenfold[ray]"')
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80_000_000},
        )
        patch.setenv("RAY_ADDRESS", made.address)
        yield
        made.shutdown()


@pytest.fixture(scope="module")
def pair(small_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Measured]:
    """The small model, and the same with its weights rounded to sixteenths."""
    folder = tmp_path_factory.mktemp("pair")
    rounded = copy_of(small_hf, folder / "rounded", lambda weight: (weight * 16).round() / 16)
    files = convert(small_hf, folder / "one.gguf"), convert(rounded, folder / "other.gguf")
    one, other = (measured_model(each, each.stem) for each in files)
    return one, other


def test_each_item_is_given_back_once_though_a_worker_dies(cluster: None, tmp_path: Path) -> None:
    fatal, marker = 7, tmp_path / "died"

    def squares(share: Share) -> Iterator[tuple[int, int]]:
        for number, item in share:
            if item == fatal and not marker.exists():
                marker.touch()
                os._exit(1)
            yield number, item * item

    found = list(spread(squares, list(range(12)), workers=2))

    assert marker.exists()
    assert sorted(found) == [(number, number * number) for number in range(12)]


def test_what_the_work_raises_is_said_here(cluster: None) -> None:
    def refuse(share: Share) -> Iterator[tuple[int, int]]:
        yield share[0]
        raise UsageError("This can't be used.", remedy="Use another.")

    with pytest.raises(WorkbenchError, match=r"This can't be used\. Use another\.") as raised:
        list(spread(refuse, [1, 2, 3], workers=1))
    assert raised.value.kind == "usage"


def test_a_stop_ends_the_work(cluster: None) -> None:
    def endless(share: Share) -> Iterator[tuple[int, int]]:
        while True:
            yield share[0]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(spread(endless, [1], workers=1, check=stop))


def test_a_text_that_is_spread_gives_the_same_figures(cluster: None, pair: tuple[Measured, Measured]) -> None:
    windows = windows_of([at * 7 % 250 for at in range(5 * 64)], 64)
    with closing(opened(pair[0], 1)) as reference, closing(opened(pair[1], 1)) as candidate:
        alone = measure_quality(reference, candidate, windows)
    told: list[tuple[int, int]] = []

    together = spread_quality(pair, windows, 2, 1, lambda done, total: told.append((done, total)))

    assert together == alone
    assert alone.mean_kld > 0 and alone.windows == 5
    assert {total for _done, total in told} == {5}


def test_prompts_that_are_spread_get_the_same_answers(
    cluster: None, pair: tuple[Measured, Measured], tmp_path: Path
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    rows = [json.dumps({"prompt": f"What comes after the number {at}?"}) for at in range(8)]
    prompts.write_text("\n".join([*rows, "no row"]), encoding="utf-8")

    alone, together = (_answers(tmp_path / f"with-{each}", pair[0].path, prompts, each) for each in (1, 2))

    assert [each.get("text") for each in together] == [each.get("text") for each in alone]
    assert [each["line"] for each in together] == list(range(1, 10))
    assert len({each.get("text") for each in alone}) > 1 and "error" in together[-1]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtraError, match=r"tenfold\[ray\]"):
        list(spread(lambda share: iter(share), [1], workers=2))


def _answers(folder: Path, model: Path, prompts: Path, workers: int) -> list[dict[str, object]]:
    """What the script of a job answers."""
    folder.mkdir()
    params = {"prompts": prompts.name, "max_tokens": 12, "context": 256, "width": 4, "workers": workers}
    spec = JobSpec(
        operation="batch-generate",
        plugin="plugins.batch_generate",
        title="Answer",
        model=ModelInput(name="small"),
        params=params,
        output_name="answers",
    )
    (folder / "job.py").write_text(render(spec), encoding="utf-8")
    words = ["--job-dir", str(folder), "--model", str(model), "--set", f"prompts={prompts}"]
    ran = subprocess.run([sys.executable, folder / "job.py", *words], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    written = (folder / "out" / "answers.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in written.splitlines()]
