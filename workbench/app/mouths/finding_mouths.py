"""Mouths in files outside a project, for predictions of runs that learned mouth crops."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from workbench.app.jobs import Steps
from workbench.app.mouths.cropping import search_images
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Note, Progress, remaining_seconds
from workbench.domain.requests import ImageInput
from workbench.domain.text import Message
from workbench.vision.mouths import FaceImage, SearchedImage
from workbench.vision.reading import read_header

# A file is itself a mouth crop if its longer side is at most CROP_SIDE pixels, the size of exported
# crops, and CROP_ASPECT times the shorter one.
CROP_SIDE = 128
CROP_ASPECT = 1.25
REPORT_SECONDS = 0.2

Named = tuple[str, ImageInput]  # a file's name in the result, and the image to predict


def with_mouths(
    named: Sequence[Named], landmarks_file: Path
) -> Steps[tuple[list[Named], list[SkippedFile]]]:
    """Replace each file by its mouths, in the order of the files; return the mouths and the files
    without a mouth or unreadable, with the reason.

    A file that is itself a crop is used whole.
    """
    yield Note(text=Message("This run uses mouth crops: detecting mouths first."))
    places: dict[int, list[ImageInput]] = {}
    skipped: dict[int, str] = {}
    images: list[FaceImage] = []
    for at, (_, source) in enumerate(named):
        try:
            if is_crop(Path(source.path)):
                places[at] = [source]
            else:
                images.append(FaceImage(at, source.path))
        except KnownError as error:
            skipped[at] = error.sentence
        yield None
    yield from _search(images, landmarks_file, places, skipped)
    mouths = [(named[at][0], source) for at in sorted(places) for source in places[at]]
    return mouths, [SkippedFile(named[at][0], skipped[at]) for at in sorted(skipped)]


def is_crop(path: Path) -> bool:
    """Whether an image file is itself a mouth crop. Raises KnownError if it cannot be read."""
    header = read_header(path)
    longer, shorter = max(header.width, header.height), min(header.width, header.height)
    return longer <= CROP_SIDE and longer <= CROP_ASPECT * shorter


def _search(
    images: Sequence[FaceImage],
    landmarks_file: Path,
    places: dict[int, list[ImageInput]],
    skipped: dict[int, str],
) -> Steps[None]:
    if not images:
        return
    text = Message("Finding mouths")
    paths = {image.image: image.path for image in images}
    began = last = time.monotonic()
    done = 0
    steps = search_images(images, landmarks_file)
    yield Progress(done=0, total=len(images), text=text)
    try:
        for found in steps:
            if found is not None:
                done += 1
                _add(found, paths[found.image], places, skipped)
            now = time.monotonic()
            if now - last < REPORT_SECONDS or not done:
                yield None
                continue
            last = now
            eta = remaining_seconds(now - began, done, len(images))
            yield Progress(done=done, total=len(images), text=text, eta=eta)
    finally:
        steps.close()


def _add(
    found: SearchedImage, path: str, places: dict[int, list[ImageInput]], skipped: dict[int, str]
) -> None:
    rects = [crop.rect for crop in found.crops if crop.usable and crop.rect is not None]
    if rects:
        places[found.image] = [ImageInput(path, rect.as_tuple()) for rect in rects]
        return
    reason = next((crop.reason for crop in found.crops if crop.reason), "")
    skipped[found.image] = found.failure or reason or Message("no mouth was found")
