"""What a cluster has free for a training, asked of a dashboard that answers as Ray 2.60 did."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.memory_keyring import MemoryKeyring
from ui.panels.finetune.place_room import PlaceRoom
from workbench.cluster.place import Place

_WAIT_MS = 30_000
_GPU = {"name": "A GPU", "memoryUsed": 1024, "memoryTotal": 81920}
_NODES = [
    {"mem": [64_000_000_000, 9_000_000_000, 85.9, 55_000_000_000], "gpus": [], "raylet": {"state": "ALIVE"}},
    {
        "mem": [32_000_000_000, 30_000_000_000, 6.2, 2_000_000_000],
        "gpus": [_GPU],
        "raylet": {"state": "ALIVE"},
    },
    {"mem": [99_000_000_000, 99_000_000_000, 0.0, 0], "gpus": [], "raylet": {"state": "DEAD"}},
]
_ANSWERS: dict[str, object] = {
    "/api/version": {"version": "4", "ray_version": "2.60.0"},
    "/nodes": {"result": True, "msg": "", "data": {"summary": _NODES}},
    "/api/cluster_status": {"result": True, "msg": "", "data": {"clusterStatus": {}}},
    "/api/jobs/": [],
}


@pytest.fixture
def dashboard() -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(_ANSWERS[self.path.partition("?")[0]]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_roomiest_living_node_or_gpu_is_what_a_training_can_have(
    dashboard: str, qtbot: QtBot, own_keyring: MemoryKeyring
) -> None:
    place = Place(name="lab", address=dashboard)
    room = PlaceRoom()

    room.watch(place, gpu=False)
    qtbot.waitUntil(lambda: room.room is not None, timeout=_WAIT_MS)
    node = room.room
    room.watch(place, gpu=True)
    assert room.room is None
    qtbot.waitUntil(lambda: room.room is not None, timeout=_WAIT_MS)

    assert node is not None and (node.free_bytes, node.total_bytes) == (30_000_000_000, 32_000_000_000)
    assert node.name == "lab, roomiest node" and not node.is_gpu
    gpu = room.room
    assert gpu is not None and gpu.is_gpu and gpu.total_bytes == 80 << 30 and gpu.free_bytes == 79 << 30
    room.watch(None, gpu=True)
    assert room.room is None
    room.rest()
    room.deleteLater()
