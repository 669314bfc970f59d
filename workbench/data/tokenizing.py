"""Makes a token set: reads, lays out, renders and tokenizes every row once, in parallel, and keeps it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import multiprocessing
import multiprocessing.process
import os
import shutil
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.errors import BadRowError, DataError
from workbench.data.examples import content_hash
from workbench.data.layout import Layout, completed, detect, example_of
from workbench.data.plugin_reader import reader_of
from workbench.data.reading import RawRow, read_rows
from workbench.data.rendering import Renderer, Trained
from workbench.data.token_set import (
    BAD,
    IDS,
    META,
    ROW,
    ROWS,
    SEQUENCE,
    SEQUENCES,
    TRAINED,
    BadRow,
    Meta,
    TokenSet,
)
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.templates import ChatTemplate
from workbench.errors import DiskFullError

#: Raise this when the same data would give other tokens.
_VERSION = 2
#: Rows that are tokenized together: so many, or so many bytes of text.
_CHUNK_ROWS, _CHUNK_BYTES = 512, 1_000_000
#: Below this a process that has to import a tokenizer first costs more than it brings.
_PARALLEL_BYTES = 16_000_000
_DETECT_ROWS = 200
_HASHED_BYTES = 1 << 22
_STREAMS = (IDS, TRAINED, SEQUENCES, ROWS, BAD)
#: What a tokenizer's folder says about its tokens.
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


class Recipe(Struct, frozen=True, kw_only=True):
    """What a token set is made from.

    Attributes:
        files: The data, absolute paths.
        tokenizer: A model's folder.
        layout: What the rows of every file are; None to tell for each file from its first rows.
        template: Used instead of the model's own chat template.
        trained: Which parts are learned.
    """

    files: tuple[str, ...]
    tokenizer: str
    layout: Layout | None = None
    template: str | None = None
    trained: Trained = "all-answers"


class _Made(Struct, frozen=True):
    """What became of some rows: sequences as arrays, and the rows they belong to."""

    ids: NDArray[np.uint32]
    trained: NDArray[np.uint8]
    sequences: NDArray[np.void]
    rows: NDArray[np.void]
    bad: list[BadRow]


Progress = Callable[[int, int], None]


def token_set(
    recipe: Recipe, cache: Path, *, processes: int = 1, progress: Progress = lambda _done, _total: None
) -> TokenSet:
    """The set for a recipe: from the cache where the same data, template and tokenizer were seen before.

    Args:
        cache: Folder of all sets; each has a folder named by its key.
        processes: How many may tokenize at once.
        progress: Called with bytes done and bytes in all, and may raise to end the work.

    Raises:
        DataError: A file can't be read, its rows are of no known layout, or none can be used.
        ModelFileError: The tokenizer can't be read.
        DiskFullError: The cache's disk is full.
    """
    layouts = layouts_of(recipe)
    key = _key(recipe, layouts, progress)
    target = cache / key
    if (target / META).is_file():
        with contextlib.suppress(DataError):
            return TokenSet(target)
        shutil.rmtree(target, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".partial-{uuid.uuid4().hex}"
    try:
        partial.mkdir()
        _make(recipe, layouts, key, partial, processes, progress)
        try:
            partial.rename(target)
        except OSError:
            # Another process made the same set meanwhile.
            if not (target / META).is_file():
                raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(partial) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return TokenSet(target)


def layouts_of(recipe: Recipe) -> tuple[Layout, ...]:
    """What the rows of each file are, from its first rows.

    Raises:
        DataError: A file can't be read or holds no row, its rows are of no known layout, or preferences are
            mixed with other rows.
    """
    if not recipe.files:
        raise DataError("There is no data.", remedy="Name at least one file.")
    found = tuple(_layout_of(Path(name), recipe.layout) for name in recipe.files)
    if len({layout.kind == "preference" for layout in found}) > 1:
        raise DataError(
            "Some files hold preferences and others do not: they are not learned in one run.",
            remedy="Train on one kind after the other.",
        )
    return found


def _layout_of(path: Path, given: Layout | None) -> Layout:
    found = islice(read_rows(path), _DETECT_ROWS)
    first = next(found, None)
    if first is None:
        raise DataError(f"{path.name} holds no row.", remedy="Use a file with examples.")
    rows = (row.values for row in chain([first], found) if row.values is not None)
    try:
        # The first rows are looked at one by one: they may be long.
        return detect(rows) if given is None else completed(given, rows)
    except DataError as error:
        if path.name in error.message:
            raise
        problem = f" Its row in line {first.line}: {first.problem}" if first.problem else ""
        raise DataError(f"{path.name}: {error.message}{problem}", remedy=error.remedy) from error


def _key(recipe: Recipe, layouts: tuple[Layout, ...], progress: Progress) -> str:
    """A hash over all that decides the tokens: the data's content, layouts, template and tokenizer."""
    total = sum(Path(name).stat().st_size for name in recipe.files)
    found = hashlib.sha256(f"{_VERSION}".encode())
    for name in recipe.files:
        # The name is kept in the set, for messages; the folder is not.
        found.update(Path(name).name.encode() + b"\0")
        own = hashlib.sha256()
        with Path(name).open("rb") as file:
            while block := file.read(_HASHED_BYTES):
                own.update(block)
                # Nothing is made yet; whoever waits may end it.
                progress(0, total)
        found.update(own.digest())
        if (reader := reader_of(Path(name))) is not None:
            found.update(reader.digest())
    for name in _TOKENIZER_FILES:
        path = Path(recipe.tokenizer) / name
        if path.is_file():
            found.update(name.encode() + path.read_bytes())
    rest = msgspec.structs.replace(recipe, files=(), tokenizer="", layout=None)
    found.update(msgspec.json.encode((rest, layouts)))
    return found.hexdigest()[:32]


