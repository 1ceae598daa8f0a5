"""Importing: which labels the folders and tables hold, and which files were skipped."""

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
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.copying import CopyDialog, text_of, told_list

_PREVIEW = 5


def folder_names(places: Sequence[Path]) -> list[str]:
    """Names of the folders right below the given ones, in order, hidden ones left out."""
    found: list[str] = []
    for place in places:
        if place.is_dir():
            inside = (entry for entry in place.iterdir() if entry.is_dir())
            found += [entry.name for entry in inside if not entry.name.startswith(".")]
    return sorted(dict.fromkeys(found), key=str.casefold)


def origins_for(places: Sequence[Path]) -> list[Origin]:
    """Where labels can come from in these places: FOLDER, LIST, TABLE, in this order."""
    offered = {origin_offered(place) for place in places}
    return [origin for origin in Origin if origin in offered and origin is not Origin.NONE]


def likely_set(names: Sequence[str], known: Mapping[str, Sequence[str]]) -> str:
    """The label set that folder names probably name: one whose labels they are, else the first;
    "" where there are no folders."""
    if not names:
        return ""
    for label_set in IMPORTABLE_SETS[1:]:
        labels = LabelNames(known.get(label_set, ()))
        if len({labels.found(name) for name in names} - {None}) >= 2:
            return label_set
    return IMPORTABLE_SETS[0]


class ImportDialog(QDialog):
    """For each label set, where its labels come from; sensible answers are given already."""

    def __init__(
        self, places: Sequence[Path], known: Mapping[str, Sequence[str]], parent: QWidget | None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Import images"))
        self.setMinimumWidth(440)
        names, possible = folder_names(places), origins_for(places)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self._said_of(places, names))
        question = QLabel(tr("Where do labels come from?"))
        question.setProperty("role", "heading")
        column.addWidget(question)
        self.origins: dict[str, QComboBox] = {}
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        for name in IMPORTABLE_SETS:
            self.origins[name] = self._choice(possible)
            form.addRow(name.capitalize(), self.origins[name])
        column.addLayout(form)
        note = QLabel(tr("Files stay where they are. Labels you gave by hand are kept."))
        note.setProperty("role", "caption")
        column.addWidget(note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        start = buttons.addButton(tr("Import"), QDialogButtonBox.ButtonRole.AcceptRole)
        start.setProperty("primary", True)
        start.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self._suppose(names, known, possible)

    def _said_of(self, places: Sequence[Path], names: Sequence[str]) -> QLabel:
        metrics = QFontMetrics(self.font())
        lines = [
            metrics.elidedText(str(place), Qt.TextElideMode.ElideMiddle, 400)
            for place in islice(places, _PREVIEW)
        ]
        if len(places) > _PREVIEW:
            lines.append(tr("and {0} more").format(len(places) - _PREVIEW))
        if names:
            shown = ", ".join(names[:_PREVIEW]) + (" …" if len(names) > _PREVIEW else "")
            lines.append(tr("{0} folders: {1}").format(len(names), shown))
        label = QLabel("\n".join(lines))
        label.setProperty("role", "muted")
        label.setTextFormat(Qt.TextFormat.PlainText)
        return label

    def _choice(self, possible: Sequence[Origin]) -> QComboBox:
        words = {
            Origin.FOLDER: tr("the folders' names"),
            Origin.LIST: tr("the list file's second column"),
            Origin.TABLE: tr("the table's column"),
        }
        box = QComboBox()
        box.addItem(tr("no labels"), Origin.NONE.value)
        for origin in possible:
            box.addItem(words[origin], origin.value)
        return box

    def _suppose(
        self, names: Sequence[str], known: Mapping[str, Sequence[str]], possible: Sequence[Origin]
    ) -> None:
        supposed = likely_set(names, known)
        first = next(iter(self.origins))
        for name, box in self.origins.items():
            if Origin.TABLE in possible:
                box.setCurrentIndex(box.findData(Origin.TABLE.value))
            elif Origin.FOLDER in possible and name == supposed:
                box.setCurrentIndex(box.findData(Origin.FOLDER.value))
            elif Origin.LIST in possible and Origin.FOLDER not in possible and name == first:
                box.setCurrentIndex(box.findData(Origin.LIST.value))

    def chosen(self) -> dict[str, Origin]:
        """Where the labels of each set come from, as `import_task` takes it."""
        return {name: Origin(box.currentData()) for name, box in self.origins.items()}


def ask_for_folder(context: Context, parent: QWidget) -> None:
    """Let the person choose a folder, then import it."""
    title = tr("Import a folder of images")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    if chosen:
        ask_and_import(context, parent, [Path(chosen)])


def ask_for_list(context: Context, parent: QWidget) -> None:
    """Let the person choose list files or tables, then import them."""
    listed = patterns(FORMATS.read_as(FileKind.LIST, FileKind.TABLE))
    kinds = tr("Lists and tables") + f" ({listed})"
    title = tr("Import list files")
    chosen, _ = QFileDialog.getOpenFileNames(parent, title, str(Path.home()), kinds)
    if chosen:
        ask_and_import(context, parent, [Path(name) for name in chosen])


def ask_and_import(context: Context, parent: QWidget, places: Sequence[Path]) -> None:
    """Ask what the places say, then import them in a job that says what it did."""
    known = {name: s.names for name, s in context.session.labels.sets().items()}
    dialog = ImportDialog(places, known, parent)
    if dialog.exec() == QDialog.DialogCode.Accepted:
        start_import(context, places, dialog.chosen())
    dialog.deleteLater()


def start_import(
    context: Context, places: Sequence[Path], labels_from: Mapping[str, Origin]
) -> None:
    """Import without a dialog and report the outcome when the job ends."""
    with context.reporting_errors():
        context.session.start(
            import_task(context.session, places, labels_from),
            done=lambda result: context.notify(*said(result)),
        )


def said(result: ImportResult) -> tuple[str, str]:
    """One sentence on an import, and how serious it is."""
    counts = (
        (result.labelled, tr("{0:,} with labels")),
        (result.duplicates, tr("{0:,} the same as another")),
        (result.known, tr("{0:,} known already")),
        (len(result.skipped), tr("{0:,} skipped (Images, “Skipped files”, says why)")),
    )
    first = tr("1 image imported") if result.added == 1 else tr("{0:,} images imported")
    parts = [first.format(result.added)]
    parts += [words.format(count) for count, words in counts if count]
    return ", ".join(parts) + ".", "warn" if result.skipped else "info"


class SkippedDialog(CopyDialog):
    """A list that can be copied; importing a mended file again takes it in."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Skipped files"))
        self.resize(760, 440)
        self.list = told_list([tr("File"), tr("Reason"), tr("Source")], 240, 180)
        self.list.setUniformRowHeights(True)
        for source in session.images.sources():
            for file in session.images.skipped(source.id):
                item = QTreeWidgetItem([file.path, file.reason, source.path])
                for column in range(3):
                    item.setToolTip(column, item.text(column))
                self.list.addTopLevelItem(item)
        note = QLabel(tr("Mend or replace a file and import its source again to take it in."))
        note.setProperty("role", "caption")
        self._lay_out(lambda: text_of(self.list), self.list, note)
