"""Twelve toy vehicles: bodies of flat facets with distinct outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Flat = tuple[float, float]

LIFT = 0.012  # offset of a panel from the face it is drawn on
SEGMENTS = 14  # polygon corners of a wheel


@dataclass(frozen=True)
class Facet:
    """A planar polygon, its outward normal (not necessarily of unit length) and its material."""

    points: tuple[Point, ...]
    normal: Point
    material: str


def newell(points: Sequence[Point]) -> Point:
    """Normal of a planar polygon by Newell's method; its sign follows the corner order."""
    at: NDArray[np.float64] = np.asarray(points, dtype=np.float64)
    x, y, z = np.cross(at, np.roll(at, -1, axis=0)).sum(axis=0)
    return (float(x), float(y), float(z))


def outward(points: Sequence[Point], centre: Point, material: str) -> Facet:
    """Facet through `points` with its normal pointing away from `centre`."""
    normal = np.asarray(newell(points))
    away = np.mean(np.asarray(points), axis=0) - np.asarray(centre)
    sign = 1.0 if float(normal @ away) >= 0 else -1.0
    x, y, z = sign * normal
    return Facet(tuple(points), (float(x), float(y), float(z)), material)


def prism(profile: Sequence[Flat], half: float, material: str = "paint") -> list[Facet]:
    """Extrude a side profile of (x, z) corners, counter-clockwise seen from the right, to ±
    half."""
    left = tuple((x, half, z) for x, z in profile)
    right = tuple((x, -half, z) for x, z in profile)
    faces = [Facet(left, (0, 1, 0), material), Facet(right, (0, -1, 0), material)]
    for i, (x0, z0) in enumerate(profile):
        x1, z1 = profile[(i + 1) % len(profile)]
        corners = ((x0, half, z0), (x1, half, z1), (x1, -half, z1), (x0, -half, z0))
        faces.append(Facet(corners, (z1 - z0, 0, x0 - x1), material))
    return faces


def box(x: Flat, z: Flat, half: float, material: str = "paint", y: float = 0.0) -> list[Facet]:
    """A box from x[0] to x[1] and z[0] to z[1], extending `half` to each side of `y`."""
    return tapered(x, z[0], half, x, z[1], half, material, y)


def tapered(
    below: Flat,
    z0: float,
    half0: float,
    above: Flat,
    z1: float,
    half1: float,
    material: str = "paint",
    y: float = 0.0,
) -> list[Facet]:
    """A cabin: rectangle `below` × ± half0 at z0, narrowing to `above` × ± half1 at z1."""
    (a0, a1), (b0, b1) = below, above
    low = ((a0, y + half0, z0), (a1, y + half0, z0), (a1, y - half0, z0), (a0, y - half0, z0))
    top = ((b0, y + half1, z1), (b1, y + half1, z1), (b1, y - half1, z1), (b0, y - half1, z1))
    centre = ((a0 + a1 + b0 + b1) / 4, y, (z0 + z1) / 2)
    sides = [(low[i], low[(i + 1) % 4], top[(i + 1) % 4], top[i]) for i in range(4)]
    return [outward(corners, centre, material) for corners in (*sides, top, low)]


def glazed(
    cabin: Sequence[Facet], posts: int = 1, inset: float = 0.12, rear: bool = True
) -> list[Facet]:
    """Windows of a `tapered` cabin.

    `posts` panes along each flank, one in front and, unless `rear` is False, one at the rear.
    """
    left, front, right, back = cabin[:4]
    panes = [*_panes(left, posts, inset), *_panes(front, 1, inset), *_panes(right, posts, inset)]
    return panes + (_panes(back, 1, inset) if rear else [])


def _panes(face: Facet, count: int, inset: float) -> list[Facet]:
    a, b, c, d = (np.asarray(p, dtype=np.float64) for p in face.points)
    normal = np.asarray(face.normal)
    lift = LIFT * normal / np.linalg.norm(normal)
    gap = 0.08 / count
    result = []
    for i in range(count):
        s0, s1 = i / count + gap, (i + 1) / count - gap
        corners = []
        for s, t in ((s0, inset), (s1, inset), (s1, 1 - inset), (s0, 1 - inset)):
            at = (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * d + s * c) + lift
            corners.append((float(at[0]), float(at[1]), float(at[2])))
        result.append(Facet(tuple(corners), face.normal, "glass"))
    return result


def plate(x: float, y: Flat, z: Flat, material: str) -> Facet:
    """A panel across the vehicle: at the front if x > 0, at the rear if x < 0."""
    side = 1.0 if x > 0 else -1.0
    at = x + side * LIFT
    corners = ((at, y[0], z[0]), (at, y[1], z[0]), (at, y[1], z[1]), (at, y[0], z[1]))
    return Facet(corners, (side, 0, 0), material)


def pair(x: float, y: Flat, z: Flat, material: str) -> list[Facet]:
    """Two panels across, mirrored left and right: head lights or tail lights."""
    return [plate(x, y, z, material), plate(x, (-y[1], -y[0]), z, material)]


def flank(half: float, x: Flat, z: Flat, material: str) -> list[Facet]:
    """A panel on each side of the vehicle."""
    result = []
    for side in (1.0, -1.0):
        at = side * (half + LIFT)
        corners = ((x[0], at, z[0]), (x[1], at, z[0]), (x[1], at, z[1]), (x[0], at, z[1]))
        result.append(Facet(corners, (0, side, 0), material))
    return result


