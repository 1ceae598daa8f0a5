"""The list of the latest edits: how many, in which order, undone ones marked, colours followed."""

import time

from PySide6.QtGui import QPalette

from workbench.app.labels.labelling import assign
from workbench.ui.look.theme import apply_theme
from workbench.ui.parts.history_list import HistoryList


def lines(made):
    """The lines without their colours."""
    return made.toPlainText().split("\n")


def test_the_eight_newest_edits_are_listed_and_undone_ones_marked(qtbot, birds):
    made = HistoryList(birds)
    qtbot.addWidget(made)
    made.refresh()
    assert len(lines(made)) == 1, "the import"
    ids = birds.store.images.ids().tolist()
    for image in ids[:10]:
        assign(birds, [image], "view", "left")
    assert len(lines(made)) == 1, "not read again yet"
    birds.undo()
    made.refresh()
    assert len(lines(made)) == 8
    assert [line.endswith("↶") for line in lines(made)] == [True] + [False] * 7
    now = [time.strftime("%H:%M", time.localtime(time.time() - ago)) for ago in (0, 60)]
    assert lines(made)[0].split()[0] in now
    assert "“left”" in lines(made)[1]


def test_an_empty_project_has_no_edits(qtbot, session):
    made = HistoryList(session)
    qtbot.addWidget(made)
    made.setPalette(QPalette())
    assert made.toPlainText() == "", "nothing is shown before it is read"
    made.refresh()
    assert made.toPlainText() == "No edits yet"


def test_the_colours_follow_the_theme_without_reading_again(qtbot, qapp, birds):
    apply_theme(qapp, "light")
    made = HistoryList(birds)
    qtbot.addWidget(made)
    made.show()
    made.refresh()
    light = made.toHtml()
    assign(birds, birds.store.images.ids()[:1].tolist(), "view", "left")
    apply_theme(qapp, "dark")
    try:
        assert made.toHtml() != light
        assert len(lines(made)) == 1
    finally:
        apply_theme(qapp, "light")
