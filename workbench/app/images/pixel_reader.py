"""Images and parts of them, decoded in a separate thread; only the latest requests count."""

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
class PixelRequest:
    """A file, or its part inside `rect` (full-size displayed pixels), to decode with a longer side
    of at most `longest` pixels. `key` identifies the result."""

    key: Hashable
    path: Path
    longest: int
    rect: Rect | None = None


class PixelReader(QObject):
    """Decodes requests one after another in a separate thread and caches the last
    `capacity` results.

    `ready(key, H×W×3 uint8 RGB)` and `failed(key, message)` are emitted in the owner's thread.
    """

    ready = Signal(object, object)
    failed = Signal(object, object)
    _decoded = Signal(object, object)

    def __init__(self, capacity: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._capacity = capacity
        self._pixels: OrderedDict[Hashable, Pixels] = OrderedDict()
        self._failures: dict[Hashable, str] = {}
        self._requests: list[PixelRequest] = []
        self._reading: Hashable = None
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._decoded.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    def get(self, key: Hashable) -> Pixels | None:
        """The cached pixels for `key`, or None."""
        if key in self._pixels:
            self._pixels.move_to_end(key)
        return self._pixels.get(key)

    def failure(self, key: Hashable) -> str:
        """Why `key` could not be read; "" if it could, or was not tried."""
        return self._failures.get(key, "")

    def request(self, requests: Sequence[PixelRequest]) -> None:
        """Decode these in this order; earlier requests that are not among them are dropped."""
        done = self._pixels.keys() | self._failures.keys()
        missing = [request for request in requests if request.key not in done]
        with self._wake:
            self._requests = [one for one in missing if one.key != self._reading]
            self._wake.notify()
        if missing and self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._read_on, name="pixels", daemon=True)
            self._thread.start()

    def forget(self, key: Hashable) -> None:
        """Drop the cached result or failure of `key`."""
        self._pixels.pop(key, None)
        self._failures.pop(key, None)

    def close(self) -> None:
        """Stop the thread and wait for its end."""
        with self._wake:
            self._closed = True
            self._requests = []
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _read_on(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._requests or self._closed)
                if self._closed:
                    return
                request = self._requests.pop(0)
                self._reading = request.key
            result = _read(request)
            with self._wake:
                self._reading = None
                if self._closed:
                    return
                self._decoded.emit(request.key, result)

    @Slot(object, object)
    def _receive(self, key: Hashable, result: Pixels | Exception) -> None:
        if isinstance(result, Exception):
            text = result.message if isinstance(result, KnownError) else str(result)
            self._failures[key] = text
            self.failed.emit(key, text)
            if not isinstance(result, KnownError):
                raise result  # bugs are reported from the owner's thread
            return
        self._pixels[key] = result
        while len(self._pixels) > self._capacity:
            self._pixels.popitem(last=False)
        self.ready.emit(key, result)


def _read(request: PixelRequest) -> Pixels | Exception:
    try:
        return read_rgb(request.path, request.longest, request.rect)
    except Exception as error:
        return error
