"""The generating process, driven through its client as every user of it does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench.engines.client import EngineClient, engine_command
from workbench.engines.errors import EngineError, RequestError
from workbench.engines.request import GREEDY, DraftOptions, LoadOptions, Message, Request, Sampling
from workbench.engines.wire import (
    Compare,
    Compared,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
    Finished,
    Generate,
    Reading,
    Started,
)

SHORT = Sampling(temperature=0.0, max_tokens=8, ignore_end=True)
TOKENS = tuple(range(1000, 1020))


@pytest.fixture
def client() -> Iterator[EngineClient]:
    with EngineClient() as client:
        yield client


def load(client: EngineClient, path: Path, **more: object) -> None:
    client.load(LoadOptions(path=str(path), format="gguf", context=256, threads=1, **more))


def test_answers_come_in_order_and_end(client: EngineClient, tiny_gguf: Path) -> None:
    load(client, tiny_gguf)

    events = list(client.generate(Request(id="a", tokens=TOKENS, sampling=SHORT)))

    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert sum(len(each.tokens) for each in events if isinstance(each, Delta)) == 8
    assert events[-1].text == "".join(each.text for each in events if isinstance(each, Delta))


def test_bad_requests_fail_alone(client: EngineClient, tiny_gguf: Path) -> None:
    load(client, tiny_gguf)

    for bad in (
        Request(id="a", tokens=(10**9,), sampling=SHORT),
        Request(id="a", tokens=(), sampling=SHORT),
        Request(id="a", sampling=SHORT),
        Request(id="a", tokens=TOKENS * 100, sampling=SHORT),
        Request(id="a", tokens=TOKENS, sampling=Sampling(temperature=-1)),
    ):
        with pytest.raises(RequestError):
            list(client.generate(bad))

    assert list(client.generate(Request(id="b", tokens=TOKENS, sampling=SHORT)))


def test_counting_embedding_and_comparing(client: EngineClient, tiny_gguf: Path) -> None:
    load(client, tiny_gguf, draft=DraftOptions(kind="ngram"))
    request = Request(id="n", messages=(Message(role="user", content="Hi there"),), sampling=GREEDY)

    client.send(Count(request=request))
    counted = next(each for each in client.events() if isinstance(each, Counted))
    client.send(Embed(id="e", texts=("one", "two")))
    embedded = next(each for each in client.events() if isinstance(each, Embedded))
    client.send(Compare(id="c", request=Request(id="c", tokens=TOKENS * 3, sampling=SHORT)))
    compared = next(each for each in client.events() if isinstance(each, Compared))

    assert counted.context == 256
    assert counted.tokens > 5
    assert len(embedded.vectors) == 2
    assert compared.identical
    assert compared.plain.completion_tokens == compared.speculative.completion_tokens == 8


def test_readings_come_while_it_works(client: EngineClient, tiny_gguf: Path) -> None:
    load(client, tiny_gguf)
    client.send(Generate(request=Request(id="a", tokens=TOKENS, sampling=SHORT)))

    reading = next(each for each in client.events() if isinstance(each, Reading))

    assert reading.memory_bytes > 10_000_000


def test_model_that_is_none_is_a_clear_error(client: EngineClient, tmp_path: Path) -> None:
    path = tmp_path / "no model.gguf"
    path.write_bytes(b"rubbish")

    with pytest.raises(EngineError, match=r"no model\.gguf"):
        load(client, path)


def test_killed_process_is_an_error_with_a_reason(client: EngineClient, tiny_gguf: Path) -> None:
    load(client, tiny_gguf)
    answer = client.generate(
        Request(id="a", tokens=TOKENS, sampling=Sampling(max_tokens=200, ignore_end=True))
    )
    next(answer)

    psutil.Process(client.process_id).kill()

    with pytest.raises(EngineError, match="The generating process ended"):
        list(answer)


def test_process_ends_with_its_client(tiny_gguf: Path) -> None:
    client = EngineClient()
    load(client, tiny_gguf)
    process = psutil.Process(client.process_id)

    client.close()

    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_rubbish_on_its_input_harms_nothing(tiny_gguf: Path) -> None:
    ended = subprocess.run(
        engine_command(), input=b"rubbish\n\xff\xfe\n{}\n", capture_output=True, timeout=60, check=False
    )

    assert ended.returncode == 0
    assert ended.stdout == b""
    assert b"no command" in ended.stderr
