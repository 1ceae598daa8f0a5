"""Explanations as the window and the command line show them: maps, words, and files."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Task
from workbench.app.learner import ServingProcess
from workbench.app.results.run_images import RunImage, RunImages
from workbench.app.session import Session
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.requests import (
    ATTENTION,
    PREDICTED,
    WINDOWS,
    Explain,
    Explained,
    Heat,
    Picture,
)
from workbench.domain.text import Message
from workbench.files import make_folder
from workbench.vision.overlays import enlarged, framed, heat_colours, heat_layer, overlaid
from workbench.vision.reading import read_rgb
from workbench.vision.sheets import save_png, side_by_side, wall

__all__ = [
    "OPACITY",
    "Trust",
    "amounts",
    "caption",
    "explain_request",
    "heat_colours",
    "heat_layer",
    "layer_words",
    "save_explanation",
    "save_wall",
    "trust",
    "trust_sentence",
]

Pixels = NDArray[np.uint8]

OPACITY = 0.7
LONGEST = 1024  # pixels of a saved photograph's longer side at most
LEAST = 480  # and at least: captions stand under it
CHUNK = 8  # images of one request of a longer row, so that the first are there soon
CHANCE = 0.4  # mean rank correlation with random networks up to which a map is the training's own
COPY = 0.7  # and from which it is the image's


class Trust(StrEnum):
    """What the randomised-weights check says of a map."""

    LEARNED = "learned"
    DOUBTFUL = "doubtful"
    MEANINGLESS = "meaningless"
    EMPTY = "empty"
    UNCHECKED = "unchecked"


def trust(heat: Heat) -> Trust:
    """How far a map depends on what was learned."""
    if not any(heat.values):
        return Trust.EMPTY
    if heat.check is None:
        return Trust.UNCHECKED
    if heat.check.correlation >= COPY:
        return Trust.MEANINGLESS
    return Trust.DOUBTFUL if heat.check.correlation >= CHANCE else Trust.LEARNED


def trust_sentence(heat: Heat) -> str:
    """The randomised-weights check in one sentence; "" where it was not made."""
    value = heat.check.correlation if heat.check is not None else 0.0
    if heat.mask:
        return _mask_sentence(trust(heat)).format(value=value)
    if heat.window is not None:
        return _window_sentence(heat, trust(heat)).format(value=value)
    said = {
        Trust.UNCHECKED: "",
        Trust.EMPTY: Message("Nothing at this layer speaks for {label}: the map is empty."),
        Trust.LEARNED: Message(
            "This map shows what was learned: with random weights it looks different"
            " (rank correlation {value:.2f})."
        ),
        Trust.DOUBTFUL: Message(
            "Read this map with care: with random weights it looks partly the same"
            " (rank correlation {value:.2f})."
        ),
        Trust.MEANINGLESS: Message(
            "This map means nothing: with random weights it looks the same"
            " (rank correlation {value:.2f}). Try a deeper layer."
        ),
    }[trust(heat)]
    return said.format(label=heat.label, value=value)


def _mask_sentence(found: Trust) -> str:
    if found is Trust.UNCHECKED:
        return ""
    if found is Trust.EMPTY:
        return Message("Nothing stands out: the network looks everywhere alike.")
    if found is Trust.LEARNED:
        return Message(
            "Where the network looks, whatever the label. It has learned to: with random weights"
            " it looks elsewhere (rank correlation {value:.2f})."
        )
    return Message(
        "Where the network looks, whatever the label. With random weights it looks at much the same"
        " (rank correlation {value:.2f})."
    )


def _window_sentence(heat: Heat, found: Trust) -> str:
    """Where the strongest window is said, also before the check."""
    frame = Message("The frame is the strongest of {n} windows.", n=heat.windows)
    said = {
        Trust.UNCHECKED: "",
        Trust.EMPTY: Message("All windows are scored alike: the map is empty."),
        Trust.LEARNED: Message(
            "The map shows what was learned: with random weights it looks different"
            " (rank correlation {value:.2f})."
        ),
        Trust.DOUBTFUL: Message(
            "Read this map with care: with random weights it looks partly the same"
            " (rank correlation {value:.2f})."
        ),
        Trust.MEANINGLESS: Message(
            "This map means nothing: with random weights it looks the same"
            " (rank correlation {value:.2f})."
        ),
    }[found]
    return f"{frame} {said}".strip() if found is not Trust.UNCHECKED else ""


def amounts(heat: Heat) -> NDArray[np.float32]:
    """A map as an array of height × width in [0, 1]."""
    return np.array(heat.values, np.float32).reshape(heat.height, heat.width)


def layer_words(name: str, backbone_name: str) -> str:
    """A layer by its stage: "body.features.12.expand3x3" of a SqueezeNet is "fire9 · expand3x3"; a
    mask by what it is."""
    if name == ATTENTION:
        return Message("attention mask")
    if name == WINDOWS:
        return Message("sliding windows")
    path = name.removeprefix("body.")
    for stage in backbone(backbone_name).stages:
        for module in stage.modules:
            if path == module:
                alone = len(stage.modules) == 1 or path == stage.name
                return stage.name if alone else f"{stage.name} · {path}"
            if path.startswith(module + "."):
                return f"{stage.name} · {path.removeprefix(module + '.')}"
    return path


def caption(image: RunImage, heat: Heat | None = None) -> str:
    """What an image was predicted as, behind what it truly is where that is something else:
    "puffin 0.93", "owl → puffin 0.51"."""
    if not image.predicted:
        return f"{heat.label} {heat.score:.2f}" if heat is not None else image.name
    said = f"{image.predicted} {image.score:.2f}"
    return f"{image.truth} → {said}" if image.wrong else said


def explain_request(
    session: Session,
    run_id: str,
    images: Sequence[RunImage],
    label: str = PREDICTED,
    label_set: str = "",
    layer: str = "",
    check: bool = False,
) -> Explain:
    """What to ask a learning service so that it explains `images` to the run."""
    return Explain(
        run=str(session.store.runs_folder / run_id),
        pictures=tuple(image.picture for image in images),
        label=label,
        label_set=label_set,
        layer=layer,
        check=check,
    )


def photo_of(picture: Picture, longest: int = LONGEST) -> Pixels:
    """What a run took of a file, H × W × 3, its longer side at most `longest`; raises KnownError
    where the file cannot be read."""
    rect = Rect(*picture.box) if picture.box is not None else None
    return read_rgb(Path(picture.path), longest, rect)


def save_explanation(
    path: Path, image: RunImage, heat: Heat, layer: str, opacity: float = OPACITY
) -> None:
    """Write original and overlay side by side with their captions as PNG.

    Raises KnownError where the image cannot be read or the file not be written.
    """
    photo = enlarged(photo_of(image.picture), LEAST)
    covered = _covered(photo, heat, opacity)
    lines = [f"{image.name}   {caption(image, heat)}"]
    kind = Message("Grad-CAM for {label} ({score:.2f}) at {layer}")
    if heat.window is not None:
        kind = Message("{layer} for {label}: the strongest of {n} scores {score:.2f}")
    lines.append(kind.format(label=heat.label, score=heat.score, layer=layer, n=heat.windows))
    if said := trust_sentence(heat):
        lines.append(said)
    save_png(path, side_by_side((photo, covered), lines))


def _covered(photo: Pixels, heat: Heat, opacity: float) -> Pixels:
    covered = overlaid(photo, amounts(heat), opacity, heat.seen, heat.cells)
    return covered if heat.window is None else framed(covered, heat.window)


def save_wall(
    path: Path, explained: Sequence[tuple[RunImage, Heat]], title: str, opacity: float = OPACITY
) -> None:
    """Write a wall of overlays as one PNG, a caption under each, `title` on top."""
    tiles = []
    for image, heat in explained:
        covered = _covered(photo_of(image.picture, 512), heat, opacity)
        tiles.append((covered, caption(image, heat)))
    save_png(path, wall(tiles, title))


@dataclass(frozen=True)
class ExplainedFiles:
    """What an explain job wrote: files, and images it could not read with the reason."""

    written: tuple[Path, ...]
    skipped: tuple[SkippedFile, ...]


def explanation_task(
    session: Session,
    run_id: str,
    image_ids: Sequence[int],
    folder: Path,
    label: str = PREDICTED,
    label_set: str = "",
    layer: str = "",
    check: bool = False,
    opacity: float = OPACITY,
) -> Task[ExplainedFiles]:
    """A job that writes an explanation of each image into `folder` as PNG; ends with
    ExplainedFiles. Mouths of a run on crops are explained one by one."""
    of_run = RunImages(session, run_id)
    images = of_run.images(of_run.rows_of(list(image_ids)).tolist())
    if not images:
        raise KnownError("There is no image to explain.", "Choose images of this project.")
    request = explain_request(session, run_id, images, label, label_set, layer, check)
    network = of_run.record.recipe.backbone

    def work() -> Generator[object | None, None, ExplainedFiles]:
        return (yield from _explain_files(request, images, folder, opacity, network))

    return Task(Message("Explain {n} images", n=len(images)), work, kind="explain")


def _explain_files(
    request: Explain, images: Sequence[RunImage], folder: Path, opacity: float, network: str
) -> Generator[object | None, None, ExplainedFiles]:
    written: list[Path] = []
    skipped: list[SkippedFile] = []
    make_folder(folder)
    yield Progress(done=0, total=len(images), text=Message("Explaining"))
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
                done=min(start + CHUNK, len(images)), total=len(images), text=Message("Explaining")
            )
    return ExplainedFiles(tuple(written), tuple(skipped))


def _path_for(folder: Path, image: RunImage, written: Sequence[Path]) -> Path:
    """A name that tells the image; two of one name are told apart by the image's number."""
    stem = Path(image.name).stem + (f"-mouth{image.crop}" if image.crop is not None else "")
    path = folder / f"{stem}.explained.png"
    return path if path not in written else folder / f"{stem}-{image.image}.explained.png"
