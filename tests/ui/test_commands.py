"""Actions as data: found by a few letters, in menus, under their keys or a person's own."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from workbench.ui.commands import Action, CommandRegistry, is_bare
from workbench.ui.page import Page
from workbench.ui.window.palette import CommandPalette, PaletteEntry, ranked, score

TITLES = ["Import folder…", "Export labels…", "Split images…", "Undo", "Theme: dark", "Find"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("impf", "Import folder…"),
        ("dark", "Theme: dark"),
        ("sp im", "Split images…"),
        ("und", "Undo"),
    ],
)
def test_a_few_letters_find_it(typed, found):
    assert ranked(typed, TITLES, str)[0] == found


def test_letters_that_are_not_there_find_nothing():
    assert score("xyz", "Import folder") is None
    assert ranked("xyz", TITLES, str) == []
    assert ranked("", TITLES, str) == TITLES


def test_words_beat_scattered_letters():
    assert score("find", "Find") > score("find", "Filter in detail")


@pytest.mark.parametrize(
    ("key", "bare"),
    [("F", True), ("Space", True), ("Ctrl+F", False), ("F5", False), ("", False), ("1", True)],
)
def test_bare_keys_are_those_a_control_may_want(key, bare):
    assert is_bare(key) is bare


@pytest.fixture
def window(qtbot):
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_an_action_is_done_by_its_key_only_when_it_can_be(qtbot, window):
    done, can = [], [False]
    board = CommandRegistry({})
    menu = QMenu("Edit", window)
    action = Action("x", "Do it", lambda: done.append(1), "Ctrl+J", lambda: can[0], "Edit")
    board.add(window, [action], {"Edit": menu})
    qtbot.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert done == []
    can[0] = True
    qtbot.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert done == [1]
    assert menu.actions()[0].text() == "Do it"


def test_a_person_can_choose_another_key(qtbot, window):
    done = []
    board = CommandRegistry({"x": "Ctrl+G"})
    board.add(window, [Action("x", "Do it", lambda: done.append(1), "Ctrl+J")], {})
    qtbot.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(window, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert done == [1]


def test_bare_keys_belong_to_the_page_that_is_shown(window):
    done = []
    board = CommandRegistry({})
    one, other = QWidget(), QWidget()
    board.add(one, [Action("a", "A", lambda: done.append("a"), "Space")], {})
    board.add(other, [Action("b", "B", lambda: done.append("b"), "Space")], {})
    assert board.press(other, "Space")
    assert not board.press(one, "N")
    assert done == ["b"]
    assert [action.id for action, _ in board.shown(one)] == ["a"]


class Named(Page):
    name = "one"

    def __init__(self):
        QWidget.__init__(self)


class NamedOtherwise(Named):
    name = "other"


def test_the_same_id_on_two_pages_names_two_actions(qtbot, window):
    done = []
    board = CommandRegistry({"other.x": "G"})
    one, other = Named(), NamedOtherwise()
    for page in (one, other):
        qtbot.addWidget(page)
        board.add(page, [Action("x", "X", lambda name=page.name: done.append(name), "J")], {})
    assert [action.id for _, action in board.everything()] == ["one.x", "other.x"]
    assert board.press(one, "J")
    assert not board.press(other, "J")
    assert board.press(other, "G")
    assert board.trigger("one.x")
    assert done == ["one", "other", "one"]


def test_an_id_that_is_taken_is_refused(qtbot, window):
    board, page = CommandRegistry({}), Named()
    qtbot.addWidget(page)
    actions = [Action("x", "X", lambda: None), Action("x", "Another", lambda: None)]
    with pytest.raises(ValueError, match=r"one\.x"):
        board.add(page, actions, {})
    board.add(window, actions[:1], {})
    with pytest.raises(ValueError, match="two actions have the id x"):
        board.add(window, actions[:1], {})


def test_the_palette_finds_chooses_and_leaves(qtbot, window):
    palette = CommandPalette(window)
    entries = [PaletteEntry(t, t, "File", "Ctrl+X", i % 2 == 0) for i, t in enumerate(TITLES)]
    palette.open_with(entries)
    qtbot.waitExposed(palette)
    qtbot.keyClicks(palette.field, "impf")
    with qtbot.waitSignal(palette.chosen) as chosen:
        qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert chosen.args == ["Import folder…"]
    assert palette.isHidden()
    palette.open_with(entries)
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert palette.isHidden()
