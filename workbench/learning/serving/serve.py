"""Server mode of the learning program: requests on stdin, answers on stdout."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import msgspec
import torch
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    Answer,
    AnswerLine,
    AnyRequest,
    Describe,
    Explain,
    Export,
    ImageInput,
    Refused,
    Score,
    Scored,
    Unread,
    decode_request_line,
    encode_line,
)
from workbench.domain.runs import Sample
from workbench.domain.text import Message
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.windows import highest_scores
from workbench.learning.images.data import decoded
from workbench.learning.images.pixels import working_side
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import blocks
from workbench.learning.protocol.failures import is_out_of_memory
from workbench.learning.serving.loaded import Loaded, NetworkCache

UNKNOWN = -1  # id for request lines without one


def main() -> int:
    """Serve until stdin ends. Output of libraries is redirected to stderr, to keep stdout clean."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        Server(answers).serve(sys.stdin.buffer)
    except (BrokenPipeError, KeyboardInterrupt):
        return 0  # the client is gone
    return 0


class Server:
    """Answer requests one after another; errors are reported and never end the server."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._networks = NetworkCache(choose_device())

    def serve(self, lines: Iterable[bytes]) -> None:
        """Answer every line. Raises BrokenPipeError if the client has gone."""
        for line in lines:
            if line.strip():
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        try:
            line_request = decode_request_line(line)
        except msgspec.DecodeError as error:
            self._send(
                AnswerLine(
                    _id_of(line),
                    Refused(sentence=Message("Invalid request: {error}.", error=error)),
                )
            )
            return
        try:
            held: Answer | None = None
            for answer in self._answers_to(line_request.request):
                if held is not None:
                    self._send(AnswerLine(line_request.id, held, last=False))
                held = answer
            assert held is not None
            self._send(AnswerLine(line_request.id, held))
        except BrokenPipeError:
            raise
        except Exception as error:
            self._send(AnswerLine(line_request.id, refusal(error)))

    def _answers_to(self, request: AnyRequest) -> Iterator[Answer]:
        loaded = self._networks.get(request.run)
        # imported on first use: each handler has heavy libraries of its own
        match request:
            case Describe():
                from workbench.learning.serving.explain import describe

                yield describe(request, loaded)
            case Explain():
                from workbench.learning.serving.explain import explain

                yield explain(request, loaded)
            case Score():
                from workbench.learning.serving.serve import score

                yield from score(request, loaded)
            case Export():
                from workbench.learning.serving.export import export

                yield from export(request, loaded)

    def _send(self, answered: AnswerLine) -> None:
        data = memoryview(encode_line(answered))
        while data:
            data = data[self._answers.write(data) :]


def _id_of(line: bytes) -> int:
    """The id in an invalid request line, so that its client gets an answer."""

    class OnlyId(msgspec.Struct):
        id: int = UNKNOWN

    try:
        return msgspec.json.decode(line, type=OnlyId).id
    except msgspec.DecodeError:
        return UNKNOWN


def refusal(error: Exception) -> Refused:
    """Answer to a request that failed with `error`."""
    if isinstance(error, KnownError):
        return Refused(sentence=error.sentence, remedy=error.remedy)
    if is_out_of_memory(error):
        return Refused(
            sentence=Message("Not enough memory to load this network."),
            remedy=Message(
                "Wait until the training has finished, or choose a run with a smaller backbone."
            ),
        )
    return Refused(
        sentence=Message(
            "Unexpected error in the learning program: {error}",
            error=str(error) or type(error).__name__,
        ),
        remedy=Message("Report it with the text below."),
        traceback="".join(traceback.format_exception(error)),
    )


def score(request: Score, loaded: Loaded) -> Iterator[Scored]:
    """Scores of a request's images in order, one answer per batch."""
    scorer = replace(loaded.scorer, card=loaded.card.with_protocol(request.protocol))
    total = len(request.images)
    rows: list[int] = []
    found: list[Tensor] = []
    unread: list[Unread] = []
    began = time.perf_counter()
    for at, result in _read(request.images, scorer):
        if isinstance(result, KnownError):
            unread.append(Unread(at, result.sentence))
        else:
            rows.append(at)
            found.append(result)
        if len(rows) + len(unread) == request.batch or at == total - 1:
            scored = _scored(scorer, rows, found)
            yield msgspec.structs.replace(
                scored,
                unread=tuple(unread),
                done=at + 1,
                total=total,
                seconds=time.perf_counter() - began,
            )
            rows, found, unread, began = [], [], [], time.perf_counter()
    if not total:
        yield Scored(indices=(), scores=())


def _read(
    images: Sequence[ImageInput], scorer: Scorer
) -> Iterator[tuple[int, Tensor | KnownError]]:
    """Index of each image with its decoded square or, of a protocol of windows, its scores."""
    card = scorer.card
    if not card.protocol.by_windows:
        samples = [Sample(image=0, hash="", path=each.path, box=each.box) for each in images]
        side = working_side(card.image_size, card.test_resize)
        yield from decoded(samples, side, aspect=card.aspect)
        return
    for at, image in enumerate(images):
        try:
            yield at, torch.from_numpy(highest_scores(scorer, Path(image.path), image.rect))
        except KnownError as error:
            yield at, error


def _scored(scorer: Scorer, rows: list[int], found: list[Tensor]) -> Scored:
    """Answer for the images `rows`, from what `_read` found of them."""
    columns = blocks(scorer.card)
    heads: list[tuple[tuple[float, ...], ...]] = [() for _ in columns]
    if rows:
        given = torch.stack(found)
        scores = given if scorer.card.protocol.by_windows else scorer(given)
        heads = [tuple(map(tuple, scores[:, block].tolist())) for block in columns]
    return Scored(
        indices=tuple(rows),
        scores=heads[0],
        view_scores=heads[1] if len(heads) > 1 else (),
    )
