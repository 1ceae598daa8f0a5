"""Mouths in real images: how many are found, how well the boxes fit, and group images.

Run `python -m tests.bench.faces [DATA]`; DATA is the folder of real images (../shared/data). Bound:
a mouth in ≥ 97 % of the 865 images of one face each. Compared with the cascade (1.3/5) alone.
"""

from __future__ import annotations

import csv
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from workbench.app.mouths.cropping import search_images
from workbench.domain.crops import Crop
from workbench.domain.geometry import Rect, mouth_box_of
from workbench.vision.mouths import FaceImage, SearchedImage, landmarks_path
from workbench.vision.reading import read_header

DATA = Path(__file__).parents[3] / "shared" / "data"
RIGHT = 0.5  # IoU from which a box counts as this mouth's


def look(paths: Iterable[Path]) -> dict[Path, SearchedImage]:
    """Find the mouths of each image."""
    listed = list(paths)
    photos = [FaceImage(i, str(path)) for i, path in enumerate(listed)]
    found = (looked for looked in search_images(photos, landmarks_path()) if looked is not None)
    return {listed[looked.image]: looked for looked in found}


def annotated(folder: Path) -> dict[Path, Rect]:
    """The mouth box of each image from its 68 annotated points."""
    squares = {}
    with (folder / "annotations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            path = folder / "images" / row["filename"]
            values = [float(value) for value in row["points"].split(",")]
            header = read_header(path)
            points = list(zip(values[::2], values[1::2], strict=True))
            squares[path] = mouth_box_of(points, header.width, header.height)[0]
    return squares


def portraits(folder: Path) -> bool:
    """Print how many single faces were found and how well; return whether the bound was reached."""
    truth = annotated(folder)
    began = time.monotonic()
    looked = look(truth)
    seconds = time.monotonic() - began
    usable = {p: [c for c in found.crops if c.rect] for p, found in looked.items()}
    first = [crops[0].rect.iou(truth[p]) for p, crops in usable.items() if crops]
    share = len(first) / len(truth)
    print(f"images of one face          {len(truth)}, in {seconds:.0f} s")
    print(f"a mouth found               {len(first)} = {share:.1%} (bound 97 %; by hand 97.8 %)")
    print(f"IoU with the annotated one  median {np.median(first):.3f}")
    print(f"the right mouth (IoU ≥ {RIGHT}) {sum(iou >= RIGHT for iou in first)}")
    print(f"several faces               {sum(len(crops) > 1 for crops in usable.values())}")
    detectors = Counter(crops[0].detector for crops in usable.values() if crops)
    print("found by                   ", ", ".join(f"{k} {n}" for k, n in detectors.most_common()))
    doubted = sum(bool(crops) and "only" in crops[0].reason for crops in usable.values())
    print(f"marked as uncertain         {doubted}")
    return share >= 0.97


def group_boxes(folder: Path) -> dict[str, list[Rect]]:
    """The annotated face boxes of each group image."""
    boxes: dict[str, list[Rect]] = {}
    for file in folder.glob("*.xml"):
        for image in ET.parse(file).iter("image"):
            found = []
            for box in image.iter("box"):
                left, top = int(box.get("left", 0)), int(box.get("top", 0))
                width, height = int(box.get("width", 0)), int(box.get("height", 0))
                found.append(Rect(left, top, left + width, top + height))
            boxes[image.get("file", "")] = found
    return boxes


def groups(folder: Path) -> None:
    """Print, for each group image, how many of the annotated faces have a mouth."""
    boxes = group_boxes(folder)
    print("\ngroup image                 annotated  crops  of these faces  smallest box")
    for path, looked in sorted(look(sorted(folder.glob("*.jpg"))).items()):
        crops = [crop for crop in looked.crops if crop.rect]
        known = boxes.get(path.name)
        text = f"{'–':>9}  {len(crops):5}"
        if known is not None:
            least = min((box.width for box in known), default=0)
            met = sum(any(lies_in(crop, box) for crop in crops) for box in known)
            text = f"{len(known):9}  {len(crops):5}  {met:14}  {least:9} px"
        why = looked.crops[0].reason if not crops else ""
        print(f"{path.name:27} {text}  {why}")


def lies_in(crop: Crop, box: Rect) -> bool:
    """Return whether the centre of the mouth box is in the face's box, or just below it."""
    assert crop.rect is not None
    x = (crop.rect.left + crop.rect.right) / 2
    y = (crop.rect.top + crop.rect.bottom) / 2
    return box.left <= x <= box.right and box.top <= y <= box.bottom + box.height // 4


def main() -> int:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not (data / "faces").is_dir():
        print(f"{data / 'faces'} does not exist; nothing measured")
        return 0
    reached = portraits(data / "faces")
    groups(data / "faces" / "group")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
