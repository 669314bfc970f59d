"""Fine-tuning speed on MLX against mlx-lm's own trainer, on the tiny model, in turns.

Both train the same LoRA (rank 16, all linear layers of all blocks, AdamW with bias correction) in float32 on
the same rows, as many of them an update, and learn the same tokens: all of a row, or the answer alone
(`--mask-prompt` of mlx-lm).

- `mlx-lm`: `mlx_lm.tuner.trainer.train` with its own `iterate_batches`, which sorts all rows by their length,
  pads to multiples of 32 and compiles a step for each width.
- `ours`: the loop of `finetune-mlx` with buckets, events and checks included.

Printed are real tokens a second (padding does not count) after the first two updates, the median of the
turns, and the loss on all rows afterwards.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parents[2]))

from plugins._mlx_loading import load_base, prepare
from plugins._mlx_scoring import Scorer
from plugins._mlx_tuning import MlxBackend
from plugins._tuning_loop import Settings, Tuning
from plugins._tuning_params import FinetuneParams
from tests.bench.bench_finetune import rows_file
from tests.fixtures.make_tiny import make_hf
from tests.plugins.tuning_parts import Job
from workbench.data.batches import Plan
from workbench.data.collate import collate
from workbench.data.sides import SideChoices, Sides, open_sides
from workbench.data.tokenizing import Recipe
from workbench.hardware import physical_cores

ROWS_AN_UPDATE, LONGEST = 4, 400
RATE, RANK, ALPHA = 1e-3, 16, 32
UPDATES, SKIPPED, TURNS = 12, 2, 3

Learned = Literal["everything", "all-answers"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--updates", type=int, default=UPDATES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "tiny"
        make_hf(model)
        rows = rows_file(folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
        rows = rows[: arguments.updates * ROWS_AN_UPDATE]
        print(
            f"{physical_cores()} threads, {len(rows)} rows, {ROWS_AN_UPDATE} an update,"
            f" {arguments.updates} updates a turn, {arguments.turns} turns"
        )
        print(f"{'learned':>12}{'mlx-lm':>10}{'ours':>10}{'ratio':>8}{'range':>14}{'losses':>16}")
        for learned in ("everything", "all-answers"):
            data = written(folder / f"{learned}.jsonl", rows, learned)
            sides = open_sides(
                Recipe(files=(str(data),), tokenizer=str(model), trained=learned),
                SideChoices(held_out=0, longest=LONGEST),
                folder / "cache",
            )
            compare(model, sides, folder, learned, arguments.turns, arguments.updates)


def compare(model: Path, sides: Sides, folder: Path, learned: Learned, turns: int, updates: int) -> None:
    """Print one line."""
    found = []
    for turn in range(turns):
        theirs, their_loss = mlx_lm_speed(model, sides, folder, turn, updates)
        mine, my_loss = our_speed(model, sides, folder / f"{learned}-{turn}", turn, updates)
        found.append((theirs, mine, mine / theirs, their_loss, my_loss))
    theirs, mine, ratio, their_loss, my_loss = (
        statistics.median(column) for column in zip(*found, strict=True)
    )
    ratios = [each[2] for each in found]
    print(
        f"{learned:>12}{theirs:10.1f}{mine:10.1f}{ratio:8.2f}{min(ratios):8.2f}–{max(ratios):.2f}"
        f"{their_loss:9.3f}, {my_loss:.3f}",
        flush=True,
    )


def written(path: Path, rows: list[str], learned: Learned) -> Path:
    """Texts, or the same texts as prompts with answers: three words of four are the prompt."""
    texts = [json.loads(each)["text"] for each in rows]
    if learned == "everything":
        made = [{"text": each} for each in texts]
    else:
        made = []
        for each in texts:
            words = each.split()
            cut = max(1, len(words) * 3 // 4)
            made.append({"prompt": " ".join(words[:cut]), "completion": " ".join(words[cut:]) or "."})
    path.write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    return path


class TimedJob(Job):
    """Remembers when an update was done, and how many tokens it had."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ends: list[float] = []
        self.tokens: list[float] = []

    def throughput(self, amount: float, *, unit: str) -> None:
        if unit == "tokens":
            self.tokens.append(amount)

    def metric(self, name: str, value: float, *, step: int | None = None, **more: Any) -> None:
        super().metric(name, value, step=step, **more)
        if name == "loss/train":
            self.ends.append(time.perf_counter())


