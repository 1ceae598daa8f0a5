"""Comparison of two runs image by image, of runs with and without views, and of test protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.results.evaluating import protocol_scores, protocols_task, run_protocol
from workbench.app.results.result_tables import comparison_csv
from workbench.app.results.results import RunResults
from workbench.app.results.run_columns import RunOutput, run_columns
from workbench.app.results.run_comparison import PairOutcome, RunComparison, SinglePair, compare
from workbench.domain.errors import KnownError
from workbench.domain.protocols import LARGEST_SIDE, WINDOW_CROPS, ProtocolScore
from workbench.domain.recipes import choices
from workbench.domain.runs import RunRecord, top1
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.look.theme import TITLE_PIXELS, sized
from workbench.ui.page import Context
from workbench.ui.pages.results.section import ResultSection, RunInScope, with_count
from workbench.ui.parts.copying import Copies, Notify, pixmap_of
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.figure_table import Column, FigureCell, FigureTable, figure
from workbench.ui.parts.job_line import JobLine
from workbench.ui.parts.recipe.fields import choice_title, field_title
from workbench.ui.parts.run_texts import figure_cell, figure_column

Load = Callable[[str], RunResults]
Paths = Callable[[Sequence[int]], dict[int, str]]
Differences = Callable[[RunRecord, RunRecord], Sequence[str]]
HEAD_WIDTH = 220  # pixels of the texts beside the numbers
SIGNIFICANT = 0.05  # p below which a difference is called significant


class ComparisonSection(ResultSection):
    """The contingency table of two runs.

    `load` returns the results of a run, `paths` the files of images, `differences` the keys in
    which two runs differ. `other_chosen(id)` is emitted when another run to compare with is
    selected.
    """

    other_chosen = Signal(str)

    def __init__(
        self,
        notify: Notify,
        load: Load,
        paths: Paths,
        differences: Differences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(notify, parent)
        self._load, self._paths, self._differences = load, paths, differences
        self._comparison: RunComparison | None = None
        self.other = QComboBox()
        self.other.setMinimumContentsLength(18)
        self.other.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.other.setAccessibleName(tr("Run to compare with"))
        self.other.activated.connect(self._other_picked)
        self.bar.insertWidget(0, QLabel(tr("Compare with")))
        self.bar.insertWidget(1, self.other)
        self.table = QWidget()
        self.buttons: dict[PairOutcome, QPushButton] = {}
        self.verdict = PlainLabel()
        self.verdict.setWordWrap(True)
        self._build_table()
        self.copies = Copies(
            self.table, self._name, lambda: pixmap_of(self.table), self._csv, notify
        )
        self.bar.addWidget(self.copies.button(self))
        self.column.addWidget(self.table)
        self.column.addWidget(self.verdict)
        self.column.addStretch(1)

    def _build_table(self) -> None:
        grid = QGridLayout(self.table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        self._heads = [ElidedLabel() for _ in range(4)]
        for label in self._heads:
            label.setProperty("role", "caption")
        for label in self._heads[2:]:  # beside the numbers, which get the room
            label.setFixedWidth(HEAD_WIDTH)
        grid.addWidget(self._heads[0], 0, 1)
        grid.addWidget(self._heads[1], 0, 2)
        grid.addWidget(self._heads[2], 1, 0)
        grid.addWidget(self._heads[3], 2, 0)
        for at, outcome in enumerate(
            (
                PairOutcome.BOTH_RIGHT,
                PairOutcome.ONLY_FIRST,
                PairOutcome.ONLY_SECOND,
                PairOutcome.BOTH_WRONG,
            )
        ):
            button = QPushButton()
            button.setFixedHeight(64)
            button.setFont(sized(button.font(), TITLE_PIXELS))
            button.clicked.connect(lambda _=False, outcome=outcome: self._show(outcome))
            self.buttons[outcome] = button
            grid.addWidget(button, 1 + at // 2, 1 + at % 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)

    # What is shown

    def set_runs(self, records: Sequence[RunRecord], preferred: str = "") -> None:
        """Show the runs that can be compared with, and select `preferred` if it is not ""."""
        current = preferred or self.other.currentData() or ""
        self.other.clear()
        for record in records:
            self.other.addItem(record.name, record.id)
        self.other.setCurrentIndex(max(0, self.other.findData(current)) if records else -1)

    def fill(self, shown: RunInScope) -> None:
        """Compare this run with the selected one."""
        run = self.other.currentData()
        usable = bool(run) and run != shown.results.record.id
        self.table.setVisible(usable)
        self.verdict.setVisible(usable)
        self._comparison = None
        if not usable:
            self.caption.setText(tr("To compare, train a second run with the same target."))
            return
        made = compare(shown.results, self._load(str(run)), shown.scope.part)
        self._comparison = made
        self.caption.setText(tr("Click a number to see its images."))
        for outcome, button in self.buttons.items():
            n = len(made.rows[outcome])
            button.setText(f"{n:,}")
            button.setEnabled(n > 0)
            button.setAccessibleName(with_count(self._title(outcome), n))
            button.setToolTip(plain_text(self._title(outcome)))
        self._write_heads(made)
        self.verdict.setText(self._verdict(made))

    def _write_heads(self, made: RunComparison) -> None:
        first, second = made.first.record.name, made.second.record.name
        texts = (
            tr("Right in {run}").format(run=second),
            tr("Wrong in {run}").format(run=second),
            tr("Right in {run}").format(run=first),
            tr("Wrong in {run}").format(run=first),
        )
        for label, text in zip(self._heads, texts, strict=True):
            label.setText(text)

    def _verdict(self, made: RunComparison) -> str:
        only = [len(made.rows[o]) for o in (PairOutcome.ONLY_FIRST, PairOutcome.ONLY_SECOND)]
        better = made.first if only[0] > only[1] else made.second
        if not made.images:
            text = tr("The two runs have no images of this part in common.")
        elif made.p < SIGNIFICANT:
            text = tr("{run} is significantly better (McNemar's exact test, p = {p}).")
        else:
            text = tr("The difference is not significant (McNemar's exact test, p = {p}).")
        parts = [text.format(run=better.record.name, p=f"{made.p:.3g}")]
        if made.left_out:
            parts.append(
                plural(
                    made.left_out,
                    "{n:,} image is left out: it is not in both runs, or has another label there.",
                    "{n:,} images are left out: not in both runs, or with another label there.",
                )
            )
        keys = ", ".join(self._differences(made.first.record, made.second.record))
        if keys:
            parts.append(tr("They differ in: {keys}.").format(keys=keys))
        else:
            parts.append(tr("They have the same recipe and data."))
        return " ".join(parts)

    def _title(self, outcome: PairOutcome) -> str:
        made = self._comparison
        if made is None:
            return str(outcome)
        first, second = made.first.record.name, made.second.record.name
        return {
            PairOutcome.BOTH_RIGHT: tr("Both right"),
            PairOutcome.ONLY_FIRST: tr("Only {run} right").format(run=first),
            PairOutcome.ONLY_SECOND: tr("Only {run} right").format(run=second),
            PairOutcome.BOTH_WRONG: tr("Both wrong"),
        }[outcome]

    def _show(self, outcome: PairOutcome) -> None:
        if self._comparison is not None:
            rows = self._comparison.rows[outcome]
            self.rows_requested.emit(with_count(self._title(outcome), len(rows)), rows)

    def _other_picked(self) -> None:
        self.other_chosen.emit(str(self.other.currentData()))
        if self.shown is not None:
            self.fill(self.shown)

    def _name(self) -> str:
        made = self._comparison
        if made is None:
            return tr("comparison", "file name")
        first, second = made.first.record.name, made.second.record.name
        return tr("{first} and {second}", "file name").format(first=first, second=second)

    def _csv(self) -> str:
        made = self._comparison
        if made is None:
            return ""
        rows = [row for each in made.rows.values() for row in each.tolist()]
        images = made.first.table.images[rows].tolist()
        return comparison_csv(made, self._paths(images))


class PairsTable(QWidget):
    """Runs on category and view, each with the run on category alone that differs in nothing else;
    hidden if there are none.

    `picked(together, single)` is emitted to compare the two runs of a row, by their ids, and
    `missing(run)` with the MissingRun that is to be trained.
    """

    picked = Signal(str, str)
    missing = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pairs: tuple[SinglePair, ...] = ()
        heading = QLabel(tr("Category alone and together with view"))
        heading.setProperty("role", "heading")
        self.train = QPushButton(tr("Train the missing run"))
        self.train.setToolTip(tr("Train the run on category alone that differs in nothing else"))
        self.train.clicked.connect(self._train)
        self.table = FigureTable(
            (
                Column(tr("With views", "run")),
                Column(tr("Alone", "run")),
                *map(figure_column, run_columns(RunOutput.PAIRS)),
                Column(tr("Alone"), "share", tr("Test top-1 of the run on category alone")),
                Column(tr("With views"), "share", tr("Test top-1 of the run on category and view")),
                Column(tr("Gain (points)"), "figure"),
            )
        )
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for at in range(2):  # the names of the runs get the room
            header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)
        self.table.picked.connect(self._picked)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_button())
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.train)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self.table, 1)
        self.hide()

    def show_pairs(self, pairs: Sequence[SinglePair]) -> None:
        """Show these pairs."""
        self._pairs = tuple(pairs)
        self.table.set_rows([_cells(pair) for pair in pairs])
        self.setVisible(bool(pairs))
        self._show_button()

    def _current(self) -> SinglePair | None:
        """The selected pair, else the first that lacks a run."""
        at = self.table.source_row(self.table.currentIndex())
        if 0 <= at < len(self._pairs):
            return self._pairs[at]
        return next((pair for pair in self._pairs if pair.missing is not None), None)

    def _show_button(self) -> None:
        pair = self._current()
        self.train.setVisible(pair is not None and pair.missing is not None)

    def _train(self) -> None:
        pair = self._current()
        if pair is not None and pair.missing is not None:
            self.missing.emit(pair.missing)
            self.train.hide()

    def _picked(self, row: int) -> None:
        pair = self._pairs[row]
        if pair.single is not None:
            self.picked.emit(pair.together.id, pair.single.id)


def _cells(pair: SinglePair) -> tuple[FigureCell, ...]:
    both = [figure_cell(column, pair.together) for column in run_columns(RunOutput.PAIRS)]
    together = top1(pair.together)
    alone = top1(pair.single) if pair.single is not None else None
    name = pair.single.name if pair.single is not None else tr("missing")
    gain = None if alone is None or together is None else 100 * (together - alone)
    points = figure(gain, 1, signed=True)
    return (pair.together.name, name, *both, alone, together, points)


class ProtocolsSection(ResultSection):
    """The scores of a run by several test protocols, and the controls that add one.

    Nothing is trained again. Each row names its part; none is marked as the best.
    """

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context.notify, parent)
        self._context = context
        self._run = ""
        self.crops = QComboBox()
        self.crops.setAccessibleName(field_title("test_crops"))
        for choice in choices("test_crops"):
            self.crops.addItem(choice_title(choice), choice)
        self.resize_box = QSpinBox()
        self.resize_box.setRange(0, LARGEST_SIDE)
        self.resize_box.setSuffix(tr(" px"))
        self.resize_box.setSpecialValueText(tr("Input size"))
        self.resize_box.setAccessibleName(field_title("test_resize"))
        self.resize_box.setToolTip(tr("Side of the square from which the crops are cut"))
        self.mirror = QCheckBox(field_title("test_mirror"))
        self.mirror.setChecked(True)
        self.crops.currentIndexChanged.connect(self._crops_changed)
        self.score = QPushButton(tr("Score"))
        self.score.setToolTip(
            tr("Score the validation and test parts by this protocol, without training")
        )
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        self.status.setWordWrap(True)
        self.job = JobLine(context, self._task, self._job_ended, self.score, self.status, self)
        self.table = FigureTable(_protocol_columns())
        self.table.give_first_room()
        self.copies = Copies(
            self.table,
            lambda: self.file_name(tr("protocols", "file name")),
            lambda: pixmap_of(self.table),
            self.table.csv,
            context.notify,
        )
        self._lay_out()

    def _lay_out(self) -> None:
        self.bar.addWidget(self.copies.button(self))
        controls = QHBoxLayout()
        controls.setSpacing(8)
        for widget in (self.crops, self.resize_box, self.mirror, self.score):
            controls.addWidget(widget)
        controls.addWidget(self.status, 1)
        self.column.addLayout(controls)
        self.column.addWidget(self.table, 1)

    def fill(self, shown: RunInScope) -> None:
        run = shown.results.record.id
        if run != self._run:
            self._run = run
            if not self.job.running:  # else it still shows the job on the run before
                self.status.clear()
        several = shown.results.marked is not None
        self.table.show_columns(6 if several else 5)
        try:
            scores = protocol_scores(self._context.session, run)
        except KnownError as error:
            scores = []
            self.status.setText(tr(error.message))
        self.table.set_rows([_protocol_cells(score) for score in scores])
        self.caption.setText(
            tr(
                "Choose a protocol by the validation part. The best of several figures of the test "
                "part is too high."
            )
            if scores
            else tr("Score this run by other test protocols, without training it again.")
        )

    def _crops_changed(self) -> None:
        windows = self.crops.currentData() == WINDOW_CROPS
        self.resize_box.setEnabled(not windows)  # windows have scales of their own

    def _task(self) -> Task[list[ProtocolScore]]:
        values = {
            "test_crops": self.crops.currentData(),
            "test_resize": self.resize_box.value() if self.resize_box.isEnabled() else 0,
            "test_mirror": str(self.mirror.isChecked()).lower(),
        }
        text = ",".join(f"{key}={value}" for key, value in values.items())
        protocol = run_protocol(self._context.session, self._run, text)
        return protocols_task(self._context.session, self._run, [protocol])

    def _job_ended(self, outcome: Outcome[list[ProtocolScore]]) -> None:
        self.score.setText(tr("Score"))
        self.status.setText("" if isinstance(outcome, Done) else tr("Stopped."))
        if self.shown is not None:
            self.show_run(self.shown)


def _protocol_columns() -> tuple[Column, ...]:
    return (
        Column(tr("Test protocol")),
        Column(tr("Part")),
        Column(tr("Accuracy"), "share", tr("Share of images whose highest score is right")),
        Column(tr("Images"), "count"),
        Column(tr("Images/s"), "figure", tr("Reading and scoring on this computer")),
        Column(tr("mAP"), "share", tr("Mean average precision over the labels")),
    )


def _protocol_cells(score: ProtocolScore) -> tuple[FigureCell, ...]:
    protocol = score.protocol
    names = [choice_title(protocol.test_crops)]
    if protocol.test_resize:
        names.append(tr("{side} px").format(side=protocol.test_resize))
    if protocol.test_mirror:
        names.append(tr("mirrored"))
    if score.own:
        names.append(tr("of this run"))
    return (
        "  ·  ".join(names),
        tr(score.part),
        score.top1,
        score.images,
        figure(score.images_per_second, 1),
        score.mean_ap,
    )
