"""A run's predictions of further images: of the project as suggestions, or of a folder as CSV."""

from __future__ import annotations

import csv
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from workbench.app.images.import_plan import search
from workbench.app.jobs import Task, applying
from workbench.app.mouths.cropping import landmarks_file
from workbench.app.mouths.finding_mouths import with_mouths
from workbench.app.results.run_images import RunImage, RunImages, takes_crops, thresholds_of
from workbench.app.results.scoring import Piece, pieces
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.metrics import EVEN
from workbench.domain.predictions import NO_PART, PredictionTable
from workbench.domain.reports import Note, Progress
from workbench.domain.requests import Picture
from workbench.domain.runs import RunLabels
from workbench.domain.text import Message
from workbench.files import move_into_place, writing

BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class CsvRow:
    """One file, or one mouth in it (`box` in displayed pixels), with its scores; `note` says why
    there are none."""

    file: str
    scores: NDArray[np.float32] | None = None
    view_scores: NDArray[np.float32] | None = None
    box: tuple[int, int, int, int] | None = None
    note: str = ""


class PredictionCsv:
    """A CSV file in the making: file, predicted, confidence, a column per label, the same of views
    where the head is joint, the box where mouths are cut out, and a note. Where labels do not
    exclude each other, all that reach their threshold are predicted, joined by "|", and the
    confidence is the highest score.

    What was written before an error or a stop is kept beside it, under `partial`.
    """

    def __init__(
        self, path: Path, labels: RunLabels, boxes: bool, thresholds: tuple[float, ...] = ()
    ) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        self._labels = labels
        self._boxes = boxes
        self._thresholds = thresholds

    def __enter__(self) -> PredictionCsv:
        with writing(self.path, "Choose another file."):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.partial.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(self.columns())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            with writing(self.path, "Make room on the disk."):
                move_into_place(self.partial, self.path)

    def columns(self) -> list[str]:
        """The first line."""
        named = ["file", "predicted", "confidence", *self._labels.target.labels]
        if self._labels.view is not None:
            named += ["view", "view confidence"]
            named += [f"view {name}" for name in self._labels.view.labels]
        return [*named, *(BOX if self._boxes else ()), "note"]

    def write(self, rows: Sequence[CsvRow]) -> None:
        """Add rows; raises KnownError when the disk refuses."""
        with writing(self.partial, "Make room on the disk."):
            self._writer.writerows(self._cells(row) for row in rows)
            self._file.flush()

    def _cells(self, row: CsvRow) -> list[str]:
        cells = [row.file, *_scores(self._labels.target.labels, row.scores)]
        if not self._labels.target.exclusive and row.scores is not None:
            cells[1] = self._claimed(row.scores)
        if self._labels.view is not None:
            cells += _scores(self._labels.view.labels, row.view_scores)
        if self._boxes:
            cells += [str(side) for side in row.box] if row.box is not None else [""] * 4
        return [*cells, row.note]

    def _claimed(self, scores: NDArray[np.float32]) -> str:
        labels = self._labels.target.labels
        least = self._thresholds or (EVEN,) * len(labels)
        found = zip(labels, scores.tolist(), least, strict=True)
        return "|".join(label for label, score, threshold in found if score >= threshold)


def _scores(labels: Sequence[str], scores: NDArray[np.float32] | None) -> list[str]:
    if scores is None:
        return [""] * (2 + len(labels))
    best = int(scores.argmax())
    return [labels[best], *(f"{value:.6f}" for value in (scores[best], *scores.tolist()))]


KEPT_TOGETHER = 1.0  # seconds of predictions that are stored and shown at once


@dataclass(frozen=True)
class Predicted:
    """How many images got a prediction, and the files that could not be read."""

    images: int
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class PredictedFolder:
    """The CSV file written, how many files are in it with a prediction, the files without one with
    the reason, and how many mouths were found where the run looks at mouths (None: it does not)."""

    path: Path
    images: int
    skipped: tuple[SkippedFile, ...]
    mouths: int | None = None


def predict_task(session: Session, run_id: str, image_ids: Sequence[int]) -> Task[Predicted]:
    """A job that predicts images of the project which a run has not seen, and stores it with the
    run as predictions of no part: suggestions follow from them. Ends with Predicted.

    A run on mouth crops predicts each usable crop. Images it was trained or tested on keep their
    predictions; stopping keeps those made so far.
    """
    of_run = RunImages(session, run_id)
    images = of_run.images([row for row in of_run.rows_of(image_ids).tolist() if of_run.new(row)])
    folder = session.store.runs_folder / run_id

    def keep(piece: _Kept) -> None:
        for table in piece.tables:
            session.store.runs.save_predictions(run_id, table)
        session.announce(Changes(runs=frozenset({run_id})))

    title = Message("Predict {n} images", n=len(images))
    apply = applying(_Kept, keep)
    return Task(title, lambda: _predict_images(folder, images), apply, kind="predict")


