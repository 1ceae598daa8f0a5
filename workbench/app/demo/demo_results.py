"""What the demo leaves to look at: curves, confusion matrices, a Grad-CAM wall and a table."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.app.explain.explaining import explain_request, save_wall
from workbench.app.open_project import OpenProject
from workbench.app.programs.serving import ServingProcess
from workbench.app.results.result_tables import to_csv
from workbench.app.results.results import Scope, load_results
from workbench.app.results.run_images import RunImages, Shown
from workbench.domain.requests import Explained
from workbench.domain.runs import MODEL_FILE, ModelCard, RunRecord
from workbench.domain.splits import Part
from workbench.vision.charts import BLUE, ORANGE, Curve, Pixels, curves_picture, matrix_picture
from workbench.vision.sheets import save_png

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


def write_results(
    op: OpenProject, pairs: Sequence[Pair], folder: Path
) -> Generator[object | None, None, Path]:
    """Write `curves.png`, `confusion-*.png`, `grad-cam.png`, `table.csv` and `table.md`; gives the
    path of the last."""
    save_png(folder / "curves.png", _curves(op, pairs))
    yield None
    for name, run in (("transfer", pairs[0].transfer), ("scratch", pairs[0].scratch)):
        results = load_results(op, run.id)
        matrix = results.matrix(Scope(Part.TEST))
        labels = results.label_list().labels
        title = f"{run.name}: test images"
        save_png(folder / f"confusion-{name}.png", matrix_picture(matrix, labels, title))
        yield None
    yield from _wall(op, pairs[0].transfer, folder / "grad-cam.png")
    (folder / "table.csv").write_text(_csv(pairs), encoding="utf-8")
    table = folder / "table.md"
    table.write_text(_markdown(op, pairs), encoding="utf-8")
    return table


def _curves(op: OpenProject, pairs: Sequence[Pair]) -> Pixels:
    curves = []
    for at, pair in enumerate(pairs):
        for run, colour, name in (
            (pair.scratch, ORANGE, "from scratch"),
            (pair.transfer, BLUE, "transfer"),
        ):
            values = [epoch.validation_accuracy or 0.0 for epoch in op.store.runs.epochs(run.id)]
            curves.append(Curve(tuple(values), colour, name if at == 0 else ""))
    return curves_picture(curves, "Validation accuracy of the target", "epoch")


def _wall(op: OpenProject, run: RunRecord, path: Path) -> Generator[object | None, None, None]:
    """Grad-CAM of test images, the surest errors first."""
    of_run = RunImages(op, run.id)
    wrong = of_run.rows(Part.TEST, Shown.WRONG)[: WALL // 3].tolist()
    right = of_run.rows(Part.TEST, Shown.RIGHT)
    step = max(1, len(right) // (WALL - len(wrong)))
    images = of_run.images([*wrong, *right[::step].tolist()][:WALL])
    request = explain_request(op, run.id, images, layer=_layer(op, run))
    explained: Explained | None = None
    with ServingProcess() as program:
        for answer in program.ask(request):
            explained = answer if isinstance(answer, Explained) else explained
            yield None
    if explained is not None:
        maps = zip(images, explained.maps, strict=True)
        shown = [(image, heat) for image, heat in maps if heat is not None]
        save_wall(path, shown, f"{run.name}: Grad-CAM of test images at {explained.layer}")


def _layer(op: OpenProject, run: RunRecord) -> str:
    """The deepest convolution of the wall's stage; "" (the deepest of all) where it has none."""
    data = (op.store.runs_folder / run.id / MODEL_FILE).read_bytes()
    layers = msgspec.json.decode(data, type=ModelCard).layers
    return next((layer for layer in reversed(layers) if WALL_STAGE in layer), "")


def _csv(pairs: Sequence[Pair]) -> str:
    rows: list[tuple[object, ...]] = [(pair.seed, *pair.top1s()) for pair in pairs]
    return to_csv(("seed", "transfer_top1", "scratch_top1"), [*rows, ("mean", *means(pairs))])


def means(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Mean test accuracies over the seeds, of the transfers and of the runs from scratch."""
    both = [pair.top1s() for pair in pairs]
    return sum(b[0] for b in both) / len(both), sum(b[1] for b in both) / len(both)


def _markdown(op: OpenProject, pairs: Sequence[Pair]) -> str:
    rows = [(str(pair.seed), *pair.top1s()) for pair in pairs] + [("mean", *means(pairs))]
    body = "\n".join(f"| {name} | {100 * a:.1f} % | {100 * b:.1f} % |" for name, a, b in rows)
    parts = op.store.splits.counts()
    counts = ", ".join(f"{count} {part}" for part, count in parts.items())
    return (
        "# Four bodies, few images: transfer or scratch\n\n"
        "Top-1 accuracy on the test part; each seed is a split of its own.\n\n"
        f"| seed | transfer | from scratch |\n|---|---|---|\n{body}\n\n"
        f"Images of the target: {counts}.\n\n"
        "Both learn category and view together, for the same number of epochs, on the same images, "
        "with the same network. The transfer starts from the weights of the source run; from "
        "scratch, all layers are learned at the higher rate that a transferred network's new head "
        "has.\n\n"
        f"Recipe of the first transfer:\n\n```toml\n{pairs[0].transfer.recipe_toml}```\n\n"
        f"Recipe of the first run from scratch:\n\n```toml\n{pairs[0].scratch.recipe_toml}```\n"
    )
