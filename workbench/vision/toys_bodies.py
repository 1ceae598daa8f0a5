"""The twelve toy vehicles: bodies that differ in outline, with noses unlike their tails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.vision.toys_shapes import (
    Face,
    Flat,
    barrel,
    box,
    flank,
    glazed,
    pair,
    plate,
    prism,
    roof,
    tapered,
    wheels,
)


def _ends(nose: float, tail: float, half: float, low: float, high: float) -> list[Face]:
    """Head lights, grille and number plate in front; tail lights and a plate behind."""
    middle = (low + high) / 2
    inner, outer = half * 0.55, half * 0.95
    return [
        *pair(nose, (inner, outer), (middle, high), "headlight"),
        plate(nose, (-inner * 0.9, inner * 0.9), (middle - 0.06, high), "grille"),
        plate(nose, (-half, half), (low - 0.14, low - 0.02), "trim"),
        *pair(tail, (half * 0.7, half * 0.97), (middle - 0.05, high), "taillight"),
        plate(tail, (-0.28, 0.28), (low, middle - 0.02), "plate"),
        plate(tail, (-half, half), (low - 0.14, low - 0.02), "trim"),
    ]


def _car(
    profile: Sequence[Flat],
    below: Flat,
    above: Flat,
    heights: Flat,
    half: float = 0.86,
    posts: int = 2,
    rear: bool = True,
) -> list[Face]:
    """A passenger car: a hull, a glazed cabin, four wheels and its lights."""
    cabin = tapered(below, heights[0], half - 0.04, above, heights[1], half - 0.22)
    nose = max(x for x, _ in profile)
    tail = min(x for x, _ in profile)
    axles = (tail + 0.85, nose - 0.85)
    return [
        *prism(profile, half),
        *cabin,
        *glazed(cabin, posts, rear=rear),
        *wheels(axles, 0.34, half + 0.02),
        *_ends(nose, tail, half, 0.48, 0.76),
    ]


def _sedan() -> list[Face]:
    hull = [(-2.3, 0.3), (2.3, 0.3), (2.3, 0.78), (0.9, 0.95), (-1.45, 0.98), (-2.3, 0.92)]
    return _car(hull, (-1.55, 1.0), (-0.95, 0.2), (0.95, 1.45))


def _coupe() -> list[Face]:
    hull = [(-1.9, 0.24), (2.2, 0.24), (2.2, 0.66), (0.6, 0.84), (-1.9, 0.86)]
    spoiler = box((-1.95, -1.6), (1.08, 1.14), 0.8, "trim")
    stays = [*box((-1.85, -1.7), (0.86, 1.08), 0.05, "trim", 0.6)]
    stays += box((-1.85, -1.7), (0.86, 1.08), 0.05, "trim", -0.6)
    return [*_car(hull, (-1.6, 0.75), (-0.6, -0.05), (0.84, 1.2), posts=1), *spoiler, *stays]


def _wagon() -> list[Face]:
    hull = [(-2.4, 0.3), (2.2, 0.3), (2.2, 0.78), (0.9, 0.95), (-2.4, 0.98)]
    rails = [*box((-2.0, 0.1), (1.5, 1.6), 0.04, "trim", 0.55)]
    rails += box((-2.0, 0.1), (1.5, 1.6), 0.04, "trim", -0.55)
    return [*_car(hull, (-2.38, 1.05), (-2.2, 0.3), (0.95, 1.5), posts=3), *rails]


def _jeep() -> list[Face]:
    hull = [(-1.75, 0.5), (1.75, 0.5), (1.75, 1.08), (0.55, 1.12), (-1.75, 1.12)]
    cabin = tapered((-1.72, 0.5), 1.12, 0.8, (-1.7, 0.38), 1.85, 0.76)
    return [
        *prism(hull, 0.82),
        *cabin,
        *glazed(cabin, 2, 0.16, rear=False),
        *wheels((-1.15, 1.15), 0.45, 0.95, 0.3),
        *box((-2.0, -1.78), (0.75, 1.45), 0.36, "tyre"),
        plate(-2.0, (-0.18, 0.18), (0.95, 1.28), "hub"),
        *pair(1.75, (0.5, 0.78), (0.8, 1.04), "headlight"),
        *[plate(1.75, (y, y + 0.09), (0.66, 1.04), "grille") for y in (-0.4, -0.2, 0.0, 0.2)],
        *pair(-1.75, (0.6, 0.8), (0.7, 1.0), "taillight"),
        *box((1.76, 1.92), (0.5, 0.66), 0.82, "trim"),
    ]


def _pickup() -> list[Face]:
    hull = [(-2.6, 0.42), (2.4, 0.42), (2.4, 0.98), (1.1, 1.1), (-2.6, 1.1)]
    cabin = tapered((-0.7, 1.2), 1.1, 0.86, (-0.55, 0.6), 1.72, 0.7)
    return [
        *prism(hull, 0.9),
        *cabin,
        *glazed(cabin, 2),
        roof((-2.5, -0.75), 0.78, 1.1, "cargo"),
        *wheels((-1.6, 1.5), 0.4, 0.92),
        *_ends(2.4, -2.6, 0.9, 0.6, 0.98),
        plate(-2.6, (-0.5, 0.5), (0.84, 1.04), "trim"),
    ]


def _van() -> list[Face]:
    hull = [(-2.4, 0.32), (2.3, 0.32), (2.3, 0.95), (1.75, 1.2), (-2.4, 1.2)]
    cabin = tapered((-2.4, 1.8), 1.2, 0.9, (-2.35, 1.0), 2.15, 0.82)
    return [
        *prism(hull, 0.92),
        *cabin,
        *glazed(cabin[:4], 1, 0.14, rear=False)[1:2],
        *flank(0.86, (0.35, 1.15), (1.32, 1.8), "glass"),
        *flank(0.92, (-2.2, 0.2), (0.98, 1.04), "trim"),
        plate(-2.4, (0.06, 0.66), (1.35, 1.85), "glass"),
        plate(-2.4, (-0.66, -0.06), (1.35, 1.85), "glass"),
        *wheels((-1.5, 1.45), 0.36, 0.94),
        *_ends(2.3, -2.4, 0.92, 0.5, 0.92),
    ]


def _minibus() -> list[Face]:
    body = tapered((-2.7, 2.7), 0.36, 0.95, (-2.65, 2.35), 2.2, 0.88)
    return [
        *body,
        *flank(0.9, (-2.35, -1.45), (1.25, 1.85), "glass"),
        *flank(0.9, (-1.3, -0.4), (1.25, 1.85), "glass"),
        *flank(0.9, (-0.25, 0.65), (1.25, 1.85), "glass"),
        *flank(0.9, (0.8, 1.9), (1.25, 1.85), "glass"),
        *flank(0.95, (-2.6, 2.6), (0.85, 0.97), "trim"),
        plate(2.58, (-0.82, 0.82), (1.15, 1.95), "glass"),
        plate(-2.7, (-0.7, 0.7), (1.3, 1.85), "glass"),
        *wheels((-1.6, 1.6), 0.38, 0.98),
        *_ends(2.72, -2.72, 0.92, 0.52, 0.84),
        *box((-1.6, 0.4), (2.2, 2.36), 0.45, "trim"),
    ]


def _bus() -> list[Face]:
    faces = [*box((-4.2, 4.2), (0.4, 2.9), 1.15)]
    for i in range(6):
        left = -4.0 + i * 1.25
        faces += flank(1.15, (left, left + 1.1), (1.55, 2.45), "glass")
    return [
        *faces,
        *flank(1.15, (3.55, 4.05), (0.6, 2.45), "glass"),
        *flank(1.15, (-4.15, 3.4), (1.15, 1.3), "trim"),
        plate(4.2, (-1.02, 1.02), (1.3, 2.35), "glass"),
        plate(4.2, (-0.8, 0.8), (2.45, 2.8), "sign"),
        plate(-4.2, (-0.85, 0.85), (1.8, 2.5), "glass"),
        plate(-4.2, (-0.8, 0.8), (0.75, 1.4), "grille"),
        *wheels((-2.5, 2.7), 0.5, 1.17, 0.3),
        *_ends(4.2, -4.2, 1.1, 0.62, 1.0),
    ]


def _truck() -> list[Face]:
    cab = tapered((1.5, 3.3), 0.55, 1.0, (1.55, 2.95), 2.3, 0.92)
    return [
        *cab,
        *box((-3.3, 1.35), (0.95, 3.0), 1.12, "cargo"),
        *box((-3.3, 1.5), (0.55, 0.95), 0.6, "trim"),
        *flank(0.95, (1.8, 2.75), (1.45, 2.05), "glass"),
        plate(3.12, (-0.85, 0.85), (1.4, 2.1), "glass"),
        *flank(1.12, (-3.1, 1.1), (1.8, 2.2), "stripe"),
        plate(-3.3, (-0.05, 0.05), (1.0, 2.95), "trim"),
        *wheels((-2.4, -1.4, 2.4), 0.48, 1.06, 0.3),
        *_ends(3.3, -3.32, 1.0, 0.72, 1.1),
    ]


def _tanker() -> list[Face]:
    cab = tapered((1.9, 3.4), 0.55, 1.0, (1.95, 3.15), 2.25, 0.92)
    return [
        *cab,
        *barrel((-3.4, 1.7), 1.75, 0.98, "cargo"),
        *box((-3.4, 1.9), (0.6, 0.85), 0.65, "trim"),
        *box((-1.9, -1.3), (2.68, 2.88), 0.25, "trim"),
        *box((-0.2, 0.4), (2.68, 2.88), 0.25, "trim"),
        *flank(0.95, (2.15, 2.95), (1.4, 2.0), "glass"),
        plate(3.28, (-0.85, 0.85), (1.35, 2.05), "glass"),
        *wheels((-2.6, -1.6, 2.6), 0.48, 1.06, 0.3),
        *_ends(3.4, -3.42, 1.0, 0.7, 1.05),
    ]


def _tractor() -> list[Face]:
    cabin = tapered((-1.1, 0.15), 1.0, 0.62, (-1.0, 0.05), 2.35, 0.6)
    return [
        *box((0.1, 1.75), (0.75, 1.4), 0.38),
        *box((-1.2, 0.2), (0.7, 1.05), 0.5),
        *cabin,
        *glazed(cabin, 1, 0.08),
        *box((-1.15, 0.15), (2.35, 2.47), 0.7, "trim"),
        *box((0.95, 1.07), (1.4, 2.15), 0.06, "trim", 0.2),
        *wheels((-0.75,), 0.82, 1.0, 0.42),
        *wheels((1.3,), 0.46, 0.78, 0.28),
        plate(1.75, (-0.3, 0.3), (0.8, 1.2), "grille"),
        *pair(1.75, (0.16, 0.36), (1.22, 1.38), "headlight"),
        *pair(-1.2, (0.34, 0.5), (0.85, 1.03), "taillight"),
        *box((-1.7, -1.2), (0.55, 0.68), 0.12, "trim"),
    ]


def _dumper() -> list[Face]:
    tray = [(-3.0, 1.1), (0.9, 1.1), (1.5, 2.5), (0.7, 2.35), (-2.2, 1.95), (-3.3, 2.0)]
    cab = tapered((1.1, 2.6), 0.6, 0.95, (1.3, 2.3), 2.15, 0.85)
    return [
        *prism(tray, 1.2, "cargo"),
        *cab,
        *glazed(cab[:4], 1, 0.3, rear=False),
        *box((-2.7, 1.2), (0.6, 1.1), 0.6, "trim"),
        *flank(1.2, (-2.2, -2.05), (1.15, 1.9), "stripe"),
        *flank(1.2, (-0.8, -0.65), (1.15, 2.1), "stripe"),
        *wheels((-2.0, -0.75, 1.85), 0.55, 1.1, 0.34),
        *_ends(2.62, -2.98, 0.95, 0.7, 1.02),
    ]


_MAKERS: dict[str, Callable[[], list[Face]]] = {
    "sedan": _sedan,
    "van": _van,
    "pickup": _pickup,
    "bus": _bus,
    "truck": _truck,
    "jeep": _jeep,
    "tanker": _tanker,
    "tractor": _tractor,
    "coupe": _coupe,
    "wagon": _wagon,
    "minibus": _minibus,
    "dumper": _dumper,
}

BODIES: tuple[str, ...] = tuple(_MAKERS)


def faces_of(body: int) -> list[Face]:
    """The faces of a body, by its position in BODIES."""
    return _MAKERS[BODIES[body]]()
