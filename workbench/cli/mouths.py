"""The command `crop`: find mouths."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import click

from workbench.app.mouths.crop_files import save_crops_task
from workbench.app.mouths.cropping import choose_landmarks_file, detection_task
from workbench.app.session import Session
from workbench.cli.command import Output, Result, command, opened, project_argument
from workbench.cli.labels import matching
from workbench.cli.progress import carry_out
from workbench.domain.crops import CropState
from workbench.domain.values import Json
from workbench.files import make_folder

COUNTS = {
    "found": "images with a mouth",
    "missed": "images without a mouth",
    "several": "images with several mouths",
    "faces": "mouths",
    "images": "images",
    "looked_at": "images searched now",
    "seconds": "seconds",
}  # key of --json → row for people


@command("crop", "workbench crop Faces --out mouths")
@project_argument
@click.argument("words", nargs=-1, metavar="[IMAGE]...")
@click.option("--again", is_flag=True, help="Also search images that were searched before.")
@click.option("--out", "folder", type=click.Path(path_type=Path), help="Save the crops as PNG.")
@click.option(
    "--landmarks",
    type=click.Path(path_type=Path),
    help="Use another 68-point landmark file, now and in future.",
)
def crop_command(
    out: Output,
    project: Path,
    words: tuple[str, ...],
    again: bool,
    folder: Path | None,
    landmarks: Path | None,
) -> Result:
    """Find the mouths of faces.

    Searches all images, or every IMAGE: a path, a glob or part of a path. Mouths that were
    adjusted, accepted, rejected or labelled by hand are left unchanged. The counts include mouths
    found before.
    """
    if folder is not None:
        make_folder(folder)
    with opened(project) as session:
        if landmarks is not None:
            choose_landmarks_file(session, landmarks)
        ids = matching(session, words) if words else [int(one) for one in session.images.ids()]
        started = time.monotonic()
        stop = threading.Event()  # of both jobs: a late Ctrl+C stops the second one
        done = carry_out(detection_task(session, ids, again=again), stop)
        result: dict[str, Json] = {**summary(session, ids), "looked_at": done.images}
        result["seconds"] = round(time.monotonic() - started, 3)
        out.table(("", ""), [(COUNTS[key], str(value)) for key, value in result.items()])
        for lost in done.failed:
            out.warn(f"{lost.path}: {lost.reason}")
        result["failed"] = [{"path": lost.path, "reason": lost.reason} for lost in done.failed]
        if folder is not None:
            result["saved"] = carry_out(save_crops_task(session, folder), stop)
            out.print(f"crops saved in {folder}: {result['saved']}")
        return result


def summary(session: Session, ids: list[int]) -> dict[str, int]:
    """Numbers of images with a mouth, without one and with several, and of all mouths."""
    faces = found = missed = several = 0
    for crops in session.crops.of_images(ids).values():
        usable = sum(crop.usable for crop in crops)
        faces += usable
        found += usable > 0
        several += usable > 1
        missed += usable == 0 and any(crop.state is CropState.MISSED for crop in crops)
    return {
        "found": found,
        "missed": missed,
        "several": several,
        "faces": faces,
        "images": len(ids),
    }
