"""Makes a token set: reads, lays out, renders and tokenizes every row once, in parallel, and keeps it."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from workbench.data.errors import BadRowError, DataError
from workbench.data.examples import content_hash
from workbench.data.layout import Layout, detect, example_of
from workbench.data.reading import RawRow, read_rows
from workbench.data.rendering import Renderer, Trained
from workbench.data.token_set import BAD, ENDS, IDS, META, ROW, ROWS, TRAINED, BadRow, Meta, TokenSet
from workbench.engines.hf_tokenizer import HfTokenizer
from workbench.engines.templates import ChatTemplate
from workbench.errors import DiskFullError

#: Raise this when the same data would give other tokens.
_VERSION = 1
_CHUNK_ROWS = 512
#: Below this a process that has to import a tokenizer first costs more than it brings.
_PARALLEL_BYTES = 16_000_000
_DETECT_ROWS = 200
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
        layout: What the rows are; None to tell from the first rows.
        template: Used instead of the model's own chat template.
        trained: Which turns of conversations are learned.
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
    lengths: NDArray[np.int64]
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
        DataError: A file can't be read, the rows are of no known layout, or none can be used.
        ModelFileError: The tokenizer can't be read.
        DiskFullError: The cache's disk is full.
    """
    for name in recipe.files:
        next(read_rows(Path(name)), None)  # says what is wrong with a file that can't be read at all
    layout = recipe.layout or detect(_first_rows(recipe.files))
    recipe = msgspec.structs.replace(recipe, layout=layout)
    key = recipe_key(recipe)
    target = cache / key
    if (target / META).is_file():
        with contextlib.suppress(DataError):
            return TokenSet(target)
        shutil.rmtree(target, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".partial-{uuid.uuid4().hex}"
    try:
        partial.mkdir()
        _make(recipe, key, partial, processes, progress)
        try:
            partial.rename(target)
        except OSError:
            # Another process made the same set meanwhile.
            if not (target / META).is_file():
                raise
    except OSError as error:
        if error.errno == 28:
            raise DiskFullError(partial) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return TokenSet(target)


def recipe_key(recipe: Recipe) -> str:
    """A hash over all that decides the tokens: the data's content, layout, template and tokenizer."""
    found = hashlib.sha256(f"{_VERSION}".encode())
    for name in recipe.files:
        # The name is kept in the set, for messages; the folder is not.
        found.update(Path(name).name.encode() + b"\0")
        with Path(name).open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    for name in _TOKENIZER_FILES:
        path = Path(recipe.tokenizer) / name
        if path.is_file():
            found.update(name.encode() + path.read_bytes())
    rest = msgspec.structs.replace(recipe, files=(), tokenizer="")
    found.update(msgspec.json.encode(rest))
    return found.hexdigest()[:32]


class Worker:
    """Tokenizes rows; one for each process.

    Args:
        recipe: With its layout.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._tokenizer = HfTokenizer(Path(recipe.tokenizer))
        source = recipe.template or self._tokenizer.chat_template
        special = self._tokenizer.special_texts
        template = ChatTemplate(source, special) if source else None
        self._renderer = Renderer(template, special, recipe.trained)
        if recipe.layout is None:
            raise DataError("The layout of the rows is not known.")
        self._layout = recipe.layout

    def tokenize(self, place: int, name: str, rows: Sequence[RawRow]) -> _Made:
        """The sequences of some rows of one file."""
        texts: list[str] = []
        spans: list[tuple[tuple[int, int], ...]] = []
        owners: list[tuple[int, int, int]] = []
        bad: list[BadRow] = []
        for row in rows:
            try:
                if row.values is None:
                    raise BadRowError(row.problem)
                example = example_of(row.values, self._layout)
                rendered = self._renderer.render(example)
                if not all(any(end > start for start, end in each.trained) for each in rendered):
                    raise BadRowError("Nothing in it would be learned.")
            except BadRowError as error:
                bad.append(BadRow(file=name, line=row.line, problem=str(error)))
                continue
            owners.append((place, row.line, content_hash(example)))
            texts.extend(each.text for each in rendered)
            spans.extend(each.trained for each in rendered)
        ids: list[int] = []
        trained: list[NDArray[np.uint8]] = []
        lengths = []
        for (tokens, starts), parts in zip(self._tokenizer.encode_many(texts), spans, strict=True):
            ids.extend(tokens)
            lengths.append(len(tokens))
            trained.append(_marked(np.array(starts, dtype=np.int64), parts))
        return _Made(
            np.array(ids, dtype="<u4"),
            np.concatenate(trained) if trained else np.empty(0, dtype=np.uint8),
            np.array(lengths, dtype=np.int64),
            np.array(owners, dtype=ROW),
            bad,
        )


def _marked(starts: NDArray[np.int64], parts: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Which tokens begin within a part. A token across a border belongs to where it begins."""
    found = np.zeros(len(starts), dtype=np.uint8)
    for start, end in parts:
        found |= ((starts >= start) & (starts < end)).astype(np.uint8)
    return found


def _first_rows(files: Sequence[str]) -> list[dict[str, object]]:
    rows = (row for name in files for row in islice(read_rows(Path(name)), _DETECT_ROWS))
    return [dict(row.values) for row in rows if row.values is not None]


def _make(recipe: Recipe, key: str, folder: Path, processes: int, progress: Progress) -> None:
    total = sum(Path(name).stat().st_size for name in recipe.files)
    ends: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.void]] = []
    tokens = trained = bad = 0
    with (folder / IDS).open("wb") as ids_file, (folder / TRAINED).open("wb") as trained_file:
        with (folder / BAD).open("wb") as bad_file:
            for made, done in _results(recipe, processes if total >= _PARALLEL_BYTES else 1):
                made.ids.tofile(ids_file)
                made.trained.tofile(trained_file)
                ends.append(tokens + np.cumsum(made.lengths))
                owners.append(made.rows)
                tokens += len(made.ids)
                trained += int(made.trained.sum())
                bad += len(made.bad)
                for each in made.bad:
                    bad_file.write(msgspec.json.encode(each) + b"\n")
                progress(min(done, total), total)
            _flush(bad_file)
        _flush(ids_file)
        _flush(trained_file)
    rows = np.concatenate(owners) if owners else np.empty(0, dtype=ROW)
    if not len(rows):
        raise DataError(
            "No row of the data can be used." + _first_problem(folder / BAD),
            remedy="Look at the bad rows with: tenfold data inspect",
        )
    kind = recipe.layout.kind if recipe.layout is not None else "text"
    for name, array in ((ENDS, np.concatenate(ends)), (ROWS, rows)):
        with (folder / name).open("wb") as file:
            np.save(file, array, allow_pickle=False)
            _flush(file)
    meta = Meta(
        key=key,
        files=tuple(Path(name).name for name in recipe.files),
        kind=kind,
        pairs=kind == "preference",
        examples=len(rows),
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
    for place, name in enumerate(recipe.files):
        path = Path(name)
        size = path.stat().st_size
        rows = read_rows(path)
        read = 0
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            read += sum(_weight(row) for row in chunk)
            yield place, path.name, chunk, before + min(read, size)
        before += size


def _weight(row: RawRow) -> int:
    return sum(len(str(value)) for value in row.values.values()) if row.values else 1


def _results(recipe: Recipe, processes: int) -> Iterator[tuple[_Made, int]]:
    """What each chunk gives, in the order of the files whatever finishes first."""
    if processes <= 1:
        worker = Worker(recipe)
        for place, name, chunk, done in _chunks(recipe):
            yield worker.tokenize(place, name, chunk), done
        return
    encoded = msgspec.json.encode(recipe)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: list[tuple[Future[_Made], int]] = []
        try:
            for place, name, chunk, done in _chunks(recipe):
                waiting.append((pool.submit(_tokenize, encoded, place, name, chunk), done))
                # So many chunks may wait that no process idles, and no more: they are in memory.
                if len(waiting) > 3 * processes:
                    future, then = waiting.pop(0)
                    yield future.result(), then
            for future, then in waiting:
                yield future.result(), then
        finally:
            pool.shutdown(cancel_futures=True)


@lru_cache(maxsize=1)
def _worker(recipe: bytes) -> Worker:
    """A process of the pool makes its tokenizer once."""
    return Worker(msgspec.json.decode(recipe, type=Recipe))


def _tokenize(recipe: bytes, place: int, name: str, rows: list[RawRow]) -> _Made:
    return _worker(recipe).tokenize(place, name, rows)
