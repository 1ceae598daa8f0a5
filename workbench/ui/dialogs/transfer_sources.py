"""Sources of a transfer: a list that can be edited, and their ranking with all figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.transfer.sources import (
    TransferSource,
    checked_source,
    listed_sources,
    own_sources,
    written_source,
)
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import SourceRelatedness, interpretation, number_names
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, pixmap_of
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, Figure, FigureCell, FigureTable, figure

FULL = 36  # numbers of a comparison that uses views


class TransferSources(QWidget):
    """Table of the sources of a transfer.

    `changed()` is emitted when a source was added or removed, `failed(message)` when one could not
    be added. `label_set` is the target.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, context: Context, label_set: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._label_set = context, label_set
        self.texts: list[str] = []
        self._rows: list[tuple[TransferSource, SourceRelatedness | None]] = []
        self.add = QPushButton(tr("Add project…"))
        self.add.setToolTip(tr("Add another project with similar labelled images"))
        self.add.clicked.connect(self._choose_folder)
        self.own = QPushButton(tr("Add label set"))
        self.own.setToolTip(tr("Add another label set of this project"))
        self.own.setMenu(QMenu(self.own))
        self.remove = QPushButton(tr("Remove"))
        self.remove.clicked.connect(self._remove)
        self.numbers = QPushButton(tr("All numbers…"))
        self.numbers.setToolTip(tr("All numbers behind the association, with their meaning"))
        self.numbers.clicked.connect(self.show_numbers)
        self.table = self._make_table()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_explanation())
        self.explanation = PlainLabel()
        self.explanation.setWordWrap(True)
        self.explanation.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.explanation.setProperty("role", "muted")
        self.copies = Copies(
            self.table,
            lambda: tr("sources"),
            lambda: pixmap_of(self.table),
            self.table.csv,
            context.notify,
        )
        self._lay_out()
        self.show_ranked((), ())

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Source")),
                Column(tr("Association"), "figure", tr("Below 0; nearer 0 is more related")),
                Column(
                    tr("Agreement"),
                    "figure",
                    tr("Pairs of cluster centres that point the same way"),
                ),
                Column(tr("Similarity"), "figure", tr("Cosine of matched centres, −1 to 1")),
                Column(tr("Coverage"), "figure", tr("Mean of all numbers, mapped to 0–1")),
                Column(tr("Images"), "count", tr("Images compared")),
                Column(tr("Folder")),
            )
        )
        table.give_first_room(72)
        return table

    def _lay_out(self) -> None:
        heading = QLabel(tr("Sources"))
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(heading)
        top.addStretch(1)
        for button in (self.numbers, self.remove, self.own, self.add):
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.table, 1)
        column.addWidget(self.explanation)

    # Display

    def show_ranked(self, texts: Sequence[str], ranked: Sequence[SourceRelatedness]) -> None:
        """Show the sources `texts`: the ranked ones first, the others in the given order."""
        self.texts = list(texts)
        listed = {source.name: source for source in listed_sources(self.texts, self._label_set)}
        first = [(listed[one.name], one) for one in ranked if one.name in listed]
        compared = {source.name for source, _ in first}
        others = [(source, None) for name, source in listed.items() if name not in compared]
        self._rows = [*first, *others]
        self.table.set_rows([self._cells(*row) for row in self._rows])
        if self._rows:
            self.table.selectRow(0)
        self._show_explanation()

    def _cells(
        self, source: TransferSource, one: SourceRelatedness | None
    ) -> tuple[FigureCell, ...]:
        folder = str(source.folder)
        if one is None:
            return (source.name, None, None, None, None, None, folder)
        text = tr("{count} of {total}").format(count=one.agreeing, total=one.pairs)
        agreeing = Figure(one.agreeing / max(1, one.pairs), text)
        return (
            source.name,
            figure(one.doa),
            agreeing,
            figure(one.similarity),
            figure(one.coverage),
            one.images,
            folder,
        )

    def _show_explanation(self) -> None:
        row = self.table.source_row(self.table.currentIndex())
        one = self._rows[row][1] if 0 <= row < len(self._rows) else None
        self.numbers.setEnabled(one is not None)
        self.remove.setEnabled(0 <= row < len(self._rows) and self.add.isEnabled())
        if one is not None:
            sentences = [tr(sentence) for sentence in interpretation(one, row == 0)]
            self.explanation.setText(" ".join(sentences).replace(" -", " −"))
        elif self._rows:
            self.explanation.setText(tr("Not compared yet."))
        else:
            self.explanation.setText(
                tr("Add projects with similar images. The closest one is used.")
            )

    def set_editable(self, editable: bool) -> None:
        """Enable or disable adding and removing sources."""
        for button in (self.add, self.own):
            button.setEnabled(editable)
        self._fill_own_menu()
        self._show_explanation()

    def _fill_own_menu(self) -> None:
        menu = self.own.menu()
        menu.clear()
        session = self._context.session
        for name in own_sources(session, self._label_set):
            text = written_source(session.folder.resolve(), name)
            if text not in self.texts:
                menu.addAction(name).triggered.connect(lambda _=False, t=text: self._add(t))
        self.own.setEnabled(self.own.isEnabled() and not menu.isEmpty())

    # Actions

    def _choose_folder(self) -> None:
        title = tr("Add project as a source")
        start = str(self._context.session.folder.parent)
        chosen = QFileDialog.getExistingDirectory(self, title, start)
        if chosen:
            self.add_folder(Path(chosen))

    def add_folder(self, folder: Path) -> None:
        """Add a project as a source; emits `failed` if it cannot be one."""
        try:
            self._add(checked_source(self._context.session, folder, self._label_set))
        except KnownError as error:
            self.failed.emit(tr(error.message))

    def _add(self, text: str) -> None:
        if text not in self.texts:
            self.texts.append(text)
            self.changed.emit()

    def _remove(self) -> None:
        row = self.table.source_row(self.table.currentIndex())
        if 0 <= row < len(self._rows):
            self.texts.remove(self._rows[row][0].text)
            self.changed.emit()

    def show_numbers(self) -> None:
        """Open the numbers of the current source."""
        row = self.table.source_row(self.table.currentIndex())
        source, one = self._rows[row]
        if one is not None:
            self.numbers_dialog = NumbersDialog(source.name, one, self._context, self)
            self.numbers_dialog.open()


class NumbersDialog(Dialog):
    """Table of the numbers behind an association, with the meaning of each."""

    def __init__(
        self, name: str, one: SourceRelatedness, context: Context, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Numbers of {source}").format(source=name))
        self.resize(680, 560)
        self.table = FigureTable((Column(tr("Meaning")), Column(tr("Value"), "figure")))
        self.table.give_first_room()
        pairs = zip(number_names(len(one.numbers) == FULL), one.numbers, strict=True)
        self.table.set_rows([(tr(meaning), figure(value, 3)) for meaning, value in pairs])
        note = QLabel(
            tr(
                "A small distance within a cluster means that its images are alike. A cosine of 1 "
                "means that two centres point the same way. A small distance of matched centres "
                "means that the domains are close."
            )
        )
        note.setWordWrap(True)
        note.setProperty("role", "muted")
        self.copies = Copies(
            self.table, lambda: name, lambda: pixmap_of(self.table), self.table.csv, context.notify
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        below = QHBoxLayout()
        below.addWidget(self.copies.button(self))
        below.addWidget(buttons, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(note)
        column.addWidget(self.table, 1)
        column.addLayout(below)
