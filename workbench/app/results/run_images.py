"""The images of a run: those it predicted, and any others of the project."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.domain.crops import Crop
from workbench.domain.errors import parsing
from workbench.domain.images import ImageRow
from workbench.domain.labels import Subject
from workbench.domain.predictions import NO_PART, PART_CODES
from workbench.domain.requests import ImageInput
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE, ModelCard, RunRecord, RunStatus
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import mark
from workbench.files import read_recorded

IntArray = NDArray[np.int64]


class ShownImages(StrEnum):
    """Which images are shown, by the outcome of their prediction."""

    ALL = "all"
    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True)
class RunImage:
    """One image, or one crop of it, as the run sees it.

    `width` and `height` are those of the image or crop, in displayed pixels. `truth` and
    `predicted` are "" and `score` is None if unknown.
    """

    row: int
    image: int
    crop: int | None
    input: ImageInput
    name: str
    width: int
    height: int
    truth: str = ""
    predicted: str = ""
    score: float | None = None

    @property
    def wrong(self) -> bool:
        """Whether the prediction is known to be wrong."""
        return "" not in (self.truth, self.predicted) and self.truth != self.predicted


@dataclass(frozen=True)
class RowScores:
    """Softmax scores of a row for the target and the views (None: unknown), and its true labels
    ("": unknown)."""

    scores: tuple[float, ...] | None = None
    view_scores: tuple[float, ...] | None = None
    truth: str = ""
    view_truth: str = ""


def usable_runs(session: Session) -> list[RunRecord]:
    """The runs with a trained network, newest first."""
    trained = (RunStatus.FINISHED, RunStatus.STOPPED)
    return [
        run
        for run in session.store.runs.all()
        if run.status in trained and has_network(session, run)
    ]


def has_network(session: Session, run: RunRecord) -> bool:
    """Whether the folder of a run has weights and the description of the network."""
    folder = session.store.runs_folder / run.id
    return (folder / WEIGHTS_FILE).is_file() and (folder / MODEL_FILE).is_file()


def card_of_run(run_folder: Path) -> ModelCard:
    """The description of a run's network. Raises KnownError if it cannot be read."""
    path = run_folder / MODEL_FILE
    with parsing(path, mark("Train the run again.")):
        return msgspec.json.decode(read_recorded(path), type=ModelCard)


def uses_crops(session: Session, record: RunRecord) -> bool:
    """Whether a run uses mouth crops instead of whole images."""
    known = session.store.labels.sets().get(record.labels.target.name)
    return known is not None and known.subject is Subject.CROP


