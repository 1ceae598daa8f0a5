"""Texts of the window show the shortcuts that its commands have: nothing is written by hand, and
what is shown follows a user's changes."""

import ast
import re
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget

from workbench.ui.commands import ShortcutText, ShortcutTip, native
from workbench.ui.window.window import MainWindow

UI = Path(__file__).resolve().parents[2] / "workbench" / "ui"
KEY = r"[A-Z0-9\[\]+−.,-]|F\d+|[A-Z][a-z]+(?:\+\S+)?"
BY_HAND = re.compile(
    r"\b(?:Ctrl|Alt|Shift|Meta)\b|\b(?:Return|Enter|Backspace|Escape)\b"
    rf"|\((?:{KEY})(?:\)|:| and (?:{KEY})\))"  # "(W)", "(0: …", "([ and ])"
    rf"|\b[Pp]ress (?:{KEY})\b"
)
# Keys that a widget handles itself, and that users cannot change.
FIXED = {
    "Fit matrix (0)",
    "Hide the heatmap while pressed (Alt)",
    "Show heatmaps of these images (Return)",
    "Thumbnail size (Ctrl+wheel)",
    "Zoom in (+)",
    "Zoom out (−)",
}


def texts_of(tree):
    """The texts of a module without docstrings and shortcuts of commands: (text, line)."""
    left_out = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) or (isinstance(node, ast.keyword) and node.arg == "key")
    }
    for node in ast.walk(tree):
        if id(node) in left_out or not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, str) and " " in node.value:
            yield node.value, node.lineno


def written_by_hand(source):
    return [
        (line, text)
        for text, line in texts_of(ast.parse(source))
        if BY_HAND.search(text) and text not in FIXED
    ]


def test_no_text_names_a_shortcut_by_hand():
    found = {path.relative_to(UI): written_by_hand(path.read_text()) for path in UI.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        "Start this training (Ctrl+Enter)",
        "{search} (Ctrl+M)",
        "Show all images with their heatmaps (W)",
        "Label to explain (0: the predicted one)",
        "Shallow layers respond to edges ([ and ])",
        "No mouth found. Press D and drag a box over it.",
        "Press Space to accept",
        "Full screen (F11)",
    ],
)
def test_a_shortcut_that_is_written_by_hand_is_found(text):
    assert written_by_hand(f"tip = {text!r}") == [(1, text)]
    assert written_by_hand(f"tip = f{text!r}") if "{" in text else True


def test_fixed_keys_are_those_of_texts_that_exist():
    texts = {text for path in UI.rglob("*.py") for text, _ in texts_of(ast.parse(path.read_text()))}
    assert texts >= FIXED


@pytest.fixture
def window(session, qtbot):
    """The window with all its pages."""
    made = MainWindow(session)
    qtbot.addWidget(made)
    made.make_all_pages()
    yield made
    made.close()


def shown(window):
    """All tooltips and texts of the window."""
    written = [*window.findChildren(QLabel), *window.findChildren(QAbstractButton)]
    tips = [each.toolTip() for each in window.findChildren(QWidget)]
    return [*tips, *(each.text() for each in written)]


def test_tooltips_follow_a_change_of_the_shortcuts(window):
    keys = {command.id: command.key for _, command in window.commands.everything()}
    tips = window.findChildren(ShortcutTip)
    assert len(tips) > 15
    assert {name for text in window.findChildren(ShortcutText) for name in text.commands} <= {*keys}
    fresh = {name: f"Ctrl+Alt+Shift+{chr(0x4E00 + at)}" for at, name in enumerate(keys)}
    before = [key for key in map(native, keys.values()) if "+" in key[1:-1]]
    assert [text for text in shown(window) if any(f"({key})" in text for key in before)]
    for own in (keys, fresh, keys):
        window.commands.set_keys(own)
        for tip in tips:
            expected = " and ".join(native(own[name]) for name in tip.commands)
            ending = f" ({expected})" if expected else ""
            assert tip.parent().toolTip().endswith(ending)
    window.commands.set_keys(fresh)
    assert [text for text in shown(window) if any(key in text for key in before)] == []
    assert native(fresh["explain.predicted"]) in window.page("explain").side.label.toolTip()
