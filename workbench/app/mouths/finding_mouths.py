"""Mouths in files of no project: what a run on mouth crops needs before it can predict them."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

from workbench.app.mouths.cropping import look_at
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.requests import Picture
from workbench.domain.text import Message
from workbench.vision.mouths import Photo, SearchedPhoto
from workbench.vision.reading import read_header

CROP_SIDE = 128  # pixels at most, the size in which crops are exported
CROP_ASPECT = 1.25  # and sides that differ by no more: such a file is itself a crop
REPORT_SECONDS = 0.2

Named = tuple[str, Picture]  # how a file is called in the result, and what is looked at in it


def with_mouths(
    named: Sequence[Named], landmarks_file: Path
) -> Generator[object | None, None, tuple[list[Named], list[SkippedFile]]]:
    """Each file's mouths in its place, in the order of the files; a file that is itself a crop
    stays whole. Files without a mouth, or that cannot be read, come with the reason."""
    places: dict[int, list[Picture]] = {}
    skipped: dict[int, str] = {}
    photos: list[Photo] = []
    for at, (_, picture) in enumerate(named):
        try:
            if is_crop(Path(picture.path)):
                places[at] = [picture]
            else:
                photos.append(Photo(at, picture.path))
        except KnownError as error:
            skipped[at] = error.sentence
        yield None
    yield from _found(photos, landmarks_file, places, skipped)
    mouths = [(named[at][0], picture) for at in sorted(places) for picture in places[at]]
    return mouths, [SkippedFile(named[at][0], skipped[at]) for at in sorted(skipped)]


def is_crop(path: Path) -> bool:
    """Whether an image file is itself a mouth crop; raises KnownError when it cannot be read."""
    header = read_header(path)
    longer, shorter = max(header.width, header.height), min(header.width, header.height)
    return longer <= CROP_SIDE and longer <= CROP_ASPECT * shorter


def _found(
    photos: Sequence[Photo],
    landmarks_file: Path,
    places: dict[int, list[Picture]],
    skipped: dict[int, str],
) -> Generator[object | None, None, None]:
    if not photos:
        return
    text = Message("Finding mouths")
    paths = {photo.image: photo.path for photo in photos}
    began = last = time.monotonic()
    done = 0
    steps = look_at(photos, landmarks_file)
    yield Progress(done=0, total=len(photos), text=text)
    try:
        for looked in steps:
            if looked is not None:
                done += 1
                _take(looked, paths[looked.image], places, skipped)
            now = time.monotonic()
            if now - last < REPORT_SECONDS or not done:
                yield None
                continue
            last = now
            eta = (now - began) / done * (len(photos) - done)
            yield Progress(done=done, total=len(photos), text=text, eta=eta)
    finally:
        steps.close()


def _take(
    looked: SearchedPhoto, path: str, places: dict[int, list[Picture]], skipped: dict[int, str]
) -> None:
    rects = [crop.rect for crop in looked.crops if crop.usable and crop.rect is not None]
    if rects:
        places[looked.image] = [Picture(path, rect.as_tuple()) for rect in rects]
        return
    reasons = [crop.reason for crop in looked.crops if crop.reason]
    skipped[looked.image] = looked.failure or "; ".join(reasons) or "no mouth was found"
