"""Fine-tuning speed on PyTorch against transformers' own Trainer, on the sample model, in turns.

A mixed set: rows cut from this project's own documents, lengths log-normal with a mean of about 80 tokens, at
most 400. All runs train the same LoRA (rank 16, all linear layers) in float32 with AdamW on rows of the same
files, about 8 rows an update:

- `trainer`: Trainer with its defaults: random order, padded to the longest of a batch, tokenized as it goes.
- `trainer, by length`: the same with `train_sampling_strategy="group_by_length"`, its best own setting here.
- `ours`: the loop of `finetune-torch` with buckets, and packed.
- `bare`: our backend's updates alone, without events, samples and checks.

Printed are real tokens a second (padding does not count), each as the median of its turns, and with `--loss`
the held-out loss after the same number of real tokens for three seeds (about 15 minutes).

What the workbench adds to its bare loop is less than two runs of one loop differ by on a shared machine. So
it is counted within each run: the seconds that the loop's thread spent outside the backend, and the processor
time of the sampler's thread.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from plugins._torch_loading import load_base, prepare
from plugins._torch_tuning import TorchBackend
from plugins._tuning_backend import Piece
from plugins._tuning_loop import Settings, Tuning
from plugins._tuning_params import FinetuneParams
from tests.bench.tuning_sample import sample_folder
from workbench.data.batches import Batching, Plan, epoch_batches
from workbench.data.collate import IGNORED, collate
from workbench.data.sides import SideChoices, Sides, open_sides
from workbench.data.tokenizing import Recipe
from workbench.hardware import physical_cores
from workbench.jobs.context import WorkerContext
from workbench.jobs.sampler import Sampler
from workbench.jobs.sink import EventSink
from workbench.jobs.stop_requests import Requests

ROWS, LONGEST, ROWS_AN_UPDATE = 400, 400, 8
RATE, RANK, ALPHA = 5e-4, 16, 32
STEPS, TURNS = 6, 3
LOSS_TOKENS, SEEDS = 8_000, (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loss", action="store_true", help="compare the held-out loss too")
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(physical_cores())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = sample_folder(folder)
        data = rows_file(folder / "rows.jsonl")
        sides = open_sides(
            Recipe(files=(str(data),), tokenizer=str(model)),
            SideChoices(held_out=0.1, longest=LONGEST),
            folder / "cache",
        )
        lengths = sides.train.lengths
        print(
            f"{physical_cores()} threads; {len(lengths)} rows of {lengths.min()} to {lengths.max()} tokens,"
            f" mean {lengths.mean():.0f}; {STEPS} updates a turn, {arguments.turns} turns"
        )
        speeds(model, sides, folder, arguments.turns)
        if arguments.loss:
            losses(model, sides, folder)


def speeds(model: Path, sides: Sides, folder: Path, turns: int) -> None:
    """Print tokens a second of each way, in turns."""
    ways: dict[str, Callable[[int], tuple[int, float]]] = {
        "trainer": lambda turn: trainer(model, sides, folder, turn, STEPS)[:2],
        "trainer, by length": lambda turn: trainer(model, sides, folder, turn, STEPS, by_length=True)[:2],
        "ours, buckets": lambda turn: ours(model, sides, folder, turn, STEPS, added=added)[:2],
        "ours, packed": lambda turn: ours(model, sides, folder, turn, STEPS, "packed")[:2],
        "bare": lambda turn: bare(model, sides, folder, turn),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    added: list[tuple[float, float]] = []
    for turn in range(turns):
        for name, way in ways.items():
            tokens, seconds = way(turn)
            found[name].append(tokens / seconds)
    base = statistics.median(found["trainer"])
    print(f"{'':22}{'tokens/s':>10}{'range':>16}{'× trainer':>11}")
    for name, each in found.items():
        middle = statistics.median(each)
        print(f"{name:22}{middle:10.1f}{min(each):9.1f}–{max(each):<6.1f}{middle / base:11.2f}", flush=True)
    outside, sampling = (statistics.median(each) for each in zip(*added, strict=True))
    print(f"added by the workbench: {outside:.2%} in the loop, {sampling:.2%} of a core by the sampler")


def losses(model: Path, sides: Sides, folder: Path) -> None:
    """Print the held-out loss after the same number of tokens, for each seed."""
    print(f"\nheld-out loss after about {LOSS_TOKENS} tokens")
    print(f"{'seed':>6}{'trainer':>10}{'buckets':>10}{'packed':>10}")
    steps = math.ceil(LOSS_TOKENS / (float(sides.train.lengths.mean()) * ROWS_AN_UPDATE))
    table = []
    for seed in SEEDS:
        row = [trainer(model, sides, folder, seed, steps)[2]]
        for batching in ("buckets", "packed"):
            row.append(ours(model, sides, folder, seed, steps, batching)[2])  # type: ignore[arg-type]
        table.append(row)
        print(f"{seed:6d}" + "".join(f"{each:10.4f}" for each in row), flush=True)
    columns = np.array(table)
    print("mean  " + "".join(f"{each:10.4f}" for each in columns.mean(axis=0)))
    print("s.d.  " + "".join(f"{each:10.4f}" for each in columns.std(axis=0, ddof=1)))


def rows_file(path: Path) -> Path:
    """Rows of text with lengths as people's datasets have them."""
    root = Path(__file__).parents[2]
    words = " ".join(
        (root / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "README.md")
    ).split()
    chance = random.Random(5)
    rows = []
    while len(rows) < ROWS:
        # Log-normal with a mean of about 80 tokens; a word has about 1.6.
        count = min(LONGEST, chance.lognormvariate(4.05, 0.8)) / 1.6
        start = chance.randrange(len(words) - 300)
        rows.append({"text": " ".join(words[start : start + max(4, round(count))])})
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def fresh(model: Path, seed: int) -> tuple[Any, FinetuneParams]:
    import torch

    params = FinetuneParams(data=[Path("rows.jsonl")], rank=RANK, alpha=ALPHA, learning_rate=RATE)
    torch.manual_seed(seed)
    return prepare(load_base(model, params), params, "sample"), params


