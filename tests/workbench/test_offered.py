"""Parameters that name what plugins offer: in full, by a bare name, and which plugins they bring along."""

from __future__ import annotations

import pytest

from workbench.errors import UsageError
from workbench.offered import in_full, plugins_named
from workbench.params import Choice, FieldSpec

_FIELD = FieldSpec(
    name="metrics",
    title="Metrics",
    kind="list",
    offered="metric",
    choices=(Choice(value="file:own.py:length"), Choice(value="plugins.other:length"), Choice(value="m:b")),
)
_FIELDS = (_FIELD, FieldSpec(name="text", title="Text", kind="text"))


def test_bare_name_stands_for_the_first_that_bears_it() -> None:
    given = {"metrics": ["length", "plugins.other:length"], "text": "length"}

    assert in_full(_FIELDS, given) == {**given, "metrics": ["file:own.py:length", "plugins.other:length"]}


@pytest.mark.parametrize("name", ["nothing", "os:length"])
def test_what_no_plugin_offers_is_refused_and_says_what_there_is(name: str) -> None:
    with pytest.raises(UsageError, match=f"offers the metric “{name}”") as caught:
        in_full(_FIELDS, {"metrics": [name]})

    assert caught.value.remedy == "There are: length, length, b."


def test_each_plugin_that_is_named_comes_once() -> None:
    values = {"metrics": ["file:own.py:length", "m:b", "m:c"], "text": "x:y"}

    assert plugins_named(_FIELDS, values) == ("file:own.py", "m")
    assert plugins_named(_FIELDS, {}) == ()
