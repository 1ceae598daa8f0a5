"""Toy vehicles rendered in 3-D, so that the program can be shown and tested without photographs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.demo.toy_bodies import BODIES, faces_of
from workbench.domain.errors import ValueRefused
from workbench.files import writing

Pixels = NDArray[np.uint8]


def backdrop(side: int, horizon: float, random: np.random.Generator) -> Pixels:
    """A background, side × side × 3 RGB uint8, with the ground starting at row `horizon`."""
    ground, sky = _tone(random, 60, 190), _tone(random, 110, 250)
    rows = np.arange(side, dtype=np.float32)[:, None]
    fade = np.clip(np.abs(rows - horizon) / side, 0, 1)
    column = np.where(rows > horizon, ground * (1.0 - 0.35 * fade), sky * (0.85 + 0.3 * fade))
    canvas = np.repeat(column[:, None, :], side, axis=1)
    pixels: Pixels = np.ascontiguousarray(np.clip(canvas, 0, 255).astype(np.uint8))
    _clutter(pixels, horizon, random)
    grain = random.normal(0, 9, (side // 8 + 1, side // 8 + 1, 1)).astype(np.float32)
    rough = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    result: Pixels = np.clip(pixels + rough[:, :, None], 0, 255).astype(np.uint8)
    return result


def _tone(random: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    return random.uniform(low, high) * random.uniform(0.8, 1.1, 3)


def _clutter(pixels: Pixels, horizon: float, random: np.random.Generator) -> None:
    side = pixels.shape[0]
    base = int(horizon + random.uniform(0, 0.08) * side)
    for _ in range(int(random.integers(2, 8))):
        colour = tuple(float(c) for c in _tone(random, 40, 230))
        x = int(random.uniform(-0.1, 1) * side)
        width, height = (int(v) for v in random.uniform(0.08, 0.4, 2) * side)
        if random.random() < 0.6:
            cv2.rectangle(pixels, (x, base - height), (x + width, base), colour, -1)
        else:
            cv2.circle(pixels, (x, base - height // 2), max(2, width // 2), colour, -1)
    for _ in range(int(random.integers(0, 4))):
        colour = tuple(float(c) for c in _tone(random, 60, 220))
        ends = random.uniform(0, 1, (2, 2)) * (side, side - horizon) + (0, horizon)
        first, last = np.rint(ends).astype(int).tolist()
        cv2.line(pixels, first, last, colour, int(random.integers(1, 5)))


__all__ = ["BODIES", "VIEWS", "render_toy", "save_toy"]

VIEWS = ("front", "back", "left", "right")
_AZIMUTH = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
_OVERSAMPLING = 2
_FIELD = 1.55  # focal length divided by the image side
_AMBIENT = 0.5

Array = NDArray[np.float64]


_FIXED = {
    "glass": (0.16, 0.20, 0.25),
    "tyre": (0.09, 0.09, 0.10),
    "hub": (0.62, 0.63, 0.65),
    "headlight": (1.0, 0.98, 0.86),
    "taillight": (0.86, 0.10, 0.10),
    "grille": (0.12, 0.12, 0.13),
    "trim": (0.22, 0.22, 0.23),
    "plate": (0.92, 0.92, 0.88),
    "sign": (0.98, 0.72, 0.18),
}


@dataclass(frozen=True)
class _Mesh:
    """All corners of a body in one array, faces as ranges of it, and unit normals."""

    corners: Array
    starts: NDArray[np.int64]
    normals: Array
    materials: tuple[str, ...]


@dataclass(frozen=True)
class _Camera:
    """Camera position (metres) and its axes as rows: right, down, forward."""

    at: Array
    axes: Array
    focal: float
    centre: tuple[float, float]


@functools.cache
def _mesh(body: int) -> _Mesh:
    faces = faces_of(body)
    corners = np.asarray([p for face in faces for p in face.points], dtype=np.float64)
    starts = np.cumsum([0, *(len(face.points) for face in faces)])
    normals = np.asarray([face.normal for face in faces], dtype=np.float64)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return _Mesh(corners, starts, normals, tuple(face.material for face in faces))


def render_toy(body: int, view: str, seed: int, size: int = 96) -> Pixels:
    """Render body number `body` of BODIES seen from `view`, as size × size × 3 RGB uint8.

    In "left" the front points to the left of the image. Colour, light, background, size, position
    and small pose changes are drawn from `seed`; the same arguments give the same image. Raises
    ValueRefused for an unknown body or view.
    """
    if not 0 <= body < len(BODIES):
        raise ValueRefused("body", body, f"0 to {len(BODIES) - 1}")
    if view not in VIEWS:
        raise ValueRefused("view", view, ", ".join(VIEWS))
    random = np.random.default_rng([seed, body, VIEWS.index(view)])
    side = size * _OVERSAMPLING
    mesh = _mesh(body)
    corners = mesh.corners * random.uniform(0.94, 1.06, 3)
    camera = _camera(corners, view, side, random)
    canvas = backdrop(side, _horizon(camera, side), random).astype(np.float32)
    light = _unit(np.array([*random.normal(0, 1, 2), random.uniform(0.7, 1.6)]))
    colours = _colours(mesh, light, camera, random)
    _shadow(canvas, corners, light, camera)
    _paint(canvas, mesh, corners, colours, camera)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    gain = random.uniform(0.9, 1.25)
    noisy = np.asarray(small) * gain + random.normal(0, 3.0, (size, size, 3))
    pixels: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return pixels


def save_toy(path: Path, body: int, view: str, seed: int, size: int = 96) -> None:
    """Write the image of `render_toy` as a JPEG. Raises KnownError naming the file."""
    pixels = cv2.cvtColor(render_toy(body, view, seed, size), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 94])
    with writing(path):
        path.write_bytes(data.tobytes())


def _unit(vector: Array) -> Array:
    length: Array = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector / length


def _camera(corners: Array, view: str, side: int, random: np.random.Generator) -> _Camera:
    azimuth = np.radians(_AZIMUTH[view] + random.uniform(-20, 20))
    height = np.radians(random.uniform(4, 20))
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle = np.array([0.0, 0.0, (low[2] + high[2]) / 2])
    extent = high - low
    across = abs(np.sin(azimuth)) * extent[0] + abs(np.cos(azimuth)) * extent[1]
    span = max(across, extent[2] * 1.2)
    reach = span * _FIELD * random.uniform(0.98, 1.2) + abs(np.cos(azimuth)) * extent[0] / 2
    away = np.array(
        [np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), np.sin(height)]
    )
    forward = -away
    right = _unit(np.cross(forward, np.array([0.0, 0.0, 1.0])))
    down = np.cross(forward, right)
    roll = np.radians(random.uniform(-3, 3))
    turned = np.cos(roll) * right + np.sin(roll) * down
    axes = np.stack([turned, np.cross(forward, turned), forward])
    centre = side / 2 + random.uniform(-0.06, 0.06, 2) * side
    return _Camera(middle + away * reach, axes, _FIELD * side, (float(centre[0]), float(centre[1])))


def _horizon(camera: _Camera, side: int) -> float:
    """Row of the horizon, in pixels."""
    down = camera.axes[1, 2]
    forward = camera.axes[2, 2]
    return float(np.clip(camera.centre[1] - camera.focal * forward / down, 0, side))


def _project(points: Array, camera: _Camera) -> tuple[Array, Array]:
    """Camera coordinates (n × 3) and image coordinates (n × 2, pixels) of world points."""
    seen = (points - camera.at) @ camera.axes.T
    flat = camera.focal * seen[:, :2] / seen[:, 2:] + np.asarray(camera.centre)
    return seen, flat


def _colours(mesh: _Mesh, light: Array, camera: _Camera, random: np.random.Generator) -> Array:
    hue = random.uniform(0, 180)
    saturation = random.choice([random.uniform(0, 50), random.uniform(110, 235)])
    value = random.uniform(80, 245)
    palette = dict(_FIXED)
    palette["paint"] = _rgb(hue, saturation, value)
    palette["stripe"] = _rgb(hue + 90, 180, 210)
    palette["cargo"] = _rgb(
        hue + random.uniform(-60, 60), saturation * 0.4, random.uniform(110, 235)
    )
    base = np.asarray([palette[material] for material in mesh.materials])
    lambert = np.clip(mesh.normals @ light, 0, None)
    glow = np.asarray([material in ("headlight", "sign") for material in mesh.materials])
    shade = np.where(glow, 1.0, _AMBIENT + (1 - _AMBIENT) * lambert)
    half = _unit(light - camera.axes[2])
    shine = 0.35 * np.clip(mesh.normals @ half, 0, None) ** 24
    result: Array = np.clip(base * shade[:, None] + shine[:, None], 0, 1) * 255
    return result


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    pixel = np.array([[[int(hue) % 180, int(saturation), int(value)]]], np.uint8)
    red, green, blue = np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB))[0, 0] / 255.0
    return (float(red), float(green), float(blue))


def _shadow(canvas: NDArray[np.float32], corners: Array, light: Array, camera: _Camera) -> None:
    """Darken the ground under the vehicle: the convex hull of its corners projected along the
    light."""
    drop = corners[:, 2:] / max(0.5, float(light[2])) * light[None, :2]
    ground = np.column_stack([corners[:, :2] - drop * 0.6, np.zeros(len(corners))])
    _, flat = _project(ground, camera)
    hull = cv2.convexHull(flat.astype(np.float32))
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 120)
    soft = cv2.blur(mask, (7, 7)).astype(np.float32) / 255
    canvas *= (1 - soft)[:, :, None]


def _paint(
    canvas: NDArray[np.float32], mesh: _Mesh, corners: Array, colours: Array, camera: _Camera
) -> None:
    """Draw all faces that point to the camera, with a depth buffer.

    Inverse depth is affine in the image: for a face in the plane n·p = d of camera space, it is
    n·((u − cx)/f, (v − cy)/f, 1)/d at the pixel (u, v).
    """
    seen, flat = _project(corners, camera)
    normals = mesh.normals @ camera.axes.T
    first = seen[mesh.starts[:-1]]
    distances = np.einsum("ij,ij->i", normals, first)
    nearest = np.zeros(canvas.shape[:2], np.float32)
    fixed = np.rint(flat * 16).astype(np.int32)
    for i in np.flatnonzero(distances < -1e-6):
        polygon = fixed[mesh.starts[i] : mesh.starts[i + 1]]
        _face(canvas, nearest, polygon, normals[i] / distances[i], colours[i], camera)


def _face(
    canvas: NDArray[np.float32],
    nearest: NDArray[np.float32],
    polygon: NDArray[np.int32],
    plane: Array,
    colour: Array,
    camera: _Camera,
) -> None:
    side = canvas.shape[0]
    left, top = np.maximum(polygon.min(axis=0) // 16, 0)
    right, bottom = np.minimum(polygon.max(axis=0) // 16 + 2, side)
    if right <= left or bottom <= top:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [polygon - np.array([left, top], np.int32) * 16], 1, shift=4)
    across = plane[0] * (np.arange(left, right) - camera.centre[0]) / camera.focal
    along = plane[1] * (np.arange(top, bottom) - camera.centre[1]) / camera.focal + plane[2]
    inverse = (across[None, :] + along[:, None]).astype(np.float32)
    window = nearest[top:bottom, left:right]
    shown = (mask > 0) & (inverse > window)
    window[shown] = inverse[shown]
    canvas[top:bottom, left:right][shown] = colour
