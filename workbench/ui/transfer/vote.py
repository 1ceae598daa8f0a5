"""The candidates of a transfer as they voted: what each reached, and which one is kept."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from workbench.domain.runs import RunRecord
from workbench.domain.splits import Part
from workbench.domain.transfers import CANDIDATE_LAYERS, CandidateRun, Transfer
from workbench.ui.widgets.copying import Copies, Notify, picture_of
from workbench.ui.widgets.figure_table import Column, FigureTable
from workbench.ui.widgets.run_words import percent, status_words, top1


class TransferVote(QWidget):
    """`run_wanted(id)`: a person asks for a candidate's results."""

    run_wanted = Signal(str)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._transfer: Transfer | None = None
        tr = self.tr
        self.table = self._make_table()
        self.table.picked.connect(self._picked)
        heading = QLabel(tr("Candidates"))
        heading.setProperty("role", "heading")
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        self.rule = QLabel(
            tr(
                "Each held-out image gets the label that most candidates give it; the candidate "
                "that agrees with these labels most often is kept. Where all differ, and where "
                "candidates have equally many votes, the recipe’s seed draws."
            )
        )
        self.rule.setWordWrap(True)
        self.rule.setProperty("role", "caption")
        self.copies = Copies(
            self.table,
            lambda: tr("candidates"),
            lambda: picture_of(self.table),
            self.table.csv,
            notify,
        )
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.copies.button(self))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        for widget in (self.table, self.outcome, self.rule):
            column.addWidget(widget)

    def _make_table(self) -> FigureTable:
        tr = self.tr
        table = FigureTable(
            (
                Column(tr("Candidate")),
                Column(tr("Kept up to")),
                Column(tr("State")),
                Column(tr("Top-1"), "share", tr("Of the images held out")),
                Column(tr("Votes"), "count", tr("Images on which it agrees with the majority")),
                Column(tr("Drawn"), "count", tr("…of which the draw gave it, all having differed")),
            )
        )
        table.give_first_room()
        row = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(row * len(CANDIDATE_LAYERS) + 34)
        return table

    def show_transfer(self, transfer: Transfer | None, runs: Mapping[str, RunRecord]) -> None:
        """A transfer's candidates with their runs by id; None shows what there will be."""
        self._transfer = transfer
        made = {c.layers: c for c in transfer.candidates} if transfer is not None else {}
        self.table.set_rows(
            [self._cells(layers, made.get(layers), runs) for layers in CANDIDATE_LAYERS]
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
        self, layers: int, made: CandidateRun | None, runs: Mapping[str, RunRecord]
    ) -> tuple[object, ...]:
        name = self.tr("Layers 1–{0} kept").format(layers)
        if made is None:
            return (name, None, None, None, None, None)
        run = runs.get(made.run)
        state = status_words(run) if run is not None else self.tr("removed")
        if self._transfer is not None and made.frozen == self._transfer.winner:
            state = self.tr("winner")
        drawn = made.alone if made.votes is not None else None
        return (name, made.frozen, state, held_out(run), made.votes, drawn)

    def _outcome(self, transfer: Transfer, runs: Mapping[str, RunRecord]) -> str:
        text = self.tr(
            "Winner: kept up to {0}{1}. It agrees with the majority on {2} of {3} held-out images; "
            "the candidates disagreed on {4}."
        )
        won = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        drawn = self.tr(", drawn among equals") if transfer.drawn else ""
        said = text.format(transfer.winner, drawn, won.votes, transfer.voted, transfer.disputed)
        single, along = runs.get(transfer.single), runs.get(transfer.winner_run)
        if single is not None and held_out(single) is not None:
            beside = self.tr(" Without views {0}, with them {1}.")
            said += beside.format(percent(held_out(single)), percent(held_out(along)))
        return said

    def _picked(self, row: int) -> None:
        made = self._transfer.candidates if self._transfer is not None else ()
        if row < len(made):
            self.run_wanted.emit(made[row].run)


def held_out(run: RunRecord | None) -> float | None:
    """Top-1 of a run's test part, of its validation part where nothing was tested."""
    if run is None:
        return None
    test = top1(run)
    return test if test is not None else top1(run, Part.VALIDATION)