class Worker:
    """Tokenizes rows; one for each process.

    Args:
        layouts: Of each file.
    """

    def __init__(self, recipe: Recipe, layouts: Sequence[Layout]) -> None:
        self._tokenizer = HfTokenizer(Path(recipe.tokenizer))
        source = recipe.template or self._tokenizer.chat_template
        special = self._tokenizer.special_texts
        template = ChatTemplate(source, special) if source else None
        self._renderer = Renderer(template, special, recipe.trained)
        self._layouts = layouts

    def tokenize(self, file: int, name: str, rows: Sequence[RawRow]) -> _Made:
        """The sequences of some rows of one file."""
        texts: list[str] = []
        spans: list[tuple[tuple[int, int], ...]] = []
        owners: list[tuple[RawRow, int, int]] = []
        bad: list[BadRow] = []
        for row in rows:
            try:
                if row.values is None:
                    raise BadRowError(row.problem)
                example = example_of(row.values, self._layouts[file])
                rendered = self._renderer.render(example)
            except BadRowError as error:
                bad.append(BadRow(file=name, line=row.line, problem=str(error)))
                continue
            owners.append((row, content_hash(example), len(rendered)))
            texts.extend(each.text for each in rendered)
            spans.extend(each.trained for each in rendered)
        encoded = zip(self._tokenizer.encode_many(texts), spans, strict=True)
        ids: list[list[int]] = []
        trained: list[NDArray[np.uint8]] = []
        kept: list[tuple[int, int, int]] = []
        for row, hashed, count in owners:
            pieces = [
                (tokens, _marked(np.array(starts, dtype=np.int64), parts))
                for (tokens, starts), parts in islice(encoded, count)
            ]
            if not all(marks.any() for _tokens, marks in pieces):
                bad.append(BadRow(file=name, line=row.line, problem="Nothing in it would be learned."))
                continue
            kept.append((file, row.line, hashed))
            ids += (tokens for tokens, _marks in pieces)
            trained += (marks for _tokens, marks in pieces)
        sequences = [(len(marks), int(marks.sum())) for marks in trained]
        return _Made(
            np.concatenate([np.array(each, dtype="<u4") for each in ids] or [np.empty(0, dtype="<u4")]),
            np.concatenate(trained or [np.empty(0, dtype=np.uint8)]),
            np.array(sequences, dtype=SEQUENCE),
            np.array(kept, dtype=ROW),
            sorted(bad, key=lambda each: each.line),
        )


