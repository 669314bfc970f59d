"""What a job is to do: one operation, one model, fixed parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.plugin import API_VERSION, Needs

#: What a job takes up while it runs: something of this computer, or only a place elsewhere.
Slot = Literal["cpu", "gpu", "network", "place"]


class ModelInput(BaseModel):
    """The model that a job starts from, named so that another machine can find the same one.

    Attributes:
        id: Its id in the library of this home; empty outside.
        name: What the person calls it.
        path: Where it lies here; `.` in a script, which names no path.
        format: `gguf`, `hf` or `mlx`.
        sha256: Its content hash where it is known; the worker refuses a file with another.
        source: Where it came from, for example `hf:HuggingFaceTB/SmolLM2-135M-Instruct`.
    """

    model_config = ConfigDict(frozen=True)

    id: str = ""
    name: str
    path: Path = Path()
    format: str = ""
    sha256: str | None = None
    source: str = ""


class ReaderInput(BaseModel):
    """A plugin's reader that files among the parameters need.

    Attributes:
        name: The reader's name.
        plugin: Where it comes from, as for an operation.
        suffixes: Endings of the names of the files that it reads.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    plugin: str
    suffixes: tuple[str, ...]


class JobSpec(BaseModel):
    """One operation applied to one model with fixed parameters.

    Attributes:
        operation: The operation's name.
        plugin: Where it comes from: a module (`plugins.gguf_quantize`), or `file:NAME.py` for a single
            file in the person's plugins folder.
        title: What lists call the job, for example `Quantize (Q4_K_M): SmolLM2-135M`.
        model: The input; None for operations that make a model from nothing.
        params: Checked parameter values as JSON.
        readers: What reads those files among the parameters that Tenfold does not read itself.
        also: Other plugins that its parameters name something of, such as a metric: their code runs in it.
        notes: What each parameter does, in a sentence, for the comments in its script.
        seed: The seed of every random choice.
        needs: The slot it takes up.
        output_name: The result's name without ending.
        output_format: The format of the model it makes; None where it makes none.
        result_source: Where the result comes from, for example `hf:org/name`; empty where from a model.
        resumable: Whether it can go on after a pause.
        restarts: Whether going on means beginning anew, with the same result.
        backend: The extra that the worker needs; for the script's requirements.
        requires: What it needs installed that may differ from what Tenfold has; it then runs in an
            environment of its own.
        place: Where it runs: empty for this computer, else the name of a place from the settings.
        tenfold_version: The version that wrote it.
        api_version: The plugin surface it was made for.
        then: Jobs on this one's result, put into the queue in the moment it is in the library; their own
            `model` is filled in then.
    """

    model_config = ConfigDict(frozen=True)

    operation: str
    plugin: str
    title: str
    model: ModelInput | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    readers: tuple[ReaderInput, ...] = ()
    also: tuple[str, ...] = ()
    notes: dict[str, str] = Field(default_factory=dict)
    seed: int = 0
    needs: Needs = "cpu"
    output_name: str
    output_format: str | None = None
    result_source: str = ""
    resumable: bool = False
    restarts: bool = False
    backend: str = ""
    requires: tuple[str, ...] = ()
    place: str = ""
    tenfold_version: str = ""
    api_version: str = API_VERSION
    then: tuple[JobSpec, ...] = ()

    @property
    def plugins(self) -> tuple[str, ...]:
        """All plugins whose code it runs, its operation's first."""
        return tuple(dict.fromkeys((self.plugin, *(each.plugin for each in self.readers), *self.also)))

    @property
    def slot(self) -> Slot:
        """What it takes up here while it runs."""
        return "place" if self.place else self.needs
