"""Accuracy of the program's defaults on real images with ImageNet weights.

Run `python tests/bench/real_input.py [birds6|car-views|mouths …] [--seeds N] [--data FOLDER]`. Each
set is used as a user would: new project, import, split, training with nothing chosen but the
target, the backbone and its start weights. Bounds: birds6 ≥ 98.8 %, car-views ≥ 82 %, mouths ≥ 96.5
%, means over 3, 3 and 5 seeds of both the split and the training.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.domain.metrics import confusion_matrix
from workbench.domain.reports import Epoch
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.project import Project

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ANGLES = {
    "front": (330, 0, 30),
    "left": (60, 90, 120),
    "back": (150, 180, 210),
    "right": (240, 270, 300),
}


@dataclass(frozen=True)
class Case:
    """A set: its shares, its bound, and the accuracy of a plain loop."""

    target: str
    plan: Mapping[str, float]
    bound: float
    plain: float
    seeds: int
    folders: Mapping[str, tuple[str, ...]]
    chosen: Mapping[str, object] = field(default_factory=dict)


def cases(data: Path) -> dict[str, Case]:
    squeezenet = data / "weights" / "squeezenet1_0.safetensors"
    start = {"backbone": "squeezenet1_0", "start": f"file:{squeezenet}"}
    half = {"train": 0.5, "validation": 0.0, "test": 0.5}
    birds = [folder.name for folder in sorted((data / "birds6").iterdir()) if folder.is_dir()]
    return {
        "birds6": Case(
            "category", half, 98.8, 99.0, 3, {b: (f"birds6/{b}",) for b in birds}, start
        ),
        "car-views": Case(
            "view",
            half,
            82.0,
            82.8,
            3,
            {
                view: tuple(f"car-views/{angle}_degrees" for angle in angles)
                for view, angles in ANGLES.items()
            },
            start,
        ),
        "mouths": Case(
            "expression",
            {"train": 0.8, "validation": 0.0, "test": 0.2},
            96.5,
            96.0,
            5,
            {"none": ("mouths/0none",), "smile": ("mouths/2smile",)},
            {"backbone": "simpleconv3"},
        ),
    }


def import_case(session: Session, case: Case, data: Path, folder: Path) -> None:
    """Import a set by a list file with each image and its label."""
    lines = [
        f"{path} {label}"
        for label, folders in case.folders.items()
        for name in folders
        for path in sorted((data / name).iterdir())
    ]
    listed = folder / "list.txt"
    listed.write_text("\n".join(lines))
    outcome = run_here(import_task(session, [listed], {case.target: "list"}))
    assert isinstance(outcome, Done), outcome
    print(f"  imported {outcome.value.added} images", flush=True)


def train_case(session: Session, case: Case, seed: int) -> tuple[float, np.ndarray]:
    """Top-1 accuracy on the test part in %, and the confusion matrix."""
    split(session, SplitPlan(**case.plan, seed=seed), stratify=(case.target,))
    record = prepare(session, {"target": case.target, "seed": seed, **case.chosen})
    began = time.monotonic()

    def show(report: object) -> None:
        if isinstance(report, Epoch) and sys.stderr.isatty():
            print(f"\r  epoch {report.epoch}/{report.epochs}", end="", file=sys.stderr)

    outcome = run_here(training_task(session, record.id), show)
    assert isinstance(outcome, Done), outcome
    table = session.store.runs.predictions(record.id, Part.TEST)
    top1 = 100 * float((table.predicted == table.truth).mean())
    seconds = time.monotonic() - began
    print(f"  seed {seed}: {top1:.2f} % of {len(table)} test images, {seconds:.0f} s", flush=True)
    return top1, confusion_matrix(table.truth, table.predicted, table.scores.shape[1])


def measure(name: str, case: Case, seeds: int, data: Path) -> bool:
    """Train a set with every seed; print its mean and bound; return whether it is reached."""
    print(name, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        session = Session(Project.create(folder / name))
        try:
            import_case(session, case, data, folder)
            results = [train_case(session, case, seed) for seed in range(seeds)]
            labels = session.store.runs.all()[0].labels.target.labels
        finally:
            session.close()
    mean = sum(top1 for top1, _ in results) / len(results)
    print(f"  confusion over all seeds (rows truth, columns {', '.join(labels)}):")
    for label, row in zip(labels, sum(matrix for _, matrix in results), strict=True):
        print(f"    {label:>12} " + " ".join(f"{count:5}" for count in row))
    print(
        f"{name}: mean of {seeds} seeds {mean:.2f} %, bound {case.bound} %, plain loop "
        f"{case.plain} %, ratio to the bound {mean / case.bound:.4f}: "
        f"{'reached' if mean >= case.bound else 'NOT REACHED'}",
        flush=True,
    )
    return mean >= case.bound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=[])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There are no real images at {options.data}; give --data FOLDER.")
        return 1
    QCoreApplication.instance() or QCoreApplication([])
    known = cases(options.data)
    reached = [
        measure(name, known[name], options.seeds or known[name].seeds, options.data)
        for name in options.sets or known
    ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
