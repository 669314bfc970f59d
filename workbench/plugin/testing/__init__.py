"""The kit for those who test a plugin: tiny models, a job that records, a clock, and the conformance check.

A test that runs an operation for real, on a model that is made on the spot::

    from workbench.plugin.testing import check_operation

    def test_copy_is_a_good_plugin(tmp_path):
        check_operation("my_plugin", "copy", folder=tmp_path).require()
"""

from __future__ import annotations

from workbench.jobs.events import Log, Metric, Progress, Sample
from workbench.plugin.testing.conformance import check_operation
from workbench.plugin.testing.measuring import check_metric
from workbench.plugin.testing.reading import check_reader
from workbench.plugin.testing.recording import FakeClock, RecordingJob, run_here
from workbench.plugin.testing.results import Check, Conformance
from workbench.plugin.testing.tiny_models import tiny_model
from workbench.plugin.testing.training import check_training_method

__all__ = [
    "Check",
    "Conformance",
    "FakeClock",
    "Log",
    "Metric",
    "Progress",
    "RecordingJob",
    "Sample",
    "check_metric",
    "check_operation",
    "check_reader",
    "check_training_method",
    "run_here",
    "tiny_model",
]
