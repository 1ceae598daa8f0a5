"""The stage of the Views page: flash, suggestion, and the images that are read ahead."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from tests.fixtures.finished_runs import fill
from workbench.ui.pages.views.stage import LabelStage, PixelFeed
from workbench.ui.parts.empty import EmptyState

BADGE = ("F", QColor("#009E73"))


@pytest.fixture
def stage(qtbot):
    made = LabelStage()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show_array(np.full((150, 200, 3), 90, np.uint8))
    made.show()
    return made


def picture(stage):
    return stage.grab().toImage()


def test_letters_stand_in_the_corner_beside_each_other(stage):
    bare = picture(stage)
    stage.show_badges([BADGE])
    one = picture(stage)
    stage.show_badges([BADGE, BADGE])
    two = picture(stage)
    assert bare != one != two
    at = stage.target().topLeft().toPoint()
    assert one.pixelColor(at.x() + 16, at.y() + 16) == BADGE[1]
    assert bare.pixelColor(at.x() + 16, at.y() + 16) != BADGE[1]
    stage.show_badges([])
    assert picture(stage) == bare


def test_a_flash_ends_once_by_itself_or_by_the_next_key(qtbot, stage):
    ended = []
    stage.flashed.connect(lambda: ended.append(1))
    bare = picture(stage)
    stage.end_flash()
    assert ended == []
    stage.flash(BADGE)
    assert picture(stage) != bare
    stage.end_flash()
    assert (ended, picture(stage) == bare) == ([1], True)
    with qtbot.waitSignal(stage.flashed):
        stage.flash(BADGE)
    assert ended == [1, 1]
    stage.flash(BADGE)
    stage.drop_flash()
    assert not stage._timer.isActive()
    assert (ended, picture(stage) == bare) == ([1, 1], True)


def test_a_suggestion_is_centred_at_the_bottom_and_accepted_by_a_click(qtbot, stage):
    accepted = []
    stage.accepted.connect(lambda: accepted.append(1))
    assert stage.chip.isHidden()
    stage.suggest("Suggestion: front")
    assert stage.chip.isVisible()
    for _ in range(2):
        assert abs(stage.chip.geometry().center().x() - stage.width() // 2) <= 1
        assert stage.chip.geometry().bottom() == stage.height() - 16
        stage.resize(500, 360)
    qtbot.mouseClick(stage.chip, Qt.MouseButton.LeftButton)
    assert accepted == [1]
    stage.suggest("")
    assert stage.chip.isHidden()


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def feed(host, stage, images):
    made = PixelFeed(host.context, stage)
    made.read = []
    made._reader.ready.connect(lambda image, _: made.read.append(image))
    yield made
    made.close()


def test_an_image_and_its_neighbours_are_read_ahead(qtbot, feed, stage, images):
    ids = np.array(images, np.int64)
    feed.show(ids, images[10])
    assert stage.image_size == (32, 24)
    assert not stage.has_image
    wanted = [*images[10:15], images[9]]
    qtbot.waitUntil(lambda: len(feed.read) == 6)
    assert sorted(feed.read) == sorted(wanted)
    assert feed.read[0] == images[10]
    assert stage.has_image
    feed.show(ids, images[9])
    assert stage.has_image, "it was read ahead"
    feed.show(ids, images[0])
    qtbot.waitUntil(lambda: set(images[:5]) <= set(feed.read))
    feed.show(ids, None)
    assert stage.image_size == (0, 0)


def test_an_image_that_cannot_be_read_is_reported(qtbot, feed, host, images, tmp_path):
    (tmp_path / "photos" / "bird 03.png").unlink()
    ids = np.array(images, np.int64)
    feed.show(ids, images[2])
    qtbot.waitUntil(lambda: len(feed.read) == 5)
    assert host.messages == [], "only the image that is shown"
    feed.show(ids, images[3])
    qtbot.waitUntil(lambda: bool(host.messages))
    text, kind = host.messages[0]
    assert ("bird 03.png" in text, kind) == (True, "warn")


def test_an_empty_state_changes_its_text_and_hides_a_button_without_one(qtbot):
    pressed = []
    made = EmptyState("image", "Nothing here.", "Import", lambda: pressed.append(1))
    qtbot.addWidget(made)
    made.show()
    made.button.click()
    assert pressed == [1]
    made.set_text("Nothing fits.", "Clear")
    assert (made.sentence.text(), made.button.text()) == ("Nothing fits.", "Clear")
    assert made.button.isVisible()
    made.set_text("Nothing at all.")
    assert not made.button.isVisible()
    bare = EmptyState("image", "Nothing here.")
    qtbot.addWidget(bare)
    assert bare.button.isHidden()
    assert not bare._icon.pixmap().isNull()