class Quiet:
    """Samples that ask nothing."""

    def answer(self, _backend: Any, _step: int) -> None:
        pass


def our_speed(model: Path, sides: Sides, folder: Path, seed: int, updates: int) -> tuple[float, float]:
    """Real tokens a second, and the loss at the end."""
    params = FinetuneParams(data=[Path("rows.jsonl")], rank=RANK, alpha=ALPHA, precision="float32")
    base = load_base(model, params)
    backend = MlxBackend(base, prepare(base, params, model, seed), params, model, (2,))
    settings = Settings(
        plan=Plan(tokens=1 << 20, longest=LONGEST, rows=ROWS_AN_UPDATE),
        steps=updates,
        accumulation=1,
        learning_rate=RATE,
        schedule="constant",
        warmup=0,
        clip=0,
        evaluate_every=updates + 1,
        checkpoint_every=updates + 1,
        patience=0,
        seed=seed,
    )
    job: Any = TimedJob(folder)
    quiet: Any = Quiet()
    Tuning(job, backend, sides, settings, quiet).run()
    seconds = job.ends[-1] - job.ends[SKIPPED - 1]
    return sum(job.tokens[SKIPPED:]) / seconds, final_loss(base, sides)


def final_loss(model: Any, sides: Sides) -> float:
    """Of every row, without gradients."""
    side = sides.train
    model.eval()
    scorer = Scorer(model)
    loss, tokens = 0.0, 0
    for example in side.examples:
        arrays = collate(side.tokens, ((int(example),),), LONGEST)
        loss -= float(scorer.log_probabilities(arrays).sum())
        tokens += arrays.learned
    return loss / tokens


def mlx_lm_speed(model: Path, sides: Sides, folder: Path, seed: int, updates: int) -> tuple[float, float]:
    """The same of mlx-lm's trainer."""
    import mlx.core as mx
    import mlx.optimizers as optimizers
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.trainer import TrainingArgs, iterate_batches, train
    from mlx_lm.tuner.utils import linear_to_lora_layers
    from mlx_lm.utils import load_model

    mx.random.seed(seed)
    loaded, _config = load_model(model)
    loaded.set_dtype(mx.float32)
    loaded.freeze()
    keys = {
        name.partition("layers.")[2].partition(".")[2]
        for name, module in loaded.named_modules()
        if "layers." in name and type(module).__name__ == "Linear"
    }
    linear_to_lora_layers(
        loaded,
        len(loaded.layers),
        {"rank": RANK, "scale": ALPHA / RANK, "dropout": 0.0, "keys": keys},
    )
    ends: list[float] = []
    tokens: list[int] = []

    class Times(TrainingCallback):  # type: ignore[misc]
        def on_train_loss_report(self, _train_info: dict[str, Any]) -> None:
            ends.append(time.perf_counter())

    def counted(**asked: Any) -> Any:
        for batch, spans in iterate_batches(**asked, seed=seed):
            tokens.append(int(spans[:, 1].sum()))
            yield batch, spans

    tokenized = sides.train.tokens
    rows = []
    for example in sides.train.examples:
        trained = tokenized.trained(int(example))
        rows.append((tokenized.ids(int(example)).tolist(), max(1, int(trained.argmax()))))
    with redirect_stdout(io.StringIO()):
        train(
            loaded,
            optimizers.AdamW(RATE, weight_decay=0.0, bias_correction=True),
            rows,
            args=TrainingArgs(
                batch_size=ROWS_AN_UPDATE,
                iters=updates,
                steps_per_report=1,
                steps_per_save=updates + 1,
                max_seq_length=LONGEST,
                adapter_file=str(folder / "adapters.safetensors"),
            ),
            iterate_batches=counted,
            training_callback=Times(),
        )
    seconds = ends[-1] - ends[SKIPPED - 1]
    return sum(tokens[SKIPPED:updates]) / seconds, final_loss(loaded, sides)


if __name__ == "__main__":
    main()
