"""What clients may do wrong or in bad faith: clear errors, and the others unharmed."""

from __future__ import annotations

import concurrent.futures
import json
import socket
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

CHAT = "/v1/chat/completions"


def body(server, **more: object) -> dict[str, object]:
    plain = {"model": server.models[0], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    return {**plain, **more}


def post(server, content: bytes | dict[str, object], **headers: str) -> httpx.Response:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.post(server.url + CHAT, content=raw, headers={**server.headers, **headers}, timeout=60)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"null", "invalid_json"),
        (b"", "invalid_json"),
        (b"\xff\xfe{}", "invalid_encoding"),
        (b"[" * 100_000, "invalid_json"),
        (b"{}", "invalid_value"),
        (b'{"messages": "text"}', "invalid_value"),
        (b'{"messages": []}', "invalid_value"),
        (b'{"messages": [{"role": "king", "content": "x"}]}', "invalid_value"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "invalid_value"),
    ],
)
def test_malformed_bodies(server, content: bytes, code: str) -> None:
    answer = post(server, content)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": "hot"},
        {"top_p": 0},
        {"max_tokens": 0},
        {"n": 1000},
        {"stop": ["x"] * 10_000},
        {"stop": 5},
        {"seed": -4},
        {"logit_bias": {"a": 1}},
        {"top_logprobs": 99, "logprobs": True},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}},
        {"grammar": "start: ((("},
        {"adapters": [{"name": "none"}]},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_wrong_values(server, wrong: dict[str, object], stream: bool) -> None:
    answer = post(server, body(server, stream=stream, **wrong))

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_schema_that_nothing_satisfies_ends_in_an_error(server) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}
    answer = post(
        server, body(server, response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    )

    assert answer.status_code == 400
    assert post(server, body(server)).status_code == 200


def test_other_hosts_and_pages_are_refused(server) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = httpx.get(server.url + "/v1/models", headers={**server.headers, **headers})
        assert answer.status_code == 403, headers
    fine = httpx.get(server.url + "/v1/models", headers={**server.headers, "Origin": "http://localhost:3000"})
    assert fine.status_code == 200


def test_without_a_token_only_health_answers(server) -> None:
    assert httpx.get(server.url + "/health").json()["status"] == "ok"
    for path in ("/v1/models", "/metrics", "/anything"):
        assert httpx.get(server.url + path).status_code == 401
    odd = {"Authorization": "Bearer tökén".encode()}
    assert httpx.get(server.url + "/v1/models", headers=odd).status_code == 401


def test_unknown_paths_and_methods(server) -> None:
    assert httpx.get(server.url + "/v1/nothing", headers=server.headers).status_code == 404
    wrong = httpx.get(server.url + CHAT, headers=server.headers)
    assert wrong.status_code == 405
    assert wrong.json()["error"]["code"] == "http"


def test_huge_bodies_are_refused_by_length_and_by_what_arrives(server) -> None:
    def flood() -> object:
        for _ in range(40):
            yield b"x" * 2**20

    stated = post(server, b"x" * (33 * 2**20))
    chunked = httpx.post(server.url + CHAT, content=flood(), headers=server.headers, timeout=60)

    assert stated.status_code == 413
    assert chunked.status_code == 413


def test_metrics_count(server) -> None:
    post(server, body(server))

    text = httpx.get(server.url + "/metrics", headers=server.headers).text

    assert f'tenfold_generated_tokens_total{{model="{server.models[0]}"}}' in text
    assert 'tenfold_requests_total{path="/v1/chat/completions",status="200"}' in text


def test_client_that_leaves_frees_its_place(server) -> None:
    """Three places; thirty clients that read one line and leave. The next one must not wait for them."""
    for _ in range(30):
        asked = body(server, stream=True, max_tokens=200)
        with httpx.stream(
            "POST", server.url + CHAT, json=asked, headers=server.headers, timeout=60
        ) as answer:
            next(answer.iter_lines())

    assert post(server, body(server)).status_code == 200


def test_slow_reader_does_not_hold_up_the_others(server) -> None:
    address = urlsplit(server.url)
    raw = json.dumps(body(server, stream=True, max_tokens=200, n=3)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {server.token}\r\n"
    with socket.create_connection((address.hostname, address.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.sendall(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)

        assert post(server, body(server)).status_code == 200


def test_five_hundred_connections_at_once(server) -> None:
    def one(index: int) -> int:
        with httpx.Client(timeout=120) as client:
            asked = body(server, max_tokens=2, messages=[{"role": "user", "content": f"Number {index}"}])
            return client.post(server.url + CHAT, json=asked, headers=server.headers).status_code

    with concurrent.futures.ThreadPoolExecutor(500) as pool:
        found = list(pool.map(one, range(500)))

    assert set(found) <= {200, 429}
    assert found.count(200) >= 256
    assert post(server, body(server)).status_code == 200


def test_memory_stays_flat_over_many_requests(server) -> None:
    """The short form of tests/bench/soak_serve.py, which prints the curve of ten thousand."""

    def memory() -> int:
        process = psutil.Process(server.process.pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))

    def many(count: int) -> None:
        with httpx.Client(timeout=60) as client:
            for index in range(count):
                asked = body(server, max_tokens=2, messages=[{"role": "user", "content": f"{index}"}])
                client.post(server.url + CHAT, json=asked, headers=server.headers).raise_for_status()

    many(100)
    before = memory()
    many(300)

    assert memory() - before < 8 * 2**20
