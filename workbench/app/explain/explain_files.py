"""Explanations written as files: one picture for each image, by a job."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from workbench.app.explain.explaining import (
    CHUNK,
    OPACITY,
    explain_request,
    layer_words,
    save_explanation,
)
from workbench.app.folders import make_folder
from workbench.app.jobs import Task
from workbench.app.open_project import OpenProject
from workbench.app.programs.serving import ServingProcess
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.recipes import parse_toml
from workbench.domain.reports import Progress
from workbench.domain.requests import PREDICTED, Explain, Explained


def _tr(text: str) -> str:
    return QCoreApplication.translate("explaining", text)


@dataclass(frozen=True)
class ExplainedFiles:
    """What an explain job wrote: files, and images it could not read with the reason."""

    written: tuple[Path, ...]
    skipped: tuple[SkippedFile, ...]


def explanation_task(
    op: OpenProject,
    run_id: str,
    image_ids: Sequence[int],
    folder: Path,
    label: str = PREDICTED,
    label_set: str = "",
    layer: str = "",
    check: bool = False,
    opacity: float = OPACITY,
) -> Task:
    """A job that writes an explanation of each image into `folder` as PNG; ends with
    ExplainedFiles. Mouths of a run on crops are explained one by one."""
    of_run = RunImages(op, run_id)
    images = of_run.images(of_run.rows_of(list(image_ids)).tolist())
    if not images:
        raise KnownError("There is no image to explain.", "Choose images of this project.")
    request = explain_request(op, run_id, images, label, label_set, layer, check)
    network = str(parse_toml(of_run.record.recipe_toml, run_id).get("backbone", ""))

    def work() -> Generator[object | None, None, ExplainedFiles]:
        return (yield from _explain_files(request, images, folder, opacity, network))

    return Task(_tr("Explain {n} images").format(n=len(images)), work, kind="explain")


def _explain_files(
    request: Explain, images: Sequence[RunImage], folder: Path, opacity: float, network: str
) -> Generator[object | None, None, ExplainedFiles]:
    written: list[Path] = []
    skipped: list[SkippedFile] = []
    make_folder(folder)
    yield Progress(done=0, total=len(images), text=_tr("Explaining"))
    with ServingProcess() as program:
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            asked = Explain(
                run=request.run,
                pictures=request.pictures[start : start + CHUNK],
                label=request.label,
                label_set=request.label_set,
                layer=request.layer,
                check=request.check,
            )
            for answer in program.ask(asked):
                if not isinstance(answer, Explained):
                    yield None
                    continue
                for lost in answer.unread:
                    skipped.append(SkippedFile(chunk[lost.index].picture.path, lost.reason))
                for image, heat in zip(chunk, answer.maps, strict=True):
                    if heat is not None:
                        path = _path_for(folder, image, written)
                        words = layer_words(answer.layer, network)
                        save_explanation(path, image, heat, words, opacity)
                        written.append(path)
                        yield None
            yield Progress(
                done=min(start + CHUNK, len(images)), total=len(images), text=_tr("Explaining")
            )
    return ExplainedFiles(tuple(written), tuple(skipped))


def _path_for(folder: Path, image: RunImage, written: Sequence[Path]) -> Path:
    """A name that tells the image; two of one name are told apart by the image's number."""
    stem = Path(image.name).stem + (f"-mouth{image.crop}" if image.crop is not None else "")
    path = folder / f"{stem}.explained.png"
    return path if path not in written else folder / f"{stem}-{image.image}.explained.png"
