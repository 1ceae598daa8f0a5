"""Dialogs for label files and for sources that moved; the work is done by the app layer."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QWidget,
)

from workbench.app.images.relinking import moved_sources, relink_task
from workbench.app.labels.label_export import (
    NO_CHOICES,
    ExportChoices,
    ImageCopies,
    LabelExport,
    export_task,
)
from workbench.domain.datasets import Carry
from workbench.domain.images import Source
from workbench.domain.text import plural, tr
from workbench.formats import FORMATS, read_patterns, written_patterns
from workbench.ui.dialogs.importing import import_with_dialog
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, boxed, column, row
from workbench.ui.parts.dialog import Dialog


def choose_export_file(context: Context, parent: QWidget) -> None:
    """Choose a file and a format in a dialog and export all labels to it."""
    formats = written_patterns()
    name = tr("{project} labels").format(project=context.session.name)
    _, default = next(iter(formats.values()))
    start = str(Path.home() / f"{name}{default}")
    title = tr("Export labels")
    chosen, pattern = QFileDialog.getSaveFileName(parent, title, start, ";;".join(formats))
    if not chosen:
        return
    file = Path(chosen)
    format, ending = formats.get(pattern, ("", default))
    known = {ending for _, ending in formats.values()}
    if file.suffix.lower() not in known:
        file = file.with_name(f"{file.name}{ending}")
        if file.exists() and not _may_replace(file, parent):  # the file dialog has not seen it
            return
    elif file.suffix.lower() not in FORMATS.find(format).endings if format else ():
        format = ""  # the extension that was typed decides
    export_to(context, file, ExportChoices(format))


def _may_replace(file: Path, parent: QWidget) -> bool:
    """Whether the user wants to replace a file."""
    text = tr("{file} already exists. Replace it?").format(file=file.name)
    answer = QMessageBox.question(parent, tr("Export labels"), text)
    return answer is QMessageBox.StandardButton.Yes


def export_to(context: Context, path: Path, choices: ExportChoices = NO_CHOICES) -> bool:
    """Export all labels to a file or folder in a job, and show how many at its end; return whether
    it was started."""
    with context.reporting_errors():
        task = export_task(context.session, path, choices)
        context.session.start(task, done=lambda exported: _show_export(context, path, exported))
        return True
    return False


def _show_export(context: Context, path: Path, exported: LabelExport) -> None:
    text = plural(
        exported.labels,
        "{n:,} label exported to {file}.",
        "{n:,} labels exported to {file}.",
        file=path.name,
    )
    copied = plural(exported.images, "{n:,} image copied.", "{n:,} images copied.")
    notes = [tr(note) for note in exported.notes]
    lines = [text, *([copied] if exported.images else []), *notes]
    context.notify("\n".join(lines), "warn" if notes else "info")


class ExportFolderDialog(Dialog):
    """Format, label set, images and new folder of an exported dataset."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Export as dataset folder"))
        self.setMinimumWidth(480)
        self._context = context
        self.format = QComboBox()
        for one in FORMATS.values():
            if one.written and one.is_folder:
                self.format.addItem(tr(one.title), one.name)
        self.format.currentIndexChanged.connect(self._show_format)
        self.about = PlainLabel()
        self.about.setProperty("role", "caption")
        self.about.setWordWrap(True)
        self.label_set = QComboBox()
        self.label_set.addItems(list(context.session.labels.sets()))
        images = self._choice_of_images()
        self.folder = QLineEdit(str(Path.home() / f"{context.session.name} dataset"))
        self.folder.textChanged.connect(self._show_format)
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose_folder)
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(16)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.addRow(tr("Format"), self.format)
        self.form.addRow("", self.about)
        self.form.addRow(tr("Label set"), self.label_set)
        self.form.addRow(tr("Images"), images)
        self.form.addRow(tr("New folder"), boxed(row((self.folder, 1), choose, spacing=8)))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = buttons.addButton(tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.export.setProperty("primary", True)
        self.export.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column(self.form, buttons, on=self, margins=(16, 16, 16, 16), spacing=12)
        self._show_format()

    def _choice_of_images(self) -> QWidget:
        self.with_images = QCheckBox(tr("With the images"))
        self.with_images.toggled.connect(self._show_format)
        self.copies = QComboBox()
        self.copies.setAccessibleName(tr("How images are exported"))
        self.copies.addItem(tr("copied"), ImageCopies.COPY)
        self.copies.addItem(tr("as hard links, which take no space"), ImageCopies.LINK)
        return boxed(row(self.with_images, (self.copies, 1), spacing=8))

    def _show_format(self) -> None:
        format = FORMATS.find(self.format.currentData())
        self.about.setText(tr(format.about))
        self.label_set.setEnabled(Carry.LABEL_SETS not in format.carries or format.needs_images)
        self.with_images.setEnabled(not format.needs_images)
        if format.needs_images:
            self.with_images.setChecked(True)
        self.copies.setEnabled(self.with_images.isChecked())
        self.export.setEnabled(bool(self.folder.text().strip()))

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, tr("Choose an empty folder"), str(Path(self.folder.text()).parent)
        )
        if chosen:
            self.folder.setText(chosen)

    def accept(self) -> None:
        """Start the export, and close if nothing is in its way."""
        label_set = self.label_set.currentText() if self.label_set.isEnabled() else ""
        folder = Path(self.folder.text().strip()).expanduser()
        images = ImageCopies.NONE
        if self.with_images.isChecked():
            images = ImageCopies(self.copies.currentData())
        choices = ExportChoices(self.format.currentData(), label_set, images)
        if export_to(self._context, folder, choices):
            super().accept()


def choose_label_file(context: Context, parent: QWidget) -> None:
    """Choose a label file in a dialog and import its labels."""
    kinds = tr("Label files ({patterns})").format(patterns=read_patterns())
    title = tr("Import labels")
    chosen, _ = QFileDialog.getOpenFileName(parent, title, str(Path.home()), kinds)
    if chosen:
        import_with_dialog(context, parent, [Path(chosen)], labels_only=True)


def choose_label_folder(context: Context, parent: QWidget) -> None:
    """Choose the folder of a dataset in a dialog and import its labels."""
    title = tr("Import labels from a dataset folder")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    if chosen:
        import_with_dialog(context, parent, [Path(chosen)], labels_only=True)


def notify_of_missing_sources(context: Context) -> None:
    """Show which sources are not found at their paths; nothing if all are."""
    missing = moved_sources(context.session)
    if missing:
        names = ", ".join(Path(source.path).name for source in missing[:3])
        message = tr("Not found: {names}. Use “Re-link moved sources…” in the File menu.")
        context.notify(message.format(names=names), "warn")


def relink_missing_sources(context: Context, parent: QWidget) -> None:
    """Choose the new folder of each source that is not found, and re-link it."""
    missing = moved_sources(context.session)
    if not missing:
        context.notify(tr("All sources are found."), "info")
    for source in missing:
        title = tr("Where is {source} now?").format(source=Path(source.path).name)
        chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
        if chosen:
            relink(context, source, Path(chosen))


def relink(context: Context, source: Source, folder: Path) -> None:
    """Re-link `source` to `folder` in a job that compares the images first."""
    message = tr("{source} re-linked to {folder}.")
    message = message.format(source=Path(source.path).name, folder=folder)

    with context.reporting_errors():
        context.session.start(
            relink_task(context.session, source.id, folder),
            done=lambda _: context.notify(message, "info"),
        )
