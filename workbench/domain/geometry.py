"""Rectangles in image pixels, and the square drawn around a mouth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOUTH_LANDMARKS = slice(48, 68)  # all of the mouth in the 68-point scheme
MOUTH_MARGIN = 1.5  # side of the square over the longer side of the mouth's box


@dataclass(frozen=True)
class Rect:
    """Left, top, right and bottom in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return max(0, self.width) * max(0, self.height)

    def as_tuple(self) -> tuple[int, int, int, int]:
        return (self.left, self.top, self.right, self.bottom)

    def iou(self, other: Rect) -> float:
        """Intersection over union, in [0, 1]."""
        common = Rect(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        shared = common.area if common.width > 0 and common.height > 0 else 0
        union = self.area + other.area - shared
        return shared / union if union else 0.0

    def inside(self, width: int, height: int) -> Rect:
        """This rectangle pushed back inside a width × height image, cut where it is larger."""
        w, h = min(self.width, width), min(self.height, height)
        left = min(max(self.left, 0), width - w)
        top = min(max(self.top, 0), height - h)
        return Rect(left, top, left + w, top + h)


def mouth_square(
    landmarks: Sequence[tuple[float, float]], width: int, height: int
) -> tuple[Rect, bool]:
    """The square around a 68-point face's mouth in a width × height image, and whether it fits.

    The side is 1.5 × the longer side of the box of landmarks 48–67, centred on that box and
    pushed back inside the image where it sticks out. False says that the square is larger than
    the image and was cut to it (the mouth-expression crop of You and Long, ch. 4).
    """
    mouth = landmarks[MOUTH_LANDMARKS]
    xs, ys = [x for x, _ in mouth], [y for _, y in mouth]
    side = max(2, round(MOUTH_MARGIN * max(max(xs) - min(xs), max(ys) - min(ys))))
    left = round((min(xs) + max(xs)) / 2 - side / 2)
    top = round((min(ys) + max(ys)) / 2 - side / 2)
    fits = side <= min(width, height)
    return Rect(left, top, left + side, top + side).inside(width, height), fits
