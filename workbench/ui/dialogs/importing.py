"""Dialogs for importing images: where their labels come from, and which files were skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.images.import_plan import origin_offered
from workbench.app.images.importing import ImportResult, import_task
from workbench.app.session import Session
from workbench.domain.formats import FORMATS, IMPORTABLE_SETS, FileKind, Origin, patterns
from workbench.domain.label_names import LabelNames
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context
from workbench.ui.parts.copying import CopyDialog, text_of, three_column_list
from workbench.ui.parts.dialog import Dialog

_PREVIEW = 5  # paths and names listed in the import dialog


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Return the sorted names of the direct subfolders of `paths`, without hidden ones."""
    found: list[str] = []
    for path in paths:
        if path.is_dir():
            inside = (entry for entry in path.iterdir() if entry.is_dir())
            found += [entry.name for entry in inside if not entry.name.startswith(".")]
    return sorted(dict.fromkeys(found), key=str.casefold)


def origins_for(paths: Sequence[Path]) -> list[Origin]:
    """Return the possible origins of labels in `paths`, in the order FOLDER, LIST, TABLE."""
    offered = {origin_offered(path) for path in paths}
    return [origin for origin in Origin if origin in offered and origin is not Origin.NONE]


def likely_set(names: Sequence[str], known: Mapping[str, Sequence[str]]) -> str:
    """Return the label set that folders named `names` probably belong to; "" without folders.

    That is the first set of which at least two labels are among the names, else the default set.
    `known` maps each set to its labels.
    """
    if not names:
        return ""
    for label_set in IMPORTABLE_SETS[1:]:
        labels = LabelNames(known.get(label_set, ()))
        if len({labels.found(name) for name in names} - {None}) >= 2:
            return label_set
    return IMPORTABLE_SETS[0]


