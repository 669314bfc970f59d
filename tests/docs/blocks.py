"""Reads the code blocks of a page, and runs them as a reader would: in order, in one folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block.

    Attributes:
        title: The file that a reader is told to write it to; empty for none.
        line: Where it begins in its page, from 1.
    """

    language: str
    title: str
    code: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page that name a language, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        code = "".join(line.removeprefix(found["indent"]) for line in found["code"].splitlines(keepends=True))
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["language"], found["title"] or "", code, line)


def run(block: Block, folder: Path, home: Path) -> str:
    """Do what a reader does with a block: write it, or run it; what it printed.

    Raises:
        AssertionError: It failed, or nobody knows what to do with its language.
    """
    if block.title:
        target = folder / block.title
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.code, encoding="utf-8")
    match block.language:
        case "python" if not block.title:
            return _finished([sys.executable, "-c", block.code], block, folder, home)
        case "python":
            compile(block.code, block.title, "exec")
        case "sh" | "bash":
            return _finished(["sh", "-e", "-c", block.code], block, folder, home)
        case "json":
            for line in block.code.splitlines():
                json.loads(line)
        case "toml":
            tomllib.loads(block.code)
        case "text":
            pass
        case _:
            raise AssertionError(f"line {block.line}: nobody knows how to run {block.language}")
    return ""


def _finished(command: list[str], block: Block, folder: Path, home: Path) -> str:
    programs = Path(sys.executable).parent
    variables = {
        **os.environ,
        "TENFOLD_HOME": str(home),
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")]),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"line {block.line}:\n{block.code}\n{done.stdout}\n{done.stderr}"
    return done.stdout
