"""The complete workflow on toy vehicles, offline: draw, label, train a source, transfer,
compare."""

from __future__ import annotations

import contextlib
import csv
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.app.explain.explaining import explain_request, save_wall
from workbench.app.images.importing import import_task
from workbench.app.jobs import Cancelled, Done, Steps, Task, failure
from workbench.app.learner import ServingProcess
from workbench.app.results.result_tables import to_csv
from workbench.app.results.results import Scope, load_results
from workbench.app.results.run_images import RunImages, ShownImages
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.demo.toys import BODIES, VIEWS, save_toy
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin
from workbench.domain.recipes import JOINT, NO_KEYS, PartialRecipe, partial_recipe
from workbench.domain.reports import Note, Progress
from workbench.domain.requests import Explained
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE, ModelCard, RunRecord, RunStatus
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.text import Message
from workbench.domain.values import Cells, Json
from workbench.files import make_folder
from workbench.vision.charts import (
    BLUE,
    ORANGE,
    PlottedCurve,
    curves_image,
    matrix_image,
)
from workbench.vision.sheets import save_png

SOURCE_BODIES = tuple(range(8))
TARGET_BODIES = tuple(range(8, 12))
SIDE = 96  # pixels
REPORT_EVERY = 16  # images between two progress reports


def draw_source(folder: Path, each: int) -> Generator[Progress, None, None]:
    """Write `each` images of every source body and view as `folder/body/view/*.jpg`."""
    places = []
    for body in SOURCE_BODIES:
        for view in VIEWS:
            inside = folder / BODIES[body] / view
            make_folder(inside)
            places += [(inside / f"{n:03}.jpg", body, view, n) for n in range(each)]
    yield from _draw(places, Message("Drawing the source"))


def draw_target(folder: Path, each: int) -> Generator[Progress, None, None]:
    """Write `each` images of every target body and view into one folder, with `labels.csv`.

    The columns of `labels.csv` are path, category and view.
    """
    make_folder(folder)
    places = []
    rows = []
    for body in TARGET_BODIES:
        for view in VIEWS:
            for n in range(each):
                name = f"{BODIES[body]}-{view}-{n:03}.jpg"
                places.append((folder / name, body, view, n))
                rows.append((name, BODIES[body], view))
    yield from _draw(places, Message("Drawing the target"))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "category", "view"), *rows])


def _draw(places: Sequence[tuple[Path, int, str, int]], text: Message) -> Iterator[Progress]:
    for at, (path, body, view, seed) in enumerate(places):
        if at % REPORT_EVERY == 0:
            yield Progress(done=at, total=len(places), text=text)
        save_toy(path, body, view, seed, SIDE)
    yield Progress(done=len(places), total=len(places), text=text)


WALL = 12  # images on the wall
WALL_STAGE = "layer2"  # 8 × 8 at 64 pixels; the last stage has 2 × 2


@dataclass(frozen=True)
class Pair:
    """Two finished runs on one split: from the source's weights, and from scratch."""

    seed: int
    transfer: RunRecord
    scratch: RunRecord

    def top1s(self) -> tuple[float, float]:
        """Test accuracies in [0, 1] of the transfer and of the run from scratch."""
        return _top1(self.transfer), _top1(self.scratch)


def _top1(record: RunRecord) -> float:
    return float(record.metrics["test"]["top1"])


def write_results(session: Session, pairs: Sequence[Pair], folder: Path) -> Steps[Path]:
    """Write `curves.png`, `confusion-*.png`, `grad-cam.png`, `table.csv` and `table.md`.

    Returns the path of the last.
    """
    title = "Validation accuracy of the target"
    save_png(folder / "curves.png", curves_image(validation_curves(session, pairs), title, "epoch"))
    yield None
    for name, run in (("transfer", pairs[0].transfer), ("scratch", pairs[0].scratch)):
        results = load_results(session, run.id)
        matrix = results.matrix(Scope(Part.TEST))
        labels = results.label_list().labels
        title = f"{run.name}: test images"
        save_png(folder / f"confusion-{name}.png", matrix_image(matrix, labels, title))
        yield None
    yield from _wall(session, pairs[0].transfer, folder / "grad-cam.png")
    (folder / "table.csv").write_text(_csv(pairs), encoding="utf-8")
    table = folder / "table.md"
    table.write_text(_markdown(session, pairs), encoding="utf-8")
    return table


def validation_curves(session: Session, pairs: Sequence[Pair]) -> list[PlottedCurve]:
    """Validation accuracies by epoch of each pair's runs; those of the first pair have names."""
    curves = []
    for at, pair in enumerate(pairs):
        for run, colour, name in (
            (pair.scratch, ORANGE, "from scratch"),
            (pair.transfer, BLUE, "transfer"),
        ):
            values = [epoch.validation_accuracy or 0.0 for epoch in session.runs.epochs(run.id)]
            curves.append(PlottedCurve(tuple(values), colour, name if at == 0 else ""))
    return curves


