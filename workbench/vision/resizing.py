"""Parts of images brought to one size, straight into the memory where they are wanted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def resize_into(out: NDArray[np.uint8], part: NDArray[np.uint8], mirrored: bool) -> None:
    """Fill `out` (h × w × 3) with `part` (H × W × 3), left and right exchanged if `mirrored`.

    Where both sides shrink each pixel is the mean of the area it covers, else of its neighbours.
    """
    size = (out.shape[1], out.shape[0])
    if part.shape == out.shape:
        np.copyto(out, part)
    else:
        cv2.resize(part, size, dst=out, interpolation=cv2.INTER_AREA)
    if mirrored:
        cv2.flip(out, 1, dst=out)
