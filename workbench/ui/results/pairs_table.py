"""Category alone beside category with views: whether learning the view helped."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from workbench.app.results.run_comparison import SinglePair
from workbench.domain.backbones import BACKBONES
from workbench.domain.recipes import parse_toml
from workbench.ui.widgets.figure_table import Column, FigureTable, figure
from workbench.ui.widgets.run_words import top1


class PairsTable(QWidget):
    """`picked(single, together)` tells which two runs shall be compared; hidden without pairs."""

    picked = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pairs: tuple[SinglePair, ...] = ()
        heading = QLabel(self.tr("Category alone, and together with the view"))
        heading.setProperty("role", "heading")
        self.table = FigureTable(
            (
                Column(self.tr("Backbone")),
                Column(self.tr("Frozen")),
                Column(self.tr("Alone"), "share", self.tr("Test top-1 of category alone")),
                Column(self.tr("With views"), "share", self.tr("Test top-1 with views")),
                Column(self.tr("Gain (points)"), "figure"),
            )
        )
        self.table.picked.connect(self._picked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(heading)
        column.addWidget(self.table, 1)
        self.hide()

    def show_pairs(self, pairs: Sequence[SinglePair]) -> None:
        """Show these pairs."""
        self._pairs = tuple(pairs)
        self.table.set_rows([_cells(pair) for pair in pairs])
        self.setVisible(bool(pairs))

    def _picked(self, row: int) -> None:
        pair = self._pairs[row]
        self.picked.emit(pair.together.id, pair.single.id)


def _cells(pair: SinglePair) -> tuple[object, ...]:
    recipe = parse_toml(pair.together.recipe_toml, pair.together.name)
    alone, together = top1(pair.single), top1(pair.together)
    gain = None if alone is None or together is None else 100 * (together - alone)
    title = BACKBONES[str(recipe["backbone"])].title
    return (title, str(recipe.get("frozen", "")), alone, together, figure(gain, 1, signed=True))
