"""The parts of a job's way that need no process: slots, endings, series, scripts, events, the board."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import InUseError, NotFoundError, UsageError
from workbench.home import Home
from workbench.jobs import exits
from workbench.jobs.board import JobBoard
from workbench.jobs.build import file_name
from workbench.jobs.endings import death
from workbench.jobs.events import EventLog, EventTail, Metric, State
from workbench.jobs.launch import command
from workbench.jobs.script import render
from workbench.jobs.series import SeriesStore, decimate
from workbench.jobs.slots import Held, Waiting, may_start
from workbench.jobs.spec import JobSpec, ModelInput
from workbench.params import split_paths
from workbench.store.database import Store


def _ids(*arguments: object, **options: object) -> list[str]:
    limits = {"cpu_slots": 1, "network_slots": 2, "gpus": (), **options}
    return [start.id for start in may_start(*arguments, **limits)]  # type: ignore[arg-type]


class TestSlots:
    queue = (
        Waiting("a", "cpu", 1),
        Waiting("b", "cpu", 2),
        Waiting("n", "network", 3),
        Waiting("g", "gpu", 4),
    )

    def test_cpu_jobs_wait_for_each_other_and_downloads_do_not(self) -> None:
        assert _ids(self.queue, []) == ["a", "n"]
        assert _ids(self.queue, [Held("cpu")]) == ["n"]
        assert _ids(self.queue, [], cpu_slots=2) == ["a", "b", "n"]

    def test_each_gpu_takes_one_job_and_gives_its_index(self) -> None:
        queue = [Waiting("g1", "gpu", 1), Waiting("g2", "gpu", 2), Waiting("g3", "gpu", 3)]
        starts = may_start(queue, [Held("gpu", 0)], cpu_slots=1, network_slots=1, gpus=(0, 1))
        assert [(start.id, start.gpu) for start in starts] == [("g1", 1)]

    def test_without_a_gpu_its_jobs_take_a_cpu_slot(self) -> None:
        assert _ids([Waiting("g", "gpu", 1), Waiting("a", "cpu", 2)], []) == ["g"]

    def test_failure_holds_up_only_what_waited_then(self) -> None:
        assert _ids(self.queue, [], failed_at=2.5) == ["n", "g"]


class TestEndings:
    def test_kill_is_tried_again_once_only(self, tmp_path: Path) -> None:
        assert death(tmp_path, -9, attempts=1, cancelled=False).state == "queued"
        assert death(tmp_path, -9, attempts=2, cancelled=False).state == "interrupted"

    @pytest.mark.parametrize("code", [-11, 1, 3, 0xC0000005, None])
    def test_everything_else_is_the_persons_to_judge(self, code: int | None, tmp_path: Path) -> None:
        ending = death(tmp_path, code, attempts=1, cancelled=False)
        assert ending.state == "interrupted"
        assert ending.error is not None
        assert ending.error.message

    def test_codes_of_windows_and_posix_become_words(self) -> None:
        assert "SIGSEGV" in exits.words(-11)
        assert "access violation" in exits.words(-1073741819)
        assert "SIGKILL" in exits.words(137)


class TestSeries:
    def test_points_are_kept_in_binary_and_go_on_after_reopening(self, tmp_path: Path) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        for number in range(5000):
            log.append(Metric(float(number), "speed", number / 2, unit="B/s"))
        first = SeriesStore(tmp_path)
        while first.append_new():
            pass
        for number in range(5000, 5010):
            log.append(Metric(float(number), "speed", number / 2, unit="B/s"))
        log.close()

        again = SeriesStore(tmp_path)
        assert len(again.read("speed")[0]) == 5000
        while again.append_new():
            pass

        t, v = again.read("speed")
        assert np.array_equal(t, np.arange(5010.0))
        assert np.array_equal(v, np.arange(5010.0) / 2)
        assert again.names()[0].unit == "B/s"

    def test_damaged_index_is_made_anew(self, tmp_path: Path) -> None:
        log = EventLog(tmp_path / "events.jsonl")
        log.append(Metric(1.0, "a", 2.0))
        log.close()
        (tmp_path / "series").mkdir()
        (tmp_path / "series" / "index.json").write_text('{"offset": 5, "series": [{"name": "a", "unit": "",')

        store = SeriesStore(tmp_path)
        store.append_new()

        assert store.read("a")[1].tolist() == [2.0]

    def test_decimation_keeps_extremes_ends_and_order(self) -> None:
        chance = np.random.default_rng(0)
        t, v = np.arange(100_000.0), chance.standard_normal(100_000)
        v[31_234], v[77_777] = 50, -50

        shown_t, shown_v = decimate(t, v, 0.0, 99_999.0, 500)

        assert len(shown_t) <= 4 * 500
        assert (shown_v.max(), shown_v.min()) == (50, -50)
        assert (shown_t[0], shown_t[-1]) == (0.0, 99_999.0)
        assert np.all(np.diff(shown_t) > 0)


class TestScript:
    def test_hostile_names_stay_text(self) -> None:
        name = 'x"""\nimport os; os.system("touch /tmp/owned") #\\'
        spec = JobSpec(
            operation="o",
            plugin="p",
            title=name,
            model=ModelInput(name=name, format="gguf", path=Path("/secret/place/model.gguf"), source="file"),
            params={"text": name, "number": float("inf"), "list": ["a", name]},
            output_name="out",
        )

        text = render(spec)

        tree = ast.parse(text)
        imported = [
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        ]
        assert imported == []
        assert "/secret/place" not in text

    def test_files_are_named_without_their_folders_and_stay_apart(self, tmp_path: Path) -> None:
        paths = [tmp_path / "one" / "rows.jsonl", tmp_path / "two" / "rows.jsonl", tmp_path / "a,b.csv"]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.touch()
        spec = JobSpec(
            operation="o",
            plugin="p",
            title="t",
            params={"data": [str(path) for path in paths], "words": ["a", "b"]},
            output_name="out",
        )

        text = render(spec)
        words = command(spec, tmp_path, resume=False, threads=None)

        assert '"data": ["one/rows.jsonl", "two/rows.jsonl", "a,b.csv"]' in text
        assert "It needs the files one/rows.jsonl, two/rows.jsonl, a,b.csv beside it" in text
        assert str(tmp_path) not in text
        name, _, value = words[words.index("--set") + 1].partition("=")
        assert (name, split_paths(value)) == ("data", spec.params["data"])

    def test_names_become_file_names_of_every_system(self) -> None:
        assert file_name('a/b\\c:d*e?"f<g>h|i.') == "a-b-c-d-e--f-g-h-i"
        assert file_name("...") == "result"


