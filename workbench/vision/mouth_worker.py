"""The body of a cropping process: photographs in through a pipe, mouth crops out."""

from __future__ import annotations

import signal
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.vision.mouths import MouthFinder


@dataclass(frozen=True)
class Photo:
    """One photograph to look at: the image's id and its file."""

    image: int
    path: str


@dataclass(frozen=True)
class Looked:
    """What came of one photograph: its crops, or why it could not be read; `report` is the
    traceback of a defect."""

    image: int
    crops: tuple[Crop, ...] = ()
    failure: str = ""
    report: str = ""


def serve(pipe: Connection, landmarks_file: str) -> None:
    """Answer each `Photo` with a `Looked` until the other end closes. The first answer is None when
    all is loaded, or the KnownError's words when it cannot be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's, which then ends us
    cv2.setNumThreads(1)
    try:
        finder = MouthFinder.load(Path(landmarks_file))
    except KnownError as error:
        pipe.send((error.sentence, error.remedy))
        return
    pipe.send(None)
    try:
        while True:
            pipe.send(look(finder, pipe.recv()))
    except (EOFError, BrokenPipeError):
        return  # the parent has gone or has enough


def look(finder: MouthFinder, photo: Photo) -> Looked:
    """Find the mouths of one photograph; nothing is raised."""
    try:
        return Looked(photo.image, finder.find(photo.image, Path(photo.path)))
    except KnownError as error:
        return Looked(photo.image, failure=error.sentence)
    except Exception as error:
        report = "".join(traceback.format_exception(error))
        return Looked(photo.image, failure="it could not be looked at", report=report)
