"""Mouth detection compared with a plain single-threaded script, on real images.

Run `python -m tests.bench.cropping [DATA]`; DATA is the folder of real images (../shared/data).
Bound: ≥ 1.8 × as fast as the script on 2 cores, with IoU ≥ 0.95 on the same faces. The script is
`plain` below: cascade 1.3/5, landmarks, mouth box. The images are the group images, and every sixth
portrait with 60 % of background around it (the original portraits fill their frame, where the
script finds next to nothing); a tenth of them is larger than 2,000 pixels. Both run as separate
programs, start included, in turn; the best of three rounds counts.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from workbench.app.mouths.cropping import search_images
from workbench.domain.geometry import Rect, mouth_box_of
from workbench.vision.mouths import FaceImage, landmarks_path

DATA = Path(__file__).parents[3] / "shared" / "data"
ROUNDS = 3
SAME = 0.95


def make_images(data: Path, folder: Path) -> None:
    """Write the portraits with background, and the group images, as JPEG files."""
    for path in sorted((data / "faces" / "images").glob("*.jpg"))[::6]:
        picture = cv2.imread(str(path))
        high, wide = (round(0.6 * side) for side in picture.shape[:2])
        framed = cv2.copyMakeBorder(picture, high, high, wide, wide, cv2.BORDER_REPLICATE)
        cv2.imwrite(str(folder / path.name), framed, [cv2.IMWRITE_JPEG_QUALITY, 92])
    for path in (data / "faces" / "group").glob("*.jpg"):
        (folder / path.name).write_bytes(path.read_bytes())


def plain(folder: Path) -> dict[str, list[list[int]]]:
    """Run the single-threaded script."""
    import dlib

    cv2.setNumThreads(1)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    predictor = dlib.shape_predictor(str(landmarks_path()))
    found: dict[str, list[list[int]]] = {}
    for path in sorted(folder.glob("*.jpg")):
        picture = cv2.imread(str(path))
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        squares = found.setdefault(path.name, [])
        for x, y, w, h in cascade.detectMultiScale(grey, 1.3, 5):
            box = dlib.rectangle(int(x), int(y), int(x + w), int(y + h))
            points = [(p.x, p.y) for p in predictor(grey, box).parts()]
            square, _ = mouth_box_of(points, grey.shape[1], grey.shape[0])
            squares.append(list(square.as_tuple()))
    return found


def ours(folder: Path) -> dict[str, list[list[int]]]:
    """Run the program's pool of processes."""
    paths = sorted(folder.glob("*.jpg"))
    photos = [FaceImage(i, str(path)) for i, path in enumerate(paths)]
    return {
        paths[looked.image].name: [list(c.rect.as_tuple()) for c in looked.crops if c.rect]
        for looked in search_images(photos, landmarks_path())
        if looked is not None
    }


def processor_seconds() -> float:
    """Processor time of all child processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(way: str, folder: Path) -> tuple[float, dict[str, list[list[int]]]]:
    """Run one way over the images as a program; return its seconds and the mouth boxes."""
    out = folder / f"{way}.json"
    began, used = time.perf_counter(), processor_seconds()
    subprocess.run([sys.executable, "-m", __spec__.name, way, str(folder), str(out)], check=True)
    spent = time.perf_counter() - began
    print(
        f"{way:6} {spent:6.1f} s, of the processor {processor_seconds() - used:6.1f} s"
        f"   (load {os.getloadavg()[0]:.1f})",
        flush=True,
    )
    return spent, json.loads(out.read_text())


def compare(script: dict[str, list[list[int]]], mine: dict[str, list[list[int]]]) -> bool:
    """Print how far the boxes agree; return whether nine in ten of the script's are found."""
    pairs = [
        max((Rect(*one).iou(Rect(*other)) for other in mine[name]), default=0.0)
        for name, boxes in script.items()
        for one in boxes
    ]
    same = sum(iou >= SAME for iou in pairs)
    faces = sum(iou >= 0.3 for iou in pairs)
    print(f"boxes of the script         {len(pairs)}")
    print(f"the same face in ours       {faces}; IoU ≥ {SAME}: {same} = {same / max(1, faces):.1%}")
    print(f"in the script alone         {len(pairs) - faces} (folds of a face, backgrounds)")
    print(f"boxes of ours               {sum(map(len, mine.values()))}")
    for name, way in (("script", script), ("ours", mine)):
        print(f"images with a mouth         {sum(map(bool, way.values()))} of {len(way)} ({name})")
    return same >= 0.95 * faces


def main() -> int:
    if len(sys.argv) == 4:
        way = {"plain": plain, "ours": ours}[sys.argv[1]]
        Path(sys.argv[3]).write_text(json.dumps(way(Path(sys.argv[2]))))
        return 0
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not (data / "faces").is_dir():
        print(f"{data / 'faces'} does not exist; nothing measured")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        make_images(data, Path(folder))
        seconds: dict[str, list[float]] = {"plain": [], "ours": []}
        found = {}
        for _ in range(ROUNDS):
            for way in seconds:
                spent, found[way] = timed(way, Path(folder))
                seconds[way].append(spent)
        agree = compare(found["plain"], found["ours"])
    ratio = min(seconds["plain"]) / min(seconds["ours"])
    print(f"script {min(seconds['plain']):.1f} s, ours {min(seconds['ours']):.1f} s: {ratio:.2f} ×")
    return 0 if agree and ratio >= 1.8 else 1


if __name__ == "__main__":
    sys.exit(main())
