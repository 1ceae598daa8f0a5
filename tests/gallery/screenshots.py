"""What an image of the gallery is called, and the screens and themes that each is taken for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

THEMES = ("light", "dark")
_NAME = re.compile(r"(?P<page>.+)--(?P<state>.+)--(?P<theme>light|dark)--(?P<size>\d+x\d+(-\d+)?)")


@dataclass(frozen=True)
class Screen:
    """A screen in physical pixels; at `scale` 2 everything is drawn twice as large."""

    width: int
    height: int
    scale: int = 1

    @property
    def name(self) -> str:
        """For example "1366x768", and "1920x1080-200" at 200 %."""
        size = f"{self.width}x{self.height}"
        return size if self.scale == 1 else f"{size}-{100 * self.scale}"

    @property
    def room(self) -> tuple[int, int]:
        """Width and height in the pixels that widgets count in."""
        return self.width // self.scale, self.height // self.scale


SCREENS = (Screen(1366, 768), Screen(1920, 1080), Screen(1920, 1080, 2))


@dataclass(frozen=True, order=True)
class Screenshot:
    """One image: of which page or dialog, in which state, theme and size."""

    page: str
    state: str
    theme: str
    size: str

    @property
    def file(self) -> str:
        """The name of its file, which contains all of this."""
        return f"{self.page}--{self.state}--{self.theme}--{self.size}.png"

    @staticmethod
    def of(path: Path) -> Screenshot | None:
        """The image that a file is by its name; None for any other file."""
        found = _NAME.fullmatch(path.stem) if path.suffix == ".png" else None
        if found is None:
            return None
        return Screenshot(found["page"], found["state"], found["theme"], found["size"])


def screenshots_in(folder: Path) -> list[Screenshot]:
    """The images that lie in a folder, sorted by page and state."""
    found = (Screenshot.of(path) for path in folder.iterdir())
    return sorted(screenshot for screenshot in found if screenshot is not None)
