"""Dialogs for imports: what is imported as what, and which files were skipped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QLabel,
    QScrollArea,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.images.importing import import_task
from workbench.app.images.preview import ImportPreview, SourcePreview, preview_task
from workbench.app.jobs import Done, Job, Outcome
from workbench.app.labels.label_files import import_labels_task
from workbench.app.labels.reading import NO_CHOICES, ReadChoices
from workbench.app.session import Session
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.text import tr
from workbench.formats import read_patterns
from workbench.ui.dialogs.import_reports import show_result
from workbench.ui.dialogs.import_sources import SourceSection
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context, boxed, column
from workbench.ui.parts.copying import CopyDialog, text_of, three_column_list
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import ROW_PIXELS

_SIZE = QSize(760, 260)
_FRAME = 80  # pixels for the title bar and a margin


class ImportDialog(Dialog):
    """What was recognised in the sources of an import, and as what their labels are imported."""

    def __init__(
        self, context: Context, paths: Sequence[Path], parent: QWidget | None, labels_only: bool
    ) -> None:
        """`paths` are folders and files to import; with `labels_only`, labels of images that the
        project has."""
        super().__init__(parent)
        self.setWindowTitle(tr("Import labels") if labels_only else tr("Import images"))
        self._context, self._paths, self._labels_only = context, list(paths), labels_only
        self._job: Job[ImportPreview] | None = None
        self._reading: SourceSection | None = None  # the section that is read again
        self._sets = tuple(dict.fromkeys((*context.session.labels.sets(), *IMPORTABLE_SETS)))
        self.sections: list[SourceSection] = []
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(12)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = boxed(column(self._list, (QWidget(), 1)))
        self._area.setWidget(self._content)
        self.state = PlainLabel()
        self.state.setProperty("role", "muted")
        self.state.setWordWrap(True)
        self.note = QLabel(
            tr("Labels given by hand are kept.")
            if labels_only
            else tr("Files stay where they are. Labels given by hand are kept.")
        )
        self.note.setProperty("role", "caption")
        self.buttons = self._make_buttons()
        column(
            (self._area, 1), self.state, self.note, self.buttons, on=self,
            margins=(16, 16, 16, 16), spacing=12,
        )  # fmt: skip
        self.resize(_SIZE)
        self._read(self._paths, NO_CHOICES)

    def _make_buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = buttons.addButton(tr("Import"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start.setProperty("primary", True)
        self.start.setDefault(True)
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    # Reading

    def _read(
        self, paths: Sequence[Path], choices: ReadChoices, again: SourceSection | None = None
    ) -> None:
        if self._job is not None:
            self._job.stop()
        self._reading = again
        session = self._context.session
        task = preview_task(session, paths, choices, labels_only=self._labels_only)
        job = self._job = session.start(task, ended=lambda outcome: self._ended(job, outcome))
        self._show_state()

    def _ended(self, job: Job[ImportPreview], outcome: Outcome[ImportPreview]) -> None:
        if job is not self._job:
            return  # something else was chosen meanwhile
        self._job = None
        if isinstance(outcome, Done):
            self._show(outcome.value.sources)
        self._show_state()
        if self._reading is None:
            self._focus_first()

    def _show(self, sources: Sequence[SourcePreview]) -> None:
        if self._reading is not None:
            self._reading.show_preview(sources[0])
            return
        for source in sources:
            section = SourceSection(self._sets, self._labels_only)
            section.changed.connect(self._show_state)
            section.read_again.connect(partial(self._read_section, section))
            self.sections.append(section)
            self._list.addWidget(section)
            section.show_preview(source)
            section.show()  # now, so that the height of the content is known
        self._show_state()
        self._fit_content()

    def _focus_first(self) -> None:
        """Focus what is to be confirmed, else the button, so that Enter imports."""
        unconfirmed = (one.confirmed for one in self.sections if one.unconfirmed)
        next(unconfirmed, self.start).setFocus()

    def _read_section(self, section: SourceSection, choices: ReadChoices) -> None:
        self._read(section.preview.paths, choices, section)

    def _fit_content(self) -> None:
        """Become as high as the content, within the screen."""
        content, margins = self._content, 32
        width = max(self.width(), _SIZE.width()) - margins
        height = content.heightForWidth(width) if content.hasHeightForWidth() else 0
        lines = [one for one in (self.state, self.note, self.buttons) if not one.isHidden()]
        below = sum(one.sizeHint().height() + 12 for one in lines)
        wanted = max(height, content.sizeHint().height()) + below + margins
        screen = self.screen().availableGeometry()
        self.resize(self.width(), max(_SIZE.height(), min(wanted, screen.height() - _FRAME)))
        over = self.frameGeometry().bottom() - screen.bottom() + _FRAME // 2
        if over > 0:
            self.move(self.x(), max(screen.top() + _FRAME // 2, self.y() - over))

    def _show_state(self) -> None:
        importable = [section for section in self.sections if section.importable]
        ready = self._job is None and bool(importable)
        text = ""
        if self._job is not None:
            text = tr("Reading…")
        elif not importable:
            text = tr("There is nothing to import.")
        elif any(section.unconfirmed for section in self.sections):
            ready, text = False, tr("Confirm that the labels are right, or choose an encoding.")
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.start.setEnabled(ready)

    # Result

    @property
    def ready(self) -> bool:
        """Whether the import can start."""
        return self.start.isEnabled()

    def paths(self) -> list[Path]:
        """The paths to import: without sources that cannot be read."""
        return [path for one in self.sections if one.importable for path in one.preview.paths]

    def choices(self) -> ReadChoices:
        """What was chosen for each path."""
        chosen = {path: one.choices() for one in self.sections for path in one.preview.paths}
        return ReadChoices(files=chosen)

    def accept(self) -> None:
        """Close with the choices, unless something must be chosen or confirmed first."""
        if self.ready:
            super().accept()

    def done(self, result: int) -> None:
        """Close, stopping the job if it runs."""
        if self._job is not None:
            self._job.stop()
            self._job = None
        super().done(result)


def import_folder(context: Context, parent: QWidget) -> None:
    """Choose a folder in a dialog and import its images."""
    if not context.can_edit():
        return
    title = tr("Import a folder of images")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    if chosen:
        import_with_dialog(context, parent, [Path(chosen)])


def import_lists(context: Context, parent: QWidget) -> None:
    """Choose list files or tables in a dialog and import their images."""
    kinds = tr("Lists, tables and datasets ({patterns})").format(patterns=read_patterns())
    title = tr("Import list files")
    chosen, _ = QFileDialog.getOpenFileNames(parent, title, str(Path.home()), kinds)
    if chosen:
        import_with_dialog(context, parent, [Path(name) for name in chosen])


def import_with_dialog(
    context: Context, parent: QWidget, paths: Sequence[Path], *, labels_only: bool = False
) -> None:
    """Open the import dialog for `paths`, then import them in a job, or their labels alone."""
    if not context.can_edit():
        return
    dialog = ImportDialog(context, paths, parent, labels_only)
    if dialog.exec() == QDialog.DialogCode.Accepted:
        if labels_only:
            start_label_import(context, parent, dialog.paths()[0], dialog.choices())
        else:
            start_import(context, parent, dialog.paths(), dialog.choices())
    dialog.deleteLater()


def start_import(
    context: Context, parent: QWidget, paths: Sequence[Path], choices: ReadChoices
) -> None:
    """Import `paths` in a job and show its report when it ends."""
    with context.reporting_errors():
        context.session.start(
            import_task(context.session, paths, choices=choices),
            done=lambda result: show_result(context, parent, result.report),
        )


def start_label_import(
    context: Context, parent: QWidget, file: Path, choices: ReadChoices = NO_CHOICES
) -> None:
    """Import the labels of a file or folder in a job and show its report when it ends."""
    with context.reporting_errors():
        context.session.start(
            import_labels_task(context.session, file, choices.at(file)),
            done=lambda result: show_result(context, parent, result.report),
        )


class SkippedDialog(CopyDialog):
    """List of the files that imports skipped, with the reasons."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Skipped files"))
        self.resize(760, 440)
        self.list = three_column_list([tr("File"), tr("Reason"), tr("Source")], 240, 180)
        self.list.setUniformRowHeights(True)
        for source in session.images.sources():
            for file in session.images.skipped(source.id):
                item = QTreeWidgetItem([file.path, tr(file.reason), source.path])
                item.setSizeHint(0, QSize(0, ROW_PIXELS))
                for at in range(3):
                    item.setToolTip(at, plain_text(item.text(at)))
                self.list.addTopLevelItem(item)
        note = QLabel(
            tr("To import a skipped file, fix or replace it and import its source again.")
        )
        note.setProperty("role", "caption")
        self._lay_out(lambda: text_of(self.list), self.list, note)
