"""A home in which four jobs led to one model: two in a row, one beside them, and one on what both made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workbench.jobs.conftest import PLUGINS, Bench
from workbench.catalogue import Catalogue
from workbench.catalogue_entry import OperationEntry
from workbench.export.recipe import export_recipe
from workbench.home import Home
from workbench.jobs.build import make_spec
from workbench.jobs.made_files import file_of
from workbench.jobs.records import JobRecord
from workbench.library.hashing import content_hash
from workbench.library.records import ModelRecord
from workbench.store.database import Store


@dataclass
class Line:
    """The models from the first to the last, the jobs that made them, and the recipe of the last."""

    bench: Bench
    models: list[ModelRecord]
    jobs: list[JobRecord]
    script: Path

    @property
    def home(self) -> Home:
        return self.bench.home


@pytest.fixture(scope="session")
def line(tiny_gguf: Path, catalogue_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    home = Home(tmp_path_factory.mktemp("line") / "home").create()
    shutil.copy(catalogue_cache, home.cache)
    store = Store(home.database)
    bench = Bench(home, store, tiny_gguf)
    bench.library.set_sha256(bench.model.id, content_hash(tiny_gguf))
    bench.model = bench.library.get(bench.model.id)
    catalogue = Catalogue(home)

    def run(entry: OperationEntry, model: ModelRecord, **values: object) -> JobRecord:
        facts, source = bench.library.facts(model.id), bench.library.to_spec_input(model.id)
        job = bench.finish(bench.board.submit(make_spec(entry, model, facts, values, input=source)))
        assert job.state == "done", job
        return job

    def result(job: JobRecord) -> ModelRecord:
        return bench.library.get(job.result_model_id or "")

    first = run(bench.entry, bench.model, steps=2)
    second = run(bench.entry, result(first), steps=3)
    beside = run(catalogue.operation("imatrix"), result(first), windows=1, width=32)
    made = file_of(beside)
    assert made is not None
    last = run(catalogue.operation("gguf-quantize"), result(second), type="Q4_0", imatrix=str(made.path))
    away = tmp_path_factory.mktemp("away")
    shutil.copy(PLUGINS / "steps.py", away)
    script, _ = export_recipe(home, bench.library, result(last).id, away / "recipe.py")
    models = [bench.model, result(first), result(second), result(last)]
    yield Line(bench, models, [first, second, beside, last], script)
    bench.runner.close()
    store.close()
