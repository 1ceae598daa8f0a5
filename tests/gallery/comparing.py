"""Images beside their older ones: which differ, and in how many pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.gallery.screenshots import Screenshot, screenshots_in


class Verdict(Enum):
    """What became of an image since the older gallery."""

    SAME = "same"
    DIFFERS = "differs"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True)
class Compared:
    """An image and the share of its pixels, in [0, 1], that are not what they were."""

    screenshot: Screenshot
    verdict: Verdict
    share: float

    @property
    def text(self) -> str:
        """The verdict as a person reads it."""
        if self.verdict is Verdict.DIFFERS:
            return f"{max(0.01, 100 * self.share):.2f} % of the pixels differ"
        return {"same": "the same", "new": "new", "gone": "no longer there"}[self.verdict.value]


def compare(folder: Path, old: Path) -> list[Compared]:
    """Every image that lies in either folder; the older ones are those of `old`."""
    here, there = set(screenshots_in(folder)), set(screenshots_in(old))
    found = []
    for screenshot in sorted(here | there):
        if screenshot not in there:
            found.append(Compared(screenshot, Verdict.NEW, 1.0))
        elif screenshot not in here:
            found.append(Compared(screenshot, Verdict.GONE, 1.0))
        else:
            share = differing(folder / screenshot.file, old / screenshot.file)
            verdict = Verdict.DIFFERS if share else Verdict.SAME
            found.append(Compared(screenshot, verdict, share))
    return found


def differing(one: Path, other: Path) -> float:
    """The share of pixels in [0, 1] in which two images differ; 1 where their sizes do."""
    if one.read_bytes() == other.read_bytes():
        return 0.0
    first, second = _pixels(one), _pixels(other)
    if first.shape != second.shape:
        return 1.0
    return float((first != second).any(axis=2).mean())


def _pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as screenshot:
        return np.asarray(screenshot.convert("RGB"))