class RunImages:
    """The rows of a run's predictions, followed by rows for images without one."""

    def __init__(self, session: Session, run_id: str) -> None:
        self._session = session
        self.record = session.store.runs.get(run_id)
        self.table = session.store.runs.predictions(run_id, None)
        self.crops = uses_crops(session, self.record)
        self._added: list[tuple[int, int]] = []  # (image, crop or -1)

    def parts(self) -> list[Part]:
        """The parts with predicted images, test first."""
        present = set(np.unique(self.table.parts).tolist())
        return [part for part in reversed(PARTS) if PART_CODES[part] in present]

    def rows(self, part: Part | None, shown: ShownImages = ShownImages.ALL) -> IntArray:
        """Rows of a part (None: all); wrong ones by descending confidence."""
        mask = np.ones(len(self.table), bool)
        if part is not None:
            mask &= self.table.parts == PART_CODES[part]
        hit = self.table.truth == self.table.predicted
        if shown is not ShownImages.ALL:
            mask &= (self.table.truth >= 0) & (hit == (shown is ShownImages.RIGHT))
        rows = np.flatnonzero(mask).astype(np.int64)
        if shown is ShownImages.WRONG:
            rows = rows[np.argsort(-self.table.scores[rows].max(axis=1), kind="stable")]
        return rows

    def rows_of(self, images: Sequence[int]) -> IntArray:
        """Rows of these images, in their order; rows are added for images without a prediction."""
        known: dict[int, list[int]] = {}
        wanted = np.array(images, dtype=np.int64)
        for row in np.flatnonzero(np.isin(self.table.images, wanted)).tolist():
            known.setdefault(int(self.table.images[row]), []).append(row)
        new = [image for image in images if image not in known]
        for image, crop in self._places(new):
            known.setdefault(image, []).append(self._add_row(image, crop))
        rows = [row for image in dict.fromkeys(images) for row in known.get(image, ())]
        return np.array(rows, dtype=np.int64)

    def _places(self, images: Sequence[int]) -> list[tuple[int, int]]:
        if not self.crops:
            return [(image, -1) for image in images]
        found = self._session.store.crops.of_images(images) if images else {}
        places: list[tuple[int, int]] = []
        for image in images:
            usable = [c.id for c in found.get(image, ()) if c.usable and c.id is not None]
            places += [(image, crop) for crop in usable] or [(image, -1)]
        return places

    def _add_row(self, image: int, crop: int) -> int:
        if (image, crop) not in self._added:
            self._added.append((image, crop))
        return len(self.table) + self._added.index((image, crop))

    def new(self, row: int) -> bool:
        """Whether the run was neither trained nor tested on the image of a row."""
        return row >= len(self.table) or int(self.table.parts[row]) == NO_PART

    def subject(self, row: int) -> tuple[int, int]:
        """The image of a row, and its crop or -1."""
        if row >= len(self.table):
            return self._added[row - len(self.table)]
        return int(self.table.images[row]), int(self.table.crops[row])

    def row_at(self, image: int, crop: int) -> int | None:
        """The row of an image and crop (-1: none), None if there is none."""
        hits = np.flatnonzero((self.table.images == image) & (self.table.crops == crop))
        if len(hits):
            return int(hits[0])
        if (image, crop) in self._added:
            return len(self.table) + self._added.index((image, crop))
        return None

    def images(self, rows: Sequence[int]) -> list[RunImage]:
        """The images of rows, in their order, without those that left the project."""
        places = [self.subject(row) for row in rows]
        found = {r.id: r for r in self._session.store.images.rows([image for image, _ in places])}
        wanted = [crop for _, crop in places if crop >= 0]
        crops = {c.id: c for c in self._session.store.crops.get(wanted)} if wanted else {}
        return [
            self._image(row, found[image], crops.get(crop))
            for row, (image, crop) in zip(rows, places, strict=True)
            if image in found
        ]

    def _image(self, row: int, image: ImageRow, crop: Crop | None) -> RunImage:
        rect = crop.rect if crop is not None else None
        shown = RunImage(
            row=row,
            image=image.id,
            crop=crop.id if crop is not None else None,
            input=ImageInput(image.path, rect.as_tuple() if rect is not None else None),
            name=image.name,
            width=rect.width if rect is not None else image.width,
            height=rect.height if rect is not None else image.height,
        )
        return shown if row >= len(self.table) else self._with_prediction(shown)

    def _with_prediction(self, shown: RunImage) -> RunImage:
        labels = self.record.labels.target.labels
        truth, scores = int(self.table.truth[shown.row]), self.table.scores[shown.row]
        best = int(scores.argmax())
        return dataclasses.replace(
            shown,
            truth=labels[truth] if truth >= 0 else "",
            predicted=labels[best],
            score=float(scores[best]),
        )

    def scores(self, row: int) -> RowScores:
        """The stored scores and true labels of a row; all unknown for added rows."""
        if row >= len(self.table):
            return RowScores()
        views, labels = self.table.view_scores, self.record.labels
        at, view_at = int(self.table.truth[row]), int(self.table.view_truth[row])
        return RowScores(
            tuple(self.table.scores[row].tolist()),
            tuple(views[row].tolist()) if views is not None else None,
            labels.target.labels[at] if at >= 0 else "",
            labels.view.labels[view_at] if labels.view is not None and view_at >= 0 else "",
        )
