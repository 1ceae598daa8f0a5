"""Adds to a project's feature index: pooled features of images by a run's network or a start's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.assessments import REQUEST_FILE, StartRequest
from workbench.domain.errors import KnownError
from workbench.domain.features import (
    CARD_FILE,
    KEYS_FILE,
    ROWS_FILE,
    FeatureCard,
    FeatureRequest,
    feature_key,
)
from workbench.domain.reports import Featured, Note, Progress
from workbench.domain.runs import SAMPLES_FILE, Sample
from workbench.learning.evaluation.source_model import SourceModel, of_run, of_weights
from workbench.learning.images.data import decoded
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.device import Device, choose_device
from workbench.learning.protocol.folders import FolderRequest

REPORT_SECONDS = 0.25
KEY_BYTES = 8
NAMED = 20  # files that cannot be read, said one by one


def load_source(start: StartRequest, device: Device) -> SourceModel:
    """The network of a start, ready to make features. Raises KnownError where it cannot be read."""
    if start.run:
        return of_run(Path(start.run), device)
    return of_weights(start.backbone, Path(start.weights) if start.weights else None, 0, device)


class FeatureWriter:
    """An index open for more rows: N × D float16 numbers of unit length, and N keys.

    Rows are written before their keys, so that an index cut off at any point holds whole rows: as
    many as it has of both. What lies beyond them is cut away here.
    """

    def __init__(self, folder: Path, card: FeatureCard) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rows, keys = folder / ROWS_FILE, folder / KEYS_FILE
        self._rows, self._keys = _opened(rows), _opened(keys)
        width = 2 * card.dimensions
        whole = min(rows.stat().st_size // width, keys.stat().st_size // KEY_BYTES)
        for file, size in ((self._rows, whole * width), (self._keys, whole * KEY_BYTES)):
            file.truncate(size)
            file.seek(size)
        (folder / CARD_FILE).write_bytes(msgspec.json.encode(card))

    def add(self, features: NDArray[np.float16], keys: Sequence[int]) -> None:
        """Append rows; they are there for a reader when this returns."""
        self._rows.write(np.ascontiguousarray(features).tobytes())
        self._rows.flush()
        self._keys.write(np.array(keys, np.uint64).tobytes())
        self._keys.flush()

    def close(self) -> None:
        self._rows.close()
        self._keys.close()


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b")


def write_features(errand: FolderRequest) -> None:
    """Report Featured for the order in the folder; what was written until a stop stays. Raises
    KnownError where the network cannot be read; images that cannot are left out."""
    order = errand.read(REQUEST_FILE, FeatureRequest)
    samples = errand.samples(SAMPLES_FILE)
    device = choose_device()
    model = load_source(order.start, device)
    writer: FeatureWriter | None = None
    problems: list[KnownError] = []
    written = dimensions = 0
    try:
        for chosen, squares in _batches(errand, samples, model.image_size, order.batch, problems):
            features = unit_features(model, squares, device)
            if writer is None:
                dimensions = features.shape[1]
                writer = FeatureWriter(Path(order.folder), _card(order.start, model, dimensions))
            writer.add(features, [feature_key(sample.hash, sample.box) for sample in chosen])
            written += len(chosen)
    finally:
        if writer is not None:
            writer.close()
    _tell(errand, problems)
    errand.report(Featured(rows=written, dimensions=dimensions, unread=len(problems)))


def unit_features(model: SourceModel, squares: Tensor, device: Device) -> NDArray[np.float16]:
    """N × side × side × 3 bytes -> N × D pooled features of unit length."""
    planes = squares.permute(0, 3, 1, 2).to(device.torch)
    given, _ = model(normalised(planes, model.mean, model.std))
    scaled = torch.nn.functional.normalize(given, dim=1)
    found: NDArray[np.float16] = scaled.to(torch.float16).cpu().numpy()
    return found


def _card(start: StartRequest, model: SourceModel, dimensions: int) -> FeatureCard:
    return FeatureCard(backbone=start.backbone, dimensions=dimensions, image_size=model.image_size)


def _batches(
    errand: FolderRequest,
    samples: Sequence[Sample],
    side: int,
    batch: int,
    problems: list[KnownError],
) -> Iterator[tuple[list[Sample], Tensor]]:
    """Readable samples with their squares, `batch` at a time, read while the network works. Says
    how far it is; raises Interrupted when asked to leave off."""
    chosen: list[Sample] = []
    squares: list[Tensor] = []
    last = began = time.monotonic()
    for at, result in decoded(samples, side):
        if isinstance(result, KnownError):
            problems.append(result)
        else:
            chosen.append(samples[at])
            squares.append(result)
        if len(chosen) == batch:
            yield chosen, torch.stack(squares)
            chosen, squares = [], []
        now = time.monotonic()
        if now - last >= REPORT_SECONDS:
            last = now
            errand.stop_if_asked()
            eta = (now - began) / (at + 1) * (len(samples) - at - 1)
            text = "Computing features"
            errand.report(Progress(done=at + 1, total=len(samples), text=text, eta=eta))
    if chosen:
        yield chosen, torch.stack(squares)


def _tell(errand: FolderRequest, problems: Sequence[KnownError]) -> None:
    for problem in problems[:NAMED]:
        errand.report(Note(text=f"Left out: {problem.sentence}", warning=True))
    if len(problems) > NAMED:
        more = len(problems) - NAMED
        errand.report(Note(text=f"{more} more images could not be read.", warning=True))
