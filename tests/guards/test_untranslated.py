"""Every text of the window reaches a translation: all scenes of the gallery, in brackets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from tests.gallery.untranslated import CLOSE, OPEN, Names, texts_of
from workbench.ui.parts.wrapped_text import WrappedText

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A process like that of the gallery: no screen, no network, nothing of the user's."""
    home = tmp_path_factory.mktemp("home")
    own = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "CACHE", "DATA")}
    own |= {"HOME": str(home), "TZ": "UTC", "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    own |= {"WORKBENCH_DEVICE": "cpu", "WORKBENCH_SQUARES_GIB": "0"}
    own |= {"https_proxy": "http://127.0.0.1:9"}  # a download fails at once
    return {
        **os.environ,
        **own,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "packaging")]),
    }


def run(environment, module, *arguments):
    command = [sys.executable, "-m", f"tests.gallery.{module}", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


def test_every_text_of_the_window_is_translated(environment, tmp_path):
    made = run(environment, "projects", tmp_path / "projects", "--epochs", 2)
    assert made.returncode == 0, made.stderr
    home = tmp_path / "home"
    home.mkdir()
    found = run(environment, "untranslated", tmp_path / "projects", home)
    assert found.returncode == 0, found.stdout + found.stderr


def test_words_outside_brackets_are_found():
    def text(inside):
        return f"{OPEN}{inside}{CLOSE}"

    words = Names({"label", "batch_size", "North wall 3"}).untranslated
    assert words("Train") == {"train"}
    assert words(text("Train")) == set()
    assert words(f"{text('Edit')} of {text('no')}: images") == {"images"}
    assert words(text(f"{text('no such file')}: x")) == set()
    assert words(text("pictures/x.png cannot be read")) == set()
    assert words(f"<b>{text('Rate')}</b> 3 × 10 ms, Ctrl+F5, pictures/x.png") == set()
    assert words(f"{OPEN}A long sentence that is c…") == set()
    assert words("label, batch_size · North wall 3") == set()
    assert words("Label set") == {"set"}
    assert words("Batch size by a wall") == {"batch", "size", "wall"}


def test_texts_of_all_kinds_are_checked(qtbot):
    whole = QWidget()
    qtbot.addWidget(whole)
    layout = QVBoxLayout(whole)
    listing = QListWidget()
    label, button, field, box, table = (
        QLabel("one"),
        QPushButton("two"),
        QLineEdit("own"),
        QComboBox(),
        QTableWidget(1, 1),
    )
    field.setPlaceholderText("three")
    box.addItem("four")
    table.setHorizontalHeaderLabels(["five"])
    button.setToolTip("six")
    label.setAccessibleName("seven")
    whole.setWindowTitle("eight")
    listing.addItem("nine")
    wrapped = WrappedText()
    wrapped.setPlainText("ten")
    for widget in (label, button, field, box, table, listing, wrapped):
        layout.addWidget(widget)
    found = {
        text
        for widget in (whole, label, button, field, box, table, listing, wrapped)
        for text in texts_of(widget)
    }
    assert found >= {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
    assert "own" not in found
