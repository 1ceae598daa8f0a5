"""How fast a training goes, and so when it will be done."""

from __future__ import annotations

import time

WARM_UP = 2  # first steps that say nothing of the speed to come


class Pace:
    """Measures training steps and scoring apart, so that the time left is right from the start."""

    def __init__(self) -> None:
        self._images = 0
        self._seconds = 0.0
        self._steps = 0
        self._mark = time.monotonic()
        self.scoring = 0.0

    def begin(self) -> None:
        """A step begins now; what went before was something else."""
        self._mark = time.monotonic()

    def stepped(self, images: int) -> float:
        """A step of so many images ended and the next begins; gives the time."""
        now = time.monotonic()
        self._steps += 1
        if self._steps == WARM_UP + 1:
            self._images, self._seconds = 0, 0.0
        self._images += images
        self._seconds += now - self._mark
        self._mark = now
        return now

    def scored(self) -> None:
        """The scoring that began at the last step, or at `begin`, ended."""
        self.scoring = time.monotonic() - self._mark

    @property
    def images_per_second(self) -> float:
        return self._images / self._seconds if self._seconds else 0.0

    def eta(self, images: float, scorings: int) -> float:
        """Seconds until so many images are trained and so many scorings are done."""
        per_image = self._seconds / self._images if self._images else 0.0
        return max(0.0, images * per_image) + scorings * self.scoring