def ours(
    model: Path,
    sides: Sides,
    folder: Path,
    seed: int,
    steps: int,
    batching: Batching = "buckets",
    added: list[tuple[float, float]] | None = None,
) -> tuple[int, float, float]:
    """Real tokens, seconds, and the held-out loss at the end, of the workbench's loop with its events.

    Args:
        added: Gets the share of time outside the backend, and the sampler's share of a core.
    """
    tuned, params = fresh(model, seed)
    backend = TorchBackend(tuned, params, model, (2,), folder)
    job, sampler = context(folder, seed)
    nothing = Sides(train=sides.train, held_out=empty(sides), refusals=(), lines=())
    timed = Timed(backend)
    run = Tuning(job, timed, nothing, settings(sides, steps, seed, batching), Quiet())  # type: ignore[arg-type]
    with sampler:
        began = time.perf_counter()
        at = run.run()
        seconds = time.perf_counter() - began
        if added is not None:
            added.append((1 - timed.seconds / seconds, _sampler_seconds() / seconds))
    return at.tokens, seconds, held_out_loss(tuned, sides)


class Timed:
    """A backend whose calls are timed."""

    def __init__(self, backend: TorchBackend) -> None:
        self._backend = backend
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return found(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - began

        return call


def _sampler_seconds() -> float:
    """Processor time of the sampler's thread so far; 0 where the system does not tell."""
    number = next((each.native_id for each in threading.enumerate() if each.name == "sampler"), None)
    own = next((each for each in psutil.Process().threads() if each.id == number), None)
    return own.user_time + own.system_time if own is not None else 0.0


def bare(model: Path, sides: Sides, folder: Path, seed: int) -> tuple[int, float]:
    """The same updates with nothing around them."""
    tuned, params = fresh(model, seed)
    backend = TorchBackend(tuned, params, model, (2,), folder)
    chosen = settings(sides, STEPS, seed, "buckets")
    side = sides.train
    batches = epoch_batches(side.lengths, chosen.plan, seed, 0)[:STEPS]
    tokens = 0
    began = time.perf_counter()
    for step, batch in enumerate(batches):
        named = tuple(tuple(int(side.examples[each]) for each in row) for row in batch)
        piece = Piece(collate(side.tokens, named, LONGEST))
        backend.begin(step)
        backend.add(piece, piece.weight)
        backend.norm(1.0)
        backend.update(RATE)
        tokens += piece.real
    return tokens, time.perf_counter() - began


def trainer(
    model: Path, sides: Sides, folder: Path, seed: int, steps: int, *, by_length: bool = False
) -> tuple[int, float, float]:
    """The same for transformers' Trainer."""
    from torch.utils.data import Dataset
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling, Trainer, TrainingArguments

    tuned, _params = fresh(model, seed)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = tokenizer.eos_token
    side = sides.train
    texts = [tokenizer.decode(side.tokens.ids(int(each))) for each in side.examples]
    seen = [0]

    class Rows(Dataset):  # type: ignore[misc, type-arg]
        def __len__(self) -> int:
            return len(texts)

        def __getitem__(self, place: int) -> dict[str, Any]:
            return dict(tokenizer(texts[place], truncation=True, max_length=LONGEST))

    class Counting(DataCollatorForLanguageModeling):  # type: ignore[misc]
        def __call__(self, features: Any, **more: Any) -> Any:
            seen[0] += sum(len(each["input_ids"]) for each in features)
            return super().__call__(features, **more)

    strategy = {"train_sampling_strategy": "group_by_length"} if by_length else {}
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=ROWS_AN_UPDATE,
        max_steps=steps,
        learning_rate=RATE,
        seed=seed,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        dataloader_pin_memory=False,
        **strategy,
    )
    own = Trainer(
        model=tuned,
        args=arguments,
        train_dataset=Rows(),
        data_collator=Counting(tokenizer, mlm=False),
    )
    began = time.perf_counter()
    own.train()
    seconds = time.perf_counter() - began
    tuned.train(False)
    return seen[0], seconds, held_out_loss(tuned, sides)


