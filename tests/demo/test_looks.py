"""Toys and faces look as they did when the demo's figures were measured: small copies are kept.

A wanted change of looks writes them again: `python tests/demo/test_looks.py`.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from workbench.demo.faces import draw_face, draw_scene
from workbench.demo.toy_bodies import BODIES
from workbench.demo.toys import VIEWS, render_toy

LOOKS = Path(__file__).resolve().parents[1] / "fixtures" / "looks"
SMALL = 16  # pixels of a copy: averages over 4 × 4 pixels, which rounding hardly moves
MOST, MEAN = 2, 0.05  # largest difference of a pixel, and mean difference of a copy


def _small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)


def _toys() -> np.ndarray:
    """A row for each view of toys with one seed, a column for each body."""
    seeds = {view: seed for seed, view in enumerate(VIEWS)}
    return np.vstack(
        [
            np.hstack([_small(render_toy(body, view, seed, 64)) for body in range(len(BODIES))])
            for view, seed in seeds.items()
        ]
    )


def _faces() -> np.ndarray:
    """Closed, open and smiling mouths, then two scenes."""
    faces = [draw_face(64, opening, smile, 2) for opening, smile in ((0, 0), (0.8, 0), (0.3, 1))]
    scenes = [draw_scene(96, 80), draw_scene(160, 160, ((4, 8, 64), (80, 90, 60)), 0.5, 0.5, 3)]
    return np.hstack([_small(picture) for picture in (*faces, *scenes)])


def _kept(name: str) -> np.ndarray:
    with Image.open(LOOKS / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize(("name", "draw"), [("toys", _toys), ("faces", _faces)])
def test_toys_and_faces_look_as_they_did(name, draw):
    drawn, kept = draw().astype(int), _kept(name)
    assert drawn.shape == kept.shape
    difference = np.abs(drawn - kept)
    assert difference.max() <= MOST
    rows, columns = len(kept) // SMALL, kept.shape[1] // SMALL
    copies = difference.reshape(rows, SMALL, columns, -1)
    assert copies.mean(axis=(1, 3)).max() < MEAN


if __name__ == "__main__":
    LOOKS.mkdir(exist_ok=True)
    for name, picture in (("toys", _toys()), ("faces", _faces())):
        Image.fromarray(picture).save(LOOKS / f"{name}.png", optimize=True)
