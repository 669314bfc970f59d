"""Every code block of the documentation works as it stands, in the order of its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import blocks_of, run
from workbench.home import Home
from workbench.session import Session

_PAGES = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))


_WITH_BLOCKS = [page for page in _PAGES if any(blocks_of(page))]


@pytest.mark.parametrize("page", _WITH_BLOCKS, ids=lambda page: page.stem)
def test_blocks_run(page: Path, tiny_gguf: Path, home: Home, tmp_path: Path) -> None:
    with Session.open(home, supervise=False) as session:
        # What pages call MODEL.
        session.library.rename(session.library.add(tiny_gguf).record.id, "MODEL")
    folder = tmp_path / "reader"
    folder.mkdir()

    for block in blocks_of(page):
        run(block, folder, home.root)


def test_a_block_that_fails_is_noticed(home: Home, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    written, run_it = '```python title="a.py"\nx = 1\n```', "```sh\npython a.py && test -f b.py\n```"
    page.write_text(f"Text.\n\n{written}\n\n{run_it}\n")
    first, second = blocks_of(page)

    assert run(first, tmp_path, home.root) == ""
    with pytest.raises(AssertionError, match="line 7"):
        run(second, tmp_path, home.root)
