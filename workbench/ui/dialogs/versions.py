"""Versions: a list, what differs from the project now or another version, and going back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QStyleOptionViewItem,
    QWidget,
)

from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import Failed, Job, Outcome
from workbench.app.versions import (
    compare_task,
    create_task,
    go_back_task,
    images_of,
    remove_version,
    rename_version,
    save_changes,
)
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter
from workbench.domain.labels import Author
from workbench.domain.reports import Progress, Report
from workbench.domain.text import mark, plural, tr
from workbench.domain.versions import (
    NOW,
    ChangedThing,
    Difference,
    Version,
    VersionChange,
    count_changes,
)
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context, column, row
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, Figure, FigureTable, Index, ShareDelegate
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.run_texts import when

_THINGS = {
    (ChangedThing.IMAGE, Difference.ADDED): mark("image added"),
    (ChangedThing.IMAGE, Difference.CHANGED): mark("image changed"),
    (ChangedThing.IMAGE, Difference.REMOVED): mark("image removed"),
    (ChangedThing.LABEL, Difference.ADDED): mark("label added"),
    (ChangedThing.LABEL, Difference.CHANGED): mark("label changed"),
    (ChangedThing.LABEL, Difference.REMOVED): mark("label removed"),
    (ChangedThing.MOUTH, Difference.ADDED): mark("mouth added"),
    (ChangedThing.MOUTH, Difference.CHANGED): mark("mouth changed"),
    (ChangedThing.MOUTH, Difference.REMOVED): mark("mouth removed"),
    (ChangedThing.PART, Difference.ADDED): mark("part added"),
    (ChangedThing.PART, Difference.CHANGED): mark("part changed"),
    (ChangedThing.PART, Difference.REMOVED): mark("part removed"),
    (ChangedThing.LABEL_SET, Difference.ADDED): mark("label set added"),
    (ChangedThing.LABEL_SET, Difference.CHANGED): mark("label set changed"),
    (ChangedThing.LABEL_SET, Difference.REMOVED): mark("label set removed"),
}
_AUTHORS = {
    Author.HUMAN: mark("by hand"),
    Author.IMPORT: mark("imported"),
    Author.MODEL: mark("by a model"),
}
LIST_PIXELS = 150  # least height of the list of versions
SIDE = 48  # pixels of a thumbnail
SHOWN = 2000  # differences in the table; the CSV file has them all
LONGEST = 160  # pixels; widest column of differences
NAME_CHARACTERS = 12  # least room for a name in a list


class VersionsDialog(Dialog):
    """The versions of a project, the selected one compared with the project now or another one."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Versions"))
        self.resize(920, 680)
        self._context = context
        self._going_back = False
        self._job: Job[list[VersionChange]] | None = None
        self._versions: list[Version] = []
        self.changes: list[VersionChange] = []
        self.name, self.note = QLineEdit(), QLineEdit()
        self.create_button = QPushButton(tr("Create version"))
        self.versions = self._version_table()
        self.other = QComboBox()
        self.kinds = QComboBox()
        self.summary = PlainLabel()
        self.table = ChangeTable(context)
        self._lay_out()
        self._show_versions()
        self._enable()

    def _version_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Version")),
                Column(tr("Note", "text beside a name")),
                Column(tr("Date")),
                Column(tr("By", "made by a person")),
                Column(tr("Images"), "count"),
                Column(tr("Labels"), "count"),
            )
        )
        table.setAccessibleName(tr("Versions"))
        table.give_first_room()
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        table.setMinimumHeight(LIST_PIXELS)
        table.selectionModel().currentRowChanged.connect(lambda *_: self.compare())
        return table

    def _lay_out(self) -> None:
        self.name.textChanged.connect(lambda _: self._enable())
        texts = (tr("Name of a new version"), tr("Note (optional)"))
        for field, text in zip((self.name, self.note), texts, strict=True):
            field.setPlaceholderText(text)
            field.setAccessibleName(text)
            field.returnPressed.connect(self.create_version)
        self.create_button.setAutoDefault(False)
        self.create_button.clicked.connect(self.create_version)
        self.summary.setWordWrap(True)
        self.other.setAccessibleName(tr("Compare with"))
        self.other.activated.connect(lambda _: self.compare())
        self.other_label = QLabel(tr("Compare with"))
        self.other_label.setBuddy(self.other)
        self.kinds.setAccessibleName(tr("Differences"))
        self.kinds.activated.connect(lambda _: self._show_rows())
        narrow = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        for box in (self.other, self.kinds):
            box.setMinimumContentsLength(NAME_CHARACTERS)
            box.setSizeAdjustPolicy(narrow)
        self.table.opened.connect(self.show_image)
        self.finished.connect(self.table.loader.close)
        column(
            row((self.name, 2), (self.note, 3), self.create_button, spacing=8),
            (self.versions, 2),
            row(*self._version_buttons(), (QWidget(), 1), spacing=8),
            row(self.other_label, (self.other, 1), (self.kinds, 1), spacing=8),
            self.summary,
            (self.table, 3),
            self._buttons(),
            on=self,
            margins=(16, 16, 16, 16),
            spacing=12,
        )

    def _version_buttons(self) -> tuple[QPushButton, ...]:
        """Buttons for the selected version."""
        self.back_button = QPushButton(tr("Go back to this version"))
        self.rename_button = QPushButton(tr("Rename…"))
        self.delete_button = QPushButton(tr("Delete…"))
        self.back_button.clicked.connect(self.go_back)
        self.rename_button.clicked.connect(self.rename_version)
        self.delete_button.clicked.connect(self.delete_version)
        buttons = (self.back_button, self.rename_button, self.delete_button)
        for button in buttons:
            button.setAutoDefault(False)
        return buttons

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.images_button = buttons.addButton(tr("Show images"), role)
        self.save_button = buttons.addButton(tr("Save as CSV…"), role)
        self.images_button.clicked.connect(self.show_images)
        self.save_button.clicked.connect(self._choose_file)
        for button in buttons.findChildren(QPushButton):
            button.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        return buttons

    def selected(self) -> Version | None:
        """The selected version."""
        index = self.versions.currentIndex()
        return self._versions[self.versions.source_row(index)] if index.isValid() else None

    def _enable(self) -> None:
        writable = self._context.session.read_only is None and not self._going_back
        self.create_button.setEnabled(writable and bool(self.name.text().strip()))
        chosen = writable and self.selected() is not None
        self.rename_button.setEnabled(chosen)
        self.delete_button.setEnabled(chosen)
        differs = bool(self.changes) and self.other.currentData() == NOW
        self.back_button.setEnabled(chosen and differs)
        self.images_button.setEnabled(bool(self.changes))
        self.save_button.setEnabled(bool(self.changes))

    def _show_versions(self, name: str = "") -> None:
        """List the versions and select the one called `name`, or else the newest."""
        self._versions = self._context.session.versions.all()
        self.versions.set_rows([_version_cells(version) for version in self._versions])
        shown = (self.versions, self.other_label, self.other, self.kinds, self.table)
        for widget in (*shown, self.rename_button, self.delete_button, self.back_button):
            widget.setVisible(bool(self._versions))
        self.other.clear()
        self.other.addItem(tr("the project now"), NOW)
        for version in self._versions:
            self.other.addItem(version.name, version.name)
        names = [version.name for version in self._versions]
        if names:
            at = names.index(name) if name in names else 0
            self.versions.selectRow(self.versions.view_row(at))
        else:
            self._show_changes([])
            text = tr(
                "No versions yet. A version keeps images, labels, mouths and split as they are now."
            )
            self.summary.setText(text)

    def create_version(self) -> None:
        """Create a version of the project as it is now, in a job."""
        if not self.create_button.isEnabled():
            return
        try:
            task = create_task(self._context.session, self.name.text(), self.note.text())
        except KnownError as error:
            self.summary.setText(tr(error.message))
            return
        self.create_button.setEnabled(False)
        self._context.session.start(task, done=self._created, failed=self._show_failure)

    def _created(self, _: None) -> None:
        self.name.clear()
        self.note.clear()
        self._show_versions()

    def compare(self) -> None:
        """Compare the selected version with what is chosen beside *Compare with*, in a job."""
        self._stop()
        self._show_changes([])
        version = self.selected()
        if version is None:
            return
        self.summary.setText(tr("Comparing…"))
        task = compare_task(self._context.session, version.name, self.other.currentData())
        self._job = self._context.session.start(
            task, done=self._compared, failed=self._show_failure
        )

    def _compared(self, changes: list[VersionChange]) -> None:
        if self.sender() not in (None, self._job):
            return  # another comparison was started meanwhile
        self._job = None
        self._show_changes(changes)
        self.summary.setText(_summary(changes))

    def _show_changes(self, changes: list[VersionChange]) -> None:
        self.changes = changes
        counts = count_changes(changes)
        self.kinds.clear()
        total = plural(len(changes), "{n:,} difference", "{n:,} differences")
        self.kinds.addItem(total if changes else tr("no differences"), None)
        for kind, count in counts.items():
            self.kinds.addItem(f"{tr(_THINGS[kind])}: {count:,}", kind)
        self.kinds.setEnabled(len(counts) > 1)
        self._show_rows()

    def shown_changes(self) -> list[VersionChange]:
        """The differences of the chosen kind."""
        kind = self.kinds.currentData()
        if kind is None:
            return self.changes
        wanted = tuple(map(str, kind))  # Qt returns plain texts
        return [one for one in self.changes if (one.subject, one.difference) == wanted]

    def _show_rows(self) -> None:
        self.table.show_changes(self.shown_changes()[:SHOWN])
        self._enable()

    def go_back(self) -> None:
        """Go back to the selected version, as one undoable edit."""
        version = self.selected()
        if version is None:
            return
        self._stop()
        try:
            task = go_back_task(self._context.session, version.name)
        except KnownError as error:
            self.summary.setText(tr(error.message))
            return
        self._going_back = True
        self._enable()
        self.summary.setText(tr("Going back…"))
        self._context.session.start(
            task,
            reported=self._show_progress,
            ended=self._ended,
            done=self._gone_back,
            failed=self._show_failure,
        )

    def _show_progress(self, report: Report) -> None:
        if isinstance(report, Progress) and report.total:
            text = tr("Going back… {done:,} of {total:,} images")
            self.summary.setText(text.format(done=report.done, total=report.total))

    def _ended(self, outcome: Outcome[None]) -> None:
        self._going_back = False
        if isinstance(outcome, Failed):
            self._enable()
        else:
            self.compare()

    def _gone_back(self, _: None) -> None:
        if version := self.selected():
            text = tr("Gone back to version “{name}”. Undo takes this back.")
            self._context.notify(text.format(name=version.name), "info")

    def rename_version(self) -> None:
        """Ask for a new name of the selected version."""
        version = self.selected()
        if version is None:
            return
        title, old = tr("Rename version"), version.name
        new, given = QInputDialog.getText(self, title, tr("Name"), text=old)
        if given:
            self._change(lambda: rename_version(self._context.session, old, new))

    def delete_version(self) -> None:
        """Delete the selected version after a question."""
        version = self.selected()
        if version is None:
            return
        text = tr("Delete the version “{name}”? This cannot be undone.").format(name=version.name)
        cancel, delete = QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard
        title = tr("Delete version")
        answer = QMessageBox.question(self, title, plain_text(text), cancel | delete, cancel)
        if answer is delete:
            self._change(lambda: remove_version(self._context.session, version.name))

    def _change(self, change: Callable[[], str | None]) -> None:
        """Run a change of the versions; show it with the version that it names selected, or why it
        is refused."""
        try:
            name = change()
        except KnownError as error:
            self.summary.setText(tr(error.message))
            return
        self._show_versions(name or "")

    def show_images(self) -> None:
        """Show the images with the shown differences on the Images page."""
        ids = images_of(self._context.session, self.shown_changes()).values()
        if ids:
            self.accept()
            self._context.go("images", filter=ImageFilter(ids=tuple(ids)))
        else:
            self.summary.setText(tr("None of these images is in the project now."))

    def show_image(self, image: int) -> None:
        """Show the images with the shown differences and select this one; 0 is none of them."""
        if image:
            self.show_images()
            self._context.go("images", image=image)
        else:
            self.summary.setText(tr("This image is not in the project now."))

    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Save"), str(Path.home() / "changes.csv"), tr("CSV tables (*.csv)")
        )
        if chosen:
            path = Path(chosen if Path(chosen).suffix else f"{chosen}.csv")
            with self._context.reporting_errors():
                notes = save_changes(self.changes, path)
                texts = [tr("{path} saved.").format(path=path), *map(tr, notes)]
                self.summary.setText(" ".join(texts))

    def _show_failure(self, failure: Failed) -> None:
        self.summary.setText(tr(failure.text))
        self._enable()

    def _stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            self._job = None

    def done(self, result: int) -> None:
        """Close and stop a comparison that is running."""
        self._stop()
        super().done(result)