def roof(x: Flat, half: float, z: float, material: str) -> Facet:
    """A panel on a horizontal face, ± half wide."""
    at = z + LIFT
    return Facet(
        ((x[0], half, at), (x[1], half, at), (x[1], -half, at), (x[0], -half, at)),
        (0, 0, 1),
        material,
    )


def wheels(at: Sequence[float], radius: float, half: float, width: float = 0.24) -> list[Facet]:
    """Wheels on both sides at each x of `at`, with outer sides at y = ± half."""
    return [
        face for x in at for side in (1.0, -1.0) for face in wheel(x, radius, side * half, width)
    ]


def wheel(x: float, radius: float, y: float, width: float) -> list[Facet]:
    """One wheel standing on the ground: tread, tyre, hub."""
    side = 1.0 if y > 0 else -1.0
    inner = y - side * width
    turns = [2 * np.pi * i / SEGMENTS for i in range(SEGMENTS)]
    rim = [(x + radius * float(np.cos(t)), radius + radius * float(np.sin(t))) for t in turns]
    hub = [(x + (px - x) * 0.55, radius + (pz - radius) * 0.55) for px, pz in rim]
    faces = [Facet(tuple((px, y, pz) for px, pz in rim), (0, side, 0), "tyre")]
    lifted = y + side * LIFT
    faces.append(Facet(tuple((px, lifted, pz) for px, pz in hub), (0, side, 0), "hub"))
    for i, (x0, z0) in enumerate(rim):
        x1, z1 = rim[(i + 1) % SEGMENTS]
        corners = ((x0, y, z0), (x1, y, z1), (x1, inner, z1), (x0, inner, z0))
        faces.append(Facet(corners, ((x0 + x1) / 2 - x, 0, (z0 + z1) / 2 - radius), "tyre"))
    return faces


def barrel(x: Flat, centre: float, radius: float, material: str = "paint") -> list[Facet]:
    """A horizontal cylinder along x at height `centre`: a tank."""
    turns = [2 * np.pi * i / SEGMENTS for i in range(SEGMENTS)]
    ring = [(radius * float(np.cos(t)), centre + radius * float(np.sin(t))) for t in turns]
    faces = [
        Facet(tuple((x[0], py, pz) for py, pz in ring), (-1, 0, 0), material),
        Facet(tuple((x[1], py, pz) for py, pz in ring), (1, 0, 0), material),
    ]
    for i, (y0, z0) in enumerate(ring):
        y1, z1 = ring[(i + 1) % SEGMENTS]
        corners = ((x[0], y0, z0), (x[1], y0, z0), (x[1], y1, z1), (x[0], y1, z1))
        faces.append(Facet(corners, (0, (y0 + y1) / 2, (z0 + z1) / 2 - centre), material))
    return faces


def _ends(nose: float, tail: float, half: float, low: float, high: float) -> list[Facet]:
    """Head lights, grille and number plate in front; tail lights and a plate at the rear."""
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
) -> list[Facet]:
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


def _sedan() -> list[Facet]:
    hull = [(-2.3, 0.3), (2.3, 0.3), (2.3, 0.78), (0.9, 0.95), (-1.45, 0.98), (-2.3, 0.92)]
    return _car(hull, (-1.55, 1.0), (-0.95, 0.2), (0.95, 1.45))


def _coupe() -> list[Facet]:
    hull = [(-1.9, 0.24), (2.2, 0.24), (2.2, 0.66), (0.6, 0.84), (-1.9, 0.86)]
    spoiler = box((-1.95, -1.6), (1.08, 1.14), 0.8, "trim")
    stays = [*box((-1.85, -1.7), (0.86, 1.08), 0.05, "trim", 0.6)]
    stays += box((-1.85, -1.7), (0.86, 1.08), 0.05, "trim", -0.6)
    return [*_car(hull, (-1.6, 0.75), (-0.6, -0.05), (0.84, 1.2), posts=1), *spoiler, *stays]


def _wagon() -> list[Facet]:
    hull = [(-2.4, 0.3), (2.2, 0.3), (2.2, 0.78), (0.9, 0.95), (-2.4, 0.98)]
    rails = [*box((-2.0, 0.1), (1.5, 1.6), 0.04, "trim", 0.55)]
    rails += box((-2.0, 0.1), (1.5, 1.6), 0.04, "trim", -0.55)
    return [*_car(hull, (-2.38, 1.05), (-2.2, 0.3), (0.95, 1.5), posts=3), *rails]


def _jeep() -> list[Facet]:
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


def _pickup() -> list[Facet]:
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


def _van() -> list[Facet]:
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


def _minibus() -> list[Facet]:
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


def _bus() -> list[Facet]:
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


def _truck() -> list[Facet]:
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


def _tanker() -> list[Facet]:
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


def _tractor() -> list[Facet]:
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


def _dumper() -> list[Facet]:
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


_MAKERS: dict[str, Callable[[], list[Facet]]] = {
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


def faces_of(body: int) -> list[Facet]:
    """Facets of a body, by its position in BODIES."""
    return _MAKERS[BODIES[body]]()
