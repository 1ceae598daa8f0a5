"""The header of the Views page and its labelling session, each without the page."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from tests.fixtures.finished_runs import fill, predict
from workbench.app.labels.labelling import assign, edit_set
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import Label, LabelSet
from workbench.ui.pages.views.header import (
    NEXT,
    NEXT_UNLABELLED,
    STAY,
    LabelSession,
    ViewsHeader,
)


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def header(qtbot, session, images):
    made = ViewsHeader("Views", session)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def labelling(session, images):
    assign(session, images[:4] + images[5:7], "view", None)
    made = LabelSession(session, "view")
    made.show(ImageFilter(), Sort.NAME)
    return made


def test_progress_fills_the_bar(header):
    header.show_progress(1200, 2400)
    assert header.progress.text() == "1,200 of 2,400 labelled"
    assert (header.bar.minimum(), header.bar.maximum(), header.bar.value()) == (0, 2400, 1200)
    header.show_progress(0, 0)
    assert header.bar.maximum() == 1


def test_choices_are_reported_and_restored(header):
    sets, orders = [], []
    header.set_changed.connect(sets.append)
    header.order_changed.connect(lambda: orders.append(header.sort))
    assert (header.label_set, header.sort, header.after_label) == (
        "view",
        Sort.NAME,
        NEXT_UNLABELLED,
    )
    header.order.setCurrentIndex(3)
    header.show_sort(Sort.ADDED)
    header.show_sort(Sort.DISAGREEMENT)
    assert (orders, header.sort) == ([Sort.UNCERTAINTY], Sort.NAME)
    header.restore({"set": "category", "then": STAY, "sort": "category"})
    assert (header.label_set, header.after_label, header.sort) == ("category", STAY, Sort.CATEGORY)
    header.restore({"set": "unknown", "then": "unknown", "sort": "unknown"})
    assert (header.label_set, header.after_label, header.sort) == ("category", STAY, Sort.CATEGORY)
    header.restore({"then": NEXT})
    assert header.after_label == NEXT
    assert sets == ["category"]


def test_new_sets_are_listed_and_the_chosen_one_stays(header, session):
    assert header.sets.count() == 2
    header.sets.setCurrentText("category")
    edit_set(session, LabelSet("colour", (Label("red"),)), {})
    header.fill_sets()
    assert (header.label_set, header.sets.count()) == ("category", 3)


def key(text, modifiers=Qt.KeyboardModifier.NoModifier):
    code = Qt.Key(ord(text.upper())) if text else Qt.Key.Key_Shift
    return QKeyEvent(QEvent.Type.KeyPress, code, modifiers, text)


@pytest.mark.parametrize(
    ("event", "label"),
    [
        (key("f"), "front"),
        (key("F", Qt.KeyboardModifier.ShiftModifier), "front"),
        (key("2", Qt.KeyboardModifier.KeypadModifier), "back"),
        (key("f", Qt.KeyboardModifier.ControlModifier), None),
        (key("9"), None),
        (key(" "), None),
        (key(""), None),
    ],
)
def test_keys_mean_labels_of_the_active_set(labelling, event, label):
    assert labelling.label_for(event) == label


def test_labels_suggestions_and_the_next_unlabelled_image(session, labelling, images):
    assert labelling.labels_of(images[4]) == ["front"]
    assert labelling.labels_of(images[0]) == []
    assert labelling.labels_of(999) == []
    assert labelling.next_unlabelled(images[4]) == images[5]
    assert labelling.next_unlabelled(images[6]) == images[0]
    assert labelling.next_unlabelled(None) == images[0]
    assert labelling.suggestion(images[0]) is None
    predict(session, images[:5], "back", np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert labelling.suggestion(images[1]) == ("back", pytest.approx(0.8))
    assert labelling.accept([images[4]]) is False
    assert labelling.accept(images[:5]) is True
    assert [labelling.labels_of(image) for image in images[3:5]] == [["back"], ["front"]]
    labelling.set_label(images[:2], "left")
    assert labelling.labels_of(images[0]) == ["left"]
    labelling.set_label(images[:1], None)
    assert labelling.labels_of(images[0]) == []


def test_listed_images_stay_while_they_are_labelled(session, labelling, images):
    assert labelling.show(ImageFilter(labels=(("view", None),)), Sort.NAME) == ""
    listed = labelling.list.ids.tolist()
    assert len(listed) == 6
    labelling.set_label(listed[:1], "left")
    assert not labelling.update(Changes(labelled=frozenset(listed[:1])))
    assert labelling.list.ids.tolist() == listed
    assert labelling.next_unlabelled(None) == listed[1]
    labelling.show(ImageFilter(labels=(("view", None),)), Sort.NAME)
    assert labelling.list.ids.tolist() == listed[1:]


def test_categories_are_counted_by_views(labelling):
    labelling.use("category")
    assert labelling.active == "category"
    assert labelling.label_set.names == ("owl", "puffin", "toucan")
    assert (labelling.overview.label_set, labelling.overview.rows) == ("view", "category")
    assert isinstance(labelling.overview.coverage().counts, np.ndarray)
