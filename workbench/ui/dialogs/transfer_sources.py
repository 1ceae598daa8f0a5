"""The sources of a transfer: added and taken away, then ranked, each figure with its reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
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
from workbench.domain.relatedness import SourceRelatedness, in_words, number_names
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, picture_of
from workbench.ui.parts.figure_table import Column, Figure, FigureTable, figure

FULL = 36  # numbers where views took part


class TransferSources(QWidget):
    """`changed()`: sources were added or taken away; `refused(sentence)` why one was not added."""

    changed = Signal()
    refused = Signal(str)

    def __init__(self, context: Context, label_set: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context, self._label_set = context, label_set
        self.texts: list[str] = []
        self._rows: list[tuple[TransferSource, SourceRelatedness | None]] = []
        self.add = QPushButton(tr("Add a project…"))
        self.add.setToolTip(tr("Another project whose labelled images may be close to these"))
        self.add.clicked.connect(self._ask_folder)
        self.own = QPushButton(tr("Add a label set"))
        self.own.setToolTip(tr("Another label set of this project"))
        self.own.setMenu(QMenu(self.own))
        self.remove = QPushButton(tr("Remove"))
        self.remove.clicked.connect(self._remove)
        self.numbers = QPushButton(tr("All numbers…"))
        self.numbers.setToolTip(tr("Every figure behind the association, with its reading"))
        self.numbers.clicked.connect(self.show_numbers)
        self.table = self._make_table()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._explain())
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.why.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.why.setProperty("role", "muted")
        self.copies = Copies(
            self.table,
            lambda: tr("sources"),
            lambda: picture_of(self.table),
            self.table.csv,
            context.notify,
        )
        self._lay_out()
        self.show_ranked((), ())

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Source")),
                Column(tr("Association"), "figure", tr("Below 0; nearer 0 = more related")),
                Column(tr("Agreement"), "figure", tr("Pairs of cluster centres alike")),
                Column(tr("Similarity"), "figure", tr("Cosine of matched centres, −1 to 1")),
                Column(tr("Coverage"), "figure", tr("Weight of the clusters' spread, 0 to 1")),
                Column(tr("Images"), "count", tr("Images of it that were compared")),
                Column(tr("Where")),
            )
        )
        table.give_first_room(72)
        return table

    def _lay_out(self) -> None:
        heading = QLabel(tr("Sources to choose from"))
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
        column.addWidget(self.why)

    # What is shown

    def show_ranked(self, texts: Sequence[str], ranked: Sequence[SourceRelatedness]) -> None:
        """These sources, as ranked; without a ranking in their own order."""
        self.texts = list(texts)
        listed = {source.name: source for source in listed_sources(self.texts, self._label_set)}
        known = [(listed[one.name], one) for one in ranked if one.name in listed]
        named = {source.name for source, _ in known}
        rest = [(source, None) for name, source in listed.items() if name not in named]
        self._rows = [*known, *rest]
        self.table.set_rows([self._cells(*row) for row in self._rows])
        if self._rows:
            self.table.selectRow(0)
        self._explain()

    def _cells(self, source: TransferSource, one: SourceRelatedness | None) -> tuple[object, ...]:
        where = str(source.folder)
        if one is None:
            return (source.name, None, None, None, None, None, where)
        words = tr("{0} of {1}").format(one.agreeing, one.pairs)
        agreeing = Figure(one.agreeing / max(1, one.pairs), words)
        return (
            source.name,
            figure(one.doa),
            agreeing,
            figure(one.similarity),
            figure(one.coverage),
            one.images,
            where,
        )

    def _explain(self) -> None:
        row = self.table.source_row(self.table.currentIndex())
        one = self._rows[row][1] if 0 <= row < len(self._rows) else None
        self.numbers.setEnabled(one is not None)
        self.remove.setEnabled(0 <= row < len(self._rows) and self.add.isEnabled())
        if one is not None:
            self.why.setText(" ".join(in_words(one, row == 0)).replace(" -", " −"))
        elif self._rows:
            self.why.setText(tr("Not compared yet."))
        else:
            self.why.setText(
                tr("Add projects whose images may be like these: the closest one is taken.")
            )

    def set_editable(self, editable: bool) -> None:
        """Whether sources can be added and taken away now."""
        for button in (self.add, self.own):
            button.setEnabled(editable)
        self._offer_own()
        self._explain()

    def _offer_own(self) -> None:
        menu = self.own.menu()
        menu.clear()
        session = self._context.session
        for name in own_sources(session, self._label_set):
            text = written_source(session.folder.resolve(), name)
            if text not in self.texts:
                menu.addAction(name).triggered.connect(lambda _=False, t=text: self._put(t))
        self.own.setEnabled(self.own.isEnabled() and not menu.isEmpty())

    # Deeds

    def _ask_folder(self) -> None:
        title = tr("A project to learn from")
        start = str(self._context.session.folder.parent)
        chosen = QFileDialog.getExistingDirectory(self, title, start)
        if chosen:
            self.add_folder(Path(chosen))

    def add_folder(self, folder: Path) -> None:
        """Add a project, or say why it cannot be a source."""
        try:
            self._put(checked_source(self._context.session, folder, self._label_set))
        except KnownError as error:
            self.refused.emit(tr(error.message))

    def _put(self, text: str) -> None:
        if text not in self.texts:
            self.texts.append(text)
            self.changed.emit()

    def _remove(self) -> None:
        row = self.table.source_row(self.table.currentIndex())
        if 0 <= row < len(self._rows):
            self.texts.remove(self._rows[row][0].text)
            self.changed.emit()

    def show_numbers(self) -> None:
        """Every number of the chosen source beside its reading."""
        row = self.table.source_row(self.table.currentIndex())
        source, one = self._rows[row]
        if one is not None:
            self.opened = NumbersDialog(source.name, one, self._context, self)
            self.opened.open()


class NumbersDialog(QDialog):
    """The figures behind an association, one a row, each said in words."""

    def __init__(
        self, name: str, one: SourceRelatedness, context: Context, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Numbers of {0}").format(name))
        self.resize(680, 560)
        words = number_names(len(one.numbers) == FULL)
        self.table = FigureTable((Column(tr("What it says")), Column(tr("Value"), "figure")))
        self.table.give_first_room()
        pairs = zip(words, one.numbers, strict=True)
        self.table.set_rows([(word, figure(value, 3)) for word, value in pairs])
        said = QLabel(
            tr(
                "Distances within a cluster: small = its images are alike. Cosines: 1 = the "
                "centres point the same way. Distances of matched centres: small = the domains "
                "lie close."
            )
        )
        said.setWordWrap(True)
        said.setProperty("role", "muted")
        self.copies = Copies(
            self.table, lambda: name, lambda: picture_of(self.table), self.table.csv, context.notify
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        below = QHBoxLayout()
        below.addWidget(self.copies.button(self))
        below.addWidget(buttons, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(said)
        column.addWidget(self.table, 1)
        column.addLayout(below)
