"""Dialogs fit small screens: nothing is off the screen, and the buttons stay in view."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

import workbench.ui
from workbench.ui.parts.dialog import Dialog

SMALL = QRect(0, 0, 683, 384)  # 1366 × 768 at 200 %


class Tall(Dialog):
    """Thirty lines above the buttons, in a row or a box."""

    def __init__(self, in_row: bool = False, lines: int = 30) -> None:
        super().__init__()
        self.setMinimumWidth(900)
        self.resize(1040, 700)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        self.lines = [QLabel(f"line {at}") for at in range(lines)]
        for line in self.lines:
            line.setMinimumHeight(24)
            layout.addWidget(line)
        self.button = QPushButton("Close")
        if in_row:
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(self.button)
            layout.addLayout(row)
        else:
            box = QDialogButtonBox()
            box.addButton(self.button, QDialogButtonBox.ButtonRole.RejectRole)
            layout.addWidget(box)


@pytest.mark.parametrize("in_row", [False, True])
def test_the_buttons_of_a_tall_dialog_are_on_a_small_screen(qtbot, in_row):
    dialog = Tall(in_row)
    qtbot.addWidget(dialog)
    dialog.fit(SMALL)
    dialog.show()
    qtbot.waitExposed(dialog)
    assert dialog.height() <= SMALL.height()
    assert dialog.width() <= SMALL.width()
    corner = dialog.button.mapTo(dialog, QPoint(0, dialog.button.height()))
    assert dialog.rect().contains(corner)
    assert dialog.button.isVisible()
    assert all(line.isVisible() for line in dialog.lines)  # in the scroll area


def test_a_dialog_that_fits_keeps_its_layout_and_size(qtbot):
    dialog = Tall(lines=10)
    qtbot.addWidget(dialog)
    layout = dialog.layout()
    dialog.fit(QRect(0, 0, 1920, 1080))
    assert (dialog.width(), dialog.height()) == (1040, 700)
    assert dialog.layout() is layout
    dialog.fit(QRect(0, 0, 1000, 600))  # smaller than its size, not than its minimum
    assert (dialog.width(), dialog.height()) == (984, 560)
    assert dialog.layout() is layout


def test_a_dialog_that_grows_while_it_is_open_stays_on_the_screen(qtbot):
    screen = QRect(100, 50, 1366, 768)
    dialog = Tall(lines=10)
    qtbot.addWidget(dialog)
    dialog.move(900, 600)
    dialog.show()
    qtbot.waitExposed(dialog)
    assert dialog.pos() == QPoint(900, 600)  # opening does not move it
    dialog.fit(screen)
    frame = dialog.frameGeometry()
    assert (frame.right(), frame.bottom()) == (screen.right(), screen.bottom())
    dialog.move(0, 0)
    dialog.fit(screen)
    assert dialog.frameGeometry().topLeft() == screen.topLeft()
    dialog.move(120, 70)
    dialog.fit(screen)
    assert dialog.pos() == QPoint(120, 70)


def test_every_dialog_of_the_window_fits_the_screen():
    bases = {}
    for file in Path(workbench.ui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {b.id for b in node.bases if isinstance(b, ast.Name)}
    assert {name for name, of in bases.items() if "QDialog" in of} == {"Dialog"}
