"""A large file does not need its size in memory: peaks of processes that read it and make a set of it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

#: 40,000 rows of 2 kB: 80 MB.
ROWS = 40_000
PADDING = 1_900
#: What a child may take more for the large files than for small ones. Any of them held whole takes more than
#: its 80 MB; pyarrow's allocator keeps 60 MB of what it has given back.
MORE_BYTES = 70_000_000

_CHILD = """
import json, sys
from pathlib import Path

def peak():
    # Not getrusage on Linux: its figure begins with that of the process that started this one.
    if sys.platform == "linux":
        line = next(each for each in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in each)
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil
        return psutil.Process().memory_info().peak_wset
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def main():
    found = []
    for name in sys.argv[2:]:
        found.append({"rows": WORK(Path(name), sys.argv[1]), "peak": peak()})
    print(json.dumps(found))
"""

_READ = (
    _CHILD
    + """
from workbench.data.reading import read_rows

def WORK(path, _tokenizer):
    return sum(row.values is not None for row in read_rows(path))

main()
"""
)

_MAKE = (
    _CHILD
    + """
from workbench.data.report import report
from workbench.data.sides import SideChoices, open_sides
from workbench.data.tokenizing import Recipe

def WORK(path, tokenizer):
    recipe = Recipe(files=(str(path),), tokenizer=tokenizer)
    sides = open_sides(recipe, SideChoices(longest=512), path.parent / "cache")
    return report(sides).rows

main()
"""
)


def peaks(code: str, tokenizer: Path, *files: Path) -> list[dict[str, int]]:
    """Rows and peak memory after each file, all in one child."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tokenizer), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, int]] = json.loads(done.stdout)
    return found


def row(number: int) -> dict[str, Any]:
    return {"text": f"Passage {number} says something short.", "more": f"{number:06}" + "x" * PADDING}


def write(folder: Path, ending: str, rows: int) -> Path:
    path = folder / f"{rows}{ending}"
    if ending == ".parquet":
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist([row(number) for number in range(rows)])
        # One row group without compression: the most that a reader could be tempted to hold.
        pyarrow.parquet.write_table(
            table, path, row_group_size=rows, compression="none", use_dictionary=False
        )
        return path
    with path.open("w", encoding="utf-8", newline="\n") as file:
        match ending:
            case ".jsonl":
                file.writelines(json.dumps(row(number)) + "\n" for number in range(rows))
            case ".json":
                file.write("[" + ", ".join(json.dumps(row(number)) for number in range(rows)) + "]")
            case ".csv":
                writer = csv.DictWriter(file, ["text", "more"])
                writer.writeheader()
                writer.writerows(row(number) for number in range(rows))
            case ".txt":
                file.writelines("\n".join(row(number).values()) + "\n\n" for number in range(rows))
    return path


def test_every_kind_of_file_is_read_row_by_row(tmp_path: Path) -> None:
    endings = (".jsonl", ".json", ".csv", ".txt", ".parquet")
    small = [write(tmp_path, ending, 100) for ending in endings]
    large = [write(tmp_path, ending, ROWS) for ending in endings]
    assert all(path.stat().st_size > ROWS * PADDING for path in large)

    before, after = (peaks(_READ, tmp_path, *files) for files in (small, [*small, *large]))

    assert [each["rows"] for each in after[-len(large) :]] == [ROWS] * len(large)
    assert after[-1]["peak"] - before[-1]["peak"] < MORE_BYTES


def test_a_set_is_made_and_described_in_bounded_memory(tmp_path: Path, tiny_hf: Path) -> None:
    small, large = write(tmp_path, ".jsonl", 100), write(tmp_path, ".jsonl", ROWS)

    before, after = peaks(_MAKE, tiny_hf, small, large)

    assert (before["rows"], after["rows"]) == (100, ROWS)
    assert after["peak"] - before["peak"] < MORE_BYTES
