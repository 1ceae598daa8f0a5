"""Which thumbnails and images the window still waits for: they are read in threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from workbench.app.images.pixel_reader import PixelReader
from workbench.app.images.thumbnails import ThumbnailLoader


class Loading:
    """Records what every reader of images is requested to load. There is one in a process: it wraps
    the classes, since readers belong to pages, stages and tiles that come and go."""

    def __init__(self) -> None:
        self._wanted: WeakKeyDictionary[Any, list[Hashable]] = WeakKeyDictionary()
        self._former: list[tuple[type, str, Callable[..., None]]] = []
        self._listen(ThumbnailLoader, int)
        self._listen(PixelReader, lambda request: request.key)

    def _listen(self, kind: type, key_of: Callable[[Any], Hashable]) -> None:
        request: Callable[..., None] = kind.request  # type: ignore[attr-defined]
        close: Callable[..., None] = kind.close  # type: ignore[attr-defined]

        def wanting(reader: object, requests: Iterable[Any]) -> None:
            asked = list(requests)
            self._wanted[reader] = [key_of(request) for request in asked]
            request(reader, asked)

        def closing(reader: object) -> None:
            self._wanted.pop(reader, None)
            close(reader)

        for name, listening in (("request", wanting), ("close", closing)):
            self._former.append((kind, name, getattr(kind, name)))
            setattr(kind, name, listening)

    def close(self) -> None:
        """Stop listening."""
        for kind, name, former in self._former:
            setattr(kind, name, former)
        self._former.clear()

    def forget(self) -> None:
        """The window is gone, and with it whatever it waited for."""
        self._wanted.clear()

    def waiting(self) -> bool:
        """Whether something is neither there nor known to be unreadable."""
        return any(
            reader.get(key) is None and not reader.failure(key)
            for reader, keys in list(self._wanted.items())
            for key in keys
        )
