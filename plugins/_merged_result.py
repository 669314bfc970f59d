"""Writes a model with one adapter merged into it, for operations that train an adapter on the way."""

from __future__ import annotations

from pathlib import Path

from plugins._adapter_base import open_base
from plugins._adapter_folder import read_adapter
from plugins._adapter_merge import Merge, Recipe
from plugins._model_files import copy_texts
from workbench.plugin import JobContext, Model


def write_merged(job: JobContext, model: Model, adapter: Path, target: Path) -> None:
    """Write the model with the adapter's changes, in the model's own types and files.

    Args:
        adapter: Its folder, in PEFT's form, on no matrix that is also the embedding.
    """
    import torch

    target.mkdir(parents=True)
    with torch.inference_mode():
        Merge(job, open_base(model), [read_adapter(adapter)], Recipe(weights=(1.0,))).write(target)
    copy_texts(model.path, target)


def as_model(folder: Path, like: Model) -> Model:
    """A folder that was made from a model, as that model is known: its files, not yet its hash."""
    files = sorted(each.name for each in folder.iterdir() if each.is_file())
    return Model(path=folder, name=like.name, facts=like.facts.model_copy(update={"files": tuple(files)}))
