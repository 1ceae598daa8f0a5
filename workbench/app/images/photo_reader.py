"""Photographs and parts of them, decoded away from the window's thread, the latest wish first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot

from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.vision.reading import read_rgb

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PhotoRequest:
    """A file, or the part of it inside `rect` (full-size displayed pixels), wanted with its longer
    side at most `longest` pixels. `key` is how the asker knows it again."""

    key: Hashable
    path: Path
    longest: int
    rect: Rect | None = None


class PhotoReader(QObject):
    """Decodes wishes one after another in a thread of its own and keeps the last `kept` results.

    `ready(key, H×W×3 uint8 RGB)` and `failed(key, sentence)` arrive in the owner's thread.
    """

    ready = Signal(object, object)
    failed = Signal(object, str)
    _decoded = Signal(object, object)

    def __init__(self, kept: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = kept
        self._pixels: OrderedDict[Hashable, Pixels] = OrderedDict()
        self._failures: dict[Hashable, str] = {}
        self._wishes: list[PhotoRequest] = []
        self._reading: Hashable = None
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._decoded.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def get(self, key: Hashable) -> Pixels | None:
        """The pixels for `key` if they are at hand."""
        if key in self._pixels:
            self._pixels.move_to_end(key)
        return self._pixels.get(key)

    def failure(self, key: Hashable) -> str:
        """Why `key` could not be read; "" where it could, or was not tried."""
        return self._failures.get(key, "")

    def want(self, wishes: Sequence[PhotoRequest]) -> None:
        """Read these in this order; what was wanted before and is not named is dropped."""
        missing = [w for w in wishes if w.key not in self._pixels and w.key not in self._failures]
        with self._wake:
            self._wishes = [wish for wish in missing if wish.key != self._reading]
            self._wake.notify()
        if missing and self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._read_on, name="photos", daemon=True)
            self._thread.start()

    def forget(self, key: Hashable) -> None:
        """Read `key` anew when it is wanted next."""
        self._pixels.pop(key, None)
        self._failures.pop(key, None)

    def close(self) -> None:
        """End the thread; returns when it has ended."""
        with self._wake:
            self._closed = True
            self._wishes = []
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _read_on(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._wishes or self._closed)
                if self._closed:
                    return
                wish = self._wishes.pop(0)
                self._reading = wish.key
            result = _read(wish)
            with self._wake:
                self._reading = None
                if self._closed:
                    return
                self._decoded.emit(wish.key, result)

    @Slot(object, object)
    def _take(self, key: Hashable, result: Pixels | Exception) -> None:
        if isinstance(result, Exception):
            self._failures[key] = str(result)
            self.failed.emit(key, str(result))
            if not isinstance(result, KnownError):
                raise result  # a defect is reported where all are: in the owner's thread
            return
        self._pixels[key] = result
        while len(self._pixels) > self._kept:
            self._pixels.popitem(last=False)
        self.ready.emit(key, result)


def _read(wish: PhotoRequest) -> Pixels | Exception:
    try:
        return read_rgb(wish.path, wish.longest, wish.rect)
    except Exception as error:
        return error
