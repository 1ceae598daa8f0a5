"""Mouth crops of a photograph: faces, their landmarks, and the square around each mouth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.domain.crops import SAME_FACE_IOU, Crop, CropState
from workbench.domain.geometry import mouth_square
from workbench.vision.faces import Detectors, Face, find_faces, load_detectors
from workbench.vision.landmarks import Landmarks, load_landmarks
from workbench.vision.reading import read_grey

NO_FACE = "no face was found"
NOT_SURE = "only the cascade sees a face here"
TOO_LARGE = "the square is larger than the image and was cut to it"
OUTSIDE = "the mouth lies outside the image"


@dataclass(frozen=True)
class MouthFinder:
    """Detectors and landmarks, loaded once per process."""

    detectors: Detectors
    landmarks: Landmarks

    @classmethod
    def load(cls, landmarks_file: Path) -> MouthFinder:
        """The finder with the 68-point file; raises KnownError when a file is missing or wrong."""
        return cls(load_detectors(), load_landmarks(landmarks_file))

    def find(self, image: int, path: Path) -> tuple[Crop, ...]:
        """The crops of the photograph at `path`; raises KnownError when it cannot be read."""
        return self.find_in(image, read_grey(path))

    def find_in(self, image: int, grey: NDArray[np.uint8]) -> tuple[Crop, ...]:
        """One crop per face in H × W grey pixels, largest face first (of those that are sure), or
        one miss that says why. `image` is the image's id."""
        crops: list[Crop] = []
        reason = NO_FACE
        for face in find_faces(grey, self.detectors):
            crop = self._crop(image, len(crops), face, grey)
            if crop is None:
                reason = OUTSIDE
            elif not any(_same_mouth(crop, other) for other in crops):
                crops.append(crop)
        return tuple(crops) or (Crop(None, image, 0, CropState.MISSED, reason=reason),)

    def _crop(self, image: int, number: int, face: Face, grey: NDArray[np.uint8]) -> Crop | None:
        height, width = grey.shape
        points = self.landmarks(grey, face.rect)
        xs, ys = [x for x, _ in points[48:68]], [y for _, y in points[48:68]]
        if max(xs) < 0 or max(ys) < 0 or min(xs) >= width or min(ys) >= height:
            return None
        square, fits = mouth_square(points, width, height)
        reasons = ([] if face.sure else [NOT_SURE]) + ([] if fits else [TOO_LARGE])
        return Crop(
            None, image, number, CropState.FOUND, square, points, face.detector,
            reason="; ".join(reasons),
        )  # fmt: skip


def _same_mouth(one: Crop, other: Crop) -> bool:
    assert one.rect is not None
    assert other.rect is not None
    return one.rect.iou(other.rect) >= SAME_FACE_IOU
