"""Puts together the command and the environment that a worker is started with."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from workbench import secrets
from workbench.cluster.place import PLACE_VARIABLE, SECRET_VARIABLE, place_named, secret_name
from workbench.environments import run as own_environment
from workbench.home import Home
from workbench.jobs.script import without_folder
from workbench.jobs.spec import JobSpec
from workbench.params import joined_paths
from workbench.plugin_home.finding import site_of, with_site
from workbench.settings import Preferences


def command(spec: JobSpec, folder: Path, *, resume: bool, threads: int | None) -> list[str]:
    """The command line of a job's worker.

    Places on this machine stand here and not in the script: the model's path, and parameters that are files.
    A job with requirements of its own is started by way of the environment that holds them, and one that runs
    elsewhere by way of a worker here that follows it.
    """
    if spec.place:
        words = [sys.executable, "-m", "workbench.cluster.remote_job", "--job-dir", str(folder)]
        return [*words, "--resume"] if resume else words
    words = [sys.executable]
    if spec.requires:
        words += own_environment.words(spec.requires)
    words += [str(folder / "job.py"), "--job-dir", str(folder)]
    if spec.model is not None:
        words += ["--model", str(spec.model.path)]
        if spec.model.sha256 is not None:
            # The library vouches for its files.
            words += ["--model-sha256", spec.model.sha256]
    for name, value in spec.params.items():
        if without_folder(value) != value:
            text = joined_paths(value) if isinstance(value, list) else value
            words += ["--set", f"{name}={text}"]
    if resume:
        words.append("--resume")
    if threads is not None:
        words += ["--threads", str(threads)]
    return words


def environment(
    spec: JobSpec,
    home: Home,
    preferences: Preferences,
    gpu: int | None,
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The variables of a job's worker. Only a download is given the hub's token, and only here.

    Args:
        gpu: Which CUDA device the job may see; None for all.

    Raises:
        NotFoundError: The place that the job is to run on was removed.
    """
    variables = dict(inherited)
    variables |= {"TENFOLD_HOME": str(home.root), "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    variables.pop("HF_TOKEN", None)
    # In this order the operation's own modules come first.
    for plugin in reversed(spec.plugins):
        site = site_of(home, plugin)
        if site is not None:
            variables["PYTHONPATH"] = with_site(site, variables.get("PYTHONPATH", ""))
    if gpu is not None:
        variables["CUDA_VISIBLE_DEVICES"] = str(gpu)
    if spec.needs == "network":
        token = secrets.get("hf-token")
        if token:
            variables["HF_TOKEN"] = token
        if preferences.hub_endpoint:
            variables["HF_ENDPOINT"] = preferences.hub_endpoint
    if spec.place:
        variables[PLACE_VARIABLE] = place_named(preferences.places, spec.place).model_dump_json()
        if secret := secrets.get(secret_name(spec.place)):
            variables[SECRET_VARIABLE] = secret
    return variables
