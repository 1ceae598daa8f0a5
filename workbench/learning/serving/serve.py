"""The learning program as a servant: requests on stdin, answers on stdout, networks kept warm."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    Answer,
    Answered,
    AnyRequest,
    Describe,
    Explain,
    Export,
    Refused,
    Score,
    decode_asked,
    encode_line,
)
from workbench.learning.device import choose_device
from workbench.learning.failures import is_out_of_memory
from workbench.learning.serving.loaded import WarmNetworks

UNKNOWN = -1  # id of an answer to a line that holds none


def main() -> int:
    """Answer until stdin ends. What libraries print goes to stderr, never among the answers."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        Server(answers).serve(sys.stdin.buffer)
    except (BrokenPipeError, KeyboardInterrupt):
        return 0  # whoever asked is gone
    return 0


class Server:
    """Answers requests one after another; none of them can end it."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._networks = WarmNetworks(choose_device())

    def serve(self, lines: Iterable[bytes]) -> None:
        """Answer every line. Raises BrokenPipeError when nobody takes the answers any more."""
        for line in lines:
            if line.strip():
                self._answer(line)

    def _answer(self, line: bytes) -> None:
        try:
            asked = decode_asked(line)
        except msgspec.DecodeError as error:
            self._say(Answered(_id_of(line), Refused(sentence=f"No such request: {error}.")))
            return
        try:
            held: Answer | None = None
            for answer in self._answers_to(asked.request):
                if held is not None:
                    self._say(Answered(asked.id, held, last=False))
                held = answer
            assert held is not None
            self._say(Answered(asked.id, held))
        except BrokenPipeError:
            raise
        except Exception as error:
            self._say(Answered(asked.id, refusal(error)))

    def _answers_to(self, request: AnyRequest) -> Iterator[Answer]:
        loaded = self._networks.get(request.run)
        # Each of these loads its own libraries, when first asked for.
        match request:
            case Describe():
                from workbench.learning.serving.explain import describe

                yield describe(request, loaded)
            case Explain():
                from workbench.learning.serving.explain import explain

                yield explain(request, loaded)
            case Score():
                from workbench.learning.serving.predict import score

                yield from score(request, loaded)
            case Export():
                from workbench.learning.serving.export import export

                yield from export(request, loaded)

    def _say(self, answered: Answered) -> None:
        data = memoryview(encode_line(answered))
        while data:
            data = data[self._answers.write(data) :]


def _id_of(line: bytes) -> int:
    """The id in a line that is no request, so that whoever waits for it hears of it."""

    class OnlyId(msgspec.Struct):
        id: int = UNKNOWN

    try:
        return msgspec.json.decode(line, type=OnlyId).id
    except msgspec.DecodeError:
        return UNKNOWN


def refusal(error: Exception) -> Refused:
    """What to answer when a request failed with `error`."""
    if isinstance(error, KnownError):
        return Refused(sentence=error.sentence, remedy=error.remedy)
    if is_out_of_memory(error):
        return Refused(
            sentence="The memory does not hold this network beside what is running.",
            remedy="Wait until the training has ended, or choose a run of a smaller backbone.",
        )
    return Refused(
        sentence=f"The learning program met a fault of its own: {type(error).__name__}: {error}",
        remedy="Please report it with the text below.",
        traceback="".join(traceback.format_exception(error)),
    )
