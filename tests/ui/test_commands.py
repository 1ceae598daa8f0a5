"""Commands: methods found by a few letters, in menus, under their keys or a person's own."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from workbench.ui.commands import Command, CommandRegistry, Menu, command, commands_of, is_bare
from workbench.ui.page import Page
from workbench.ui.window.palette import CommandPalette, PaletteEntry, ranked, score

ALT = Qt.KeyboardModifier.AltModifier
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


def test_whole_words_rank_above_scattered_letters():
    assert score("find", "Find") > score("find", "Filter in detail")


@pytest.mark.parametrize(
    ("key", "bare"),
    [("F", True), ("Space", True), ("Ctrl+F", False), ("F5", False), ("", False), ("1", True)],
)
def test_bare_keys_are_those_that_controls_handle(key, bare):
    assert is_bare(key) is bare


@pytest.fixture
def window(qtbot):
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


class Counter(Page):
    """Counts how often its commands ran."""

    name = "one"
    possible = True

    def __init__(self, context=None):
        super().__init__(context)
        self.done = []

    def can_do(self):
        return self.possible

    def title_of_x(self):
        return f"Do it again, {len(self.done)} so far"

    @command("Do it", key="Ctrl+J", menu=Menu.EDIT, when=can_do, live_title=title_of_x)
    def x(self):
        self.done.append("x")

    @command("Do another thing", id="former", key="Space", repeats=True)
    def another(self):
        self.done.append("another")


class OtherCounter(Counter):
    name = "other"


class Twice(Counter):
    @command("The same id", id="x")
    def third(self):
        self.done.append("third")


@pytest.fixture
def page(qtbot, window):
    made = Counter()
    window.setCentralWidget(made)
    made.setFocus()
    return made


def test_commands_are_the_marked_methods_in_order_of_definition(qtbot, page):
    first, second = commands_of(page)
    assert (first.id, first.title, first.key, first.menu) == ("one.x", "Do it", "Ctrl+J", Menu.EDIT)
    assert (second.id, second.repeats, second.enabled()) == ("one.former", True, True)
    first.run()
    assert (page.done, first.title_now()) == (["x"], "Do it again, 1 so far")
    assert second.title_now() == "Do another thing"


def test_a_command_runs_by_its_key_only_when_it_is_enabled(qtbot, window, page):
    registry = CommandRegistry({})
    menu = QMenu("Edit", window)
    registry.add(page, commands_of(page), {Menu.EDIT: menu})
    page.possible = False
    qtbot.keyClick(page, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert page.done == []
    page.possible = True
    qtbot.keyClick(page, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert page.done == ["x"]
    registry.refresh()
    assert [action.text() for action in menu.actions()] == ["Do it again, 1 so far"]


def test_a_person_can_choose_another_key(qtbot, page):
    registry = CommandRegistry({"one.x": "Ctrl+G"})
    registry.add(page, commands_of(page), {})
    qtbot.keyClick(page, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert page.done == []
    qtbot.keyClick(page, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert page.done == ["x"]


def test_keys_and_lists_belong_to_the_page_that_is_shown(qtbot, page):
    registry, other = CommandRegistry({"other.former": "G"}), OtherCounter()
    qtbot.addWidget(other)
    for each in (page, other):
        registry.add(each, commands_of(each), {})
    assert [each.id for each in registry.shown(other)] == ["other.x", "other.former"]
    assert registry.press(page, "Space")
    assert not registry.press(page, "N")
    assert not registry.press(other, "Space")
    assert registry.press(other, "G")
    assert registry.trigger("one.x")
    assert (page.done, other.done) == (["another", "x"], ["another"])


def test_a_duplicate_id_is_refused(qtbot, window):
    twice = Twice()
    qtbot.addWidget(twice)
    assert [each.id for each in commands_of(twice)] == ["one.x", "one.former", "one.x"]
    assert commands_of(twice)[2].title == "The same id"
    with pytest.raises(ValueError, match=r"two commands have the id one\.x"):
        CommandRegistry({}).add(twice, commands_of(twice), {})
    registry, own = CommandRegistry({}), [Command("x", "X", window.close)]
    registry.add(window, own, {})
    with pytest.raises(ValueError, match="two commands have the id x"):
        registry.add(window, own, {})


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


def test_the_palette_has_room_for_eleven_rows_and_stays_inside_its_window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(800, 900)
    window.show()
    palette = CommandPalette(window)

    def height(count):
        palette.open_with([PaletteEntry(str(n), str(n), "File", "", True) for n in range(count)])
        return palette.height()

    row = height(2) - height(1)
    assert row > 0
    assert height(0) == height(1), "room for a row where there is none"
    assert height(40) == height(12) == height(11) == height(1) + 10 * row
    window.resize(800, 300)
    assert height(2) == height(1) + row
    assert height(40) < height(1) + 10 * row
    assert palette.geometry().bottom() < window.height()


@pytest.mark.parametrize(
    ("query", "text", "points"),
    [
        ("", "Find", 0.0),
        ("f", "Find", 8 + 4 + 1 + 1 - 0.04),
        ("fi", "Find", 8 + 4 + 2 + 1.5 + 1 - 0.04),
        ("in", "Find", 8 + 2 + 1.5 - 0.04),
        ("fd", "Find", 2 + 1 - 0.04),
        ("if", "Import folder", 2 + 1 + 1 - 0.13),
        ("import fo", "Import folder", 8 + 4 + 8 + 6 * 1.5 + 2 - 0.13),
        ("nf", "Find", None),
        ("ot", "Do it on", 2 - 0.08),  # at the word's beginning, no t would follow
        ("ao", "a bo on", 2 + 2 - 0.07),
        ("oto", "to do on to", 2 + 2 + 1 + 1.5 - 0.11),
    ],
)
def test_letters_score_by_where_they_stand(query, text, points):
    assert score(query, text) == (None if points is None else pytest.approx(points))
