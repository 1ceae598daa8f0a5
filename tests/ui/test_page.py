"""What all pages have in common: edits made while hidden, and errors that become notifications."""

import pytest
from PySide6.QtWidgets import QStackedWidget, QWidget

from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.ui.page import PAGES, Page


class RecordingPage(Page):
    """Notes what it was asked to show."""

    def __init__(self):
        super().__init__(None)
        self.shown = []

    def load(self):
        self.shown.append("load")

    def show_changes(self, changes):
        self.shown.append(changes)


@pytest.fixture
def pages(qtbot):
    """A recording page in front of another widget, in a window that is shown."""
    made = QStackedWidget()
    made.addWidget(RecordingPage())
    made.addWidget(QWidget())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_a_page_that_is_seen_shows_each_edit_at_once(pages):
    page, edit = pages.widget(0), Changes(labelled=frozenset({1}))
    page.refresh(edit)
    page.refresh(edit)
    assert page.shown == ["load", edit, edit]


def test_edits_made_while_a_page_is_hidden_are_shown_together_when_it_returns(pages):
    page = pages.widget(0)
    pages.setCurrentIndex(1)
    page.refresh(Changes(labelled=frozenset({1})))
    page.refresh(Changes(labelled=frozenset({2}), label_sets=True))
    assert page.shown == ["load"]
    pages.setCurrentIndex(0)
    assert page.shown == ["load", Changes(labelled=frozenset({1, 2}), label_sets=True)]
    pages.setCurrentIndex(1)
    pages.setCurrentIndex(0)
    assert len(page.shown) == 2


def test_a_page_is_loaded_once_before_its_first_edit(qtbot):
    page = RecordingPage()
    qtbot.addWidget(page)
    edit = Changes(added=frozenset({3}))
    page.refresh(edit)
    assert page.shown == []
    page.opened()  # also where the window is not shown yet
    page.show()
    assert page.shown == ["load", edit]


def test_all_pages_leave_hidden_edits_to_the_one_implementation():
    for entry in PAGES.values():
        kind = entry.page_class()
        assert kind.name == entry.name
        assert kind.refresh is Page.refresh, entry.name
        assert kind.catch_up is Page.catch_up, entry.name
        assert kind.show_changes is not Page.show_changes, entry.name


def test_errors_of_the_world_become_notifications_and_defects_do_not(window):
    after = []
    with window.context.reporting_errors("warn"):
        raise KnownError("The disk is full.", "Delete something.")
    after.append(1)
    assert after == [1]
    assert window.notes.texts() == ["The disk is full. Delete something."]
    with pytest.raises(ZeroDivisionError), window.context.reporting_errors():
        raise ZeroDivisionError
