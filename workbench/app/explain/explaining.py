"""Explanations for the window and the command line: heatmaps, captions and image files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task
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
    PART,
    PREDICTED,
    WINDOWS,
    Explain,
    Explained,
    Heat,
    ImageInput,
)
from workbench.domain.text import Message, counted, mark
from workbench.files import make_folder
from workbench.vision.overlays import enlarged, framed, heat_colours, heat_layer, overlaid
from workbench.vision.reading import read_rgb
from workbench.vision.sheets import save_png, side_by_side, wall

__all__ = [
    "OPACITY",
    "Trust",
    "caption",
    "explain_request",
    "heat_array",
    "heat_colours",
    "heat_layer",
    "layer_title",
    "save_explanation",
    "save_wall",
    "trust",
    "trust_sentence",
]

Pixels = NDArray[np.uint8]

OPACITY = 0.7
LONGEST = 1024  # upper limit of a saved image's longer side, in pixels
SHORTEST = 480  # its lower limit: there are captions below
CHUNK = 8  # images per request, so that the first results arrive soon
# Mean rank correlation with the heatmaps of random networks: below CHANCE a heatmap shows what was
# learned, from COPY on only the image.
CHANCE = 0.4
COPY = 0.7


class Trust(StrEnum):
    """Result of the randomised-weights check of a heatmap."""

    LEARNED = "learned"
    DOUBTFUL = "doubtful"
    MEANINGLESS = "meaningless"
    EMPTY = "empty"
    UNCHECKED = "unchecked"


def trust(heat: Heat) -> Trust:
    """Classify a heatmap by how much it depends on the learned weights."""
    if not any(heat.values):
        return Trust.EMPTY
    if heat.check is None:
        return Trust.UNCHECKED
    if heat.check.correlation >= COPY:
        return Trust.MEANINGLESS
    return Trust.DOUBTFUL if heat.check.correlation >= CHANCE else Trust.LEARNED


_TEXTS = {
    Trust.EMPTY: mark("Nothing at this layer supports {label}: the heatmap is empty."),
    Trust.LEARNED: mark(
        "This heatmap shows what was learned: with random weights it looks different"
        " (rank correlation {value:.2f})."
    ),
    Trust.DOUBTFUL: mark(
        "Interpret this heatmap with care: with random weights it looks similar"
        " (rank correlation {value:.2f})."
    ),
    Trust.MEANINGLESS: mark(
        "This heatmap shows the image, not what was learned: with random weights it looks the same"
        " (rank correlation {value:.2f}). Try a deeper layer."
    ),
}
_MASK_TEXTS = {
    Trust.EMPTY: mark("Nothing stands out: the network attends to all regions equally."),
    Trust.LEARNED: mark(
        "Where the network looks, whatever the label. This was learned: with random weights"
        " it looks elsewhere (rank correlation {value:.2f})."
    ),
    Trust.DOUBTFUL: mark(
        "Where the network looks, whatever the label. With random weights it looks at mostly the"
        " same regions (rank correlation {value:.2f})."
    ),
    Trust.MEANINGLESS: mark(
        "Where the network looks, whatever the label. With random weights it looks at mostly the"
        " same regions (rank correlation {value:.2f})."
    ),
}
_WINDOW_TEXTS = {
    Trust.EMPTY: mark("All windows have the same score: the heatmap is empty."),
    Trust.LEARNED: mark(
        "This heatmap shows what was learned: with random weights it looks different"
        " (rank correlation {value:.2f})."
    ),
    Trust.DOUBTFUL: mark(
        "Interpret this heatmap with care: with random weights it looks similar"
        " (rank correlation {value:.2f})."
    ),
    Trust.MEANINGLESS: mark(
        "This heatmap shows the image, not what was learned: with random weights it looks the same"
        " (rank correlation {value:.2f})."
    ),
}


def trust_sentence(heat: Heat) -> Message:
    """The result of the randomised-weights check as text; "" if it was not run.

    For sliding windows the text also explains the frame.
    """
    found = trust(heat)
    if found is Trust.UNCHECKED:
        return Message("")
    texts = _MASK_TEXTS if heat.mask else _WINDOW_TEXTS if heat.window is not None else _TEXTS
    value = heat.check.correlation if heat.check is not None else 0.0
    text = Message(texts[found], label=heat.label, value=value)
    if heat.mask or heat.window is None:
        return text
    frame = counted(
        heat.windows,
        "The frame marks the only window.",
        "The frame marks the strongest of {n:,} windows.",
    )
    return Message("{frame} {text}", frame=frame, text=text)


def heat_array(heat: Heat) -> NDArray[np.float32]:
    """The heatmap as an array of height × width in [0, 1]."""
    return np.array(heat.values, np.float32).reshape(heat.height, heat.width)


def layer_title(name: str, backbone_name: str) -> str:
    """A readable name of a layer.

    It begins with the layer's stage: "body.features.12.expand3x3" of a SqueezeNet is
    "fire9 · expand3x3". Masks have titles of their own, which are messages.
    """
    if name == ATTENTION:
        return Message("attention mask")
    if name == WINDOWS:
        return Message("sliding windows")
    if name.startswith(PART):
        return Message("part {number}", number=name.removeprefix(PART))
    return _layer_path(name, backbone_name)


def _layer_path(name: str, backbone_name: str) -> str:
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
    """The predicted label and its score, after the true label if the prediction is wrong.

    Examples: "puffin 0.93", "owl → puffin 0.51". An image without a prediction has the label that
    `heat` explains, or its name.
    """
    if not image.predicted:
        return f"{heat.label} {heat.score:.2f}" if heat is not None else image.name
    prediction = f"{image.predicted} {image.score:.2f}"
    return f"{image.truth} → {prediction}" if image.wrong else prediction


def explain_request(
    session: Session,
    run_id: str,
    images: Sequence[RunImage],
    label: str = PREDICTED,
    label_set: str = "",
    layer: str = "",
    check: bool = False,
) -> Explain:
    """The request to the learning service that explains the run's predictions of `images`."""
    return Explain(
        run=str(session.store.runs_folder / run_id),
        images=tuple(image.input for image in images),
        label=label,
        label_set=label_set,
        layer=layer,
        check=check,
    )


