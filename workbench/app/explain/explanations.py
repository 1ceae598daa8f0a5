"""The heatmaps of one run for a page: requested when needed, cached, announced by signals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.app.explain.explaining import CHUNK, explain_request, layer_title
from workbench.app.results.run_images import RunImages
from workbench.app.service import LearningService
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.requests import (
    PREDICTED,
    Answer,
    Describe,
    Description,
    Explained,
    Heat,
    Refused,
)
from workbench.domain.text import Message

CACHED = 4000  # heatmaps of a few kilobytes each
CHECK_AFTER = 300  # milliseconds an image is shown before its check, which delays the next heatmap


@dataclass(frozen=True)
class HeatmapQuery:
    """What heatmaps explain: a label ("": the predicted one) of a label set ("": the target's) at
    a layer ("": the deepest)."""

    label: str = PREDICTED
    label_set: str = ""
    layer: str = ""


class Explanations(QObject):
    """Heatmaps for rows of a `RunImages`, computed by the learning service.

    A new request replaces those that were not sent yet. `failed` is emitted once per failure.
    """

    described = Signal(object)  # Description of the run
    ready = Signal(int)  # row whose heatmap arrived
    checked = Signal(int)  # row whose randomised-weights check arrived
    failed = Signal(object)  # Message with the error and its remedy
    unread = Signal(int, object)  # row whose file cannot be read, and a Message with the reason

    def __init__(self, session: Session, service: LearningService) -> None:
        super().__init__()
        self._session, self._service = session, service
        self.images: RunImages | None = None
        self.description: Description | None = None
        self.query = HeatmapQuery()
        self._heats: OrderedDict[tuple[int, HeatmapQuery], Heat] = OrderedDict()
        self._unread: dict[int, Message] = {}
        self._sent: dict[int, tuple[tuple[int, ...], HeatmapQuery]] = {}
        self._describing = 0
        self._check_row: int | None = None
        self._check_timer = QTimer(self, singleShot=True, interval=CHECK_AFTER)
        self._check_timer.timeout.connect(self._request_check)
        service.answered.connect(self._receive)

    def open(self, images: RunImages) -> None:
        """Switch to a run; `described` is emitted with its labels and layers."""
        self.cancel_all()
        self.images, self.description = images, None
        self.query = HeatmapQuery()
        self._heats.clear()
        self._unread.clear()
        folder = self._session.store.runs_folder / images.record.id
        self._describing = self._service.request(Describe(run=str(folder)))

    def set_query(self, query: HeatmapQuery) -> None:
        """Set what the next heatmaps explain; those of earlier queries stay cached."""
        if query != self.query:
            self.cancel_pending()
            self.query = query

    def heat(self, row: int) -> Heat | None:
        """The heatmap of a row for the current query, None if it is not cached."""
        key = (row, self.query)
        if key in self._heats:
            self._heats.move_to_end(key)
        return self._heats.get(key)

    @property
    def layer_title(self) -> str:
        """Readable name of the layer that heatmaps are of; "" until the run is described."""
        if self.description is None or not self.description.layers:
            return ""
        name = self.query.layer or self.description.layers[-1]
        return layer_title(name, self.description.backbone)

    def unread_reason(self, row: int) -> Message:
        """Why a row's file cannot be read; "" if it can, or was not tried yet."""
        return self._unread.get(row, Message(""))

    def request(self, rows: Sequence[int], check: int | None = None) -> None:
        """Request the missing heatmaps of these rows, in order, then the check of row `check`.

        Earlier requests that were not sent yet are dropped.
        """
        if self.images is None:
            return
        self.cancel_pending()
        sent = {r for rows_sent, q in self._sent.values() if q == self.query for r in rows_sent}
        missing = [
            r for r in rows if self.heat(r) is None and r not in self._unread and r not in sent
        ]
        first = missing[:1]  # alone, so that the image shown does not wait for the others
        for chunk in (first, *_chunks(missing[1:])):
            self._send(chunk)
        self._check_row = check
        self._check_timer.start()

    def cancel_all(self) -> None:
        """Cancel all requests, also those already sent."""
        self._service.cancel_pending(tuple(self._sent))
        self._sent.clear()
        self.cancel_pending()

    def cancel_pending(self) -> None:
        """Cancel the requests not sent yet; answers to the others are still cached."""
        self._check_timer.stop()
        for number in self._service.withdraw(tuple(self._sent)):
            del self._sent[number]
        self._check_row = None

    def close(self) -> None:
        """Cancel all requests and disconnect from the service, which stays open."""
        self.cancel_all()
        self._service.answered.disconnect(self._receive)

    def _send(self, rows: Sequence[int], check: bool = False) -> None:
        if not rows or self.images is None:
            return
        shown = self.images.images(rows)
        query = self.query
        if not shown:
            return
        request = explain_request(
            self._session,
            self.images.record.id,
            shown,
            query.label,
            query.label_set,
            query.layer,
            check,
        )
        number = self._service.request(request)
        self._sent[number] = (tuple(image.row for image in shown), query)

    def _request_check(self) -> None:
        """Request the check once the heatmap itself has arrived."""
        row = self._check_row
        if row is None:
            return
        heat = self.heat(row)
        if heat is not None:
            self._check_row = None
            if heat.check is None and any(heat.values):
                self._send((row,), check=True)

    @Slot(int, object)
    def _receive(self, number: int, answer: Answer) -> None:
        if number == self._describing and isinstance(answer, Description):
            self.description = answer
            self.described.emit(answer)
        elif number in self._sent or number == self._describing:
            rows, query = self._sent.pop(number, ((), HeatmapQuery()))
            if isinstance(answer, Explained):
                self._add_answer(rows, query, answer)
            elif isinstance(answer, Refused):
                self.cancel_all()
                self.failed.emit(KnownError(answer.sentence, answer.remedy).message)

    def _add_answer(self, rows: Sequence[int], query: HeatmapQuery, answer: Explained) -> None:
        for unread in answer.unread:
            self._unread[rows[unread.index]] = unread.reason
            self.unread.emit(rows[unread.index], unread.reason)
        for row, heat in zip(rows, answer.maps, strict=True):
            if heat is not None:
                self._add(row, query, heat)
        if not self._check_timer.isActive():
            self._request_check()

    def _add(self, row: int, query: HeatmapQuery, heat: Heat) -> None:
        before = self._heats.get((row, query))
        self._heats[row, query] = heat
        while len(self._heats) > CACHED:
            self._heats.popitem(last=False)
        if query == self.query:
            if before is None:
                self.ready.emit(row)
            if heat.check is not None:
                self.checked.emit(row)


def _chunks(rows: Sequence[int]) -> list[Sequence[int]]:
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