def wall_rows(wrong: Sequence[int], right: Sequence[int]) -> list[int]:
    """Up to WALL rows: the first errors on a third of it, and even steps of the other images."""
    first = wrong[: WALL // 3]
    step = max(1, len(right) // (WALL - len(first)))
    return [*first, *right[::step]][:WALL]


def _wall(session: Session, run: RunRecord, path: Path) -> Steps[None]:
    """Save Grad-CAM maps of test images, most confident errors first."""
    of_run = RunImages(session, run.id)
    wrong, right = (
        of_run.rows(Part.TEST, shown).tolist() for shown in (ShownImages.WRONG, ShownImages.RIGHT)
    )
    images = of_run.images(wall_rows(wrong, right))
    request = explain_request(session, run.id, images, layer=wall_layer(_layers(session, run)))
    explained: Explained | None = None
    with ServingProcess() as program:
        for answer in program.request(request):
            explained = answer if isinstance(answer, Explained) else explained
            yield None
    if explained is not None:
        maps = zip(images, explained.maps, strict=True)
        shown = [(image, heat) for image, heat in maps if heat is not None]
        save_wall(path, shown, f"{run.name}: Grad-CAM of test images at {explained.layer}")


def _layers(session: Session, run: RunRecord) -> tuple[str, ...]:
    """Names of the convolutions of a run's network, the deepest last."""
    data = (session.runs_folder / run.id / MODEL_FILE).read_bytes()
    return msgspec.json.decode(data, type=ModelCard).layers


def wall_layer(layers: Sequence[str]) -> str:
    """Deepest convolution of the wall's stage; "" (the deepest of all) if it has none."""
    return next((layer for layer in reversed(layers) if WALL_STAGE in layer), "")


def _csv(pairs: Sequence[Pair]) -> str:
    rows: list[Cells] = [(pair.seed, *pair.top1s()) for pair in pairs]
    return to_csv(("seed", "transfer_top1", "scratch_top1"), [*rows, ("mean", *means(pairs))])


def means(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Mean test accuracies over the seeds, of the transfers and of the runs from scratch."""
    both = [pair.top1s() for pair in pairs]
    return sum(b[0] for b in both) / len(both), sum(b[1] for b in both) / len(both)


def _markdown(session: Session, pairs: Sequence[Pair]) -> str:
    rows = [(str(pair.seed), *pair.top1s()) for pair in pairs] + [("mean", *means(pairs))]
    body = "\n".join(f"| {name} | {100 * a:.1f} % | {100 * b:.1f} % |" for name, a, b in rows)
    parts = session.splits.counts()
    counts = ", ".join(f"{count} {part}" for part, count in parts.items())
    return (
        "# Four bodies, few images: transfer or training from scratch\n\n"
        "Top-1 accuracy on the test part; each seed draws its own split.\n\n"
        f"| seed | transfer | from scratch |\n|---|---|---|\n{body}\n\n"
        f"Images of the target: {counts}.\n\n"
        "Both learn category and view jointly, for the same number of epochs, on the same images, "
        "with the same network. The transfer starts from the weights of the source run; from "
        "scratch, all layers are learned at the higher rate that a transferred network's new head "
        "has.\n\n"
        f"Recipe of the first transfer:\n\n```toml\n{pairs[0].transfer.recipe_toml}```\n\n"
        f"Recipe of the first run from scratch:\n\n```toml\n{pairs[0].scratch.recipe_toml}```\n"
    )


SOURCE_EACH = 60  # images of each source body and view
TARGET_EACH = 15

# One recipe for all runs. Transfer and scratch differ only in their start and its learning rate:
# random weights learn at the rate of a transferred network's new head.
RECIPE = partial_recipe(
    target=JOINT,
    backbone="resnet18",
    image_size=64,
    crop_scale=0.75,
    frozen="none",
    precision="auto",
)
SOURCE = partial_recipe(start="none", epochs=8, batch=32, learning_rate=0.05, head_factor=1.0)
TARGET = partial_recipe(epochs=24, batch=16)
TRANSFER = partial_recipe(learning_rate=0.005, head_factor=4.0)
SCRATCH = partial_recipe(start="none", learning_rate=0.02, head_factor=1.0)

T = TypeVar("T")


@dataclass(frozen=True)
class DemoSize:
    """Size of the demo's data and trainings; smaller ones are for tests."""

    source_each: int = SOURCE_EACH
    target_each: int = TARGET_EACH
    recipe: PartialRecipe = NO_KEYS  # recipe keys that override those of every run


@dataclass(frozen=True)
class DemoResult:
    """Mean test accuracies in [0, 1] over the seeds, and the paths of the results."""

    transfer_top1: float
    scratch_top1: float
    seeds: int
    project: Path
    source: Path
    table: Path
    seconds: float

    def as_json(self) -> dict[str, Json]:
        """The result as values of JSON: accuracies in [0, 1], paths as text, seconds."""
        return {
            "transfer": {"top1": self.transfer_top1},
            "scratch": {"top1": self.scratch_top1},
            "seeds": self.seeds,
            "project": str(self.project),
            "source": str(self.source),
            "table": str(self.table),
            "seconds": round(self.seconds, 1),
        }


def demo_task(folder: Path, seeds: int = 3, size: DemoSize | None = None) -> Task[DemoResult]:
    """A job that creates and trains `source.workbench` and `target.workbench` in `folder`.

    The source is trained once; the target, per seed, from the source's weights and from scratch.
    The result is a DemoResult; images and tables are written to `folder` too. Raises KnownError if
    the folder already contains a demo.
    """
    folder = folder.absolute()
    for name in ("source.workbench", "target.workbench"):
        if (folder / name).exists():
            raise KnownError(
                "{folder} already exists.", "Choose another folder.", folder=folder / name
            )
    chosen = size or DemoSize()
    return Task(Message("Demo"), lambda: _demo(folder, seeds, chosen), kind="demo")


def _demo(folder: Path, seeds: int, size: DemoSize) -> Steps[DemoResult]:
    started = time.monotonic()
    yield Note(
        text=Message(
            "Drawing toy vehicles: eight bodies for the source, four others for the target."
        )
    )
    yield from draw_source(folder / "source", size.source_each)
    yield from draw_target(folder / "target", size.target_each)
    weights = yield from _train_source(folder, size)
    with _project(folder / "target.workbench") as session:
        labels = folder / "target" / "labels.csv"
        by_column = {"category": Origin.TABLE, "view": Origin.TABLE}
        yield from run_within(import_task(session, [labels], by_column))
        pairs = []
        for seed in range(seeds):
            pairs.append((yield from _one_seed(session, weights, seed, size)))
        yield Note(text=Message("Writing curves, confusion matrix, Grad-CAM wall and table."))
        table = yield from write_results(session, pairs, folder)
        project = session.folder
    seconds = time.monotonic() - started
    source = folder / "source.workbench"
    return DemoResult(*means(pairs), seeds, project, source, table, seconds)


def _train_source(folder: Path, size: DemoSize) -> Steps[Path]:
    """Train the source; return the file of its weights."""
    with _project(folder / "source.workbench") as session:
        places = [folder / "source"]
        by_folder = {"category": Origin.FOLDER, "view": Origin.FOLDER}
        yield from run_within(import_task(session, places, by_folder))
        split(session, SplitPlan(0.8, 0.1, 0.1, seed=0))
        yield Note(text=Message("Training the source: eight bodies in four views."))
        run = yield from _train(session, RECIPE | SOURCE | size.recipe, "source")
        return session.runs_folder / run.id / WEIGHTS_FILE


def _one_seed(session: Session, weights: Path, seed: int, size: DemoSize) -> Steps[Pair]:
    """Split the target with `seed`, then train it from the source's weights and from scratch."""
    split(session, SplitPlan(0.4, 0.1, 0.5, seed=seed))
    common = RECIPE | TARGET | partial_recipe(seed=seed) | size.recipe
    yield Note(
        text=Message("Seed {seed}: training the target from the source's weights.", seed=seed)
    )
    transferred = common | TRANSFER | partial_recipe(start=f"file:{weights}")
    transfer = yield from _train(session, transferred, f"transfer, seed {seed}")
    yield Note(text=Message("Seed {seed}: training the target from scratch.", seed=seed))
    scratch = yield from _train(session, common | SCRATCH, f"from scratch, seed {seed}")
    return Pair(seed, transfer, scratch)


def _train(session: Session, recipe: PartialRecipe, name: str) -> Steps[RunRecord]:
    run = prepare(session, recipe, name=name)
    yield from run_within(training_task(session, run.id))
    record = session.runs.get(run.id)
    if record.status is not RunStatus.FINISHED:
        raise KnownError(
            "The run “{name}” is {status}.",
            "{reason}",
            name=name,
            status=record.status.value,
            reason=record.message,
        )
    return record


def run_within(task: Task[T]) -> Steps[T]:
    """Run a task as part of a longer one.

    Its results are applied in the thread of the longer job, which opened the project; its reports
    and exceptions are passed on.
    """
    steps = task.work()
    try:
        while True:
            try:
                report = next(steps)
            except StopIteration as end:
                value: T = end.value
                task.finish(Done(value))
                return value
            if report is not None:
                task.apply(report)
            yield report
    except GeneratorExit:
        steps.close()
        task.finish(Cancelled())
        raise
    except Exception as error:
        steps.close()
        task.finish(failure(task.title, error))
        raise


@contextlib.contextmanager
def _project(folder: Path) -> Generator[Session, None, None]:
    """Create a project owned by this thread; it is closed when the block ends."""
    session = Session.create(folder)
    try:
        yield session
    finally:
        session.close()
