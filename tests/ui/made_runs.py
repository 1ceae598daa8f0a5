"""A small project with real image files and finished runs, for the pages that show them."""

from __future__ import annotations

import cv2
import numpy as np

from workbench.domain.images import FoundImage
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT, Recipe, to_toml
from workbench.domain.reports import Epoch
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.storage.project import Project

CLASSES = ("owl", "puffin", "toucan")
VIEWS = ("front", "back", "left", "right")
PER_CLASS = 10


def fill(store: Project, folder) -> list[int]:
    """Thirty coloured images: ten owls, ten puffins, ten toucans, seen from four sides."""
    folder.mkdir()
    found = []
    for i in range(len(CLASSES) * PER_CLASS):
        pixels = np.full((24, 32, 3), (60 * (i // PER_CLASS), 8 * i, 120), np.uint8)
        path = folder / f"bird {i:02}.png"
        cv2.imwrite(str(path), pixels)
        stat = path.stat()
        labels = (("category", CLASSES[i // PER_CLASS]), ("view", VIEWS[i % 4]))
        found.append(FoundImage(path.name, f"hash{i}", 32, 24, stat.st_size, stat.st_mtime, labels))
    with store.edit("Import"):
        return list(store.images.add(store.images.add_source(str(folder), "folder"), found))


def make_run(
    store: Project, images, name, wrong=(), *, target="category", status="finished", **keys
):
    """A run in which the images at positions `wrong` were taken for the next class; the first of
    each class's ten are in the train part, the last six in the test part."""
    n = len(images)
    truth = np.arange(n) // PER_CLASS
    predicted = truth.copy()
    predicted[list(wrong)] = (truth[list(wrong)] + 1) % len(CLASSES)
    scores = np.full((n, 3), 0.1, np.float32)
    scores[np.arange(n), predicted] = 0.8
    views = np.arange(n) % 4
    joint = target == JOINT
    labels = RunLabels(
        LabelList("category", CLASSES, (0, 1, 2)),
        LabelList("view", VIEWS, (0, 1, 3, 2)) if joint else None,
    )
    record = RunRecord(
        id=name.replace(" ", "-"),
        name=name,
        status=RunStatus(status),
        target=target,
        recipe_toml=to_toml(Recipe(target=target, **keys)),
        labels=labels,
        created=1.7e9 + len(store.runs.all()),
        metrics={"test": {"top1": 1 - len(wrong) / n, "top5": 1.0, "loss": 0.3, "images": 18}},
        message="The memory of the device is full." if status == "failed" else "",
        epochs_done=3,
    )
    store.runs.create(record)
    for i in (1, 2, 3):
        store.runs.add_epoch(record.id, epoch(i))
    if status == "finished":
        view_scores = np.eye(4, dtype=np.float32)[views] if joint else None
        store.runs.save_predictions(
            record.id,
            PredictionTable(
                images=np.array(images, np.int64),
                crops=np.full(n, -1, np.int64),
                parts=np.where(np.arange(n) % PER_CLASS < 4, 0, 2).astype(np.int64),
                truth=truth.astype(np.int64),
                scores=scores,
                view_truth=views.astype(np.int64) if joint else np.full(n, -1, np.int64),
                view_scores=view_scores,
                true_view=np.array(VIEWS, np.str_)[views],
            ),
        )
    return store.runs.get(record.id)


def epoch(number, epochs=3):
    """A finished epoch that learned something."""
    return Epoch(
        epoch=number,
        epochs=epochs,
        train_loss=1.0 / number,
        train_accuracy=1 - 0.5 / number,
        validation_loss=1.2 / number,
        validation_accuracy=1 - 0.6 / number,
        learning_rate=0.005,
        images_per_second=250.0,
        seconds=1.0,
        eta=float(epochs - number),
        best=number == 2,
    )
