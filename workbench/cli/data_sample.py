"""`tenfold data sample`: write the included examples to a folder, to look at and to train on."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from workbench.assets import SAMPLE_DATASET, SAMPLE_TEST
from workbench.cli.answer import Answer
from workbench.errors import UsageError
from workbench.home import Home


def add_to(parts: Any, common: argparse.ArgumentParser) -> None:
    parser = parts.add_parser(
        "sample",
        help="write the included examples to a folder",
        parents=[common],
        description="Customers' messages with the code of the desk that answers each: 300 to learn from and"
        " 80 to test with. The codes are invented, so no model knows them before.",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="FOLDER", help="made if need be (this one)"
    )
    parser.set_defaults(command=_sample)


def _sample(_home: Home, arguments: argparse.Namespace) -> Answer:
    folder: Path = arguments.output.expanduser()
    train, test = (_written(source, folder) for source in (SAMPLE_DATASET, SAMPLE_TEST))
    return Answer(
        f"Written: {train} (to learn from) and {test} (to test with)\n"
        f"Train on them: tenfold run finetune-torch --model ID --set data={train} --set held_out_data={test}",
        {"train": str(train.resolve()), "test": str(test.resolve())},
    )


def _written(source: Path, folder: Path) -> Path:
    """Copy a file, unless it would replace something else.

    Raises:
        UsageError: There is another file of this name, or the folder can't be written to.
    """
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            if target.read_bytes() != source.read_bytes():
                raise UsageError(
                    f"{target} is there already, with other content.", remedy="Name another folder with -o."
                )
            return target
        shutil.copyfile(source, target)
    except OSError as error:
        raise UsageError(
            f"{target} can't be written: {error.strerror or error}.", remedy="Name another folder with -o."
        ) from error
    return target