class TestEvents:
    def test_reader_waits_for_the_end_of_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        log = EventLog(path)
        log.append(State(1.0, "queued"))
        with path.open("ab") as file:
            file.write(b'{"kind":"state","t":2,"sta')
        tail = EventTail(path)
        assert len(tail.read()) == 1
        assert tail.read() == []
        with path.open("ab") as file:
            file.write(b'te":"running"}\n')

        assert [event.state for event in tail.read() if isinstance(event, State)] == ["running"]
        log.close()


class TestBoard:
    @pytest.fixture
    def board(self, store: Store, home: Home) -> JobBoard:
        return JobBoard(store, home)

    def _submit(self, board: JobBoard, title: str = "t") -> str:
        spec = JobSpec(operation="o", plugin="p", title=title, output_name="x")
        return board.submit(spec).id

    def test_waiting_jobs_are_reordered(self, board: JobBoard) -> None:
        a, b, c = (self._submit(board, title) for title in "abc")
        board.move(c, a)
        board.move(a, None)

        waiting = sorted(board.list(states=("queued",)), key=lambda job: job.position)
        assert [job.id for job in waiting] == [c, b, a]

    def test_removed_job_leaves_no_folder(self, board: JobBoard, home: Home) -> None:
        job_id = self._submit(board)
        with pytest.raises(InUseError):
            board.remove(job_id)
        board.cancel(job_id)
        board.remove(job_id)

        assert not (home.jobs / job_id).exists()
        with pytest.raises(NotFoundError):
            board.get(job_id)

    def test_what_makes_no_sense_is_refused_in_words(self, board: JobBoard) -> None:
        job_id = self._submit(board)
        with pytest.raises(UsageError, match="has not ended"):
            board.retry(job_id)
        board.cancel(job_id)
        with pytest.raises(UsageError, match="has ended already"):
            board.cancel(job_id)
        with pytest.raises(UsageError, match="not at work"):
            board.pause(job_id)

    def test_job_is_found_by_the_end_of_its_id_and_as_the_last(self, board: JobBoard) -> None:
        job_id = self._submit(board)
        assert board.get(job_id[-4:]).id == job_id
        assert board.get("last").id == job_id

    def test_paused_queue_entry_waits_until_it_is_resumed(self, board: JobBoard) -> None:
        job_id = self._submit(board)
        assert board.pause(job_id).state == "paused"
        assert board.resume(job_id).state == "queued"

    def test_full_disk_leaves_neither_folder_nor_row(
        self, board: JobBoard, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from workbench.errors import DiskFullError

        def full(*_arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("workbench.jobs.events.os.fsync", full)
        with pytest.raises(DiskFullError):
            self._submit(board)

        assert list(home.jobs.iterdir()) == []
        assert board.list() == []