class ImportDialog(Dialog):
    """Choice of where the labels of each set come from, filled in with a likely one."""

    def __init__(
        self, paths: Sequence[Path], known: Mapping[str, Sequence[str]], parent: QWidget | None
    ) -> None:
        """`paths` are folders and files to import, `known` the labels of each set."""
        super().__init__(parent)
        self.setWindowTitle(tr("Import images"))
        self.setMinimumWidth(440)
        names, possible = folder_names(paths), origins_for(paths)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self._summary(paths, names))
        question = QLabel(tr("Where do labels come from?"))
        question.setProperty("role", "heading")
        column.addWidget(question)
        self.origins: dict[str, QComboBox] = {}
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        for name in IMPORTABLE_SETS:
            self.origins[name] = self._origin_box(possible)
            form.addRow(name, self.origins[name])
        column.addLayout(form)
        note = QLabel(tr("Files stay where they are. Labels given by hand are kept."))
        note.setProperty("role", "caption")
        column.addWidget(note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        start = buttons.addButton(tr("Import"), QDialogButtonBox.ButtonRole.AcceptRole)
        start.setProperty("primary", True)
        start.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self._preselect(names, known, possible)

    def _summary(self, paths: Sequence[Path], names: Sequence[str]) -> QLabel:
        metrics = QFontMetrics(self.font())
        lines = [
            metrics.elidedText(str(path), Qt.TextElideMode.ElideMiddle, 400)
            for path in islice(paths, _PREVIEW)
        ]
        if len(paths) > _PREVIEW:
            lines.append(plural(len(paths) - _PREVIEW, "and {n:,} more", "and {n:,} more"))
        if names:
            listed = ", ".join(names[:_PREVIEW]) + (" …" if len(names) > _PREVIEW else "")
            lines.append(
                plural(len(names), "{n:,} folder: {names}", "{n:,} folders: {names}", names=listed)
            )
        label = PlainLabel("\n".join(lines))
        label.setProperty("role", "muted")
        return label

    def _origin_box(self, possible: Sequence[Origin]) -> QComboBox:
        titles = {
            Origin.FOLDER: tr("Folder names"),
            Origin.LIST: tr("Second column of the list"),
            Origin.TABLE: tr("Column of the table"),
        }
        box = QComboBox()
        box.addItem(tr("No labels"), Origin.NONE.value)
        for origin in possible:
            box.addItem(titles[origin], origin.value)
        return box

    def _preselect(
        self, names: Sequence[str], known: Mapping[str, Sequence[str]], possible: Sequence[Origin]
    ) -> None:
        likely = likely_set(names, known)
        first = next(iter(self.origins))
        for name, box in self.origins.items():
            if Origin.TABLE in possible:
                box.setCurrentIndex(box.findData(Origin.TABLE.value))
            elif Origin.FOLDER in possible and name == likely:
                box.setCurrentIndex(box.findData(Origin.FOLDER.value))
            elif Origin.LIST in possible and Origin.FOLDER not in possible and name == first:
                box.setCurrentIndex(box.findData(Origin.LIST.value))

    def chosen(self) -> dict[str, Origin]:
        """Return the origin of the labels of each set, as `import_task` expects it."""
        return {name: Origin(box.currentData()) for name, box in self.origins.items()}


def import_folder(context: Context, parent: QWidget) -> None:
    """Choose a folder in a dialog and import its images."""
    title = tr("Import a folder of images")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    if chosen:
        import_with_dialog(context, parent, [Path(chosen)])


def import_lists(context: Context, parent: QWidget) -> None:
    """Choose list files or tables in a dialog and import their images."""
    read = patterns(FORMATS.read_as(FileKind.LIST, FileKind.TABLE))
    kinds = tr("Lists and tables ({patterns})").format(patterns=read)
    title = tr("Import list files")
    chosen, _ = QFileDialog.getOpenFileNames(parent, title, str(Path.home()), kinds)
    if chosen:
        import_with_dialog(context, parent, [Path(name) for name in chosen])


def import_with_dialog(context: Context, parent: QWidget, paths: Sequence[Path]) -> None:
    """Open the import dialog for `paths`, then import them in a job."""
    known = {name: s.names for name, s in context.session.labels.sets().items()}
    dialog = ImportDialog(paths, known, parent)
    if dialog.exec() == QDialog.DialogCode.Accepted:
        start_import(context, paths, dialog.chosen())
    dialog.deleteLater()


def start_import(
    context: Context, paths: Sequence[Path], labels_from: Mapping[str, Origin]
) -> None:
    """Import `paths` in a job and show a summary when it ends.

    `labels_from` maps label sets to the origin of their labels.
    """
    with context.reporting_errors():
        context.session.start(
            import_task(context.session, paths, labels_from),
            done=lambda result: context.notify(*import_summary(result)),
        )


def import_summary(result: ImportResult) -> tuple[str, str]:
    """Summarise an import for a notification: its text and its kind."""
    skipped = len(result.skipped)
    sentences = [plural(result.added, "{n:,} image imported.", "{n:,} images imported.")]
    if result.labelled:
        sentences.append(plural(result.labelled, "{n:,} has labels.", "{n:,} have labels."))
    if result.duplicates:
        sentences.append(
            plural(result.duplicates, "{n:,} is a duplicate.", "{n:,} are duplicates.")
        )
    if result.known:
        sentences.append(
            plural(result.known, "{n:,} was imported before.", "{n:,} were imported before.")
        )
    if skipped:
        sentences.append(
            plural(
                skipped,
                "{n:,} file was skipped: see “Skipped files” on the Images page.",
                "{n:,} files were skipped: see “Skipped files” on the Images page.",
            )
        )
    return " ".join(sentences), "warn" if skipped else "info"


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
                for column in range(3):
                    item.setToolTip(column, plain_text(item.text(column)))
                self.list.addTopLevelItem(item)
        note = QLabel(
            tr("To import a skipped file, fix or replace it and import its source again.")
        )
        note.setProperty("role", "caption")
        self._lay_out(lambda: text_of(self.list), self.list, note)
