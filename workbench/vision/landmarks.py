"""The 68 landmarks of a face, and the file that knows them: found, or chosen by the user."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect

FILE_NAME = "shape_predictor_68_face_landmarks.dat"
LICENCE_NOTE = "its training photographs (iBUG 300-W) are for non-commercial use"
POINTS = 68

Points = tuple[tuple[float, float], ...]
Landmarks = Callable[[NDArray[np.uint8], Rect], Points]


def landmarks_path(chosen: str | Path | None = None) -> Path:
    """The 68-point file: `chosen`, else the one that face_recognition_models brings (the package is
    located, not imported). Raises KnownError with what to do when it is missing."""
    if chosen:
        path = Path(chosen)
        if path.is_file():
            return path
        raise KnownError(f"{path}, the 68-point file, does not exist.", "Choose another file.")
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "models" / FILE_NAME
        if path.is_file():
            return path
    raise KnownError(
        f"The 68-point file {FILE_NAME} is missing.",
        "Install face_recognition_models, or choose the file on the Mouths page.",
    )


def load_landmarks(path: Path) -> Landmarks:
    """The predictor in `path`: H × W grey pixels and a face's box to 68 (x, y) points, which may
    lie outside the image. Raises KnownError naming the file when it holds no such predictor."""
    try:
        predictor = dlib.shape_predictor(str(path))
        blank = np.zeros((64, 64), np.uint8)
        count = predictor(blank, dlib.rectangle(8, 8, 55, 55)).num_parts
    except RuntimeError as error:
        raise KnownError(f"{path} is not a landmark file.", "Choose another file.") from error
    if count != POINTS:
        raise KnownError(f"{path} knows {count} landmarks, not 68.", "Choose another file.")

    def points(grey: NDArray[np.uint8], face: Rect) -> Points:
        box = dlib.rectangle(face.left, face.top, face.right, face.bottom)  # as scripts pass it
        return tuple((float(p.x), float(p.y)) for p in predictor(grey, box).parts())

    return points
