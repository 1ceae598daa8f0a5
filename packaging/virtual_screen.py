"""A screen in memory (Xvfb), and its pixels."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray


class VirtualScreen:
    """An X server without hardware, running within a `with` block."""

    def __init__(self, width: int, height: int) -> None:
        self.name = ""
        self._size = f"{width}x{height}x24"

    @staticmethod
    def possible() -> bool:
        """Return whether Xvfb is installed."""
        return shutil.which("Xvfb") is not None

    def __enter__(self) -> VirtualScreen:
        self._folder = tempfile.TemporaryDirectory()
        readable, writable = os.pipe()
        command = ["Xvfb", "-displayfd", str(writable), "-screen", "0", self._size]
        self._server = subprocess.Popen(
            [*command, "-fbdir", self._folder.name, "-nolisten", "tcp"],
            pass_fds=[writable],
            stderr=subprocess.DEVNULL,
        )
        os.close(writable)
        with os.fdopen(readable) as answer:
            self.name = f":{answer.readline().strip()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.terminate()
        self._server.wait(10)
        self._folder.cleanup()

    def pixels(self) -> NDArray[np.uint8]:
        """Pixels of the screen, height × width × 3 RGB uint8.

        The server writes them to a file in X window dump format: a header of big-endian 32-bit
        numbers, a colour table of 12 bytes per entry, then rows of blue, green, red, unused.
        """
        data = (Path(self._folder.name) / "Xvfb_screen0").read_bytes()
        header = struct.unpack(">25I", data[:100])
        width, height, stride, colours = header[4], header[5], header[12], header[19]
        start = header[0] + 12 * colours
        rows = np.frombuffer(data, np.uint8, height * stride, start).reshape(height, stride)
        return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]

    def empty(self) -> bool:
        """Return whether all pixels have one colour, so that nothing is shown yet."""
        seen = self.pixels()
        return bool((seen == seen[0, 0]).all())

    def save(self, path: Path) -> None:
        """Save the screen as PNG."""
        from PIL import Image

        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(self.pixels())).save(path)
