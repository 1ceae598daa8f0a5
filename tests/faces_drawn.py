"""Drawn faces that the real detectors find, so that tests need no photograph of a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def _blob(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    at: tuple[float, float],
    size: tuple[float, float],
) -> NDArray[np.float64]:
    """A soft-edged ellipse: 1 inside, 0 outside."""
    distance = ((xs - at[0]) / size[0]) ** 2 + ((ys - at[1]) / size[1]) ** 2
    return 1 / (1 + np.exp(np.clip((distance - 1) * 8, -60, 60)))


def draw_face(side: int = 240, opening: float = 0.0, smile: float = 0.0, seed: int = 0) -> Image:
    """A frontal face, `side` × `side` × 3 RGB; `opening` 0–1 opens the mouth, `smile` 0–1 draws
    its corners up, `seed` varies the noise. The mouth's middle is at (0.5, 0.74) of the side."""
    ys, xs = np.mgrid[0:side, 0:side] / side - 0.5
    face = np.full((side, side), 0.55)

    def paint(at, size, shade, weight=1.0):
        nonlocal face
        mask = _blob(xs, ys, at, size) * weight
        face = face * (1 - mask) + shade * mask

    paint((0, -0.08), (0.36, 0.44), 0.16)  # hair
    paint((0, 0.46), (0.13, 0.16), 0.58)  # neck
    light = 0.80 - 0.35 * (xs / 0.32) ** 2 - 0.10 * ((ys - 0.02) / 0.42) ** 2
    skin = _blob(xs, ys, (0, 0.04), (0.29, 0.39))
    face = face * (1 - skin) + light * skin
    for sign in (-1, 1):
        paint((sign * 0.125, -0.055), (0.095, 0.060), 0.50, 0.7)  # socket
        paint((sign * 0.125, -0.115), (0.085, 0.016), 0.18, 0.9)  # brow
        paint((sign * 0.125, -0.045), (0.060, 0.026), 0.85)  # white
        paint((sign * 0.125, -0.045), (0.026, 0.027), 0.10)  # iris
        paint((sign * 0.125, -0.070), (0.066, 0.009), 0.15, 0.8)  # lid
        paint((sign * 0.045, 0.115), (0.018, 0.012), 0.22, 0.8)  # nostril
        paint((sign * 0.065, 0.100), (0.022, 0.030), 0.55, 0.5)  # wing
        paint((sign * 0.17, 0.10), (0.07, 0.07), 0.84, 0.3)  # cheek
    paint((0, 0.02), (0.022, 0.10), 0.92, 0.6)  # bridge
    paint((0, 0.095), (0.045, 0.030), 0.90, 0.5)  # tip
    paint((0, 0.135), (0.05, 0.012), 0.45, 0.6)  # below the nose
    half = 0.018 + 0.05 * opening
    for lips, shade in ((True, 0.42), (False, 0.12)):
        for along in np.linspace(-1, 1, 9):
            tall = max(0.006, half * (1 - 0.6 * along**2) + (0.016 if lips else -0.012))
            wide = (0.09 + 0.02 * smile) * along
            paint((wide, 0.24 - 0.045 * smile * along**2), (0.028, tall), shade)
    paint((0, 0.31 + 0.04 * opening), (0.08, 0.014), 0.55, 0.5)  # below the lip
    tint = np.array([1.0, 0.86, 0.76])
    noise = np.random.default_rng(seed).normal(0, 0.008, (side, side, 1))
    return np.clip((face[..., None] * tint + noise) * 255, 0, 255).astype(np.uint8)


def photograph(
    width: int = 480,
    height: int = 360,
    faces: tuple[tuple[int, int, int], ...] | None = None,
    opening: float = 0.0,
    smile: float = 0.0,
    seed: int = 0,
) -> Image:
    """A plain scene with drawn faces at (left, top, side); one in the middle unless given."""
    ys, xs = np.mgrid[0:height, 0:width]
    ground = 150 + 20 * np.sin(xs / 90 + seed) + 15 * ys / height
    scene = np.repeat(ground[..., None], 3, axis=2).astype(np.uint8)
    side = min(width, height) * 2 // 3
    if faces is None:
        faces = (((width - side) // 2, (height - side) // 2, side),)
    for left, top, size in faces:
        face = draw_face(size, opening, smile, seed)
        scene[top : top + size, left : left + size] = face
    return scene
