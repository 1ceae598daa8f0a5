"""Thumbnails for what is on screen now: from memory, the project's cache, or the image itself."""

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

MEMORY = 64 * 2**20  # bytes of decoded thumbnails that are kept
LOOK_UP = 48  # images looked up in the project per turn of the event loop
WRITE_AFTER = 300  # milliseconds for which new thumbnails are gathered before they are stored
WRITE_AT = 128  # or this many of them


@dataclass(frozen=True)
class _Wish:
    image: int
    hash: str
    path: Path
    kept: bytes | None


@dataclass(frozen=True)
class _Result:
    image: int
    hash: str
    pixels: Pixels | None = None
    fresh: bytes | None = None
    failure: BaseException | None = None


class ThumbnailLoader(QObject):
    """Loads thumbnails in a few threads; the latest `want` decides what they work on.

    `ready(image id, H × W × 3 uint8 RGB, longer side ≤ 256)` and `failed(image id, sentence)` come
    in the owner's thread, which alone touches the project.
    """

    ready = Signal(int, object)
    failed = Signal(int, str)
    _made = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._op = session
        self._memory: OrderedDict[int, Pixels] = OrderedDict()
        self._bytes = 0
        self._failures: dict[int, str] = {}
        self._wanted: list[int] = []
        self._queue: list[_Wish] = []
        self._busy: set[int] = set()
        self._unsaved: dict[str, bytes] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._made.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._looking = self._timer(0, self._look_up)
        self._writing = self._timer(WRITE_AFTER, self._write)
        session.changed.connect(self._changed)

    def get(self, image: int) -> Pixels | None:
        """The thumbnail of `image` if it is in memory."""
        pixels = self._memory.get(image)
        if pixels is not None:
            self._memory.move_to_end(image)
        return pixels

    def failure(self, image: int) -> str:
        """Why `image` has no thumbnail; "" where it has one, or none was tried."""
        return self._failures.get(image, "")

    def want(self, images: Iterable[int]) -> None:
        """Load these, in this order; what was wanted before and is not named is dropped."""
        if self._closed:
            return
        missing = (int(image) for image in images)
        self._wanted = [i for i in missing if i not in self._memory and i not in self._failures]
        wanted = set(self._wanted)
        with self._wake:
            self._queue = [wish for wish in self._queue if wish.image in wanted]
        if self._wanted:
            self._looking.start()

    def close(self) -> None:
        """End the threads and store what they made; returns when all is done."""
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
        """Find files and kept bytes of the next few wanted images and hand them to the threads."""
        with self._wake:
            under_way = self._busy | {wish.image for wish in self._queue}
        todo = [image for image in self._wanted if image not in under_way]
        now, self._wanted = todo[:LOOK_UP], todo[LOOK_UP:]
        rows = self._op.store.images.rows(now) if now else []
        kept = self._op.store.thumbnails.get([row.hash for row in rows]) if rows else {}
        wishes = [_Wish(r.id, r.hash, Path(r.path), kept.get(r.hash)) for r in rows]
        with self._wake:
            self._queue.extend(wishes)
            self._wake.notify_all()
        if wishes and not self._threads:
            self._start_threads()
        if self._wanted:
            self._looking.start()

    def _start_threads(self) -> None:
        for number in range(max(1, min(4, os.cpu_count() or 1))):
            thread = threading.Thread(target=self._load, name=f"thumbnails {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _load(self) -> None:
        """A thread's body: the first wish of the queue, again and again."""
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                wish = self._queue.pop(0)
                self._busy.add(wish.image)
            result = _fulfil(wish)
            with self._wake:
                if self._closed:
                    return
                self._made.emit(result)

    @Slot(object)
    def _take(self, result: _Result) -> None:
        if self._closed:
            return  # it was on its way when the project closed
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
            self._failures[result.image] = str(result.failure)
            self.failed.emit(result.image, str(result.failure))
            if not isinstance(result.failure, KnownError):
                raise result.failure  # a defect is reported where all are: in the owner's thread

    def _remember(self, image: int, pixels: Pixels) -> None:
        former = self._memory.pop(image, None)
        self._bytes += pixels.nbytes - (former.nbytes if former is not None else 0)
        self._memory[image] = pixels
        while self._bytes > MEMORY and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._bytes -= oldest.nbytes

    @Slot()
    def _write(self) -> None:
        self._writing.stop()
        if self._unsaved:
            self._op.store.thumbnails.put(self._unsaved)
            self._unsaved = {}

    @Slot(object)
    def _changed(self, changes: Changes) -> None:
        if changes.sources:
            self._failures.clear()  # a source that moved may have been found again
        for image in changes.removed:
            former = self._memory.pop(image, None)
            self._bytes -= former.nbytes if former is not None else 0


def _fulfil(wish: _Wish) -> _Result:
    try:
        kept = decode_thumbnail(wish.kept) if wish.kept is not None else None
        if kept is not None:
            return _Result(wish.image, wish.hash, kept)
        pixels = make_thumbnail(wish.path)
        return _Result(wish.image, wish.hash, pixels, encode_thumbnail(pixels))
    except Exception as error:
        return _Result(wish.image, wish.hash, failure=error)
