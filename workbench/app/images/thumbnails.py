"""Thumbnails of the visible images: from memory, the project's cache, or the image file."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.vision.reading import decode_thumbnail, encode_thumbnail, make_thumbnail

Pixels = NDArray[np.uint8]

MEMORY = 64 * 2**20  # bytes of decoded thumbnails in memory
LOOKUPS = 48  # images looked up in the project per iteration of the event loop
WRITE_AFTER = 300  # milliseconds after which new thumbnails are stored
WRITE_AT = 128  # or this many of them


@dataclass(frozen=True)
class _Request:
    image: int
    hash: str
    path: Path
    stored: bytes | None


@dataclass(frozen=True)
class _Result:
    image: int
    hash: str
    pixels: Pixels | None = None
    fresh: bytes | None = None
    failure: BaseException | None = None


class ThumbnailLoader(QObject):
    """Loads thumbnails in a few threads; only the latest `request` counts.

    `ready(image id, H × W × 3 uint8 RGB, longer side ≤ 256)` and `failed(image id, message)` are
    emitted in the owner's thread, the only one that uses the project.
    """

    ready = Signal(int, object)
    failed = Signal(int, object)
    _made = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._memory: OrderedDict[int, Pixels] = OrderedDict()
        self._bytes = 0
        self._failures: dict[int, str] = {}
        self._wanted: list[int] = []
        self._queue: list[_Request] = []
        self._busy: set[int] = set()
        self._unsaved: dict[str, bytes] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._made.connect(self._receive, Qt.ConnectionType.QueuedConnection)
        self._looking = self._timer(0, self._look_up)
        self._writing = self._timer(WRITE_AFTER, self._write)
        session.changed.connect(self._changed)
        session.closed.connect(self.close)

    def get(self, image: int) -> Pixels | None:
        """The thumbnail of `image` in memory, or None."""
        pixels = self._memory.get(image)
        if pixels is not None:
            self._memory.move_to_end(image)
        return pixels

    def failure(self, image: int) -> str:
        """Why `image` has no thumbnail; "" if it has one, or it was not tried."""
        return self._failures.get(image, "")

    def request(self, images: Iterable[int]) -> None:
        """Load these in this order; earlier requests that are not among them are dropped."""
        if self._closed:
            return
        missing = (int(image) for image in images)
        self._wanted = [i for i in missing if i not in self._memory and i not in self._failures]
        wanted = set(self._wanted)
        with self._wake:
            self._queue = [request for request in self._queue if request.image in wanted]
        if self._wanted:
            self._looking.start()

    def close(self) -> None:
        """Stop the threads, wait for their end and store the new thumbnails."""
        with self._wake:
            self._closed = True
            self._queue.clear()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._looking.stop()
        self._write()

    def _timer(self, milliseconds: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(slot)
        return timer

    @Slot()
    def _look_up(self) -> None:
        """Look up files and stored thumbnails of the next images, and queue them."""
        if self._closed:
            return
        with self._wake:
            queued = self._busy | {request.image for request in self._queue}
        todo = [image for image in self._wanted if image not in queued]
        now, self._wanted = todo[:LOOKUPS], todo[LOOKUPS:]
        rows = self._session.store.images.rows(now) if now else []
        stored = self._session.store.thumbnails.get([row.hash for row in rows]) if rows else {}
        requests = [_Request(r.id, r.hash, Path(r.path), stored.get(r.hash)) for r in rows]
        with self._wake:
            self._queue.extend(requests)
            self._wake.notify_all()
        if requests and not self._threads:
            self._start_threads()
        if self._wanted:
            self._looking.start()

    def _start_threads(self) -> None:
        for number in range(max(1, min(4, os.cpu_count() or 1))):
            thread = threading.Thread(target=self._load, name=f"thumbnails {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _load(self) -> None:
        """Body of a thread: process the queue until `close`."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                request = self._queue.pop(0)
                self._busy.add(request.image)
            result = _load_thumbnail(request)
            with self._wake:
                if self._closed:
                    return
                self._made.emit(result)

    @Slot(object)
    def _receive(self, result: _Result) -> None:
        if self._closed:
            return  # the project is closed
        with self._wake:
            self._busy.discard(result.image)
        if result.fresh is not None:
            self._unsaved[result.hash] = result.fresh
            if len(self._unsaved) >= WRITE_AT:
                self._write()
            elif not self._writing.isActive():
                self._writing.start()
        if result.pixels is not None:
            self._remember(result.image, result.pixels)
            self.ready.emit(result.image, result.pixels)
        elif result.failure is not None:
            failure = result.failure
            text = failure.message if isinstance(failure, KnownError) else str(failure)
            self._failures[result.image] = text
            self.failed.emit(result.image, text)
            if not isinstance(failure, KnownError):
                raise failure  # bugs are reported from the owner's thread

    def _remember(self, image: int, pixels: Pixels) -> None:
        self._forget(image)
        self._bytes += pixels.nbytes
        self._memory[image] = pixels
        while self._bytes > MEMORY and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._bytes -= oldest.nbytes

    def _forget(self, image: int) -> None:
        before = self._memory.pop(image, None)
        if before is not None:
            self._bytes -= before.nbytes

    @Slot()
    def _write(self) -> None:
        self._writing.stop()
        if self._unsaved:
            self._session.store.thumbnails.put(self._unsaved)
            self._unsaved = {}

    @Slot(object)
    def _changed(self, changes: Changes) -> None:
        if changes.sources:
            self._failures.clear()  # a source may have been re-linked
        for image in changes.removed:
            self._forget(image)


def _load_thumbnail(request: _Request) -> _Result:
    try:
        known = decode_thumbnail(request.stored) if request.stored is not None else None
        if known is not None:
            return _Result(request.image, request.hash, known)
        pixels = make_thumbnail(request.path)
        return _Result(request.image, request.hash, pixels, encode_thumbnail(pixels))
    except Exception as error:
        return _Result(request.image, request.hash, failure=error)
