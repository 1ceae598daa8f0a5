"""Long texts at 1366 × 768: elided with the whole text as a tooltip, never cut off."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QPushButton, QWidget

from tests.fixtures.mouse import wheel
from workbench.domain.crops import Queue
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.mouths.queue import MouthQueueRow, QueueEntry
from workbench.ui.pages.mouths.stage import MouthStage
from workbench.ui.pages.results.runs_table import RunsTable
from workbench.ui.parts.side import SidePanel, with_side
from workbench.ui.parts.wrapped_text import WrappedText

LONG = "/media/a disk that is not connected/faces/face-01.png cannot be read: No such file. " * 3


def test_a_long_reason_on_the_mouths_page_leaves_room_for_the_side_panel(qtbot):
    stage, panel = MouthStage(), SidePanel()
    button = QPushButton("x")
    button.setMinimumWidth(230)
    panel.add("This mouth", button)
    whole = with_side(stage, panel)
    qtbot.addWidget(whole)
    whole.resize(1100, 600)
    whole.show()
    qtbot.waitExposed(whole)
    stage._state.setText(LONG)
    qtbot.waitUntil(lambda: stage._state.width() > 0)
    assert whole.width() == 1100
    right = button.mapTo(whole, QPoint(button.width(), 0)).x()
    assert right <= whole.width()
    stage._state.grab()
    assert stage._state.toolTip() == LONG
    stage.close_reader()


@pytest.mark.parametrize("width", [230, 600])
def test_a_side_panel_is_as_wide_as_its_content_or_scrolls(qtbot, width):
    panel = SidePanel()
    qtbot.addWidget(panel)
    content = QWidget()
    content.setMinimumWidth(width)
    panel.add("Section", content)
    panel.resize(panel.minimumSizeHint().width(), 300)
    panel.show()
    qtbot.waitExposed(panel)
    wide = panel.horizontalScrollBar().maximum() > 0
    assert wide == (width == 600)


def test_a_word_longer_than_the_side_panel_is_broken_and_the_wheel_left_to_the_panel(qtbot):
    panel, text = SidePanel(), WrappedText()
    qtbot.addWidget(panel)
    panel.add("Locations", text)
    panel.resize(280, 120)
    panel.show()
    qtbot.waitExposed(panel)
    text.setPlainText("short")
    line = text.height()
    word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 8
    text.setPlainText(word)
    assert text.toPlainText() == word
    qtbot.waitUntil(lambda: text.height() > 7 * line)
    assert panel.horizontalScrollBar().maximum() == 0
    assert text.verticalScrollBar().maximum() == 0
    wide = text.height()
    panel.resize(220, 120)
    qtbot.waitUntil(lambda: text.height() > wide)
    qtbot.waitUntil(lambda: panel.verticalScrollBar().maximum() > 0)
    assert not wheel(text, -240)


def test_the_name_of_a_queue_is_elided(qtbot):
    entry = QueueEntry(Queue.LABELLED, "slightly open with the upper teeth visible", "tip", 0)
    row = MouthQueueRow(entry)
    qtbot.addWidget(row)
    assert row.shown_title(120).endswith("…")
    assert row.shown_title(600) == entry.title


@pytest.mark.parametrize("width", [700, 1286])
def test_the_date_of_a_run_is_shown_whole(qtbot, qapp, width):
    apply_theme(qapp, "light")
    table = RunsTable()
    qtbot.addWidget(table)
    labels = RunLabels(LabelList("view", ("front",), (0,)))
    table.set_records(
        [RunRecord("r", "first", RunStatus.STOPPED, "view", "", labels, 1_800_000_000.0)]
    )
    table.set_chosen(["when", "made"])
    table.resize(width, 200)
    table.show()
    qtbot.waitExposed(table)
    for at, column in enumerate(table.runs.run_columns):
        if column.kind == "moment":
            text = table.runs.index(0, at).data()
            assert len(text) == len("2027-01-15 08:00")
            padding = 2 * (8 + 4)  # of a cell, and Qt's margin of a text
            needed = table.fontMetrics().horizontalAdvance(text) + padding
            assert table.columnWidth(at) >= needed
