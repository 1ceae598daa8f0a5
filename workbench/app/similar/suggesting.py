"""Suggestions: labels predicted by the newest run for unlabelled images, and accepting them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from workbench.app.jobs import Task
from workbench.app.results.predicting import Predicted, predict_task
from workbench.app.results.run_images import has_network
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.labels import ACCEPTED, Author, Subject
from workbench.domain.runs import RunStatus
from workbench.domain.text import counted

IntArray = NDArray[np.int64]

AT_MOST = 20_000  # images predicted automatically, which takes minutes, not hours


@dataclass(frozen=True)
class Suggestion:
    """A label and its softmax score in [0, 1] by the newest run."""

    label: str
    confidence: float


def suggestions(
    session: Session, label_set: str, image_ids: Sequence[int] | IntArray
) -> dict[int, Suggestion]:
    """The newest run's predictions for these images, labelled or not, by image id.

    Labels that are no longer in the set are left out.
    """
    known = session.store.labels.get(label_set).names
    found = session.store.runs.suggestions(label_set, image_ids)
    return {
        image: Suggestion(label, confidence)
        for image, (label, confidence) in found.items()
        if label in known
    }


def accept(session: Session, image_ids: Sequence[int] | IntArray, label_set: str) -> int:
    """Label images as suggested, as one edit; return their number.

    Accepted suggestions count as labels by hand, with the model's confidence. Images without a
    suggestion are skipped.
    """
    found = suggestions(session, label_set, image_ids)
    if not found:
        return 0
    alike: dict[tuple[str, float], list[int]] = defaultdict(list)
    for image, suggestion in found.items():
        alike[suggestion.label, min(suggestion.confidence, ACCEPTED)].append(image)
    count = len(found)
    text = counted(
        count,
        "Accept {label_set} of {n:,} image",
        "Accept {label_set} of {n:,} images",
        label_set=label_set,
    )
    with session.edit(text):
        for (label, confidence), images in alike.items():
            session.store.labels.assign(images, label_set, label, Author.HUMAN, confidence)
    return count


def by_uncertainty(
    session: Session, label_set: str, image_ids: Sequence[int] | IntArray
) -> IntArray:
    """These images sorted by uncertainty of the newest run (1 − top score), highest first; images
    without a prediction last, in the given order."""
    ids = np.asarray(image_ids, np.int64)
    found = session.store.runs.suggestions(label_set, ids)
    doubt = np.array([1.0 - found[i][1] if i in found else -1.0 for i in ids.tolist()])
    ordered: IntArray = ids[np.argsort(-doubt, kind="stable")]
    return ordered


def unseen(session: Session, label_set: str) -> IntArray:
    """Images without a label of the set and without a suggestion for it."""
    ids = session.store.images.ids()
    unlabelled = ids[session.store.labels.label_ids(ids, label_set) < 0]
    known = session.store.runs.suggestions(label_set, unlabelled)
    return unlabelled[~np.isin(unlabelled, np.fromiter(known, np.int64, len(known)))]


def suggest_task(session: Session, label_set: str) -> Task[Predicted] | None:
    """A job that predicts unlabelled images without a suggestion; None if no run has learned the
    set, or there are no such images."""
    run = session.store.runs.newest(label_set)
    if run is None or not has_network(session, run):
        return None
    images = unseen(session, label_set)
    return predict_task(session, run.id, images.tolist()) if len(images) else None


class SuggestionUpdater(QObject):
    """Predicts unlabelled images whenever a run that learned a label set of images finishes."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._finished = self._finished_runs()
        session.changed.connect(self._changed)

    def _finished_runs(self) -> frozenset[str]:
        runs = self._session.store.runs.all()
        return frozenset(run.id for run in runs if run.status is RunStatus.FINISHED)

    def _changed(self, changes: Changes) -> None:
        if not changes.runs:
            return
        finished = self._finished_runs()
        new, self._finished = finished - self._finished, finished
        for run_id in sorted(new & changes.runs):
            record = self._session.store.runs.get(run_id)
            heads = [record.labels.target, record.labels.view]
            for name in [head.name for head in heads if head is not None]:
                self._suggest(name)

    def _suggest(self, label_set: str) -> None:
        known = self._session.store.labels.sets().get(label_set)
        if known is None or known.subject is not Subject.IMAGE:
            return
        if any(job.task.kind == "predict" for job in self._session.jobs.jobs()):
            return  # a joint head predicts both label sets in one job
        if len(unseen(self._session, label_set)) > AT_MOST:
            return
        task = suggest_task(self._session, label_set)
        if task is not None:
            self._session.start(task)
