"""A table of figures: numbers are at the right, sort as numbers, and are empty if unknown."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from workbench.ui.parts.figure_table import Column, FigureTable, figure


def test_figures_sort_by_what_they_are_and_not_by_how_they_are_written(qtbot) -> None:
    table = FigureTable((Column("Variant"), Column("Difference", "figure")))
    qtbot.addWidget(table)
    values = {"a": -15.4, "b": 0.3, "c": math.nan, "d": -0.2, "e": 9.0, "f": 10.0}
    table.set_rows(
        [(name, figure(value, 1, signed=True, half=2)) for name, value in values.items()]
    )
    table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert table.cells() == [
        ["f", "+10.0 ± 2.0"],
        ["e", "+9.0 ± 2.0"],
        ["b", "+0.3 ± 2.0"],
        ["d", "−0.2 ± 2.0"],
        ["a", "−15.4 ± 2.0"],
        ["c", ""],
    ]
    titles = [table.model().headerData(at, Qt.Orientation.Horizontal) for at in (0, 1)]
    assert titles == ["Variant", "▼ Difference"]
    assert table.csv().splitlines()[0] == "Variant,Difference"
    side = table.figures.data(table.figures.index(0, 1), Qt.ItemDataRole.TextAlignmentRole)
    assert side & Qt.AlignmentFlag.AlignRight
    assert table.source_row(table.model().index(0, 0)) == 5


def test_an_unknown_share_or_count_sorts_below_every_known_one(qtbot) -> None:
    table = FigureTable((Column("Share", "share"), Column("Count", "count")))
    qtbot.addWidget(table)
    table.set_rows([(0.0, 4), (None, None), (0.5, 0), (math.nan, -7)])
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in table.cells()] == ["–", "–", "0.0 %", "50.0 %"]
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert [row[1] for row in table.cells()] == ["–", "-7", "0", "4"]
