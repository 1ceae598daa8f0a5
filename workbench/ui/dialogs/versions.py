"""Versions: a list, what differs from the project now or from another one, and going back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from workbench.app.jobs import Failed, Job
from workbench.app.versions import (
    NOW,
    compare_task,
    create_task,
    go_back_task,
    images_of,
    save_changes,
)
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter
from workbench.domain.labels import Author
from workbench.domain.text import mark, plural, tr
from workbench.domain.versions import (
    ChangedThing,
    Difference,
    Version,
    VersionChange,
    count_changes,
)
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, column, row
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, Figure, FigureTable
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


class VersionsDialog(Dialog):
    """The versions of a project, the selected one compared with the project now or another one."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Versions"))
        self.resize(920, 640)
        self._context = context
        self._job: Job[list[VersionChange]] | None = None
        self._versions: list[Version] = []
        self.changes: list[VersionChange] = []
        self.name, self.note = QLineEdit(), QLineEdit()
        self.create_button = QPushButton(tr("Create version"))
        self.versions = self._version_table()
        self.other = QComboBox()
        self.summary = PlainLabel()
        self.table = self._change_table()
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
        table.setMinimumHeight(LIST_PIXELS)
        table.selectionModel().currentRowChanged.connect(lambda *_: self.compare())
        return table

    def _change_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Image")),
                Column(tr("Difference")),
                Column(tr("Label set")),
                Column(tr("Before")),
                Column(tr("After")),
                Column(tr("By", "made by a person")),
            )
        )
        table.setAccessibleName(tr("Differences"))
        return table

    def _lay_out(self) -> None:
        self.name.setPlaceholderText(tr("Name of a new version"))
        self.name.setAccessibleName(tr("Name of a new version"))
        self.note.setPlaceholderText(tr("Note (optional)"))
        self.note.setAccessibleName(tr("Note (optional)"))
        self.name.textChanged.connect(lambda _: self._enable())
        for field in (self.name, self.note):
            field.returnPressed.connect(self.create_version)
        self.create_button.setAutoDefault(False)
        self.create_button.clicked.connect(self.create_version)
        self.summary.setWordWrap(True)
        self.other.setAccessibleName(tr("Compare with"))
        self.other.activated.connect(lambda _: self.compare())
        self.other_label = QLabel(tr("Compare with"))
        self.other_label.setBuddy(self.other)
        column(
            row((self.name, 2), (self.note, 3), self.create_button, spacing=8),
            (self.versions, 2),
            row(self.other_label, self.other, (self.summary, 1), spacing=8),
            (self.table, 3),
            self._buttons(),
            on=self,
            margins=(16, 16, 16, 16),
            spacing=12,
        )

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        role = QDialogButtonBox.ButtonRole.ActionRole
        self.back_button = buttons.addButton(tr("Go back to this version"), role)
        self.images_button = buttons.addButton(tr("Show images"), role)
        self.save_button = buttons.addButton(tr("Save as CSV…"), role)
        self.back_button.clicked.connect(self.go_back)
        self.images_button.clicked.connect(self.show_images)
        self.save_button.clicked.connect(self._choose_file)
        for button in buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        return buttons

    def selected(self) -> Version | None:
        """The selected version."""
        index = self.versions.currentIndex()
        return self._versions[self.versions.source_row(index)] if index.isValid() else None

    def _enable(self) -> None:
        writable, chosen = self._context.session.read_only is None, self.selected()
        self.create_button.setEnabled(writable and bool(self.name.text().strip()))
        differs = bool(self.changes) and self.other.currentData() == NOW
        self.back_button.setEnabled(writable and chosen is not None and differs)
        self.images_button.setEnabled(bool(self.changes))
        self.save_button.setEnabled(bool(self.changes))

    def _show_versions(self) -> None:
        """List the versions and select the newest one."""
        self._versions = self._context.session.versions.all()
        self.versions.set_rows([_version_cells(version) for version in self._versions])
        for widget in (self.versions, self.other_label, self.other, self.table):
            widget.setVisible(bool(self._versions))
        self.other.clear()
        self.other.addItem(tr("the project now"), NOW)
        for version in self._versions:
            self.other.addItem(version.name, version.name)
        if self._versions:
            self.versions.selectRow(self.versions.view_row(0))
        else:
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
        job = self.sender()
        if job is not None and job is not self._job:
            return  # another comparison was started meanwhile
        self._job = None
        self._show_changes(changes)
        self.summary.setText(_summary(changes))

    def _show_changes(self, changes: list[VersionChange]) -> None:
        self.changes = changes
        self.table.set_rows([_change_cells(change) for change in changes])
        self._enable()

    def go_back(self) -> None:
        """Go back to the selected version, as one undoable edit."""
        version = self.selected()
        if version is None:
            return
        self._stop()
        self.summary.setText(tr("Going back…"))
        self.back_button.setEnabled(False)
        task = go_back_task(self._context.session, version.name)
        self._context.session.start(task, done=self._gone_back, failed=self._show_failure)

    def _gone_back(self, _: None) -> None:
        version = self.selected()
        if version is not None:
            text = tr("Gone back to version “{name}”. Undo takes this back.")
            self._context.notify(text.format(name=version.name), "info")
        self.compare()

    def show_images(self) -> None:
        """Show the images that differ and are in the project on the Images page."""
        ids = images_of(self._context.session, self.changes)
        self.accept()
        self._context.go("images", filter=ImageFilter(ids=tuple(ids)))

    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Save"), str(Path.home() / "changes.csv"), tr("CSV tables (*.csv)")
        )
        if chosen:
            with self._context.reporting_errors():
                save_changes(self.changes, Path(chosen))

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
    return " · ".join([total, *counts])
