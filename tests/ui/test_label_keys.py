"""The labels of a set as buttons: which are shown, found, marked and chosen."""

import pytest
from PySide6.QtCore import Qt

from workbench.domain.labels import Label, LabelSet
from workbench.ui.parts.label_keys import LabelKeys


def label_set(count):
    return LabelSet("kind", tuple(Label(f"kind {at:03}", "") for at in range(count)))


@pytest.fixture
def keys(qtbot):
    made = LabelKeys("views.no_label")
    qtbot.addWidget(made)
    made.show()
    made.reported = []
    made.chosen.connect(made.reported.append)
    return made


def names(keys):
    return [button.label for button in keys.buttons]


@pytest.mark.parametrize(
    ("count", "field", "shown"), [(12, False, 12), (13, True, 13), (80, True, 60)]
)
def test_many_labels_have_a_field_to_find_one_and_sixty_buttons_at_most(keys, count, field, shown):
    keys.show_set(label_set(count))
    assert keys.field.isVisible() is field
    assert names(keys) == [f"kind {at:03}" for at in range(shown)]


def test_the_field_finds_hidden_labels_and_enter_chooses_the_first(qtbot, keys):
    keys.show_set(label_set(80))
    qtbot.keyClicks(keys.field, " KIND 07")
    assert names(keys) == [f"kind 07{at}" for at in range(10)]
    qtbot.keyClick(keys.field, Qt.Key.Key_Return)
    assert keys.reported == ["kind 070"]
    assert keys.field.text() == ""
    assert len(names(keys)) == 60
    qtbot.keyClicks(keys.field, "none like it")
    qtbot.keyClick(keys.field, Qt.Key.Key_Return)
    assert keys.reported == ["kind 070"]
    assert names(keys) == []


def test_a_button_chooses_its_label_and_the_last_one_none(qtbot, keys):
    keys.show_set(label_set(3))
    for button in keys.buttons:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    column = keys.buttons[0].parentWidget().layout()
    none = column.itemAt(len(keys.buttons)).widget()
    qtbot.mouseClick(none, Qt.MouseButton.LeftButton)
    assert keys.reported == ["kind 000", "kind 001", "kind 002", None]


def test_the_labels_an_image_has_are_marked_also_in_a_set_shown_later(keys):
    keys.show_set(label_set(3))
    keys.show_assigned(frozenset({"kind 001"}))
    assert [button.assigned for button in keys.buttons] == [False, True, False]
    keys.show_set(label_set(2))
    assert [button.assigned for button in keys.buttons] == [False, True]
    keys.show_assigned(frozenset())
    assert [button.assigned for button in keys.buttons] == [False, False]


def test_the_first_nine_labels_have_their_number_as_a_key(keys):
    keys.show_set(label_set(11))
    numbered = [
        any(sign.isdigit() for sign in button.toolTip().replace(button.label, ""))
        for button in keys.buttons
    ]
    assert numbered == [True] * 9 + [False] * 2
    assert "9" in keys.buttons[8].toolTip()
