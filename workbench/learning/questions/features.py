"""Add to a project's feature index: pooled features of images by a run's or a start's network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.assessments import REQUEST_FILE, StartRequest
from workbench.domain.errors import KnownError, parsing
from workbench.domain.features import (
    CARD_FILE,
    KEY_BYTES,
    KEYS_FILE,
    ROWS_FILE,
    FeatureCard,
    FeatureRequest,
    feature_key,
)
from workbench.domain.reports import Featured, Note, Progress, remaining_seconds
from workbench.domain.runs import SAMPLES_FILE, Sample
from workbench.domain.text import Message, counted, mark
from workbench.files import GrowingFile, write_whole
from workbench.learning.evaluation.source_model import SourceModel, of_run, of_weights
from workbench.learning.images.data import decoded
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.device import Device, choose_device
from workbench.learning.protocol.folders import FolderRequest

REPORT_SECONDS = 0.25
MAX_NAMED = 20  # unreadable files listed by name


def load_source(start: StartRequest, device: Device) -> SourceModel:
    """Load the network of a start. Raises KnownError if it cannot be read."""
    if start.run:
        return of_run(Path(start.run), device)
    return of_weights(start.backbone, Path(start.weights) if start.weights else None, 0, device)


class FeatureWriter:
    """Append to a feature index: N × D float16 features of unit length, and N keys.

    Rows and keys are written before the card with their count and digests, so an interrupted index
    always holds complete rows up to the card's count; anything beyond is truncated on opening.
    Raises KnownError if the rows do not match the card.
    """

    def __init__(self, folder: Path, card: FeatureCard) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._card = folder, card
        with parsing(folder, mark("Delete this folder and search again.")):
            before = _card_of(folder, card)
            rows, keys = before.rows * card.row_bytes, before.rows * KEY_BYTES
            self._rows = GrowingFile(folder / ROWS_FILE, rows, before.rows_digest)
            self._keys = GrowingFile(folder / KEYS_FILE, keys, before.keys_digest)
        self._record(before.rows)

    def add(self, features: NDArray[np.float16], keys: Sequence[int]) -> None:
        """Append rows; visible to readers on return."""
        self._rows.append(np.ascontiguousarray(features).tobytes())
        self._keys.append(np.array(keys, np.uint64).tobytes())
        self._record(self._card.rows + len(keys))

    def _record(self, count: int) -> None:
        """Update the card with the row count and digests."""
        self._card = msgspec.structs.replace(
            self._card,
            rows=count,
            rows_digest=self._rows.digest,
            keys_digest=self._keys.digest,
        )
        # not flushed, like its rows: a damaged index is rebuilt
        write_whole(self._folder / CARD_FILE, msgspec.json.encode(self._card), flush=False)


def _card_of(folder: Path, card: FeatureCard) -> FeatureCard:
    """Card of an existing index; one without digests gets the number of complete rows. Returns
    `card` for a new index."""
    path = folder / CARD_FILE
    if not path.exists():
        return card
    found = msgspec.json.decode(path.read_bytes(), type=FeatureCard)
    if found.rows_digest:
        return found
    rows, keys = (folder / ROWS_FILE).stat().st_size, (folder / KEYS_FILE).stat().st_size
    whole = min(rows // found.row_bytes, keys // KEY_BYTES)
    return msgspec.structs.replace(found, rows=whole)


def write_features(folder_request: FolderRequest) -> None:
    """Report Featured for the request in the folder; rows written before a cancellation are kept.
    Unreadable images are skipped. Raises KnownError if the network cannot be read."""
    request = folder_request.read(REQUEST_FILE, FeatureRequest)
    samples = folder_request.samples(SAMPLES_FILE)
    device = choose_device()
    model = load_source(request.start, device)
    writer: FeatureWriter | None = None
    problems: list[KnownError] = []
    written = dimensions = 0
    for chosen, pixels in _batches(folder_request, samples, model, request.batch, problems):
        features = unit_features(model, pixels, device)
        if writer is None:
            dimensions = features.shape[1]
            writer = FeatureWriter(Path(request.folder), _card(request.start, model, dimensions))
        writer.add(features, [feature_key(sample.hash, sample.box) for sample in chosen])
        written += len(chosen)
    _report_problems(folder_request, problems)
    folder_request.report(Featured(rows=written, dimensions=dimensions, unread=len(problems)))


def unit_features(model: SourceModel, pixels: Tensor, device: Device) -> NDArray[np.float16]:
    """L2-normalised pooled features: N × side × side × 3 bytes -> N × D."""
    planes = pixels.permute(0, 3, 1, 2).to(device.torch)
    given, _ = model(normalised(planes, model.mean, model.std))
    scaled = torch.nn.functional.normalize(given, dim=1)
    found: NDArray[np.float16] = scaled.to(torch.float16).cpu().numpy()
    return found


def _card(start: StartRequest, model: SourceModel, dimensions: int) -> FeatureCard:
    return FeatureCard(backbone=start.backbone, dimensions=dimensions, image_size=model.image_size)


def _batches(
    folder_request: FolderRequest,
    samples: Sequence[Sample],
    model: SourceModel,
    batch: int,
    problems: list[KnownError],
) -> Iterator[tuple[list[Sample], Tensor]]:
    """Yield readable samples with their decoded images, `batch` at a time, decoding while the
    network computes. Reports progress. Raises RequestInterrupted on cancellation."""
    chosen: list[Sample] = []
    pixels: list[Tensor] = []
    last = began = time.monotonic()
    for at, result in decoded(samples, model.image_size, aspect=model.aspect):
        if isinstance(result, KnownError):
            problems.append(result)
        else:
            chosen.append(samples[at])
            pixels.append(result)
        if len(chosen) == batch:
            yield chosen, torch.stack(pixels)
            chosen, pixels = [], []
        now = time.monotonic()
        if now - last >= REPORT_SECONDS:
            last = now
            folder_request.raise_if_interrupted()
            eta = remaining_seconds(now - began, at + 1, len(samples))
            text = Message("Computing features")
            folder_request.report(Progress(done=at + 1, total=len(samples), text=text, eta=eta))
    if chosen:
        yield chosen, torch.stack(pixels)


def _report_problems(folder_request: FolderRequest, problems: Sequence[KnownError]) -> None:
    for problem in problems[:MAX_NAMED]:
        folder_request.report(
            Note(text=Message("Skipped: {sentence}", sentence=problem.sentence), warning=True)
        )
    if len(problems) > MAX_NAMED:
        text = counted(
            len(problems) - MAX_NAMED,
            "{n:,} more image could not be read.",
            "{n:,} more images could not be read.",
        )
        folder_request.report(Note(text=text, warning=True))
