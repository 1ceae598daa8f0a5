"""The header of the Mouths page: progress, and the job that finds mouths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
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
from workbench.domain.text import plural, tr
from workbench.ui.commands import ShortcutTip
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, PageHeader

NEW, SELECTED, ALL = "new", "selected", "all"  # the images in which mouths are to be found


class MouthHeader(PageHeader):
    """Progress and controls. `find_requested(which)` is emitted with NEW (images not searched yet),
    SELECTED or ALL, `marks_toggled(shown)` when landmarks and boxes are shown or hidden."""

    find_requested = Signal(str)
    marks_toggled = Signal(bool)

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.count = PlainLabel()
        self.count.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(140)
        self.marks = QToolButton()
        self.marks.setIcon(icon("eye", self))
        self.marks.setCheckable(True)
        self.marks.setChecked(True)
        ShortcutTip(self.marks, tr("Show landmarks and boxes"), "mouths.marks")
        self.marks.setAccessibleName(tr("Show landmarks and boxes"))
        self.marks.toggled.connect(self.marks_toggled)
        self.find_button = QPushButton()
        self.find_button.setIcon(icon("user-focus", self))
        self.find_button.clicked.connect(lambda: self.find_requested.emit(NEW))
        self._find_tip = ShortcutTip(self.find_button, "", "mouths.find")
        self.more = QToolButton()
        self.more.setIcon(icon("caret-down", self))
        self.more.setToolTip(tr("Choose images to search"))
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
        action.triggered.connect(lambda: self.find_requested.emit(which))
        self._menu.addAction(action)
        return action

    def toggle_marks(self) -> None:
        """Show or hide landmarks and boxes."""
        self.marks.toggle()

    def show_progress(self, done: int, total: int) -> None:
        """Show how many of all mouths are labelled; hidden without mouths."""
        self.count.setVisible(total > 0)
        self.bar.setVisible(total > 0)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)
        self.count.setText(
            plural(
                total,
                "{done:,} of {n:,} mouth labelled",
                "{done:,} of {n:,} mouths labelled",
                done=done,
            )
        )

    def show_choices(self, queues: MouthQueues, selected: int, running: bool) -> None:
        """Show how many images each choice would search; disable all while a search is running."""
        images = queues.images
        new = images - queues.searched
        texts = {
            NEW: plural(new, "Search {n:,} unsearched image", "Search {n:,} unsearched images"),
            SELECTED: plural(
                selected,
                "Search {n:,} selected image again",
                "Search {n:,} selected images again",
            ),
            ALL: plural(images, "Search {n:,} image again", "Search all {n:,} images again"),
        }
        counts = {NEW: new, SELECTED: selected, ALL: images}
        for which, action in self.choices.items():
            action.setText(texts[which])
            action.setEnabled(counts[which] > 0 and not running)
        self.find_button.setText(tr("Finding mouths…") if running else tr("Find mouths"))
        self.find_button.setEnabled(new > 0 and not running)
        self._find_tip.set_text(texts[NEW])
        primary = new > 0 and not running
        if self.find_button.property("primary") != primary:
            self.find_button.setProperty("primary", primary)
            self.find_button.setIcon(icon("user-focus", self, "on_accent" if primary else ""))
            self.find_button.style().unpolish(self.find_button)
            self.find_button.style().polish(self.find_button)
        self.more.setEnabled(not running and images > 0)


class MouthFinding(QObject):
    """Runs the detection and reports its result.

    `running_changed()` is emitted when it starts or ends, `file_changed(file, licence)` with the
    landmark file in use, as sentences.
    """

    running_changed = Signal()
    file_changed = Signal(str, str)

    def __init__(
        self,
        context: Context,
        queues: MouthQueues,
        selected: Callable[[], list[int]],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._context, self._queues, self._selected, self._window = (
            context,
            queues,
            selected,
            parent,
        )
        self._job: Job[DetectionResult] | None = None

    @property
    def running(self) -> bool:
        """Whether the detection is running."""
        return self._job is not None

    def can_find(self) -> bool:
        """Whether there are images not searched yet, and no detection is running."""
        return not self.running and self._queues.searched < self._queues.images

    def find(self, which: str = NEW) -> None:
        """Find mouths in the images not searched yet (NEW), the SELECTED ones, or ALL."""
        if which == SELECTED:
            images = self._selected()
        else:
            images = self._queues.ids(Queue.ALL if which == ALL else Queue.UNSEEN).tolist()
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
            self._context.notify(tr("Stopped. The mouths found so far are kept."), "info")

    @staticmethod
    def _summary(result: DetectionResult) -> str:
        sentences = [
            plural(
                result.images,
                "Mouths found in {found:,} of {n:,} image, missed in {missed:,}.",
                "Mouths found in {found:,} of {n:,} images, missed in {missed:,}.",
                found=result.found,
                missed=result.missed,
            )
        ]
        if result.several:
            sentences.append(
                plural(
                    result.several,
                    "{n:,} image has several faces.",
                    "{n:,} images have several faces.",
                )
            )
        return " ".join(sentences)

    def report_file(self) -> None:
        """Emit `file_changed` for the file in use."""
        try:
            path = landmarks_file(self._context.session)
        except KnownError as error:
            self.file_changed.emit(tr(error.sentence), "")
            return
        licence = landmarks_licence(self._context.session)
        file = tr("Landmark file: {file}.").format(file=path.name)
        self.file_changed.emit(file, self._sentence(tr(licence)) if licence else "")

    @staticmethod
    def _sentence(note: str) -> str:
        return note[:1].upper() + note[1:] + "."

    def choose_file(self) -> None:
        """Open a dialog to choose another landmark file."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            tr("68-point landmark file"),
            "",
            tr("Landmark files (*.dat);;All files (*)"),
        )
        if name:
            self.use_file(Path(name))

    def use_file(self, path: Path | None) -> None:
        """Use another landmark file from now on (None: the one of the program); report one that is
        missing."""
        with self._context.reporting_errors():
            choose_landmarks_file(self._context.session, path)
        self.report_file()
