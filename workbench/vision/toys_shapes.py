"""Flat faces of toy vehicles, and the few solids they are put together from.

Axes: x points to the vehicle's nose, y to its own left, z up; z = 0 is the ground; in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Flat = tuple[float, float]

LIFT = 0.012  # how far a panel stands off the face it is drawn on
SEGMENTS = 14  # corners of a wheel


@dataclass(frozen=True)
class Face:
    """A planar polygon, its outward normal (need not be of length 1) and its material."""

    points: tuple[Point, ...]
    normal: Point
    material: str


def newell(points: Sequence[Point]) -> Point:
    """The normal of a planar polygon by Newell's sum; its side follows the corners' order."""
    at: NDArray[np.float64] = np.asarray(points, dtype=np.float64)
    x, y, z = np.cross(at, np.roll(at, -1, axis=0)).sum(axis=0)
    return (float(x), float(y), float(z))


def outward(points: Sequence[Point], centre: Point, material: str) -> Face:
    """The face through `points` whose normal points away from `centre`."""
    normal = np.asarray(newell(points))
    away = np.mean(np.asarray(points), axis=0) - np.asarray(centre)
    sign = 1.0 if float(normal @ away) >= 0 else -1.0
    x, y, z = sign * normal
    return Face(tuple(points), (float(x), float(y), float(z)), material)


def prism(profile: Sequence[Flat], half: float, material: str = "paint") -> list[Face]:
    """A side profile of (x, z) corners, counter-clockwise seen from the right, drawn to ± half."""
    left = tuple((x, half, z) for x, z in profile)
    right = tuple((x, -half, z) for x, z in profile)
    faces = [Face(left, (0, 1, 0), material), Face(right, (0, -1, 0), material)]
    for i, (x0, z0) in enumerate(profile):
        x1, z1 = profile[(i + 1) % len(profile)]
        corners = ((x0, half, z0), (x1, half, z1), (x1, -half, z1), (x0, -half, z0))
        faces.append(Face(corners, (z1 - z0, 0, x0 - x1), material))
    return faces


def box(x: Flat, z: Flat, half: float, material: str = "paint", y: float = 0.0) -> list[Face]:
    """A box from x[0] to x[1] and z[0] to z[1], `half` to each side of `y`."""
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
) -> list[Face]:
    """A cabin: rectangle `below` × ± half0 at z0, narrowing to `above` × ± half1 at z1."""
    (a0, a1), (b0, b1) = below, above
    low = ((a0, y + half0, z0), (a1, y + half0, z0), (a1, y - half0, z0), (a0, y - half0, z0))
    top = ((b0, y + half1, z1), (b1, y + half1, z1), (b1, y - half1, z1), (b0, y - half1, z1))
    centre = ((a0 + a1 + b0 + b1) / 4, y, (z0 + z1) / 2)
    sides = [(low[i], low[(i + 1) % 4], top[(i + 1) % 4], top[i]) for i in range(4)]
    return [outward(corners, centre, material) for corners in (*sides, top, low)]


def glazed(
    cabin: Sequence[Face], posts: int = 1, inset: float = 0.12, rear: bool = True
) -> list[Face]:
    """Windows on the sides of a `tapered` cabin: `posts` panes along each flank, one in front and,
    unless `rear` is False, one behind."""
    left, front, right, back = cabin[:4]
    panes = [*_panes(left, posts, inset), *_panes(front, 1, inset), *_panes(right, posts, inset)]
    return panes + (_panes(back, 1, inset) if rear else [])


def _panes(face: Face, count: int, inset: float) -> list[Face]:
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
        result.append(Face(tuple(corners), face.normal, "glass"))
    return result


def plate(x: float, y: Flat, z: Flat, material: str) -> Face:
    """A panel across the vehicle: on the nose where x > 0, on the tail where x < 0."""
    side = 1.0 if x > 0 else -1.0
    at = x + side * LIFT
    corners = ((at, y[0], z[0]), (at, y[1], z[0]), (at, y[1], z[1]), (at, y[0], z[1]))
    return Face(corners, (side, 0, 0), material)


def pair(x: float, y: Flat, z: Flat, material: str) -> list[Face]:
    """Two panels across, mirrored left and right: head lights, tail lights."""
    return [plate(x, y, z, material), plate(x, (-y[1], -y[0]), z, material)]


def flank(half: float, x: Flat, z: Flat, material: str) -> list[Face]:
    """A panel on each side of the vehicle."""
    result = []
    for side in (1.0, -1.0):
        at = side * (half + LIFT)
        corners = ((x[0], at, z[0]), (x[1], at, z[0]), (x[1], at, z[1]), (x[0], at, z[1]))
        result.append(Face(corners, (0, side, 0), material))
    return result


def roof(x: Flat, half: float, z: float, material: str) -> Face:
    """A panel lying on a horizontal face, ± half wide."""
    at = z + LIFT
    return Face(
        ((x[0], half, at), (x[1], half, at), (x[1], -half, at), (x[0], -half, at)),
        (0, 0, 1),
        material,
    )


def wheels(at: Sequence[float], radius: float, half: float, width: float = 0.24) -> list[Face]:
    """Wheels on both sides at each x of `at`, their outer sides at y = ± half."""
    return [
        face for x in at for side in (1.0, -1.0) for face in wheel(x, radius, side * half, width)
    ]


def wheel(x: float, radius: float, y: float, width: float) -> list[Face]:
    """One wheel standing on the ground: tread, tyre, hub."""
    side = 1.0 if y > 0 else -1.0
    inner = y - side * width
    turns = [2 * np.pi * i / SEGMENTS for i in range(SEGMENTS)]
    rim = [(x + radius * float(np.cos(t)), radius + radius * float(np.sin(t))) for t in turns]
    hub = [(x + (px - x) * 0.55, radius + (pz - radius) * 0.55) for px, pz in rim]
    faces = [Face(tuple((px, y, pz) for px, pz in rim), (0, side, 0), "tyre")]
    lifted = y + side * LIFT
    faces.append(Face(tuple((px, lifted, pz) for px, pz in hub), (0, side, 0), "hub"))
    for i, (x0, z0) in enumerate(rim):
        x1, z1 = rim[(i + 1) % SEGMENTS]
        corners = ((x0, y, z0), (x1, y, z1), (x1, inner, z1), (x0, inner, z0))
        faces.append(Face(corners, ((x0 + x1) / 2 - x, 0, (z0 + z1) / 2 - radius), "tyre"))
    return faces


def barrel(x: Flat, centre: float, radius: float, material: str = "paint") -> list[Face]:
    """A lying cylinder along x around height `centre`: a tank."""
    turns = [2 * np.pi * i / SEGMENTS for i in range(SEGMENTS)]
    ring = [(radius * float(np.cos(t)), centre + radius * float(np.sin(t))) for t in turns]
    faces = [
        Face(tuple((x[0], py, pz) for py, pz in ring), (-1, 0, 0), material),
        Face(tuple((x[1], py, pz) for py, pz in ring), (1, 0, 0), material),
    ]
    for i, (y0, z0) in enumerate(ring):
        y1, z1 = ring[(i + 1) % SEGMENTS]
        corners = ((x[0], y0, z0), (x[1], y0, z0), (x[1], y1, z1), (x[0], y1, z1))
        faces.append(Face(corners, (0, (y0 + y1) / 2, (z0 + z1) / 2 - centre), material))
    return faces
