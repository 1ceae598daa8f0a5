"""Answers the scores of images, a batch at a time, however many they are."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.requests import Score, Scored, Unread
from workbench.domain.runs import Sample
from workbench.learning.images.data import decoded
from workbench.learning.images.pixels import working_side
from workbench.learning.networks.models import blocks
from workbench.learning.serving.loaded import Loaded


def score(request: Score, loaded: Loaded) -> Iterator[Scored]:
    """The scores of a request's pictures in order, one answer for each of its batches."""
    side = working_side(loaded.card.image_size, loaded.card.test_resize)
    total = len(request.pictures)
    samples = [Sample(image=0, hash="", path=p.path, box=p.box) for p in request.pictures]
    rows: list[int] = []
    squares: list[Tensor] = []
    unread: list[Unread] = []
    for at, result in decoded(samples, side):
        if isinstance(result, KnownError):
            unread.append(Unread(at, result.sentence))
        else:
            rows.append(at)
            squares.append(result)
        if len(rows) + len(unread) == request.batch or at == total - 1:
            yield _scored(loaded, rows, squares, unread, at + 1, total)
            rows, squares, unread = [], [], []
    if not total:
        yield Scored(indices=(), scores=())


def _scored(
    loaded: Loaded,
    rows: list[int],
    squares: list[Tensor],
    unread: list[Unread],
    done: int,
    total: int,
) -> Scored:
    columns = blocks(loaded.card)
    heads: list[tuple[tuple[float, ...], ...]] = [() for _ in columns]
    if rows:
        scores = loaded.scorer(torch.stack(squares))
        heads = [tuple(map(tuple, scores[:, block].tolist())) for block in columns]
    return Scored(
        indices=tuple(rows),
        scores=heads[0],
        view_scores=heads[1] if len(heads) > 1 else (),
        unread=tuple(unread),
        done=done,
        total=total,
    )
