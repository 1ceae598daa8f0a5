"""Finding mouths from the window: the job, its sum at the end, and the 68-point file it uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.jobs import Cancelled, Done, Job
from workbench.app.mouths.cropping import (
    LANDMARKS_SETTING,
    DetectionResult,
    choose_landmarks_file,
    detection_task,
    landmarks_file,
)
from workbench.app.mouths.mouth_book import MouthBook
from workbench.domain.errors import KnownError
from workbench.domain.mouth_queue import Queue
from workbench.ui.mouths.header import ALL, NEW, SELECTED
from workbench.ui.page import Context
from workbench.vision.landmarks import LICENCE_NOTE


class MouthFinding(QObject):
    """Starts the detection and says what came of it. `file_changed(name, licence)` tells which
    68-point file is used."""

    running_changed = Signal()
    file_changed = Signal(str, str)

    def __init__(
        self,
        context: Context,
        book: MouthBook,
        selected: Callable[[], list[int]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._context, self._book, self._selected, self._window = context, book, selected, parent
        self._job: Job | None = None

    @property
    def running(self) -> bool:
        """Whether mouths are being looked for."""
        return self._job is not None

    def can_find(self) -> bool:
        """Whether there is an image that was not looked at yet."""
        return not self.running and self._book.looked_at < self._book.images

    def find(self, which: str = NEW) -> None:
        """Look for mouths in images not looked at yet, the selected ones, or all again."""
        if which == SELECTED:
            images = self._selected()
        else:
            images = self._book.ids(Queue.ALL if which == ALL else Queue.UNSEEN).tolist()
        if not self.running and images:
            self._start(images)

    def _start(self, images: list[int]) -> None:
        op = self._context.op
        try:
            task = detection_task(op, images)
        except KnownError as error:
            self._context.notify(str(error), "bad")
            return
        self._job = op.jobs.start(task)
        self._job.ended.connect(self._ended)
        self.running_changed.emit()

    def _ended(self, outcome: object) -> None:
        self._job = None
        self.running_changed.emit()
        if isinstance(outcome, Done) and isinstance(outcome.value, DetectionResult):
            self._context.notify(self._summary(outcome.value), "info")
        elif isinstance(outcome, Cancelled):
            self._context.notify(self.tr("Stopped: what was found so far is kept."), "info")

    def _summary(self, done: DetectionResult) -> str:
        said = self.tr("Mouths found in {found} of {all} images, missed in {missed}.").format(
            found=f"{done.found:,}", all=f"{done.images:,}", missed=f"{done.missed:,}"
        )
        if done.several:
            said += " " + self.tr("{n} have several faces.").format(n=f"{done.several:,}")
        return said

    def tell_file(self) -> None:
        """Emit `file_changed` for the file that is used now."""
        try:
            name = landmarks_file(self._context.op).name
        except KnownError as error:
            self.file_changed.emit(error.sentence, "")
            return
        licence = "" if self._chosen() else self._sentence_case(LICENCE_NOTE)
        self.file_changed.emit(name, licence)

    def _chosen(self) -> bool:
        return bool(self._context.op.store.settings.get(LANDMARKS_SETTING, ""))

    @staticmethod
    def _sentence_case(note: str) -> str:
        return note[:1].upper() + note[1:] + "."

    def ask_file(self) -> None:
        """Let the user choose another 68-point file."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            self.tr("68-point landmark file"),
            "",
            self.tr("Landmark files (*.dat);;All files (*)"),
        )
        if name:
            self.use_file(Path(name))

    def use_file(self, path: Path | None) -> None:
        """Find mouths with another 68-point file from now on (None: the one of the program)."""
        try:
            choose_landmarks_file(self._context.op, path)
        except KnownError as error:
            self._context.notify(str(error), "bad")
        self.tell_file()