def settings(sides: Sides, steps: int, seed: int, batching: Batching) -> Settings:
    """About as many real tokens an update as eight random rows have, with the schedule of Trainer."""
    tokens = round(float(sides.train.lengths.mean()) * ROWS_AN_UPDATE)
    plan = Plan(
        batching=batching, tokens=max(tokens, LONGEST) if batching == "packed" else tokens, longest=LONGEST
    )
    return Settings(
        plan=plan,
        steps=steps,
        accumulation=1,
        learning_rate=RATE,
        schedule="linear",
        warmup=0,
        clip=1.0,
        evaluate_every=steps + 1,
        checkpoint_every=steps + 1,
        patience=0,
        seed=seed,
    )


def held_out_loss(model: Any, sides: Sides) -> float:
    import torch

    side, total, learned = sides.held_out, 0.0, 0
    model.eval()
    with torch.no_grad():
        for number in side.examples:
            arrays = collate(side.tokens, ((int(number),),), LONGEST)
            logits = model(input_ids=torch.from_numpy(arrays.ids)).logits
            targets = torch.from_numpy(arrays.targets)
            total += float(
                torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), targets.flatten(), reduction="sum", ignore_index=IGNORED
                )
            )
            learned += arrays.learned
    model.train()
    return total / learned


def empty(sides: Sides) -> Any:
    from msgspec.structs import replace

    return replace(sides.held_out, examples=sides.held_out.examples[:0])


class Quiet:
    """No samples: the reference makes none either."""

    asked: tuple[()] = ()

    def answer(self, _backend: Any, _step: int) -> None:
        return


class _Sampling:
    """The worker's own sampler, at work while a run is."""

    def __init__(self, sampler: Sampler, sink: EventSink) -> None:
        self._sampler = sampler
        self._sink = sink

    def __enter__(self) -> None:
        self._sampler.start()

    def __exit__(self, *_error: object) -> None:
        self._sampler.stop()
        self._sink.close()


def context(folder: Path, seed: int) -> tuple[Any, _Sampling]:
    """The context of a real worker, with its event file."""
    job = folder / "job"
    shutil.rmtree(job, ignore_errors=True)
    (job / "checkpoints").mkdir(parents=True)
    (job / "out").mkdir()
    sink = EventSink(job / "events.jsonl")

    def leave(error: BaseException) -> Any:
        raise error

    found = WorkerContext(
        folder=job,
        out=job / "out",
        sink=sink,
        requests=Requests(job),
        seed=seed,
        threads=None,
        output_name="bench",
        stop_now=leave,
    )
    return found, _Sampling(Sampler(sink.emit, found.take_amounts, found.fail), sink)


if __name__ == "__main__":
    main()
