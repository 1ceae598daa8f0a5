"""Predictions of a run for images it has not seen: of the project, or of a folder as CSV."""

from __future__ import annotations

import csv
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from workbench.app.image_files import FileSearch, search
from workbench.app.jobs import JobResult, Steps, Task, applying
from workbench.app.mouths.cropping import landmarks_file
from workbench.app.mouths.finding_mouths import with_mouths
from workbench.app.results.run_images import RunImage, RunImages, card_of_run, uses_crops
from workbench.app.results.scoring import ScoredChunk, scored_chunks
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import SkippedFile
from workbench.domain.metrics import EVEN
from workbench.domain.predictions import NO_PART, PredictionTable
from workbench.domain.protocols import ScoringProtocol
from workbench.domain.reports import Note, Progress
from workbench.domain.requests import ImageInput
from workbench.domain.runs import ModelCard, RunLabels
from workbench.domain.spreadsheets import FormulaGuard
from workbench.domain.text import Message, counted, mark
from workbench.files import check_replaceable, move_into_place, unusable, writing
from workbench.folders import check_printable

BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class CsvRow:
    """The scores of one file, or of one mouth in it.

    `box` is (left, top, right, bottom) in displayed pixels; `note` is the reason if there are no
    scores.
    """

    file: str
    scores: NDArray[np.float32] | None = None
    view_scores: NDArray[np.float32] | None = None
    box: tuple[int, int, int, int] | None = None
    note: str = ""


