"""Folders of runs and requests, validated before any expensive work."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.domain.errors import KnownError, ValueRefused, parsing, reason_of
from workbench.domain.recipes import Recipe, parse_recipe, whole
from workbench.domain.reports import Progress
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    SAMPLES_FILE,
    RunLabels,
    Sample,
    decode_samples,
)
from workbench.domain.text import Message, mark
from workbench.files import read_recorded
from workbench.learning.protocol.control import Control
from workbench.learning.protocol.reporting import Reporter

REMEDY = mark("Prepare the run again from its project.")


@dataclass(frozen=True)
class RunFolder:
    """A frozen run; `identity` is a digest of everything that determines it."""

    path: Path
    recipe: Recipe
    labels: RunLabels
    samples: tuple[Sample, ...]
    identity: str

    @property
    def counts(self) -> dict[str, int]:
        """Number of images in each part."""
        return dict(Counter(sample.part for sample in self.samples if sample.part))


def read_run_folder(path: Path) -> RunFolder:
    """Read a run folder. Raises KnownError, naming the missing or damaged file, or if there are no
    labelled train images."""
    recipe_bytes = _bytes(path / RECIPE_FILE)
    labels_bytes = _bytes(path / LABELS_FILE)
    samples_bytes = _bytes(path / SAMPLES_FILE)
    try:
        text = recipe_bytes.decode()
        recipe = whole(parse_recipe(text, str(path / RECIPE_FILE)))
        labels = msgspec.json.decode(labels_bytes, type=RunLabels)
        samples = tuple(decode_samples(samples_bytes))
    except ValueRefused as error:
        found = error.message
        raise KnownError("{path}: {error}", path=path / RECIPE_FILE, error=found) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnownError(
            "The run folder {path} is damaged: {error}.", REMEDY, path=path, error=error
        ) from error
    if not any(s.part == "train" and max(s.target, s.view) >= 0 for s in samples):
        raise KnownError(
            "The train part has no labelled images.",
            "Label more images, or create a split with a larger train part.",
        )
    digest = hashlib.sha256(recipe_bytes + b"\0" + labels_bytes + b"\0" + samples_bytes)
    return RunFolder(path, recipe, labels, samples, digest.hexdigest())


def _bytes(path: Path) -> bytes:
    with parsing(path, REMEDY):
        return read_recorded(path)


REPORT_SECONDS = 0.25
RequestT = TypeVar("RequestT", bound=msgspec.Struct)


class RequestInterrupted(Exception):
    """Raised when the requester cancels."""


class FolderRequest:
    """A request folder with its reporter and control."""

    def __init__(self, folder: Path, report: Reporter, control: Control) -> None:
        self.folder = folder
        self.report = report
        self._control = control
        self._reported = 0.0

    def interrupted(self) -> bool:
        """Whether the request is cancelled."""
        return self._control.requested is not None or self.report.parent_gone

    def raise_if_interrupted(self) -> None:
        """Raise RequestInterrupted if the request is cancelled."""
        if self.interrupted():
            raise RequestInterrupted

    def progress(self, done: int, total: int, text: Message) -> None:
        """Report progress, rate-limited."""
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self.report(Progress(done=done, total=total, text=text))

    def read(self, name: str, kind: type[RequestT]) -> RequestT:
        """Read the request. Raises KnownError if it is missing or damaged."""
        try:
            return msgspec.json.decode(self._bytes(name), type=kind)
        except msgspec.DecodeError as error:
            raise KnownError(
                "{path} is damaged: {error}.", path=self.folder / name, error=error
            ) from error

    def samples(self, name: str) -> Sequence[Sample]:
        """Read a samples file in the folder. Raises KnownError if it is missing or damaged."""
        try:
            return decode_samples(self._bytes(name))
        except msgspec.DecodeError as error:
            raise KnownError(
                "{path} is damaged: {error}.", path=self.folder / name, error=error
            ) from error

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise KnownError(
                "{path} cannot be read: {reason}.",
                path=self.folder / name,
                reason=reason_of(error),
            ) from error
