"""A key that is held down in the real window: it labels, accepts and removes once, and moves on."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.fixtures.finished_runs import fill, make_run, predict
from workbench.app.settings import UserSettings
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageFilter
from workbench.domain.labels import Label, LabelSet
from workbench.ui.parts.filter_bar import with_label
from workbench.ui.window.window import MainWindow

REPEATS = 8
PLAIN = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier


def hold(window, key, text="", modifiers=PLAIN):
    """Press a key, as the system reports it to the window, and hold it for `REPEATS` repeats."""
    at = window.windowHandle()
    for repeat in (False, *[True] * REPEATS):
        QTest.simulateEvent(at, True, key.value, modifiers, text, repeat)
    QTest.simulateEvent(at, False, key.value, modifiers, text, False)


def labelled(window, label_set="view"):
    """Labels of all images that have one of the set."""
    store = window.session.store
    found = store.labels.of_images(store.images.ids(), label_set)
    return {image: label for image, (label,) in found.items()}


def edits(window):
    """Texts of the edits that undo would revert."""
    return [entry.text for entry in window.session.store.history.entries(50) if not entry.undone]


def states(window):
    """State of every mouth and whether a person has reviewed it."""
    store = window.session.store
    found = store.crops.of_images(store.images.ids().tolist())
    return [(crop.state, crop.reviewed) for crops in found.values() for crop in crops]


def expressions(window):
    """Expressions of all mouths that have one."""
    store = window.session.store
    found = store.crops.of_images(store.images.ids().tolist())
    mouths = [c.id for crops in found.values() for c in crops]
    return {at: name for at, (name,) in store.labels.of_crops(mouths, "expression").items()}


@pytest.fixture
def views(window):
    window.go("views")
    return window.page("views")


@pytest.fixture
def mouths(window):
    """The Mouths page, on which every image has a mouth to review."""
    store = window.session.store
    with window.session.edit("Find mouths"):
        for image in store.images.ids().tolist():
            square = Rect(20, 20, 40, 40)
            store.crops.save(Crop(None, image, 0, CropState.FOUND, square, (), "cascade", False))
    window.go("mouths", queue="review")
    return window.page("mouths")


def test_a_held_label_key_labels_one_image_on_views(views, window, qtbot):
    ids = views.strip.ids()
    hold(window, Qt.Key.Key_F, "f")
    qtbot.waitUntil(lambda: views.strip.current() == ids[1])
    assert labelled(window) == {ids[0]: "front"}


def test_pressing_a_label_key_again_labels_the_next_image(views, window):
    for _ in range(3):
        hold(window, Qt.Key.Key_F, "f")
    assert list(labelled(window)) == views.strip.ids()[:3].tolist()


def test_a_label_key_that_elsewhere_zooms_labels_one_image(views, window):
    with window.session.edit("Label sets"):
        window.session.store.labels.save_set(LabelSet("view", (Label("side", "+"),)))
    hold(window, Qt.Key.Key_Plus, "+")
    assert len(labelled(window)) == 1


def test_a_held_space_accepts_one_suggestion(views, window):
    predict(window.session, views.strip.ids(), "left", np.full(24, 0.8))
    first = views.strip.current()
    hold(window, Qt.Key.Key_Space, " ")
    assert labelled(window) == {first: "left"}


def test_a_held_arrow_moves_on(views, window):
    ids = views.strip.ids()
    hold(window, Qt.Key.Key_Right)
    assert views.strip.current() == ids[REPEATS + 1]
    hold(window, Qt.Key.Key_Left)
    assert views.strip.current() == ids[0]
    hold(window, Qt.Key.Key_PageDown)
    assert views.strip.current() == ids[-1]


def test_a_held_enter_in_the_label_field_labels_one_image(views, window):
    views.keys.field.show()
    views.keys.field.setFocus()
    hold(window, Qt.Key.Key_Return, "\r")
    assert len(labelled(window)) == 1


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
def test_a_held_enter_accepts_one_mouth(mouths, window, qtbot, key):
    grid = mouths.queue.grid
    hold(window, key, "\r")
    qtbot.waitUntil(lambda: grid.current() == grid.ids()[1])
    assert states(window).count((CropState.FOUND, True)) == 1


@pytest.mark.parametrize(("key", "text"), [(Qt.Key.Key_X, "x"), (Qt.Key.Key_Delete, "")])
def test_a_held_key_rejects_one_mouth(mouths, window, key, text):
    hold(window, key, text)
    assert states(window).count((CropState.REJECTED, True)) == 1


def test_a_held_digit_gives_one_mouth_its_expression(mouths, window):
    hold(window, Qt.Key.Key_1, "1")
    assert len(expressions(window)) == 1


def test_a_held_key_adjusts_a_box_once(mouths, window):
    before = len(edits(window))
    hold(window, Qt.Key.Key_Left, modifiers=ALT)
    hold(window, Qt.Key.Key_BracketRight, "]")
    assert len(edits(window)) == before + 2


def test_a_held_arrow_moves_on_wherever_the_focus_is_on_mouths(mouths, window):
    ids = mouths.queue.grid.ids()
    mouths.stage.view.setFocus()
    assert not mouths.queue.grid.hasFocus()
    hold(window, Qt.Key.Key_Right)
    assert mouths.queue.grid.current() == ids[REPEATS + 1]


def test_held_keys_change_one_image_on_images(window):
    page = window.page("images")
    page.bar.set_filter(with_label(ImageFilter(), "view", None))
    page.grid.set_current(int(page.grid.ids()[0]))
    hold(window, Qt.Key.Key_2, "2")
    assert len(labelled(window)) == 1
    hold(window, Qt.Key.Key_Delete)
    assert window.session.store.images.count() == 23
    hold(window, Qt.Key.Key_Right)
    assert page.grid.current() == page.grid.ids()[REPEATS + 1]


def test_a_held_backspace_clears_one_label_on_images(window):
    page = window.page("images")
    with window.session.edit("Label"):
        window.session.store.labels.assign(page.grid.ids().tolist(), "view", "left")
    page.bar.set_filter(with_label(ImageFilter(), "view", "left"))
    page.grid.set_current(int(page.grid.ids()[0]))
    hold(window, Qt.Key.Key_Backspace)
    assert len(labelled(window)) == 23


def test_a_held_undo_key_undoes_one_edit(window):
    page = window.page("images")
    for image in page.grid.ids()[:3].tolist():
        page.grid.set_current(image)
        page.set_label("front")
    hold(window, Qt.Key.Key_Z, modifiers=CONTROL)
    assert len(labelled(window)) == 2


def test_a_held_zoom_key_repeats(window):
    page = window.page("images")
    page.header.slider.setValue(page.header.slider.maximum())
    before = page.grid.tile_size()
    hold(window, Qt.Key.Key_Minus, "-", CONTROL)
    assert page.grid.tile_size() <= before - 3 * 32


def test_only_commands_that_move_or_zoom_repeat(window):
    window.make_all_pages()
    repeating = {command.title for _, command in window.commands.everything() if command.repeats}
    assert repeating == {
        "Next image",
        "Previous image",
        "Next face",
        "Previous face",
        "Larger thumbnails",
        "Smaller thumbnails",
        "Deeper layer",
        "Shallower layer",
        "Increase heatmap opacity",
        "Decrease heatmap opacity",
    }


def test_a_held_key_types_and_erases(window):
    page = window.page("images")
    page.bar.search.setFocus()
    hold(window, Qt.Key.Key_P, "p")
    assert page.bar.search.text() == "p" * (REPEATS + 1)
    hold(window, Qt.Key.Key_Backspace)
    assert page.bar.search.text() == ""


def test_a_held_digit_relabels_one_image_on_results(session, tmp_path, qtbot):
    images = fill(session.store, tmp_path / "photos")
    make_run(session.store, images, "first", wrong=[4, 14, 15, 24])
    window = MainWindow(session, UserSettings(None))
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.go("results", run="first")
    page = window.page("results")
    page.images.show_rows("Owls", np.arange(10))
    page.images.grid.setFocus()
    hold(window, Qt.Key.Key_3, "3")
    now = labelled(window, "category")
    assert [image for image in images[:10] if now[image] == "toucan"] == images[:1]
    hold(window, Qt.Key.Key_Right)
    assert page.images.grid.current() == 9
    window.close()