class ChangeTable(FigureTable):
    """Differences with the thumbnails of their images, which are loaded when they are painted.

    `opened(image id)` is emitted for a double-click or Enter on an image: 0 if the project does not
    have it.
    """

    opened = Signal(int)

    def __init__(self, context: Context) -> None:
        super().__init__(
            (
                Column(tr("Image")),
                Column(tr("Difference")),
                Column(tr("Label set")),
                Column(tr("Before")),
                Column(tr("After")),
                Column(tr("By", "made by a person")),
            )
        )
        self.setAccessibleName(tr("Differences"))
        self.give_first_room()
        self.horizontalHeader().setMaximumSectionSize(LONGEST)
        self.verticalHeader().setDefaultSectionSize(SIDE + 8)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setItemDelegateForColumn(0, _ThumbnailDelegate(self))
        self._session = context.session
        self._images: list[int | None] = []  # 0 if the project does not have it
        self._wanted: dict[int, None] = {}
        self.loader = ThumbnailLoader(context.session, self)
        self.loader.ready.connect(lambda *_: self.viewport().update())
        self._request = QTimer(self, singleShot=True, interval=0)
        self._request.timeout.connect(self._load)
        self.doubleClicked.connect(self._open)

    def show_changes(self, changes: list[VersionChange]) -> None:
        """Show these differences."""
        ids = images_of(self._session, changes)
        self._images = [ids.get(change.hash, 0) if change.hash else None for change in changes]
        self.set_rows([_change_cells(change) for change in changes])

    def thumbnail(self, index: Index) -> QIcon:
        """The thumbnail for a row of the view, empty until it is loaded."""
        image = self._images[self.source_row(index)]
        pixels = self.loader.get(image) if image else None
        if pixels is not None:
            keep = Qt.AspectRatioMode.KeepAspectRatio
            return QIcon(QPixmap.fromImage(to_qimage(pixels)).scaled(SIDE, SIDE, keep))
        if image:
            self._wanted[image] = None
            self._request.start()
        return QIcon()

    def _load(self) -> None:
        self.loader.request(list(self._wanted))
        self._wanted.clear()

    def _open(self, index: Index) -> None:
        image = self._images[self.source_row(index)] if index.isValid() else None
        if image is not None:
            self.opened.emit(image)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)


