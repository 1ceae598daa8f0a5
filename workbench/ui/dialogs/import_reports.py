"""Reports of imports: shown when an import needs attention, and whenever they are opened again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from workbench.app.labels.reports import save_report
from workbench.domain.images import ImageFilter
from workbench.domain.import_reports import (
    ChangedLabel,
    Conflict,
    Decision,
    DecisionKind,
    ImportReport,
    like_text,
)
from workbench.domain.text import Message, mark, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context, boxed, column, split
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.elided import ElidedLabel

_SIZE = QSize(1100, 560)
_ROW_PIXELS, _ENTRY_PIXELS = 26, 48
_IMAGE = Qt.ItemDataRole.UserRole  # id of the image of a row
_OTHER_IMAGES = mark("Import again with another folder for paths, or correct them")
_CHANGES = {
    DecisionKind.FORMAT: mark("Import again and choose another format"),
    DecisionKind.ENCODING: mark("Import again and choose another encoding"),
    DecisionKind.LABEL_SET: mark("Import again and choose another label set"),
    DecisionKind.NOT_IMPORTED: mark("Import again and choose a label set for it"),
    DecisionKind.PART: mark("Write train, validation or test in the file and import again"),
    DecisionKind.PATHS: _OTHER_IMAGES,
    DecisionKind.OTHER_FOLDERS: _OTHER_IMAGES,
    DecisionKind.FOLDERS: mark("Import again and choose a label set for them"),
}


class ImportReportsDialog(Dialog):
    """The latest imports of a project at the left, and the report of the selected one."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Import reports"))
        self._context = context
        self._report: ImportReport | None = None
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Imports"))
        self.list.setProperty("role", "entries")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for report in context.session.import_reports.all().values():
            self.list.addItem(_entry(report))
        self.title = ElidedLabel()
        self.title.setProperty("role", "heading")
        self.numbers = PlainLabel()
        self.numbers.setProperty("role", "muted")
        self.numbers.setWordWrap(True)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.conflicts = _table(
            [tr("Image"), tr("Label set"), tr("Label"), tr("Place"), tr("Result")],
            (0, 76, 80, 0, 84),
        )
        self.changed = _table(
            [tr("Image"), tr("Label set"), tr("Before"), tr("From"), tr("Now"), tr("Place")],
            (0, 76, 64, 0, 64, 0),
        )
        for table in (self.conflicts, self.changed):
            table.itemActivated.connect(self._show_image)
        self.new_labels = _table([tr("Label set"), tr("Label"), tr("Note")], (120, 0, 0))
        self.skipped = _table([tr("File or line"), tr("Reason")], (0, 300))
        self.decisions = _table([tr("About"), tr("Decision"), tr("To change it")], (110, 0, 0))
        self._lay_out()
        self.resize(_SIZE)
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(0)

    def _lay_out(self) -> None:
        hint = QLabel(tr("Double-click a conflict to show its image."))
        hint.setProperty("role", "caption")
        self.tabs.addTab(
            boxed(column((self.conflicts, 1), hint, spacing=6)), tr("Conflicts", "of an import")
        )
        self.tabs.addTab(self.changed, tr("Changed labels"))
        self.tabs.addTab(self.skipped, tr("Skipped", "of an import"))
        self.tabs.addTab(self.new_labels, tr("New labels"))
        self.tabs.addTab(self.decisions, tr("Decisions"))
        self.empty = QLabel(tr("There are no imports yet."))
        self.empty.setProperty("role", "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.right = boxed(
            column(self.title, self.numbers, (self.tabs, 1), spacing=8, margins=(12, 0, 0, 0))
        )
        self.parts = split(self.list, self.right, sizes=(250, 710), stretch=(0, 1))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = QPushButton(tr("Copy"))
        self.copy_button.clicked.connect(self.copy)
        self.save_button = QPushButton(tr("Save as CSV…"))
        self.save_button.clicked.connect(self.choose_file)
        for button in (self.copy_button, self.save_button):
            self.buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.rejected.connect(self.reject)
        column(
            (self.parts, 1), (self.empty, 1), self.buttons, on=self,
            margins=(16, 16, 16, 16), spacing=12,
        )  # fmt: skip
        some = self.list.count() > 0
        self.parts.setVisible(some)
        self.empty.setVisible(not some)
        self.copy_button.setEnabled(some)
        self.save_button.setEnabled(some)

    def _show(self, at: int) -> None:
        item = self.list.item(at)
        if item is None:
            return
        report: ImportReport = item.data(_IMAGE)
        self._report = report
        self.title.setText(tr(report.title))
        parts = [f"{tr(part)} {count:,}" for part, count in report.parts.items()]
        texts = [tr(one) for one in report.counts()] or [tr("Nothing new")]
        texts += [tr("Parts: {parts}").format(parts=", ".join(parts))] if parts else []
        self.numbers.setText(" · ".join(texts))
        _fill(self.conflicts, (line for one in report.conflicts for line in _lines_of(one)))
        _fill(self.changed, ((one.id, _change_of(one)) for one in report.changed))
        _fill(self.skipped, ((0, (_place(one.path), tr(one.reason))) for one in report.skipped))
        new = sorted(report.new_labels, key=lambda one: not one.like)
        _fill(self.new_labels, ((0, (one.set, one.label, tr(like_text(one)))) for one in new))
        _fill(self.decisions, ((0, _decided(one)) for one in report.decisions))
        titles = (
            (tr("Conflicts", "of an import"), len(report.conflicts)),
            (tr("Changed labels"), len(report.changed)),
            (tr("Skipped", "of an import"), len(report.skipped)),
            (tr("New labels"), len(report.new_labels)),
            (tr("Decisions"), len(report.decisions)),
        )
        for tab, (title, count) in enumerate(titles):
            self.tabs.setTabText(tab, f"{title} ({count:,})")
            self.tabs.setTabVisible(tab, count > 0)
        self.tabs.setVisible(any(count for _, count in titles))
        self.tabs.setCurrentIndex(next((at for at, (_, n) in enumerate(titles) if n), 0))

    def _show_image(self, item: QTreeWidgetItem) -> None:
        """Show the image of a conflict on the Images page."""
        image = item.data(0, _IMAGE)
        if image:
            self._context.go("images", image=int(image), filter=ImageFilter())

    def copy(self) -> None:
        """Copy the report as lines with tab-separated columns."""
        if self._report is not None:
            lines = (
                f"{tr(kind)}\t{about}\t{tr(text)}\t{_change(one) if one else ''}".rstrip()
                for kind, about, text, one in self._report.rows_of()
            )
            QGuiApplication.clipboard().setText("\n".join(lines))
            self.copy_button.setText(tr("Copied"))

    def choose_file(self) -> None:
        """Choose a file in a dialog and save the report there."""
        start = str(Path.home() / "report.csv")
        chosen, _ = QFileDialog.getSaveFileName(
            self, tr("Save"), start, tr("CSV tables (*.csv)")
        )  # fmt: skip
        if chosen and self._report is not None:
            file = Path(chosen)
            file = file if file.suffix else file.with_suffix(".csv")
            with self._context.reporting_errors():
                notes = save_report(self._report, file, _change)
                texts = [tr("{path} saved.").format(path=file), *map(tr, notes)]
                self._context.notify(" ".join(texts), "info")


