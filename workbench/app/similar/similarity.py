"""Similarity search in a feature index, as a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps, Task
from workbench.app.session import Session
from workbench.app.similar.features import FeatureSource, Indexed, Indexer
from workbench.domain.errors import KnownError
from workbench.domain.features import similarity_to
from workbench.domain.reports import Progress
from workbench.domain.text import Message, counted

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """All images with features, most similar first, with their mean cosine similarity to the
    queries, in [-1, 1].

    `computed` images were new to the index, `left_out` have no features. `bytes` is the size of the
    index; `note` is a warning if it was damaged, else "".
    """

    images: IntArray
    scores: NDArray[np.float32]
    source: FeatureSource
    computed: int = 0
    left_out: int = 0
    bytes: int = 0
    note: str = ""

    def ordered(self, ids: IntArray) -> IntArray:
        """These images, most similar first; those without features last, in the given order."""
        place = np.full(_room(ids, self.images), len(self.images), np.int64)
        place[self.images] = np.arange(len(self.images))
        return ids[np.argsort(place[ids], kind="stable")]

    def by_id(self) -> NDArray[np.float32]:
        """Similarity by image id; NaN for ids without features."""
        found = np.full(_room(self.images), np.nan, np.float32)
        found[self.images] = self.scores
        return found


def _room(*ids: IntArray) -> int:
    return max((int(some.max(initial=0)) for some in ids), default=0) + 1


def similar_task(
    session: Session,
    source: FeatureSource,
    images: Sequence[int] | IntArray,
    files: Sequence[Path] = (),
    name: str = "",
) -> Task[Ranking]:
    """A job that sorts all images by their similarity to `images` and `files` together, and ends
    Done(Ranking).

    Missing features are computed first. `name` describes the queries in the job's title.
    """
    queries = np.asarray(images, np.int64)
    indexer = Indexer(session, source)

    def work() -> Steps[Ranking]:
        found = yield from indexer.steps(files)
        text = counted(len(found.subjects), "Comparing {n:,} image", "Comparing {n:,} images")
        yield Progress(done=0, text=text)
        scores = similarity_to(found.rows(), _rows_of(found, queries))
        best, order = _by_image(found, scores)
        counts = (found.computed, found.left_out, found.index.bytes)
        return Ranking(order, best, source, *counts, found.note)

    title = counted(
        len(queries), "Find images similar to {n:,} image", "Find images similar to {n:,} images"
    )
    if name:
        title = Message("Find images similar to {name}", name=name)
    return Task(title, work, kind="similar")


def _rows_of(found: Indexed, queries: IntArray) -> NDArray[np.float16]:
    at = found.positions[np.isin(found.subjects.images, queries)]
    positions = np.concatenate((at, found.extra))
    if not len(positions):
        raise KnownError(
            "The image has no features: its file cannot be read, or it shows no mouth.",
            "Choose another image, or other features.",
        )
    return found.rows(positions)


def _by_image(found: Indexed, scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], IntArray]:
    """Scores and images, best first; for an image with several crops, the best one counts."""
    images = found.subjects.images
    order = np.argsort(-scores, kind="stable")
    first = np.sort(np.unique(images[order], return_index=True)[1])
    order = order[first]
    return scores[order], images[order]
