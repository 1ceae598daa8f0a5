"""The maps of one run as pages show them: asked for when wanted, kept, and told when they come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.app.explain.explaining import CHUNK, explain_request, layer_words
from workbench.app.results.run_images import RunImages
from workbench.app.service import LearningService
from workbench.app.session import Session
from workbench.domain.requests import (
    PREDICTED,
    Answer,
    Describe,
    Description,
    Explained,
    Heat,
    Refused,
)

KEPT = 4000  # maps of a few kilobytes each
CHECK_AFTER = 300  # milliseconds of looking at one image: the check keeps the next map waiting


@dataclass(frozen=True)
class Question:
    """What maps are wanted of: a label of a label set ("": the predicted one, the target's), at a
    layer ("": the deepest)."""

    label: str = PREDICTED
    label_set: str = ""
    layer: str = ""


class Explanations(QObject):
    """Maps for rows of a `RunImages`, answered by a learning service, the wanted ones first.

    Of rows wanted before, only what is under way is still answered. `failed` comes once per reason.
    """

    described = Signal(object)  # Description of the run
    ready = Signal(int)  # the map of this row can be had now
    checked = Signal(int)  # and its randomised-weights check
    failed = Signal(str, str)  # sentence, remedy
    unread = Signal(int, str)  # a row whose file cannot be read, and why

    def __init__(self, session: Session, service: LearningService) -> None:
        super().__init__()
        self._op, self._service = session, service
        self.images: RunImages | None = None
        self.description: Description | None = None
        self.question = Question()
        self._heats: OrderedDict[tuple[int, Question], Heat] = OrderedDict()
        self._lost: dict[int, str] = {}
        self._asked: dict[int, tuple[tuple[int, ...], Question]] = {}
        self._describing = 0
        self._check_of: int | None = None
        self._pause = QTimer(self, singleShot=True, interval=CHECK_AFTER)
        self._pause.timeout.connect(self._ask_check)
        service.answered.connect(self._answered)

    def open(self, images: RunImages) -> None:
        """Turn to a run; its labels and layers come with `described`."""
        self.forget_requests()
        self.images, self.description = images, None
        self.question = Question()
        self._heats.clear()
        self._lost.clear()
        folder = self._op.store.runs_folder / images.record.id
        self._describing = self._service.ask(Describe(run=str(folder)))

    def ask_about(self, question: Question) -> None:
        """From now on maps are wanted of this; those of former questions are kept."""
        if question != self.question:
            self.withdraw()
            self.question = question

    def heat(self, row: int) -> Heat | None:
        """The map of a row for the present question, if it is at hand."""
        key = (row, self.question)
        if key in self._heats:
            self._heats.move_to_end(key)
        return self._heats.get(key)

    @property
    def layer_words(self) -> str:
        """The layer that maps are wanted of; "" while the run is not described yet."""
        if self.description is None or not self.description.layers:
            return ""
        name = self.question.layer or self.description.layers[-1]
        return layer_words(name, self.description.backbone)

    def why_unread(self, row: int) -> str:
        """Why a row's file cannot be explained; "" where it can."""
        return self._lost.get(row, "")

    def want(self, rows: Sequence[int], check: int | None = None) -> None:
        """Ask for the maps of these rows that are not there, in this order, and then for the check
        of row `check`. What was wanted before and is not named is not asked for any more."""
        if self.images is None:
            return
        self.withdraw()
        coming = {r for asked, q in self._asked.values() if q == self.question for r in asked}
        missing = [
            r for r in rows if self.heat(r) is None and r not in self._lost and r not in coming
        ]
        first = missing[:1]  # alone, so that what is looked at does not wait for the others
        for chunk in (first, *_chunks(missing[1:])):
            self._ask(chunk)
        self._check_of = check
        self._pause.start()

    def forget_requests(self) -> None:
        """Nobody waits for maps any more."""
        self._service.cancel_pending(tuple(self._asked))
        self._asked.clear()
        self.withdraw()

    def withdraw(self) -> None:
        """Take back what was not sent yet; what is under way is kept when it comes."""
        self._pause.stop()
        for asked in self._service.withdraw(tuple(self._asked)):
            del self._asked[asked]
        self._check_of = None

    def close(self) -> None:
        """Hear nothing more of the service, which lives on."""
        self.forget_requests()
        self._service.answered.disconnect(self._answered)

    def _ask(self, rows: Sequence[int], check: bool = False) -> None:
        if not rows or self.images is None:
            return
        shown = self.images.images(rows)
        question = self.question
        if not shown:
            return
        request = explain_request(
            self._op,
            self.images.record.id,
            shown,
            question.label,
            question.label_set,
            question.layer,
            check,
        )
        asked = self._service.ask(request)
        self._asked[asked] = (tuple(image.row for image in shown), question)

    def _ask_check(self) -> None:
        """Once the map itself is there, which is shown meanwhile."""
        row = self._check_of
        if row is None:
            return
        heat = self.heat(row)
        if heat is not None:
            self._check_of = None
            if heat.check is None and any(heat.values):
                self._ask((row,), check=True)

    @Slot(int, object)
    def _answered(self, asked: int, answer: Answer) -> None:
        if asked == self._describing and isinstance(answer, Description):
            self.description = answer
            self.described.emit(answer)
        elif asked in self._asked or asked == self._describing:
            rows, question = self._asked.pop(asked, ((), Question()))
            if isinstance(answer, Explained):
                self._take(rows, question, answer)
            elif isinstance(answer, Refused):
                self.forget_requests()
                self.failed.emit(answer.sentence, answer.remedy)

    def _take(self, rows: Sequence[int], question: Question, answer: Explained) -> None:
        for lost in answer.unread:
            self._lost[rows[lost.index]] = lost.reason
            self.unread.emit(rows[lost.index], lost.reason)
        for row, heat in zip(rows, answer.maps, strict=True):
            if heat is not None:
                self._keep(row, question, heat)
        if not self._pause.isActive():
            self._ask_check()

    def _keep(self, row: int, question: Question, heat: Heat) -> None:
        before = self._heats.get((row, question))
        self._heats[row, question] = heat
        while len(self._heats) > KEPT:
            self._heats.popitem(last=False)
        if question == self.question:
            if before is None:
                self.ready.emit(row)
            if heat.check is not None:
                self.checked.emit(row)


def _chunks(rows: Sequence[int]) -> list[Sequence[int]]:
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