def show_reports(context: Context, parent: QWidget) -> None:
    """Open the reports of imports, beside the window, with the newest one selected."""
    window = parent.window()
    for before in window.findChildren(ImportReportsDialog):
        before.close()
    dialog = ImportReportsDialog(context, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setModal(False)
    dialog.show()


def show_result(context: Context, parent: QWidget, report: ImportReport) -> None:
    """Show the report of an import that has just ended: whole if it needs attention, else as a
    notification."""
    if report.needs_attention:
        show_reports(context, parent)
        return
    text = "; ".join(tr(one) for one in report.counts()) or tr("Nothing new")
    context.notify(f"{text}.", "info", lambda: show_reports(context, parent))


def _entry(report: ImportReport) -> QListWidgetItem:
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(report.made_at))
    item = QListWidgetItem(f"{tr(report.title)}\n{moment}")
    item.setToolTip(plain_text(tr(report.title)))
    item.setData(_IMAGE, report)
    item.setSizeHint(QSize(0, _ENTRY_PIXELS))
    return item


def _table(titles: Sequence[str], widths: Sequence[int]) -> QTreeWidget:
    """A table with columns of these widths in pixels; those with 0 share what is left."""
    made = QTreeWidget()
    made.setHeaderLabels(list(titles))
    made.setRootIsDecorated(False)
    made.setUniformRowHeights(True)
    made.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    header = made.header()
    header.setStretchLastSection(False)
    header.setMinimumSectionSize(60)
    for at, width in enumerate(widths):
        if width:
            made.setColumnWidth(at, width)
        else:
            header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)
    return made


def _fill(table: QTreeWidget, lines: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Fill a table with lines: the id of an image (0: none), and the texts of the columns."""
    table.clear()
    items = []
    for image, texts in lines:
        item = QTreeWidgetItem(list(texts))
        item.setData(0, _IMAGE, image)
        item.setSizeHint(0, QSize(0, _ROW_PIXELS))
        for at, text in enumerate(texts):
            item.setToolTip(at, plain_text(text))
        items.append(item)
    table.addTopLevelItems(items)


def _lines_of(conflict: Conflict) -> Iterable[tuple[int, Sequence[str]]]:
    """A line for each label of a conflict; the first one also has the image and the result."""
    result = tr("No label given")
    if conflict.kept:
        result = tr("“{label}” kept").format(label=conflict.kept)
    about = (conflict.image, conflict.set or tr("Split", "of a project"), result)
    for at, one in enumerate(conflict.labels):
        image, label_set, outcome = about if at == 0 else ("", "", "")
        yield conflict.id, (image, label_set, one.label, _place(one.place), outcome)


def _change_of(one: ChangedLabel) -> Sequence[str]:
    before, after = one.before, one.after
    return one.image, one.set, before.label, _place(before.place), after.label, _place(after.place)


def _place(place: Message) -> str:
    """A place in a file, translated; names of files and images are not."""
    return tr(place) if place.values else str(place)


def _decided(one: Decision) -> Sequence[str]:
    return one.about, tr(one.value), _change(one)


def _change(one: Decision) -> str:
    return tr(_CHANGES.get(one.kind, ""))
