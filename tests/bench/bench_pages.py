"""How long pages take to open in a library of 10,000 models and 10,000 jobs."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from sqlalchemy import insert

from ui.app import make_application
from ui.context import AppContext
from ui.theme import Theme
from ui.window import MainWindow
from workbench.home import Home
from workbench.jobs.spec import JobSpec
from workbench.library.library import sample_path
from workbench.session import Session
from workbench.store.tables import JobRow, ModelRow

COUNT = 10_000
PAGES = ("models", "jobs", "optimize", "finetune", "compare", "settings")


def main() -> int:
    app = make_application()
    theme = Theme()
    theme.apply(app)
    with tempfile.TemporaryDirectory() as folder, Session.open(Home(Path(folder)), supervise=True) as session:
        _fill(session)
        window = MainWindow(AppContext(session, theme))
        window.resize(1280, 800)
        window.open_page("settings")
        window.show()
        app.processEvents()
        for visit in ("first visit, with its imports", "second visit"):
            for name in PAGES:
                began = time.perf_counter()
                page = window.open_page(name)
                if visit == "second visit":
                    page.refresh()  # type: ignore[attr-defined]
                window.grab()
                print(f"{name:10}{visit:32}{(time.perf_counter() - began) * 1e3:8.0f} ms")
                app.processEvents()
        window.pulse.stop()
        window.hide()
    return 0


def _fill(session: Session) -> None:
    sample = session.library.add(sample_path()).record
    facts = session.library.facts(sample.id).model_dump_json()
    models = [
        {
            "id": f"m{number:07}",
            "name": f"Model {number // 4} variant {number % 4}",
            "path": f"{session.home.models / str(number)}.gguf",
            "format": "gguf",
            "architecture": "llama",
            "quantization": ("F16", "Q8_0", "Q4_K_M", "Q2_K")[number % 4],
            "parameters": 135_000_000,
            "bits_per_weight": (16.0, 8.5, 4.9, 3.2)[number % 4],
            "size_bytes": 271_000_000 >> (number % 4),
            "facts": facts,
            "sha256": f"{number:064x}",
            "in_place": False,
            "source": "job" if number % 4 else "file",
            "parent_id": f"m{number - number % 4:07}" if number % 4 else None,
            "tags": "[]",
            "notes": "",
            "created_at": 1.7e9 + number,
        }
        for number in range(COUNT)
    ]
    states = ("done", "done", "done", "failed", "cancelled")
    jobs = [
        {
            "id": f"20260101-000000-{number:05}",
            "operation": "gguf-quantize",
            "title": f"Quantize (Q4_K_M): Model {number}",
            "spec": JobSpec(operation="o", plugin="p", title="t", output_name="o").model_dump_json(),
            "state": states[number % 5],
            "reason": "",
            "needs": "cpu",
            "position": float(number),
            "created_at": 1.7e9 + number,
            "queued_at": 1.7e9 + number,
            "started_at": 1.7e9 + number,
            "ended_at": 1.7e9 + number + 5,
            "attempts": 1,
        }
        for number in range(COUNT)
    ]
    with session.store.transaction() as transaction:
        transaction.execute(insert(ModelRow), models)
        transaction.execute(insert(JobRow), jobs)


if __name__ == "__main__":
    raise SystemExit(main())
