"""The commands `explain`, `predict` and `export`, which use a trained run."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.app.explain.explaining import explanation_task
from workbench.app.results.evaluating import run_protocol
from workbench.app.results.exporting import agreement, export_task
from workbench.app.results.predicting import predict_folder_task
from workbench.cli.command import (
    Output,
    Result,
    command,
    find_run,
    image_count,
    opened,
    project_argument,
    run_argument,
)
from workbench.cli.labels import matching
from workbench.cli.progress import carry_out
from workbench.domain.images import SkippedFile
from workbench.domain.requests import PREDICTED


@command(
    "explain",
    "workbench explain Birds latest owl01.jpg --label owl --out maps\n"
    "workbench explain Birds latest owl01.jpg --layer windows --check",
)
@project_argument
@run_argument
@click.argument("words", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--label", default=PREDICTED, help="The label to explain (the predicted one).")
@click.option(
    "--layer",
    default="",
    help="The convolution layer (the deepest one); “attention” for the mask of the method at-cnn, "
    "“windows” for the scores of windows of several scales.",
)
@click.option("--check", is_flag=True, help="Also compare with heatmaps of random weights.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("explained"),
    show_default=True,
    help="The folder for the PNG files.",
)
def explain_command(
    out: Output,
    project: Path,
    run: str,
    words: tuple[str, ...],
    label: str,
    layer: str,
    check: bool,
    folder: Path,
) -> Result:
    """Draw heatmaps that show where a run looks.

    Each IMAGE is a path, a glob or part of a path. Heatmaps are computed by Grad-CAM unless --layer
    selects another kind.
    """
    with opened(project) as session:
        record = find_run(session, run)
        ids = matching(session, words)
        task = explanation_task(
            session, record.id, ids, folder, label=label, layer=layer, check=check
        )
        done = carry_out(task)
        for path in done.written:
            out.print(str(path))
        for lost in done.skipped:
            out.warn(f"{lost.path}: {lost.reason}")
        return {
            "run": record.id,
            "written": [str(path) for path in done.written],
            "skipped": _listed(done.skipped),
        }


def _listed(skipped: tuple[SkippedFile, ...]) -> list[dict[str, str]]:
    return [{"path": lost.path, "reason": lost.reason} for lost in skipped]


@command("predict", "workbench predict Birds latest new-photos --out predictions.csv")
@project_argument
@run_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", "table", type=click.Path(path_type=Path), required=True, help="The CSV file to write."
)
@click.option(
    "--protocol",
    metavar="KEY=VALUE,…",
    help="Score by another test protocol than the run's: test_resize, test_crops, test_mirror.",
)
def predict_command(
    out: Output, project: Path, run: str, folder: Path, table: Path, protocol: str | None
) -> Result:
    """Predict the images of a folder with a run.

    Writes a CSV file with a row for each image in FOLDER and its sub-folders.
    """
    with opened(project) as session:
        record = find_run(session, run)
        other = None if protocol is None else run_protocol(session, record.id, protocol)
        done = carry_out(predict_folder_task(session, record.id, folder, table, other))
        mouths = f", {done.mouths} mouths" if done.mouths is not None else ""
        out.print(f"predicted: {image_count(done.images)}{mouths}; written to {done.path}")
        for note in done.notes:
            out.print(str(note))
        for lost in done.skipped:
            out.warn(f"{lost.path}: {lost.reason}")
        return {
            "run": record.id,
            "csv": str(done.path),
            "images": done.images,
            "mouths": done.mouths,
            "skipped": _listed(done.skipped),
        }


@command("export", "workbench export Birds latest birds.onnx")
@project_argument
@run_argument
@click.argument("path", metavar="OUT.onnx", type=click.Path(path_type=Path))
def export_command(out: Output, project: Path, run: str, path: Path) -> Result:
    """Export the network of a run as ONNX.

    The predictions of the exported file are checked on images of the run.
    """
    with opened(project) as session:
        record = find_run(session, run)
        done = carry_out(export_task(session, record.id, path))
        out.print(f"{done.path}  {done.bytes / 1e6:.1f} MB")
        out.print(agreement(done))
        return {
            "run": record.id,
            "onnx": str(done.path),
            "bytes": done.bytes,
            "images": done.images,
            "largest_difference": done.largest_difference,
            "same_predictions": done.same_predictions,
        }
