"""The images behind a number: what is shown of them, labelled by keys and list, and explained."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.labels.labelling import edit_set
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import TARGET_HEAD, load_results
from workbench.domain.labels import Label, LabelSet
from workbench.ui.pages.results.cell_images import CellImages, ResultTiles

PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def results(session, images):
    make_run(session.store, images, "first", wrong=[4, 14, 15, 24])
    return load_results(session, "first")


@pytest.fixture
def shown(qtbot, host, session, results):
    made = CellImages(host.context)
    qtbot.addWidget(made)
    made.resize(600, 500)
    made.show()
    made.show_results(results, CurrentLabels(session, results, TARGET_HEAD), TARGET_HEAD)
    yield made
    made.tiles.close()


def press(widget, text, modifiers=PLAIN):
    key = Qt.Key(ord(text.upper()))
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text)
    widget.keyPressEvent(event)
    return event.isAccepted()


def category(session, images, at):
    found = session.store.labels.of_images([images[at]], "category")
    return found[images[at]][0]


def test_without_rows_there_is_a_hint(shown):
    assert shown._stack.currentIndex() == 0
    shown.show_rows("three images", np.array([14, 15, 4]))
    assert shown._stack.currentIndex() == 1
    assert shown.rows().tolist() == [14, 15, 4]
    assert shown.title.text() == "three images"
    assert shown.grid.current() == 14
    shown.clear()
    assert shown._stack.currentIndex() == 0
    assert len(shown.rows()) == 0


def test_controls_follow_what_is_selected(qtbot, shown):
    shown.show_rows("none", np.zeros(0, np.int64))
    assert not shown.label.isEnabled()
    assert not shown.explain_button.isEnabled()
    assert shown.note.text() == ""
    shown.show_rows("two", np.array([14, 15]))
    assert shown.label.isEnabled()
    assert shown.explain_button.isEnabled()
    assert shown.note.text() == "bird 14.png"
    shown.grid.select_all()
    assert shown.note.text() == "2 selected"
    shown.grid.set_current(None)
    assert not shown.label.isEnabled()
    assert shown.explain_button.isEnabled()


def test_the_list_has_the_labels_with_their_keys(shown, session):
    texts = [shown.label.itemText(at) for at in range(shown.label.count())]
    assert texts == ["Label as…", "owl   1", "puffin   2", "toucan   3"]
    labels = [Label("owl", key="W"), Label("puffin"), Label("toucan")]
    labels += [Label(f"bird {n}") for n in range(4, 12)]
    edit_set(session, LabelSet("category", tuple(labels)), {})
    now = CurrentLabels(session, shown._results, TARGET_HEAD)
    shown.show_results(shown._results, now, TARGET_HEAD)
    texts = [shown.label.itemText(at) for at in range(shown.label.count())]
    assert texts[1:3] == ["owl   W", "puffin   2"]
    assert texts[9:] == ["bird 9   9", "bird 10", "bird 11"]


def test_keys_label_one_image_and_go_to_the_next(shown, session, images):
    heard = []
    shown.relabelled.connect(lambda: heard.append(1))
    shown.show_rows("two", np.array([14, 15]))
    assert press(shown, "3")
    assert category(session, images, 14) == "toucan"
    assert shown.grid.current() == 15
    assert heard == [1]
    shown.grid.set_current(14)
    assert shown.note.text() == "bird 14.png  ·  1 relabelled since"
    assert shown.undo_button.isEnabled()
    assert shown.undo_button.toolTip() == "Label 1 image “toucan”"
    labels = CurrentLabels(session, shown._results, TARGET_HEAD)
    shown.show_results(shown._results, labels, TARGET_HEAD)
    assert [text for text, _ in shown.tiles.badges(14)] == ["3"]
    assert shown.tiles.badges(15) == []


def test_several_selected_images_are_labelled_and_stay_selected(shown, session, images):
    shown.show_rows("two", np.array([14, 15, 16]))
    shown.grid.select(np.array([14, 16]))
    assert press(shown, "1")
    assert [category(session, images, at) for at in (14, 15, 16)] == ["owl", "puffin", "owl"]
    assert shown.grid.selected().tolist() == [14, 16]


@pytest.mark.parametrize(
    ("text", "modifiers", "labels"),
    [
        ("1", SHIFT, True),
        ("1", Qt.KeyboardModifier.KeypadModifier, True),
        ("1", Qt.KeyboardModifier.ControlModifier, False),
        ("1", Qt.KeyboardModifier.AltModifier, False),
        ("9", PLAIN, False),
    ],
)
def test_other_keys_are_left_to_the_page(shown, session, images, text, modifiers, labels):
    shown.show_rows("two", np.array([14, 15]))
    assert press(shown, text, modifiers) == labels
    assert category(session, images, 14) == ("owl" if labels else "puffin")


def test_keys_without_a_selection_change_nothing(shown, session):
    before = session.history.undo_text()
    heard = []
    shown.relabelled.connect(lambda: heard.append(1))
    shown.show_rows("two", np.array([14, 15]))
    shown.grid.set_current(None)
    press(shown, "1")
    assert (heard, session.history.undo_text()) == ([], before)


def test_an_entry_of_the_list_labels_and_the_list_shows_its_title_again(shown, session, images):
    shown.show_rows("two", np.array([14, 15]))
    for at, label in ((0, "puffin"), (1, "owl")):
        shown.label.setCurrentIndex(at)
        shown.label.activated.emit(at)
        assert category(session, images, 14) == label
        assert shown.label.currentIndex() == 0
    shown.undo_button.click()
    assert category(session, images, 14) == "puffin"


def test_all_or_several_selected_images_are_explained(shown, host, images):
    shown.show_rows("three", np.array([16, 14, 15]))
    shown.explain_button.click()
    shown.grid.select(np.array([14, 15]))
    shown.grid.activated.emit(14)
    assert host.went == [
        ("explain", {"run": "first", "ids": (images[16], images[14], images[15])}),
        ("explain", {"run": "first", "ids": (images[14], images[15])}),
    ]


def test_another_run_clears_the_images_and_the_same_keeps_them(shown, session, images, results):
    shown.show_rows("two", np.array([14, 15]))
    labels = CurrentLabels(session, results, TARGET_HEAD)
    shown.show_results(results, labels, TARGET_HEAD)
    assert shown.rows().tolist() == [14, 15]
    make_run(session.store, images, "second")
    other = load_results(session, "second")
    shown.show_results(other, CurrentLabels(session, other, TARGET_HEAD), TARGET_HEAD)
    assert len(shown.rows()) == 0
    assert shown._stack.currentIndex() == 0


def test_nothing_is_known_without_a_run(qtbot, host):
    tiles = ResultTiles(host.context)
    tiles.prepare(np.array([1]))
    tiles.request(np.array([1]))
    assert (tiles.thumbnail(1), tiles.caption(1), tiles.badges(1)) == (None, "", [])
    assert tiles.image_row(1) is None
    tiles.close()


def test_tiles_have_the_picture_and_the_predicted_label(qtbot, shown, results, images):
    tiles, ready = shown.tiles, []
    tiles.ready.connect(ready.append)
    shown.show_rows("two", np.array([14, 4]))
    qtbot.waitUntil(lambda: set(ready) == {14, 4})
    assert tiles.caption(14) == "toucan 0.80"
    assert tiles.caption(4) == "puffin 0.80"
    assert tiles.image_row(4).id == images[4]
    picture = tiles.thumbnail(14)
    assert picture.pixelColor(3, 3).blue() == pytest.approx(60, abs=8)
