"""The mouth's square under a person's hand: moved, pulled by a corner or drawn, never bent."""

from __future__ import annotations

from workbench.domain.geometry import Rect

SMALLEST = 8  # pixels; a smaller square holds no mouth

# Corners as (right?, bottom?): 0 or 1 for each.
CORNERS: tuple[tuple[int, int], ...] = ((0, 0), (1, 0), (0, 1), (1, 1))


def moved(rect: Rect, dx: float, dy: float, width: int, height: int) -> Rect:
    """`rect` shifted by (dx, dy) pixels, pushed back inside a width × height image."""
    x, y = round(dx), round(dy)
    shifted = Rect(rect.left + x, rect.top + y, rect.right + x, rect.bottom + y)
    return shifted.inside(width, height)


def pulled(
    rect: Rect, corner: tuple[int, int], x: float, y: float, width: int, height: int
) -> Rect:
    """The square whose `corner` is pulled towards (x, y) while the opposite one stays.

    Its side is the larger of the two distances, at least 8 pixels and never beyond the image's
    edge (or the whole shorter side of an image that is smaller).
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
    """The square spanned from `start` towards `end`, both in pixels of a width × height image."""
    x = min(max(round(start[0]), 0), width)
    y = min(max(round(start[1]), 0), height)
    corner = (int(end[0] >= start[0]), int(end[1] >= start[1]))
    return pulled(Rect(x, y, x, y), corner, end[0], end[1], width, height)


def scaled(rect: Rect, factor: float, width: int, height: int) -> Rect:
    """The square about the same middle with its side times `factor`, kept inside the image."""
    limit = min(width, height)
    side = min(limit, max(min(SMALLEST, limit), round(max(rect.width, rect.height) * factor)))
    left = round((rect.left + rect.right - side) / 2)
    top = round((rect.top + rect.bottom - side) / 2)
    return Rect(left, top, left + side, top + side).inside(width, height)