class PredictionCsv:
    """Writer of a CSV file of predictions, as a context manager.

    Columns: file, predicted, confidence, one per label, the same for views if the head is joint,
    the box for mouth crops, and a note. For multi-label sets all labels that reach their threshold
    are predicted, joined by "|", and the confidence is the highest score. After an error or a stop
    the rows written so far stay in the file `partial` beside it.
    """

    def __init__(
        self, path: Path, labels: RunLabels, boxes: bool, thresholds: tuple[float, ...] = ()
    ) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        self._labels = labels
        self._boxes = boxes
        self._thresholds = thresholds
        self.guard = FormulaGuard()

    def __enter__(self) -> PredictionCsv:
        with writing(self.path):
            check_replaceable(self.path)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.partial.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerows(self.guard.rows([self.columns()]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            with writing(self.path):
                move_into_place(self.partial, self.path)

    def columns(self) -> list[str]:
        """The headings of the columns."""
        names = ["file", "predicted", "confidence", *self._labels.target.labels]
        if self._labels.view is not None:
            names += ["view", "view confidence"]
            names += [f"view {name}" for name in self._labels.view.labels]
        return [*names, *(BOX if self._boxes else ()), "note"]

    def write(self, rows: Sequence[CsvRow]) -> None:
        """Append rows; raises KnownError if the file cannot be written."""
        with writing(self.partial):
            self._writer.writerows(self.guard.rows(self._cells(row) for row in rows))
            self._file.flush()

    def _cells(self, row: CsvRow) -> list[str]:
        cells = [row.file, *_scores(self._labels.target.labels, row.scores)]
        if not self._labels.target.exclusive and row.scores is not None:
            cells[1] = self._predicted(row.scores)
        if self._labels.view is not None:
            cells += _scores(self._labels.view.labels, row.view_scores)
        if self._boxes:
            cells += [str(side) for side in row.box] if row.box is not None else [""] * 4
        return [*cells, row.note]

    def _predicted(self, scores: NDArray[np.float32]) -> str:
        labels = self._labels.target.labels
        thresholds = self._thresholds or (EVEN,) * len(labels)
        found = zip(labels, scores.tolist(), thresholds, strict=True)
        return "|".join(label for label, score, threshold in found if score >= threshold)


def _scores(labels: Sequence[str], scores: NDArray[np.float32] | None) -> list[str]:
    if scores is None:
        return [""] * (2 + len(labels))
    best = int(scores.argmax())
    return [labels[best], *(f"{value:.6f}" for value in (scores[best], *scores.tolist()))]


STORE_SECONDS = 1.0  # predictions are stored and shown at this interval


@dataclass(frozen=True)
class Predicted:
    """Result of a prediction job: the number of images predicted, and files that cannot be read."""

    images: int
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True)
class PredictedFolder:
    """Result of predicting a folder.

    The CSV file, the number of files predicted, the other files with the reason, the number of
    mouths found (None if the run does not use mouth crops), and notes on what was changed in the
    file for spreadsheets.
    """

    path: Path
    images: int
    skipped: tuple[SkippedFile, ...]
    mouths: int | None = None
    notes: tuple[Message, ...] = ()


def predict_task(session: Session, run_id: str, image_ids: Sequence[int]) -> Task[Predicted]:
    """A job that predicts those of the images that the run has not seen; the result is Predicted.

    The predictions are stored with the run, in no part, and become suggestions. A run on mouth
    crops predicts each usable crop. If the job is stopped, predictions made so far are kept.
    """
    run_images = RunImages(session, run_id)
    images = run_images.images(
        [row for row in run_images.rows_of(image_ids).tolist() if run_images.new(row)]
    )
    folder = session.store.runs_folder / run_id

    def store(batch: _PredictionBatch) -> None:
        for table in batch.tables:
            session.store.runs.save_predictions(run_id, table)
        session.announce(Changes(runs=frozenset({run_id})))

    title = counted(len(images), "Predict {n:,} image", "Predict {n:,} images")
    apply = applying(_PredictionBatch, store)
    return Task(title, lambda: _predict_images(folder, images), apply, kind="predict")


@dataclass(frozen=True)
class _PredictionBatch(JobResult):
    """Predictions stored together."""

    tables: tuple[PredictionTable, ...]


def _predict_images(folder: Path, images: Sequence[RunImage]) -> Steps[Predicted]:
    inputs = [image.input for image in images]
    skipped: list[SkippedFile] = []
    tables: list[PredictionTable] = []
    count, last = 0, time.monotonic()
    for chunk in scored_chunks(folder, inputs) if images else ():
        if not isinstance(chunk, ScoredChunk):
            yield chunk
            continue
        skipped += [SkippedFile(inputs[at].path, why) for at, why in chunk.unread]
        if chunk.at:
            tables.append(_table([images[at] for at in chunk.at], chunk))
            count += len(chunk.at)
        if tables and time.monotonic() - last >= STORE_SECONDS:
            yield _PredictionBatch(tuple(tables))
            tables, last = [], time.monotonic()
    if tables:
        yield _PredictionBatch(tuple(tables))
    return Predicted(count, tuple(skipped))


def _table(images: Sequence[RunImage], chunk: ScoredChunk) -> PredictionTable:
    unknown = np.full(len(images), -1, np.int64)
    return PredictionTable(
        images=np.array([image.image for image in images], np.int64),
        crops=np.array([-1 if i.crop is None else i.crop for i in images], np.int64),
        parts=np.full(len(images), NO_PART, np.int64),
        truth=unknown,
        scores=chunk.scores,
        view_truth=unknown,
        view_scores=chunk.view_scores,
        true_view=np.array([""] * len(images), np.str_),
    )


def predict_folder_task(
    session: Session,
    run_id: str,
    folder: Path,
    csv_path: Path,
    protocol: ScoringProtocol | None = None,
) -> Task[PredictedFolder]:
    """A job that predicts all images below `folder` to CSV; the result is a PredictedFolder.

    Files that cannot be read, or have no mouth if the run needs one, get a row with the reason. For
    a run on mouth crops, a file that is itself a crop (nearly square and at most 128 pixels, the
    size of exported crops) is used whole; in all others mouths are detected first, and each gets
    its own row. `protocol` replaces the run's test protocol, but not its thresholds of several
    labels. Raises KnownError if the folder does not exist or the file cannot be written.
    """
    record = session.store.runs.get(run_id)
    run_folder = session.store.runs_folder / run_id
    mouths = uses_crops(session, record)
    landmarks = landmarks_file(session) if mouths else Path()
    _check_paths(folder, csv_path)

    def work() -> Steps[PredictedFolder]:
        found = yield from search(folder)
        _check_found(found, folder)
        named = [(name, ImageInput(str(folder / name))) for name in found.images]
        skipped = list(found.skipped)
        if mouths:
            named, missed = yield from with_mouths(named, landmarks)
            skipped += missed
        card = card_of_run(run_folder)
        yield from _threshold_notes(card, protocol)
        with PredictionCsv(csv_path, record.labels, mouths, card.thresholds) as sheet:
            sheet.write([CsvRow(file.path, note=file.reason) for file in skipped])
            images = yield from _fill(sheet, run_folder, named, skipped, protocol)
        yield Progress(done=len(named), total=len(named), text=Message("Predicting images"))
        number, notes = (len(named) if mouths else None), tuple(sheet.guard.notes())
        return PredictedFolder(csv_path, images, tuple(skipped), number, notes)

    title = Message("Predict images in {folder}", folder=folder.name)
    return Task(title, work, kind="predict")


_THRESHOLDS = Message(
    "The labels are predicted from the thresholds of the run's own test protocol; with another one "
    "they may be too low or too high."
)


def _threshold_notes(
    card: ModelCard, protocol: ScoringProtocol | None
) -> Generator[Note, None, None]:
    if card.thresholds and protocol not in (None, card.protocol):
        yield Note(text=_THRESHOLDS, warning=True)


def _check_found(found: FileSearch, folder: Path) -> None:
    if not found.images:
        raise KnownError(
            "There are no images in {folder}.", "Choose a folder with images.", folder=folder
        )


def _check_paths(folder: Path, csv_path: Path) -> None:
    """Check what would fail after hours of work."""
    if not folder.is_dir():
        raise unusable(folder, mark("Choose a folder with images."))
    check_printable(folder)
    with writing(csv_path):
        check_replaceable(csv_path)


def _fill(
    sheet: PredictionCsv,
    run_folder: Path,
    named: Sequence[tuple[str, ImageInput]],
    skipped: list[SkippedFile],
    protocol: ScoringProtocol | None,
) -> Steps[int]:
    """Write a row for each image, in order; returns the number of files predicted."""
    predicted: set[str] = set()
    inputs = [one for _, one in named]
    for chunk in scored_chunks(run_folder, inputs, protocol) if named else ():
        if not isinstance(chunk, ScoredChunk):
            yield chunk
            continue
        rows = dict(_rows(named, chunk))
        predicted.update(rows[at].file for at in chunk.at)
        sheet.write([rows[at] for at in sorted(rows)])
        skipped += [SkippedFile(named[at][0], why) for at, why in chunk.unread]
        yield None
    return len(predicted)


def _rows(
    named: Sequence[tuple[str, ImageInput]], chunk: ScoredChunk
) -> Generator[tuple[int, CsvRow], None, None]:
    for row, at in enumerate(chunk.at):
        name, source = named[at]
        views = chunk.view_scores[row] if chunk.view_scores is not None else None
        yield at, CsvRow(name, chunk.scores[row], views, source.box)
    for at, why in chunk.unread:
        yield at, CsvRow(named[at][0], box=named[at][1].box, note=why)