@dataclass(frozen=True)
class _Kept:
    """Predictions that are stored together."""

    tables: tuple[PredictionTable, ...]


def _predict_images(
    folder: Path, images: Sequence[RunImage]
) -> Generator[object | None, None, Predicted]:
    pictures = [image.picture for image in images]
    skipped: list[SkippedFile] = []
    tables: list[PredictionTable] = []
    count, last = 0, time.monotonic()
    for piece in pieces(folder, pictures) if images else ():
        if not isinstance(piece, Piece):
            yield piece
            continue
        skipped += [SkippedFile(pictures[at].path, why) for at, why in piece.unread]
        if piece.at:
            tables.append(_table([images[at] for at in piece.at], piece))
            count += len(piece.at)
        if tables and time.monotonic() - last >= KEPT_TOGETHER:
            yield _Kept(tuple(tables))
            tables, last = [], time.monotonic()
    if tables:
        yield _Kept(tuple(tables))
    return Predicted(count, tuple(skipped))


def _table(images: Sequence[RunImage], piece: Piece) -> PredictionTable:
    unknown = np.full(len(images), -1, np.int64)
    return PredictionTable(
        images=np.array([image.image for image in images], np.int64),
        crops=np.array([-1 if i.crop is None else i.crop for i in images], np.int64),
        parts=np.full(len(images), NO_PART, np.int64),
        truth=unknown,
        scores=piece.scores,
        view_truth=unknown,
        view_scores=piece.view_scores,
        true_view=np.array([""] * len(images), np.str_),
    )


def predict_folder_task(
    session: Session, run_id: str, folder: Path, csv_path: Path
) -> Task[PredictedFolder]:
    """A job that predicts all image files below `folder` into a CSV file; ends with
    PredictedFolder. Files that cannot be read, or show no mouth where one is needed, have a row
    with the reason.

    Where the run looks at mouth crops, a file that is itself a crop (nearly square and at most 128
    pixels, the size in which crops are exported) is taken whole; in any other the mouths are found
    first, and each has a row of its own.
    """
    record = session.store.runs.get(run_id)
    run_folder = session.store.runs_folder / run_id
    mouths = takes_crops(session, record)
    landmarks = landmarks_file(session) if mouths else Path()
    if not folder.is_dir():
        raise KnownError(
            "There is no folder {folder}.", "Choose a folder with images.", folder=folder
        )

    def work() -> Generator[object | None, None, PredictedFolder]:
        found = yield from search(folder)
        if not found.images:
            raise KnownError(
                "There is no image in {folder}.", "Choose a folder with images.", folder=folder
            )
        named = [(name, Picture(str(folder / name))) for name in found.images]
        skipped = list(found.skipped)
        if mouths:
            yield Note(text=Message("The run looks at mouths: they are found first."))
            named, missed = yield from with_mouths(named, landmarks)
            skipped += missed
        thresholds = thresholds_of(run_folder)
        with PredictionCsv(csv_path, record.labels, mouths, thresholds) as sheet:
            sheet.write([CsvRow(lost.path, note=lost.reason) for lost in skipped])
            images = yield from _fill(sheet, run_folder, named, skipped)
        yield Progress(done=len(named), total=len(named), text=Message("Predicting"))
        return PredictedFolder(csv_path, images, tuple(skipped), len(named) if mouths else None)

    title = Message("Predict folder {name}", name=folder.name)
    return Task(title, work, kind="predict")


def _fill(
    sheet: PredictionCsv,
    run_folder: Path,
    named: Sequence[tuple[str, Picture]],
    skipped: list[SkippedFile],
) -> Generator[object | None, None, int]:
    """Write a row for each picture, in order; gives the number of files predicted."""
    predicted: set[str] = set()
    for piece in pieces(run_folder, [picture for _, picture in named]) if named else ():
        if not isinstance(piece, Piece):
            yield piece
            continue
        rows = dict(_rows(named, piece))
        predicted.update(rows[at].file for at in piece.at)
        sheet.write([rows[at] for at in sorted(rows)])
        skipped += [SkippedFile(named[at][0], why) for at, why in piece.unread]
        yield None
    return len(predicted)


def _rows(
    named: Sequence[tuple[str, Picture]], piece: Piece
) -> Generator[tuple[int, CsvRow], None, None]:
    for row, at in enumerate(piece.at):
        name, picture = named[at]
        views = piece.view_scores[row] if piece.view_scores is not None else None
        yield at, CsvRow(name, piece.scores[row], views, picture.box)
    for at, why in piece.unread:
        yield at, CsvRow(named[at][0], box=named[at][1].box, note=why)