def _read_pixels(source: ImageInput, longest: int = LONGEST) -> Pixels:
    """The part of a file that the run sees, H × W × 3, scaled to at most `longest` pixels.

    Raises KnownError if the file cannot be read.
    """
    rect = Rect(*source.box) if source.box is not None else None
    return read_rgb(Path(source.path), longest, rect)


def save_explanation(
    path: Path,
    image: RunImage,
    heat: Heat,
    layer: str,
    opacity: float = OPACITY,
    translate: Callable[[str], str] = str,
) -> None:
    """Write the original and the overlay side by side, with captions below, as PNG.

    `layer` is a readable name; `translate` translates the captions. Raises KnownError if the image
    cannot be read or the file cannot be written.
    """
    pixels = enlarged(_read_pixels(image.input), SHORTEST)
    lines = [f"{image.name}   {caption(image, heat)}", translate(_heat_caption(heat, layer))]
    if text := trust_sentence(heat):
        lines.append(translate(text))
    save_png(path, side_by_side((pixels, _overlay(pixels, heat, opacity)), lines))


def _heat_caption(heat: Heat, layer: str) -> Message:
    if heat.mask:
        template = mark("Heatmap for all labels: {layer} (score of {label}: {score:.2f})")
        return Message(template, label=heat.label, score=heat.score, layer=layer)
    if heat.window is None:
        template = mark("Grad-CAM for {label} ({score:.2f}) at {layer}")
        return Message(template, label=heat.label, score=heat.score, layer=layer)
    return counted(
        heat.windows,
        "Sliding windows for {label}: one window, score {score:.2f}",
        "Sliding windows for {label}: {n:,} windows, highest score {score:.2f}",
        label=heat.label,
        score=heat.score,
    )


def _overlay(pixels: Pixels, heat: Heat, opacity: float) -> Pixels:
    covered = overlaid(pixels, heat_array(heat), opacity, heat.seen, heat.cells)
    return covered if heat.frame is None else framed(covered, heat.frame)


def save_wall(
    path: Path, explained: Sequence[tuple[RunImage, Heat]], title: str, opacity: float = OPACITY
) -> None:
    """Write the overlays as tiles of one PNG, with a caption below each and `title` on top.

    Raises KnownError if an image cannot be read or the file cannot be written.
    """
    tiles = []
    for image, heat in explained:
        overlay = _overlay(_read_pixels(image.input, 512), heat, opacity)
        tiles.append((overlay, caption(image, heat)))
    save_png(path, wall(tiles, title))


@dataclass(frozen=True)
class ExplainedFiles:
    """Result of an explain job: the files written, and unreadable images with the reason."""

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
    """A job that writes an explanation of each image into `folder` as PNG, or one for each mouth
    if the run uses crops.

    The result is ExplainedFiles. Raises KnownError if there are no images.
    """
    run_images = RunImages(session, run_id)
    images = run_images.images(run_images.rows_of(list(image_ids)).tolist())
    if not images:
        raise KnownError("There are no images to explain.", "Select images of this project.")
    request = explain_request(session, run_id, images, label, label_set, layer, check)
    network = run_images.record.recipe.backbone

    def work() -> Steps[ExplainedFiles]:
        return (yield from _explain_files(request, images, folder, opacity, network))

    title = counted(len(images), "Explain {n:,} image", "Explain {n:,} images")
    return Task(title, work, kind="explain")


def _explain_files(
    request: Explain, images: Sequence[RunImage], folder: Path, opacity: float, network: str
) -> Steps[ExplainedFiles]:
    written: list[Path] = []
    skipped: list[SkippedFile] = []
    make_folder(folder)
    yield Progress(done=0, total=len(images), text=Message("Explaining images"))
    with ServingProcess() as program:
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            chunk_request = Explain(
                run=request.run,
                images=request.images[start : start + CHUNK],
                label=request.label,
                label_set=request.label_set,
                layer=request.layer,
                check=request.check,
            )
            for answer in program.request(chunk_request):
                if not isinstance(answer, Explained):
                    yield None
                    continue
                for unread in answer.unread:
                    skipped.append(SkippedFile(chunk[unread.index].input.path, unread.reason))
                for image, heat in zip(chunk, answer.maps, strict=True):
                    if heat is not None:
                        path = _path_for(folder, image, written)
                        title = layer_title(answer.layer, network)
                        save_explanation(path, image, heat, title, opacity)
                        written.append(path)
                        yield None
            yield Progress(
                done=min(start + CHUNK, len(images)),
                total=len(images),
                text=Message("Explaining images"),
            )
    return ExplainedFiles(tuple(written), tuple(skipped))


def _path_for(folder: Path, image: RunImage, written: Sequence[Path]) -> Path:
    """A file name from the image's name; with the image's id if that name is in use."""
    stem = Path(image.name).stem + (f"-mouth{image.crop}" if image.crop is not None else "")
    path = folder / f"{stem}.explained.png"
    return path if path not in written else folder / f"{stem}-{image.image}.explained.png"
