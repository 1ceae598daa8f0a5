"""Accuracy with each `aspect` on ten look-alike species: as they were photographed, and on 16:9.

Run `python tests/bench/wide_images.py [--seeds N] [--data FOLDER]`. For 16:9 the edge of each
photograph is continued on one or both sides, so that it stands at the left, in the middle or at the
right. Half of the images are for training, a quarter each for validation and testing; the choice is
made on validation. SqueezeNet 1.0 with ImageNet weights, all other settings recommended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import get_args

import cv2
from PySide6.QtCore import QCoreApplication
from real_input import DATA

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.domain.recipes import Aspect
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.project import Project


def widen(source: Path, target: Path) -> None:
    """Copy the photographs below `source` onto canvases of 16:9."""
    for at, path in enumerate(sorted(source.rglob("*.jpg"))):
        image = cv2.imread(str(path))
        room = max(0, round(image.shape[0] * 16 / 9) - image.shape[1])
        left = (0, room // 2, room)[at % 3]
        wide = cv2.copyMakeBorder(image, 0, 0, left, room - left, cv2.BORDER_REPLICATE)
        (target / path.parent.name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target / path.parent.name / path.name), wide)


def accuracy(session: Session, aspect: Aspect, seed: int, weights: Path) -> dict[Part, float]:
    """Top-1 accuracy in % on the validation and the test part."""
    split(session, SplitPlan(0.5, 0.25, 0.25, seed=seed), stratify=("category",))
    recipe = {"backbone": "squeezenet1_0", "start": f"file:{weights}", "aspect": aspect}
    record = prepare(session, {"target": "category", "seed": seed, **recipe})
    outcome = run_here(training_task(session, record.id))
    assert isinstance(outcome, Done), outcome
    found = {}
    for part in (Part.VALIDATION, Part.TEST):
        table = session.store.runs.predictions(record.id, part)
        found[part] = 100 * float((table.predicted == table.truth).mean())
    return found


def measure(name: str, images: Path, folder: Path, seeds: int, weights: Path) -> None:
    session = Session(Project.create(folder / name.replace(":", " ")))
    try:
        imported = run_here(import_task(session, [images], {"category": "folder"}))
        assert isinstance(imported, Done), imported
        for aspect in get_args(Aspect):
            found = [accuracy(session, aspect, seed, weights) for seed in range(seeds)]
            means = {part.value: sum(one[part] for one in found) / seeds for part in found[0]}
            text = ", ".join(f"{part} {mean:.1f} %" for part, mean in means.items())
            print(f"{name:>16} {aspect:>8}: {text} (mean of {seeds} seeds)", flush=True)
    finally:
        session.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There are no real images at {options.data}; give --data FOLDER.")
        return 1
    QCoreApplication.instance() or QCoreApplication([])
    weights = options.data / "weights" / "squeezenet1_0.safetensors"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        widen(options.data / "cub10", folder / "wide")
        measure("as photographed", options.data / "cub10", folder, options.seeds, weights)
        measure("16:9", folder / "wide", folder, options.seeds, weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