class _ThumbnailDelegate(ShareDelegate):
    """Draws the thumbnail before the name of an image."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        table = self.parent()
        assert isinstance(table, ChangeTable)
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
        option.icon = table.thumbnail(index)


def _version_cells(version: Version) -> tuple[Figure | str | int, ...]:
    note = version.note or (tr("made for a run") if version.automatic else "")
    date = Figure(version.made_at, when(version.made_at))
    return version.name, note, date, version.author, version.images, version.labels


def _change_cells(change: VersionChange) -> tuple[str, ...]:
    states = [change.before, change.after]
    if change.subject is ChangedThing.PART:
        states = [tr(part) for part in states]
    thing = tr(_THINGS[change.subject, change.difference])
    author = tr(_AUTHORS[Author(change.author)]) if change.author in _AUTHORS else change.author
    return change.path or change.hash[:12], thing, change.name, *states, author


def _summary(changes: list[VersionChange]) -> str:
    if not changes:
        return tr("There are no differences.")
    counts = [f"{tr(_THINGS[kind])}: {count:,}" for kind, count in count_changes(changes).items()]
    total = plural(len(changes), "{n:,} difference", "{n:,} differences")
    text = " · ".join([total, *counts])
    if len(changes) > SHOWN:
        text += "\n" + tr("The table has the first {n:,}.").format(n=SHOWN)
    return text
