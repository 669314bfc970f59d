from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from workbench.hardware import machine
from workbench.library.inspect import inspect
from workbench.library.memory_need import kv_cache_bytes, memory_need
from workbench.measure.memory import MemoryMark, measure_memory

#: Of the sample model: 30 layers, 3 heads for keys and values, 64 wide each, in half precision.
BYTES_A_TOKEN = 30 * 3 * (64 + 64) * 2


def resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


#: Prints what loads of a model take for contexts and rows; in a process of its own, as one that ran before
#: has free memory that a load may use without the system's knowing.
_TAKEN = """
import json, sys
import psutil
from workbench.engines.load import open_engine
from workbench.engines.request import LoadOptions

def taken(context, parallel):
    options = LoadOptions(path=sys.argv[1], format="gguf", context=context, parallel=parallel, threads=1)
    before = psutil.Process().memory_info().rss
    engine = open_engine(options)
    after = psutil.Process().memory_info().rss
    engine.close()
    return after - before

taken(256, 1)  # the first load leaves behind what later ones use again
print(json.dumps([taken(256, 1), taken(4096, 1), taken(1024, 4)]))
"""


def test_llama_keeps_as_much_for_keys_and_values_as_is_told(sample_gguf: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _TAKEN, sample_gguf], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    least, *found = json.loads(ended.stdout.splitlines()[-1])

    told = kv_cache_bytes(inspect(sample_gguf), 4096 - 256)
    assert [each - least for each in found] == pytest.approx([told, told], rel=0.1)


def test_caches_are_told_for_contexts_that_the_model_knows(sample_gguf: Path, load: Any) -> None:
    facts = inspect(sample_gguf)
    report = load(sample_gguf, context=300, parallel=2).report

    found = measure_memory(facts, report, 5, contexts=(512, 8192, 32768), batches=(1, 4))

    assert facts.context_length == 8192
    assert [(each.context, each.batch) for each in found.caches] == [(512, 1), (512, 4), (8192, 1), (8192, 4)]
    assert found.caches[0].bytes == 512 * BYTES_A_TOKEN
    assert found.caches[3].bytes == 4 * 8192 * BYTES_A_TOKEN
    assert found.weights == sum(each.size_bytes for each in facts.groups)
    assert found.peak == 5
    assert found.estimated == report.estimated_bytes
    assert found.limit == machine().ram_bytes


def test_load_without_an_estimate_gets_one(tiny_gguf: Path, load: Any) -> None:
    facts = inspect(tiny_gguf)
    report = load(tiny_gguf, check_memory=False, parallel=2).report

    found = measure_memory(facts, report, 0)

    need = memory_need(facts, "llama.cpp", context=report.context, batch=2)
    assert report.estimated_bytes == 0
    assert found.estimated == need.total_bytes
    assert found.caches  # a model of a short context has those of its own


def test_peak_counts_from_the_mark_on(sample_gguf: Path, load: Any) -> None:
    mark = MemoryMark()

    peak = mark.peak_bytes(load(sample_gguf))

    assert peak >= 0
    # What a device holds is not part of the process.
    assert MemoryMark().peak_bytes(_OnDevice(1_000_000_000)) >= 1_000_000_000


class _OnDevice:
    """As much of an engine as tells what it takes, with some of that on a device."""

    def __init__(self, on_device: int) -> None:
        self._on_device = on_device

    def memory_bytes(self) -> int:
        return resident_bytes() + self._on_device


def test_device_bounds_what_is_loaded_on_it(tiny_gguf: Path, load: Any) -> None:
    facts = inspect(tiny_gguf)
    report = replace(load(tiny_gguf).report, device="Metal")

    found = measure_memory(facts, report, 0)

    gpus = machine().gpus
    assert found.limit == (sum(each.memory_bytes for each in gpus) if gpus else machine().ram_bytes)
