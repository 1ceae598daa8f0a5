"""The right side of the Mouths page by itself: labels, actions that are allowed, landmark file."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel

from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.labels import Label, LabelSet
from workbench.ui.commands import ShortcutText
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.pages.mouths.side import MouthAction, MouthSide

NAMES = ("accept", "reject", "only", "draw")


@pytest.fixture
def side(qtbot):
    clicked = []
    actions = {
        name: MouthAction(
            name.title(),
            "check",
            f"mouths.{name}",
            lambda name=name: clicked.append(name),
            f"Tip of {name}",
            **({"checkable": True} if name == "draw" else {}),
        )
        for name in NAMES
    }
    made = MouthSide(actions, QLabel("nothing yet"))
    made.clicked = clicked
    qtbot.addWidget(made)
    made.resize(320, 700)
    made.show()
    return made


@pytest.fixture
def model(host, session):
    return MouthModel(host.context, MouthQueues(session), list)


def enabled(side):
    return {name for name, button in side.buttons.items() if button.isEnabled()}


def labels(count):
    return LabelSet("mood", tuple(Label(f"mood {at}", "") for at in range(count)))


def crop(number, state=CropState.FOUND, box=True):
    return Crop(number, 1, number, state, Rect(0, 0, 9, 9) if box else None)


def test_sections_are_below_each_other_and_actions_in_pairs(side):
    headings = [x for x in side.findChildren(QLabel) if x.property("role") == "heading"]
    headings.sort(key=lambda label: label.mapTo(side, label.rect().topLeft()).y())
    assert [x.text() for x in headings] == ["Expression", "This mouth", "History", "Landmarks"]
    assert all(widget.isVisible() for widget in (*side.buttons.values(), side.landmarks_note))
    grid = side.buttons["accept"].parentWidget().layout()
    places = [grid.getItemPosition(at)[:2] for at in range(grid.count())]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_button_acts_and_shows_the_shortcut_of_its_command(side):
    for button in side.buttons.values():
        button.click()
    assert side.clicked == list(NAMES)
    assert [n for n, b in side.buttons.items() if b.isCheckable()] == ["draw"]
    accept = side.buttons["accept"]
    assert accept.toolTip() == "Tip of accept"
    plain = accept.grab().toImage()
    for text in accept.findChildren(ShortcutText):
        assert text.commands == ("mouths.accept",)
        text.set_shortcuts(["Q"])
    assert accept.toolTip() == "Tip of accept (Q)"
    assert accept.grab().toImage() != plain
    for text in accept.findChildren(ShortcutText):
        text.set_shortcuts(["a shortcut that is wider than the button, which has room for a few"])
    assert accept.grab().toImage() == plain, "no room for it"


def test_up_to_eight_labels_are_shown_without_scrolling(side):
    side.set_label_set(None)
    assert not side.keys.isVisible()
    heights = []
    for count in (1, 2, 8, 9, 20):
        side.set_label_set(labels(count))
        assert side.keys.isVisible()
        heights.append(side.keys.height())
    row = heights[1] - heights[0]
    assert [(h - heights[0]) // row for h in heights] == [0, 1, 7, 7, 7]
    assert 2 * row <= heights[0] <= 3 * row, "room for the label and for “no label”"


def test_actions_are_those_that_the_current_mouth_allows(side, model):
    side.show_model(model)
    assert enabled(side) == set()
    model.image = 1
    for crops, current, allowed in (
        ([], None, {"draw"}),
        ([crop(1)], 1, {"draw", "accept", "reject"}),
        ([crop(1), crop(2)], 1, {"draw", "accept", "reject", "only"}),
        ([crop(1), crop(2, box=False)], 1, {"draw", "accept", "reject"}),
        ([crop(1, CropState.REJECTED), crop(2)], 1, {"draw", "accept", "only"}),
        ([crop(1, CropState.MISSED, box=False), crop(2), crop(3)], 1, {"draw"}),
    ):
        model.crops, model.current = crops, current
        side.show_model(model)
        assert enabled(side) == allowed


def test_the_labels_of_the_current_mouth_are_marked(side, model):
    side.set_label_set(labels(3))
    model.crops, model.labels = [crop(0), crop(1)], {0: ("mood 1",), 1: ("mood 0", "mood 2")}
    for current, marked in ((0, ["mood 1"]), (1, ["mood 0", "mood 2"]), (None, []), (7, [])):
        model.current = current
        side.show_model(model)
        assert [b.label for b in side.keys.buttons if b.assigned] == marked


def test_the_landmark_file_is_shown_with_a_link_in_the_colour_of_the_theme(side, qtbot):
    side.setPalette(QPalette())
    assert side.landmarks_note.text() == "", "none yet"
    side.set_landmarks_file("a & b.dat", "For research.")
    shown = side.landmarks_note.text()
    assert shown.startswith("a &amp; b.dat For research. <a href=")
    assert "Use another file…" in shown
    with qtbot.waitSignal(side.file_requested):
        side.landmarks_note.linkActivated.emit("other")
    side.landmarks_note.clear()
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Window, QColor("black"))
    side.setPalette(palette)
    assert side.landmarks_note.text().startswith("a &amp; b.dat For research.")
