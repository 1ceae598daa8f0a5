"""Landmarks as lists of numbers, in which some are missing, for the formats of annotation tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from workbench.domain.datasets import MISSING_POINT
from workbench.domain.text import Message, counted

Point = tuple[float, float]

VISIBLE = 2  # flag of a landmark in COCO and YOLO; 1: it is covered, 0: it is missing


@dataclass
class LandmarkLosses:
    """What a dataset has of landmarks that a project does not: `covered` is the number of those
    that are marked as covered, `names` those of all landmarks of a label."""

    covered: int = 0
    names: dict[str, Sequence[str]] = field(default_factory=dict)

    def remarks(self) -> Iterator[Message]:
        """Remarks for the report. The numbers that are written as names here are none."""
        if self.covered:
            yield counted(
                self.covered,
                "{n:,} landmark is marked as covered: its place is imported, but not the mark.",
                "{n:,} landmarks are marked as covered: their places are imported, but not the"
                " marks.",
            )
        for label, names in self.names.items():
            if list(names) != numbered_names(len(names)):
                text = "Landmarks of “{label}” keep their order, but not their names ({names})."
                yield Message(text, label=label, names=", ".join(names))


def landmarks(values: Sequence[float], size: int) -> tuple[Point, ...]:
    """Landmarks of a list with `size` numbers for each: x, y and, if `size` is 3, a flag that is 0
    for those that are missing. Raises ValueError if a number is missing."""
    if len(values) % size:
        raise ValueError(Message("a coordinate of a landmark is missing"))
    found = [tuple(values[at : at + size]) for at in range(0, len(values), size)]
    return without_last_gaps(
        (one[0], one[1]) if size == 2 or one[2] > 0 else MISSING_POINT for one in found
    )


def covered(values: Sequence[float], size: int) -> int:
    """The number of landmarks that are flagged as covered in such a list."""
    return values[2::3].count(1) if size == 3 else 0


def without_last_gaps(points: Iterable[Point]) -> tuple[Point, ...]:
    """Landmarks without the missing ones behind the last that is known."""
    found = list(points)
    while found and found[-1] == MISSING_POINT:
        found.pop()
    return tuple(found)


def numbered_names(count: int) -> list[str]:
    """The names of landmarks that have none of their own: their numbers from 1."""
    return [str(number) for number in range(1, count + 1)]


def known_points(points: Iterable[Point]) -> tuple[Point, ...]:
    """The landmarks that are not missing."""
    return tuple(point for point in points if point != MISSING_POINT)


def flat_landmarks(points: Sequence[Point], count: int) -> list[float]:
    """`points` as x, y and visibility in turn, filled up with missing ones to `count`."""
    flags = (0 if point == MISSING_POINT else VISIBLE for point in points)
    flat = [value for (x, y), flag in zip(points, flags, strict=True) for value in (x, y, flag)]
    return flat + [0.0] * (3 * (count - len(points)))
