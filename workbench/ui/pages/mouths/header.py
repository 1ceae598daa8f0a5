"""The line at the top of the Mouths page: progress, and the job that finds mouths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QWidget,
)

from workbench.app.jobs import Cancelled, Job, Outcome
from workbench.app.mouths.cropping import (
    DetectionResult,
    choose_landmarks_file,
    detection_task,
    landmarks_file,
    landmarks_licence,
)
from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.domain.crops import Queue
from workbench.domain.errors import KnownError
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.page import Context, PageHeader

NEW, SELECTED, ALL = "new", "selected", "all"


class MouthHeader(PageHeader):
    """`find_wanted(which)` where which is "new" (images not looked at), "selected" or "all"."""

    find_wanted = Signal(str)
    marks_toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(140)
        self.marks = QToolButton()
        self.marks.setIcon(icon("eye", self))
        self.marks.setCheckable(True)
        self.marks.setChecked(True)
        self.marks.setToolTip(tr("Show landmarks and squares (M)"))
        self.marks.setAccessibleName(tr("Show landmarks and squares"))
        self.marks.toggled.connect(self.marks_toggled)
        self.find_button = QPushButton()
        self.find_button.setIcon(icon("user-focus", self))
        self.find_button.clicked.connect(lambda: self.find_wanted.emit(NEW))
        self.more = QToolButton()
        self.more.setIcon(icon("caret-down", self))
        self.more.setToolTip(tr("Where to find mouths"))
        self.more.setAccessibleName(self.more.toolTip())
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.more)
        self.choices = {which: self._choice(which) for which in (NEW, SELECTED, ALL)}
        self.more.setMenu(self._menu)
        self.add(self.count, self.bar)
        self.stretch()
        self.controls = QWidget()
        row = QHBoxLayout(self.controls)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self.marks, self.find_button, self.more):
            row.addWidget(widget)
        self.add(self.controls)

    def _choice(self, which: str) -> QAction:
        action = QAction(self._menu)
        action.triggered.connect(lambda: self.find_wanted.emit(which))
        self._menu.addAction(action)
        return action

    def toggle_marks(self) -> None:
        """Show landmarks and squares, or the bare photo."""
        self.marks.toggle()

    def show_progress(self, done: int, total: int) -> None:
        """Mouths labelled, of all."""
        self.count.setVisible(total > 0)
        self.bar.setVisible(total > 0)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)
        self.count.setText(
            tr("{done} of {total} mouths labelled").format(done=f"{done:,}", total=f"{total:,}")
        )

    def show_choices(self, book: MouthQueues, selected: int, running: bool) -> None:
        """How many images each way of finding mouths would look at."""
        images = book.images
        new = images - book.searched
        texts = {
            NEW: tr("In {n} images not looked at yet").format(n=f"{new:,}"),
            SELECTED: tr("Again in {n} selected images").format(n=f"{selected:,}"),
            ALL: tr("Again in all {n} images").format(n=f"{images:,}"),
        }
        counts = {NEW: new, SELECTED: selected, ALL: images}
        for which, action in self.choices.items():
            action.setText(texts[which])
            action.setEnabled(counts[which] > 0 and not running)
        self.find_button.setText(tr("Finding mouths…") if running else tr("Find mouths"))
        self.find_button.setEnabled(new > 0 and not running)
        self.find_button.setToolTip(texts[NEW] + " (Ctrl+M)")
        primary = new > 0 and not running
        if self.find_button.property("primary") != primary:
            self.find_button.setProperty("primary", primary)
            self.find_button.setIcon(icon("user-focus", self, "on_accent" if primary else ""))
            self.find_button.style().unpolish(self.find_button)
            self.find_button.style().polish(self.find_button)
        self.more.setEnabled(not running and images > 0)


class MouthFinding(QObject):
    """Starts the detection and says what came of it. `file_changed(name, licence)` tells which
    68-point file is used."""

    running_changed = Signal()
    file_changed = Signal(str, str)

    def __init__(
        self,
        context: Context,
        book: MouthQueues,
        selected: Callable[[], list[int]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._context, self._book, self._selected, self._window = context, book, selected, parent
        self._job: Job[DetectionResult] | None = None

    @property
    def running(self) -> bool:
        """Whether mouths are being looked for."""
        return self._job is not None

    def can_find(self) -> bool:
        """Whether there is an image that was not looked at yet."""
        return not self.running and self._book.searched < self._book.images

    def find(self, which: str = NEW) -> None:
        """Look for mouths in images not looked at yet, the selected ones, or all again."""
        if which == SELECTED:
            images = self._selected()
        else:
            images = self._book.ids(Queue.ALL if which == ALL else Queue.UNSEEN).tolist()
        if not self.running and images:
            self._start(images)

    def _start(self, images: list[int]) -> None:
        session = self._context.session
        with self._context.reporting_errors():
            self._job = session.start(
                detection_task(session, images), done=self._show_result, ended=self._ended
            )
            self.running_changed.emit()

    def _show_result(self, result: DetectionResult) -> None:
        self._context.notify(self._summary(result), "info")

    def _ended(self, outcome: Outcome[DetectionResult]) -> None:
        self._job = None
        self.running_changed.emit()
        if isinstance(outcome, Cancelled):
            self._context.notify(tr("Stopped: what was found so far is kept."), "info")

    def _summary(self, done: DetectionResult) -> str:
        said = tr("Mouths found in {found} of {all} images, missed in {missed}.").format(
            found=f"{done.found:,}", all=f"{done.images:,}", missed=f"{done.missed:,}"
        )
        if done.several:
            said += " " + tr("{n} have several faces.").format(n=f"{done.several:,}")
        return said

    def tell_file(self) -> None:
        """Emit `file_changed` for the file that is used now."""
        try:
            name = landmarks_file(self._context.session).name
        except KnownError as error:
            self.file_changed.emit(tr(error.sentence), "")
            return
        licence = landmarks_licence(self._context.session)
        self.file_changed.emit(name, self._sentence_case(licence) if licence else "")

    @staticmethod
    def _sentence_case(note: str) -> str:
        return note[:1].upper() + note[1:] + "."

    def ask_file(self) -> None:
        """Let the user choose another 68-point file."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            tr("68-point landmark file"),
            "",
            tr("Landmark files (*.dat);;All files (*)"),
        )
        if name:
            self.use_file(Path(name))

    def use_file(self, path: Path | None) -> None:
        """Find mouths with another 68-point file from now on (None: the one of the program)."""
        with self._context.reporting_errors():
            choose_landmarks_file(self._context.session, path)
        self.tell_file()