def _marked(starts: NDArray[np.int64], parts: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Which tokens begin within a part. A token across a border belongs to where it begins."""
    found = np.zeros(len(starts), dtype=np.uint8)
    for start, end in parts:
        found |= ((starts >= start) & (starts < end)).astype(np.uint8)
    found[:1] = 0
    return found


def _make(
    recipe: Recipe, layouts: tuple[Layout, ...], key: str, folder: Path, processes: int, progress: Progress
) -> None:
    total = sum(Path(name).stat().st_size for name in recipe.files)
    tokens = trained = examples = bad = 0
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in _STREAMS}
        for made, done in _results(recipe, layouts, processes if total >= _PARALLEL_BYTES else 1):
            # The lengths come as they are; in the file stands where each sequence ends.
            made.sequences["end"] = tokens + np.cumsum(made.sequences["end"])
            arrays: dict[str, NDArray[Any]] = {
                IDS: made.ids,
                TRAINED: made.trained,
                SEQUENCES: made.sequences,
                ROWS: made.rows,
            }
            for name, array in arrays.items():
                array.tofile(files[name])
            files[BAD].writelines(msgspec.json.encode(each) + b"\n" for each in made.bad)
            tokens += len(made.ids)
            trained += int(made.trained.sum())
            examples += len(made.rows)
            bad += len(made.bad)
            progress(min(done, total), total)
        for file in files.values():
            _flush(file)
    if not examples:
        raise DataError(
            "No row of the data can be used." + _first_problem(folder / BAD),
            remedy="Look at the bad rows with: tenfold data inspect",
        )
    meta = Meta(
        key=key,
        files=tuple(Path(name).name for name in recipe.files),
        layouts=layouts,
        pairs=layouts[0].kind == "preference",
        examples=examples,
        tokens=tokens,
        trained=trained,
        bad=bad,
    )
    with (folder / META).open("wb") as file:
        file.write(msgspec.json.encode(meta))
        _flush(file)


def _first_problem(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline()
    if not line:
        return ""
    first = msgspec.json.decode(line, type=BadRow)
    return f" The first, line {first.line} of {first.file}: {first.problem}"


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _chunks(recipe: Recipe) -> Iterator[tuple[int, str, list[RawRow], int]]:
    """Rows in bites, with about how many bytes of all files were read by then."""
    before = 0
    for number, name in enumerate(recipe.files):
        path = Path(name)
        size = path.stat().st_size
        read = bytes_held = 0
        chunk: list[RawRow] = []
        for row in read_rows(path):
            chunk.append(row)
            bytes_held += row.size
            if len(chunk) >= _CHUNK_ROWS or bytes_held >= _CHUNK_BYTES:
                read += bytes_held
                yield number, path.name, chunk, before + min(read, size)
                chunk, bytes_held = [], 0
        before += size
        if chunk:
            yield number, path.name, chunk, before


def _results(recipe: Recipe, layouts: tuple[Layout, ...], processes: int) -> Iterator[tuple[_Made, int]]:
    """What each chunk gives, in the order of the files whatever finishes first."""
    if processes <= 1:
        worker = Worker(recipe, layouts)
        for number, name, chunk, done in _chunks(recipe):
            yield worker.tokenize(number, name, chunk), done
        return
    encoded = msgspec.json.encode((recipe, layouts))
    with ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_process
    ) as pool:
        waiting: deque[tuple[Future[_Made], int]] = deque()
        try:
            for number, name, chunk, done in _chunks(recipe):
                waiting.append((pool.submit(_tokenize, encoded, number, name, chunk), done))
                # So many chunks may wait that no process idles, and no more: they are in memory.
                if len(waiting) > 3 * processes:
                    future, then = waiting.popleft()
                    yield future.result(), then
            while waiting:
                future, then = waiting.popleft()
                yield future.result(), then
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_process() -> None:
    """Prepare a process of the pool: it tokenizes in one thread, and ends with the process that made it."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    """A process whose parent was killed would wait for work forever."""
    parent.join()
    os._exit(1)


@lru_cache(maxsize=1)
def _worker(encoded: bytes) -> Worker:
    """A process of the pool makes its tokenizer once."""
    return Worker(*msgspec.json.decode(encoded, type=tuple[Recipe, tuple[Layout, ...]]))


def _tokenize(encoded: bytes, number: int, name: str, rows: list[RawRow]) -> _Made:
    return _worker(encoded).tokenize(number, name, rows)
