"""Rectangles in image pixels, and the square around a mouth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOUTH_LANDMARKS = slice(48, 68)  # mouth points of the 68-point scheme
MOUTH_MARGIN = 1.5  # side of the square over the longer side of the mouth's bounding box


@dataclass(frozen=True)
class Rect:
    """Left, top, right and bottom in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Area in pixels²; 0 if the rectangle is empty."""
        return max(0, self.width) * max(0, self.height)

    def as_tuple(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in pixels."""
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
        """Shift this rectangle into a width × height image, and clip it if it is larger."""
        w, h = min(self.width, width), min(self.height, height)
        left = min(max(self.left, 0), width - w)
        top = min(max(self.top, 0), height - h)
        return Rect(left, top, left + w, top + h)


def mouth_box_of(
    landmarks: Sequence[tuple[float, float]], width: int, height: int
) -> tuple[Rect, bool]:
    """The square around the mouth of a 68-point face, and whether it fits the image.

    The side is 1.5 × the longer side of the bounding box of landmarks 48–67. The square is centred
    on that box and shifted into the width × height image. False if the square is larger than the
    image and was clipped (the mouth-expression crop of You and Long, ch. 4).
    """
    mouth = landmarks[MOUTH_LANDMARKS]
    xs, ys = [x for x, _ in mouth], [y for _, y in mouth]
    side = max(2, round(MOUTH_MARGIN * max(max(xs) - min(xs), max(ys) - min(ys))))
    left = round((min(xs) + max(xs)) / 2 - side / 2)
    top = round((min(ys) + max(ys)) / 2 - side / 2)
    fits = side <= min(width, height)
    return Rect(left, top, left + side, top + side).inside(width, height), fits


SMALLEST = 8  # pixels; minimum side of a square

# Corners as (right?, bottom?): 0 or 1 for each.
CORNERS: tuple[tuple[int, int], ...] = ((0, 0), (1, 0), (0, 1), (1, 1))


def moved(rect: Rect, dx: float, dy: float, width: int, height: int) -> Rect:
    """Shift `rect` by (dx, dy) pixels, keeping it inside a width × height image."""
    x, y = round(dx), round(dy)
    shifted = Rect(rect.left + x, rect.top + y, rect.right + x, rect.bottom + y)
    return shifted.inside(width, height)


def pulled(
    rect: Rect, corner: tuple[int, int], x: float, y: float, width: int, height: int
) -> Rect:
    """Resize a square by dragging `corner` to (x, y); the opposite corner stays fixed.

    The side is the larger of the two distances, at least 8 pixels, and limited by the image (the
    shorter side of a smaller image).
    """
    right, bottom = corner
    fixed_x = rect.left if right else rect.right
    fixed_y = rect.top if bottom else rect.bottom
    room_x = width - fixed_x if right else fixed_x
    room_y = height - fixed_y if bottom else fixed_y
    wanted = max((x - fixed_x) * (1 if right else -1), (y - fixed_y) * (1 if bottom else -1))
    side = max(min(SMALLEST, width, height), round(wanted))
    side = min(side, max(room_x, 1), max(room_y, 1))
    left = fixed_x if right else fixed_x - side
    top = fixed_y if bottom else fixed_y - side
    return Rect(left, top, left + side, top + side).inside(width, height)


def drawn(start: tuple[float, float], end: tuple[float, float], width: int, height: int) -> Rect:
    """The square spanned from `start` towards `end`, in pixels of a width × height image."""
    x = min(max(round(start[0]), 0), width)
    y = min(max(round(start[1]), 0), height)
    corner = (int(end[0] >= start[0]), int(end[1] >= start[1]))
    return pulled(Rect(x, y, x, y), corner, end[0], end[1], width, height)


def scaled(rect: Rect, factor: float, width: int, height: int) -> Rect:
    """Scale the side of the square by `factor` about its centre, keeping it inside the image."""
    limit = min(width, height)
    side = min(limit, max(min(SMALLEST, limit), round(max(rect.width, rect.height) * factor)))
    left = round((rect.left + rect.right - side) / 2)
    top = round((rect.top + rect.bottom - side) / 2)
    return Rect(left, top, left + side, top + side).inside(width, height)
