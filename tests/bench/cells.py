"""Images of a confusion cell with a million predictions, and other queries of the Results page.

Run `python tests/bench/cells.py [PREDICTIONS]`. Bound: a cell in ≤ 100 ms. Compared with numpy,
selecting the same cell from arrays in memory.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.domain.predictions import PredictionTable
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part
from workbench.storage.project import Project

CLASSES = 20
TEST = 2


def milliseconds(work: Callable[[], object]) -> float:
    """Measure the wall time of `work`, in ms."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def predictions(count: int) -> PredictionTable:
    """Predictions of a run that is right for four of five images."""
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, count)
    scores = random.random((count, CLASSES), np.float32)
    scores[np.arange(count), np.where(random.random(count) < 0.8, truth, 0)] += 1
    nobody = np.full(count, -1)
    scores /= scores.sum(axis=1, keepdims=True)
    parts = np.full(count, TEST)
    names = np.full(count, "")
    return PredictionTable(
        np.arange(1, count + 1), nobody, parts, truth, scores, nobody, None, names
    )


def main(count: int) -> None:
    """Measure everything."""
    labels = LabelList(
        "category", tuple(f"kind {i}" for i in range(CLASSES)), tuple(range(CLASSES))
    )
    table = predictions(count)
    with tempfile.TemporaryDirectory() as name:
        project = Project.create(Path(name) / "Bench")
        project.runs.create(
            RunRecord("r", "r", RunStatus.FINISHED, "category", "", RunLabels(labels), 1.0)
        )
        saved = milliseconds(lambda: project.runs.save_predictions("r", table))
        project.close()
        project = Project.open(project.folder)
        print(f"{count:,} predictions of {CLASSES} classes, stored in {saved:.0f} ms")
        wrong = [(t, 0) for t in range(1, CLASSES)]
        for what, cells in {
            "wrong, cold": wrong[:1],
            "wrong, each": wrong,
            "right (the largest)": [(0, 0)],
        }.items():
            taken, beside = [], []
            for truth, output in cells:
                predicted = table.predicted
                taken.append(
                    milliseconds(lambda c=(truth, output): project.runs.cell("r", Part.TEST, *c))
                )
                beside.append(
                    milliseconds(
                        lambda c=(truth, output), p=predicted: table.images[
                            (table.parts == TEST) & (table.truth == c[0]) & (p == c[1])
                        ]
                    )
                )
            images = len(project.runs.cell("r", Part.TEST, *cells[-1]))
            worst = max(taken)
            print(
                f"cell {what:<22} worst {worst:7.2f} ms ({images:,} images)   bound 100 "
                f"{'reached' if worst <= 100 else 'MISSED'}   beside {max(beside):6.2f} ms, "
                f"ratio {worst / max(beside):5.2f}"
            )
        whole = milliseconds(lambda: project.runs.predictions("r", Part.TEST))
        print(f"all predictions {whole:.0f} ms")
        some = list(range(1, 2000, 10))
        asked = milliseconds(lambda: project.runs.suggestions("category", some))
        print(f"suggestions for a screen of 200 {asked:.2f} ms")
        project.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
