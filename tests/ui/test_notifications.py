"""Notifications cover as few fields and buttons as possible."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget

from workbench.ui.window.notifications import Notifications


@pytest.fixture
def host(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(1300, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


def put(kind, host, left):
    field = kind(host)
    field.setGeometry(left, 540, 100, 30)
    field.show()
    return field


def test_a_card_is_at_the_right_where_nothing_is_covered(host):
    notes = Notifications(host)
    notes.post("Saved.")
    assert notes.geometry().right() == host.rect().right() - 17


@pytest.mark.parametrize("kind", [QLineEdit, QPushButton])
def test_a_card_leaves_fields_and_buttons_free(host, kind):
    notes = Notifications(host)
    fields = [put(kind, host, 1100)]
    notes.post("cannot be read", "bad")
    assert not notes.geometry().intersects(fields[0].geometry())
    assert abs(notes.geometry().center().x() - host.rect().center().x()) < 20
    fields.append(put(kind, host, 600))
    notes.place()
    assert notes.geometry().left() == 16
    fields[0].hide()
    notes.place()
    assert notes.geometry().right() == host.rect().right() - 17
