"""Copying and saving what a widget shows: clipboard, files, their names, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPixmap
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QTreeWidgetItem

from workbench.ui.parts.copying import Copies, pixmap_of, text_of, three_column_list


@pytest.fixture
def widget(qtbot):
    made = QLabel("figures")
    qtbot.addWidget(made)
    made.resize(60, 40)
    return made


def drawn():
    made = QPixmap(12, 10)
    made.fill(QColor("red"))
    return made


@pytest.fixture
def heard():
    return []


@pytest.fixture
def copies(widget, heard):
    def made(picture=drawn, data=lambda: "a,b\nü,2\n", name="run 1: a/b", **more):
        return Copies(
            widget, lambda: name, picture, data, lambda *words: heard.append(words), **more
        )

    return made


def test_only_what_there_is_can_be_copied(copies):
    both = ["Copy as image", "Copy table as CSV", "Save as PNG…", "Save table as CSV…"]
    assert [action.text() for action in copies().actions] == both
    assert [action.text() for action in copies(data=None).actions] == both[::2]
    assert [action.text() for action in copies(picture=None).actions] == both[1::2]


def test_image_and_table_go_to_the_clipboard(copies, heard):
    made = copies()
    made.actions[0].trigger()
    assert QGuiApplication.clipboard().pixmap().size().toTuple() == (12, 10)
    made.actions[1].trigger()
    assert QGuiApplication.clipboard().text() == "a,b\nü,2\n"
    assert heard == [("Image copied.", "info"), ("Table copied as CSV.", "info")]
    bare = copies(picture=None, data=None)
    bare.copy_image()
    bare.copy_data()
    assert len(heard) == 2


@pytest.mark.parametrize(("at", "suffix"), [(2, ".png"), (3, ".csv")])
def test_a_file_is_suggested_and_gets_its_suffix(copies, heard, monkeypatch, tmp_path, at, suffix):
    asked, answers = [], [str(tmp_path / "mine"), str(tmp_path / "other.txt"), ""]

    def choose(_widget, _title, start, _kinds):
        asked.append(Path(start))
        return answers.pop(0), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    made = copies()
    for _ in range(3):
        made.actions[at].trigger()
    assert set(asked) == {Path.home() / f"run 1  a b{suffix}"}
    assert {path.name for path in tmp_path.iterdir()} == {f"mine{suffix}", "other.txt"}
    assert [kind for _, kind in heard] == ["info", "info"]
    assert "mine" in heard[0][0]
    if suffix == ".csv":
        assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == "a,b\nü,2\n"
    else:
        assert QPixmap(str(tmp_path / "mine.png")).size().toTuple() == (12, 10)


def test_what_cannot_be_written_is_reported(copies, heard, tmp_path):
    made = copies()
    made.save_data(tmp_path / "no folder" / "a.csv")
    made.save_image(tmp_path / "no folder" / "a.png")
    assert [kind for _, kind in heard] == ["bad", "bad"]
    assert "a.csv" in heard[0][0]
    copies(data=None).save_data(tmp_path / "b.csv")
    assert heard[2][1] == "bad"
    assert not (tmp_path / "b.csv").exists()


@pytest.mark.qt_log_ignore("does not support grabbing the keyboard", extend=True)
def test_the_menu_opens_at_the_pointer_unless_the_widget_has_its_own(qtbot, copies, widget):
    copies(menu=False)
    assert widget.contextMenuPolicy() is Qt.ContextMenuPolicy.DefaultContextMenu
    made = copies()
    widget.show()
    qtbot.waitExposed(widget)
    widget.customContextMenuRequested.emit(QPoint(5, 6))
    menu = widget.findChild(QMenu)
    assert menu.isVisible()
    assert menu.actions() == made.actions
    assert menu.pos() == widget.mapToGlobal(QPoint(5, 6))
    menu.close()
    assert made.button(widget).menu().actions() == made.actions


def test_a_picture_has_twice_the_pixels_of_the_screen(widget):
    made = pixmap_of(widget)
    assert (made.size().toTuple(), made.devicePixelRatio()) == ((120, 80), 2.0)
    assert made.toImage().pixelColor(119, 79) == widget.palette().window().color()
    assert pixmap_of(widget, 1.5).size().toTuple() == (90, 60)


def test_rows_become_lines_without_blanks_at_their_end(qtbot):
    tree = three_column_list(["a", "b", "c"], 50, 70)
    qtbot.addWidget(tree)
    assert (tree.columnWidth(0), tree.columnWidth(2)) == (50, 70)
    for texts in (["1", "2", "3"], ["4", "", ""]):
        tree.addTopLevelItem(QTreeWidgetItem(texts))
    assert text_of(tree) == "1\t2\t3\n4"
