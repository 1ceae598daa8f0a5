"""Suggestions: what the newest run says of images that carry no label yet, and taking it over."""

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
from workbench.domain.labels import Author, Subject
from workbench.domain.runs import RunStatus
from workbench.domain.text import counted

IntArray = NDArray[np.int64]

AT_MOST = 20_000  # images that are predicted without being asked to: minutes, not hours


@dataclass(frozen=True)
class Suggestion:
    """A label and the softmax score in [0, 1] that the newest run gave it."""

    label: str
    confidence: float


def suggestions(
    session: Session, label_set: str, image_ids: Sequence[int] | IntArray
) -> dict[int, Suggestion]:
    """The newest run's label for each of these images that it predicted, labelled or not; labels
    that the set no longer has are left out."""
    known = session.store.labels.get(label_set).names
    found = session.store.runs.suggestions(label_set, image_ids)
    return {
        image: Suggestion(label, confidence)
        for image, (label, confidence) in found.items()
        if label in known
    }


def accept(session: Session, image_ids: Sequence[int] | IntArray, label_set: str) -> int:
    """Label images as suggested, in one edit; gives how many were. A person accepts: the label is
    a person's, and the model's confidence stays with it. Images without a suggestion are left."""
    found = suggestions(session, label_set, image_ids)
    if not found:
        return 0
    alike: dict[tuple[str, float], list[int]] = defaultdict(list)
    for image, suggestion in found.items():
        alike[suggestion.label, suggestion.confidence].append(image)
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
    """These images, those first of which the newest run is least sure (1 − its top score); images
    it has not seen come last, in the order given."""
    ids = np.asarray(image_ids, np.int64)
    found = session.store.runs.suggestions(label_set, ids)
    doubt = np.array([1.0 - found[i][1] if i in found else -1.0 for i in ids.tolist()])
    ordered: IntArray = ids[np.argsort(-doubt, kind="stable")]
    return ordered


def unseen(session: Session, label_set: str) -> IntArray:
    """Images of the project without a label of the set and without a suggestion for it."""
    ids = session.store.images.ids()
    unlabelled = ids[session.store.labels.label_ids(ids, label_set) < 0]
    known = session.store.runs.suggestions(label_set, unlabelled)
    return unlabelled[~np.isin(unlabelled, np.fromiter(known, np.int64, len(known)))]


def suggest_task(session: Session, label_set: str) -> Task[Predicted] | None:
    """A job after which images without a label of this set carry a suggestion; None where no run
    has learned the set, or none of the images needs one."""
    run = session.store.runs.newest(label_set)
    if run is None or not has_network(session, run):
        return None
    images = unseen(session, label_set)
    return predict_task(session, run.id, images.tolist()) if len(images) else None


class SuggestionUpdater(QObject):
    """Has images without a label predicted whenever a run ends that has learned a label set of
    images, so that suggestions are there when the person comes to label on."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._op = session
        self._finished = self._finished_runs()
        session.changed.connect(self._changed)

    def _finished_runs(self) -> frozenset[str]:
        runs = self._op.store.runs.all()
        return frozenset(run.id for run in runs if run.status is RunStatus.FINISHED)

    def _changed(self, changes: Changes) -> None:
        if not changes.runs:
            return
        finished = self._finished_runs()
        new, self._finished = finished - self._finished, finished
        for run_id in sorted(new & changes.runs):
            record = self._op.store.runs.get(run_id)
            heads = [record.labels.target, record.labels.view]
            for name in [head.name for head in heads if head is not None]:
                self._suggest(name)

    def _suggest(self, label_set: str) -> None:
        known = self._op.store.labels.sets().get(label_set)
        if known is None or known.subject is not Subject.IMAGE:
            return
        if any(job.task.kind == "predict" for job in self._op.jobs.jobs()):
            return  # the joint head's one job serves both of its sets
        if len(unseen(self._op, label_set)) > AT_MOST:
            return
        task = suggest_task(self._op, label_set)
        if task is not None:
            self._op.start(task)
