"""Parts of the transfer dialog: the sources with their ranking, and the vote of the candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from workbench.domain.reports import Epoch, common_goal, time_to_accuracy
from workbench.domain.run_pairs import Seen, differences
from workbench.domain.runs import RunRecord, top1
from workbench.domain.splits import Part
from workbench.domain.text import plural, tr
from workbench.domain.transfers import CANDIDATE_LAYERS, CandidateRun, Transfer
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, column, row
from workbench.ui.parts.copying import Copies, Notify, pixmap_of
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, Figure, FigureCell, FigureTable, figure
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.run_texts import percent, status_text

Epochs = Callable[[str], Sequence[Epoch]]
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


class TransferVote(QWidget):
    """Table of the candidates with their votes, and the outcome.

    `seen` is what runs learned from, `epochs` returns those of a run. `run_chosen(id)` is emitted
    when a candidate is clicked, to open its results, and `curves_requested(ids)` to compare the
    curves of all runs.
    """

    run_chosen = Signal(str)
    curves_requested = Signal(list)

    def __init__(
        self, notify: Notify, seen: Seen, epochs: Epochs, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._seen, self._epochs = seen, epochs
        self._times: dict[str, float | None] = {}  # to the goal, by run
        self._transfer: Transfer | None = None
        self.table = self._make_table()
        self.table.picked.connect(self._choose_run)
        heading = QLabel(tr("Candidates"))
        heading.setProperty("role", "heading")
        self.outcome = PlainLabel()
        self.outcome.setWordWrap(True)
        self._rule = tr(
            "Each held-out image gets the label that most candidates predict. The candidate "
            "that agrees with these labels most often wins. Ties are broken at random, "
            "with the recipe's seed."
        )
        self.rule = QLabel(self._rule)
        self.rule.setWordWrap(True)
        self.rule.setProperty("role", "caption")
        self.copies = Copies(
            self.table,
            lambda: tr("candidates"),
            lambda: pixmap_of(self.table),
            self.table.csv,
            notify,
        )
        self.curves = QPushButton(tr("Show curves"))
        self.curves.setToolTip(tr("Compare accuracy and loss of the runs over time"))
        self.curves.clicked.connect(self._request_curves)
        top = row((heading, 1), self.curves, self.copies.button(self), spacing=8)
        column(top, self.table, self.outcome, self.rule, on=self, spacing=8)

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Candidate")),
                Column(tr("Frozen up to")),
                Column(tr("State")),
                Column(tr("Top-1"), "share", tr("Accuracy on the held-out images")),
                Column(tr("Votes"), "count", tr("Images on which it agrees with the majority")),
                Column(tr("Time"), "figure", tr("Training time without pauses")),
                Column(
                    tr("To accuracy"),
                    "figure",
                    tr("Training time until validation accuracy reaches the goal below"),
                ),
                Column(
                    tr("Drawn"), "count", tr("Votes on images whose label was drawn from a tie")
                ),
            )
        )
        table.give_first_room(64)
        row = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(row * len(CANDIDATE_LAYERS) + 34)
        return table

    def show_transfer(self, transfer: Transfer | None, runs: Mapping[str, RunRecord]) -> None:
        """Show the candidates of a transfer, with their `runs` by id; None shows empty rows."""
        self._transfer = transfer
        trained = {c.layers: c for c in transfer.candidates} if transfer is not None else {}
        self._measure_times([c.run for c in trained.values() if c.run in runs])
        self.table.set_rows(
            [self._cells(layers, trained.get(layers), runs) for layers in CANDIDATE_LAYERS]
        )
        winner = transfer.winner if transfer is not None else ""
        names = [c.frozen for c in transfer.candidates] if transfer is not None else []
        if winner in names:
            self.table.selectRow(self.table.view_row(names.index(winner)))
        else:
            self.table.clearSelection()
        self.outcome.setVisible(bool(winner))
        if transfer is not None and winner:
            self.outcome.setText(self._outcome(transfer, runs))

    def _cells(
        self, layers: int, candidate: CandidateRun | None, runs: Mapping[str, RunRecord]
    ) -> tuple[FigureCell, ...]:
        name = tr("Layers 1–{last} frozen").format(last=layers)
        if candidate is None:
            return (name, *[None] * 7)
        run = runs.get(candidate.run)
        state = status_text(run) if run is not None else tr("removed")
        if self._transfer is not None and candidate.frozen == self._transfer.winner:
            state = tr("winner")
        drawn = candidate.alone if candidate.votes is not None else None
        seconds = None if run is None else run.seconds or None
        times = [_duration(each) for each in (seconds, self._times.get(candidate.run))]
        return (name, candidate.frozen, state, held_out(run), candidate.votes, *times, drawn)

    def _measure_times(self, runs: Sequence[str]) -> None:
        """Measure when each run reaches a validation accuracy that all of them reach."""
        curves = {run: self._epochs(run) for run in runs}
        goal = common_goal(curves.values())
        self._times = {}
        if goal is not None:
            self._times = {run: time_to_accuracy(each, goal) for run, each in curves.items()}
        self.curves.setEnabled(bool(runs))
        reached = tr("To accuracy: until the validation accuracy is {goal} %.")
        more = [] if goal is None else [reached.format(goal=round(100 * goal))]
        self.rule.setText(" ".join([self._rule, *more]))

    def _request_curves(self) -> None:
        transfer = self._transfer
        if transfer is not None:
            runs = [*(candidate.run for candidate in transfer.candidates), transfer.single]
            self.curves_requested.emit([run for run in runs if run])

    def _outcome(self, transfer: Transfer, runs: Mapping[str, RunRecord]) -> str:
        winner = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        if transfer.drawn:
            first = tr("Winner, drawn from a tie: frozen up to {stage}.")
        else:
            first = tr("Winner: frozen up to {stage}.")
        second = plural(
            transfer.voted,
            "It agrees with the majority on {votes:,} of {n:,} held-out image; the candidates "
            "disagree on {disputed:,}.",
            "It agrees with the majority on {votes:,} of {n:,} held-out images; the candidates "
            "disagree on {disputed:,}.",
            votes=winner.votes,
            disputed=transfer.disputed,
        )
        sentences = [first.format(stage=transfer.winner), second]
        without, with_views = runs.get(transfer.single), runs.get(transfer.winner_run)
        if without is not None and with_views is not None and held_out(without) is not None:
            sentences += self._without_views(without, with_views)
        return " ".join(sentences)

    def _without_views(self, without: RunRecord, with_views: RunRecord) -> list[str]:
        """The winner beside the same run without views, and in what else they differ."""
        text = tr("Top-1 is {without} without views (“{single}”) and {with_views} with them.")
        scores = percent(held_out(without)), percent(held_out(with_views))
        sentences = [text.format(without=scores[0], single=without.name, with_views=scores[1])]
        found = differences(with_views, without, self._seen)
        if more := [key for key in found if key != "target"]:
            also = tr("They also differ in: {keys}.")
            sentences.append(also.format(keys=", ".join(more)))
        return sentences

    def _choose_run(self, row: int) -> None:
        candidates = self._transfer.candidates if self._transfer is not None else ()
        if row < len(candidates):
            self.run_chosen.emit(candidates[row].run)


def _duration(seconds: float | None) -> FigureCell:
    return figure(None) if seconds is None else Figure(seconds, clock(seconds))


def held_out(run: RunRecord | None) -> float | None:
    """Return the top-1 accuracy of a run on its test part, or on validation if it has no test."""
    if run is None:
        return None
    test = top1(run)
    return test if test is not None else top1(run, Part.VALIDATION)
