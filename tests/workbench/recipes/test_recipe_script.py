"""A recipe is found from the jobs of a home, ordered by what they need, and written as a careful script."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workbench.recipes.conftest import Line
from workbench.errors import NotFoundError, UsageError
from workbench.export.recipe import export_recipe
from workbench.export.recipe_chain import Chain, Link, chain_of
from workbench.export.recipe_script import render_recipe, union
from workbench.jobs import folder as job_folder
from workbench.jobs.events import Artifact, EventLog, Spec, now
from workbench.jobs.folder import read_spec
from workbench.jobs.spec import JobSpec
from workbench.recipes.steps import FromInput, FromStep


@pytest.fixture
def chain(line: Line) -> Chain:
    return chain_of(line.home, line.bench.library, line.models[-1])


def test_jobs_stand_in_the_order_of_their_needs(line: Line, chain: Chain) -> None:
    imatrix = str(line.home.jobs / line.jobs[2].id / chain.links[2].made.path)

    assert [link.name for link in chain.links] == ["steps", "steps-2", "imatrix", "gguf-quantize"]
    assert [link.start for link in chain.links] == [
        FromInput("model"),
        FromStep("steps"),
        FromStep("steps"),
        FromStep("steps-2"),
    ]
    assert chain.links[-1].made_of == {imatrix: FromStep("imatrix")}
    assert list(chain.inputs) == ["model"]
    assert chain.inputs["model"].sha256 == line.models[0].sha256


def test_script_names_what_it_needs_and_nothing_of_this_machine(line: Line) -> None:
    text = line.script.read_text(encoding="utf-8")

    ast.parse(text)
    assert str(line.home.root) not in text
    assert str(line.models[0].path.parent) not in text
    assert text.startswith('# /// script\n# requires-python = ">=3.11"\n')
    assert '#     "tenfold[llama]==' in text
    assert "It needs the plugin steps.py beside it, or --plugin-dir FOLDER." in text
    assert '    "imatrix": FromStep("imatrix"),\n' in text
    assert f'sha256="{line.models[-1].sha256}"' in text


def test_lists_of_models_keep_their_order_and_further_models_get_a_name(line: Line, tmp_path: Path) -> None:
    library, jobs = line.bench.library, line.home.jobs
    added = tmp_path / "other.gguf"
    added.write_bytes(line.models[0].path.read_bytes() + b"\0" * 32)
    other = library.add(added, name="Other model (8B)").record
    paths = [str(other.path), str(line.models[1].path)]
    spec = JobSpec(
        operation="merge",
        plugin="plugins.merge",
        title="Merge",
        model=library.to_spec_input(line.models[0].id),
        params={"adapters": paths, "lambda": 0.5},
        output_name="merged",
        output_format="gguf",
    )
    folder = job_folder.create(jobs, "merge-job", spec)
    log = EventLog(folder / "events.jsonl")
    log.append(Artifact(now(), "model", "out/merged.gguf", "0" * 64, 1))
    log.close()
    made = replace(line.models[-1], name="merged", job_id="merge-job")

    chain = chain_of(line.home, library, made)
    text = render_recipe(chain)

    assert [link.name for link in chain.links] == ["steps", "merge"]
    assert list(chain.inputs) == ["model", "other-model-8b"]
    assert '    "adapters": [FromInput("other-model-8b"), FromStep("steps")],\n' in text
    assert "python recipe.py --model MODEL --input other-model-8b=PATH --out RESULT.gguf" in text
    assert str(tmp_path) not in text


def test_recipe_can_start_on_the_way(line: Line, tmp_path: Path) -> None:
    _, steps = export_recipe(
        line.home, line.bench.library, line.models[-1].id, tmp_path / "recipe.py", begin=line.models[1].id
    )

    text = (tmp_path / "recipe.py").read_text(encoding="utf-8")
    assert steps == 3
    assert text.count('FromInput("model")') == 2
    assert f'sha256="{line.models[1].sha256}"' in text


def test_model_that_was_added_has_no_recipe(line: Line, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tiny was added, and no job made it here"):
        export_recipe(line.home, line.bench.library, line.models[0].id, tmp_path / "recipe.py")

    assert not (tmp_path / "recipe.py").exists()


def test_job_that_was_removed_breaks_the_chain_and_is_named(line: Line) -> None:
    events = line.jobs[0].folder / "events.jsonl"
    kept = events.read_bytes()
    events.unlink()
    try:
        with pytest.raises(NotFoundError, match="How tiny-steps was made is not known any more") as told:
            chain_of(line.home, line.bench.library, line.models[-1])
        begun = chain_of(line.home, line.bench.library, line.models[-1], line.models[1])
    finally:
        events.write_bytes(kept)

    assert "--from 'tiny-steps'" in told.value.remedy
    assert len(begun.links) == 3


def test_jobs_that_go_in_a_circle_are_refused(line: Line) -> None:
    """Only a damaged home holds that: the first job starts from what the second made."""
    events = line.jobs[0].folder / "events.jsonl"
    kept = events.read_bytes()
    made = line.bench.library.to_spec_input(line.models[2].id)
    spec = read_spec(line.jobs[0].folder).model_copy(update={"model": made})
    events.unlink()
    log = EventLog(events)
    log.append(Spec(now(), spec.model_dump(mode="json")))
    log.close()
    try:
        with pytest.raises(UsageError, match="they go in a circle"):
            chain_of(line.home, line.bench.library, line.models[-1])
    finally:
        events.write_bytes(kept)


def _link(name: str, backend: str, requires: tuple[str, ...] = ()) -> Link:
    spec = JobSpec(
        operation=name, plugin="p", title=name, output_name="x", backend=backend, requires=requires
    )
    return Link(name, spec, None, {}, {}, Artifact(now(), "model", "out/x", "0" * 64, 1))


def test_one_environment_holds_what_all_steps_need() -> None:
    found = union([_link("a", "llama"), _link("b", ""), _link("c", "llama", ("humanize==4.9.0",))])

    assert found[0].startswith("tenfold[llama]==")
    assert "humanize==4.9.0" in found
    assert len([each for each in found if each.startswith("llama")]) == 1


def test_requirements_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="one script has one environment"):
        union([_link("a", "", ("humanize==4.9.0",)), _link("b", "", ("humanize==4.10.0",))])


def test_hostile_names_stay_text(chain: Chain, tmp_path: Path) -> None:
    hostile = 'x"""\nraise SystemExit(1)\n"""'
    links = [
        Link(each.name, each.spec.model_copy(update={"title": hostile, "output_name": hostile}), *rest)
        for each in chain.links
        for rest in [(each.start, each.made_of, each.files, each.made)]
    ]

    text = render_recipe(Chain(chain.model, tuple(links), chain.inputs))

    statements = [type(each).__name__ for each in ast.parse(text).body]
    assert "Raise" not in statements
    assert statements == [
        "Expr",
        "ImportFrom",
        "ImportFrom",
        *["Assign"] * (len(links) + 2),
        "If",
    ]
