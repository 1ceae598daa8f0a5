"""What the learning program is asked about domains and starts, in a folder, and how it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from workbench.domain.errors import KnownError
from workbench.domain.reports import Progress
from workbench.domain.runs import Sample, decode_samples
from workbench.learning.reporting import Control, Reporter

REPORT_SECONDS = 0.25
Order = TypeVar("Order", bound=msgspec.Struct)


class Interrupted(Exception):
    """Whoever asked wants no answer any more."""


class Errand:
    """A folder with an order, and the way back to whoever gave it."""

    def __init__(self, folder: Path, report: Reporter, control: Control) -> None:
        self.folder = folder
        self.report = report
        self._control = control
        self._said = 0.0

    def interrupted(self) -> bool:
        """Whether to leave off now."""
        return self._control.wish is not None or self.report.parent_gone

    def stop_if_asked(self) -> None:
        """Raise Interrupted where somebody asked for it."""
        if self.interrupted():
            raise Interrupted

    def progress(self, done: int, total: int, text: str) -> None:
        """Say how far the work is, now and then."""
        now = time.monotonic()
        if now - self._said >= REPORT_SECONDS:
            self._said = now
            self.report(Progress(done=done, total=total, text=text))

    def read(self, name: str, kind: type[Order]) -> Order:
        """The order in the folder. Raises KnownError where it is missing or damaged."""
        try:
            return msgspec.json.decode(self._bytes(name), type=kind)
        except msgspec.DecodeError as error:
            raise KnownError(f"{self.folder / name} is damaged: {error}.") from error

    def samples(self, name: str) -> Sequence[Sample]:
        """The samples of a file in the folder. Raises KnownError likewise."""
        try:
            return decode_samples(self._bytes(name))
        except msgspec.DecodeError as error:
            raise KnownError(f"{self.folder / name} is damaged: {error}.") from error

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise KnownError(f"{self.folder / name} cannot be read: {error.strerror}.") from error
