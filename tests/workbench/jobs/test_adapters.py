"""A job whose result may be a model or an adapter registers what it made."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))
from workbench.catalogue_entry import OperationEntry
from workbench.catalogue_process import as_data
from workbench.errors import UsageError
from workbench.jobs.build import make_spec
from workbench.jobs.loading import load_operation
from workbench.jobs.records import JobRecord
from workbench.jobs.recover import recover_rows
from workbench.jobs.spec import JobSpec
from workbench.library.library import Library
from workbench.store.database import Store

made = importlib.import_module("adapters")
PLUGINS = Path(__file__).parents[2] / "fixtures" / "plugins"


def entry(name: str) -> OperationEntry:
    where = {"plugin": "file:adapt.py", "source": "tests", "digest": ""}
    return OperationEntry.model_validate(
        {**as_data(load_operation("file:adapt.py", name, [PLUGINS])), **where}
    )


def spec(bench, source: Path) -> JobSpec:
    library, model = bench.library, bench.model
    facts = library.facts(model.id)
    return make_spec(
        entry("adapt"), model, facts, {"source": str(source)}, input=library.to_spec_input(model.id)
    )


def run(bench, source: Path) -> JobRecord:
    shutil.copy(PLUGINS / "adapt.py", bench.home.plugins)
    return bench.finish(bench.board.submit(spec(bench, source)))


@pytest.mark.parametrize("container", ["peft", "gguf"])
def test_adapter_is_registered_below_the_model_of_its_job(bench, container: str, tmp_path: Path) -> None:
    source = tmp_path / "one" / ("tone" if container == "peft" else "tone.gguf")
    if container == "peft":
        made.peft_adapter(source, base="no such model", proven=True)
    else:
        made.gguf_adapter(source)

    job = run(bench, source)

    assert job.state == "done", job.error_message
    record = bench.library.get(job.result_model_id)
    assert (record.format, record.quantization, record.parent_id) == ("adapter", "LoRA r4", bench.model.id)
    assert record.name == f"{bench.model.name}-tone"
    assert record.sha256
    assert (record.tuning is not None) == (container == "peft")
    assert bench.library.removal(record.id).bytes_back >= record.size_bytes


def test_adapter_is_found_again_in_the_folders_when_the_database_is_lost(bench, tmp_path: Path) -> None:
    job = run(bench, made.peft_adapter(tmp_path / "tone", proven=True))
    before = bench.library.get(job.result_model_id)
    store = Store(tmp_path / "new.sqlite")
    library = Library(store, bench.home)

    found = recover_rows(store, bench.home, library)

    [record] = library.list()
    store.close()
    assert found == [job.id]
    assert (record.path, record.format, record.sha256) == (before.path, "adapter", before.sha256)
    assert record.tuning == before.tuning is not None


def test_exported_script_gives_a_file_its_ending(bench, tmp_path: Path) -> None:
    source = made.gguf_adapter(tmp_path / "tone.gguf")
    job = run(bench, source)
    script = bench.board.export(job.id, tmp_path / "job.py")
    place = tmp_path / "elsewhere"
    place.mkdir()
    words = [sys.executable, str(script), "--model", str(bench.model.path), "--plugin-dir", str(PLUGINS)]

    ended = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert (place / f"{bench.model.name}-tone.gguf").read_bytes() == source.read_bytes()
    again = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_adapter_is_no_model_for_an_operation_that_takes_any(bench, tmp_path: Path) -> None:
    adapter = bench.library.add(made.peft_adapter(tmp_path / "tone")).record
    facts = bench.library.facts(adapter.id)

    with pytest.raises(UsageError, match="choose its base"):
        make_spec(entry("take"), adapter, facts, {}, input=bench.library.to_spec_input(adapter.id))

    assert entry("take").obstacles(bench.library.facts(bench.model.id)) == ()
