"""The preview panel of the Images page: file, labels, history and locations of one image."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel

from workbench.app.labels.labelling import assign
from workbench.ui.look.markup import plain_text
from workbench.ui.pages.images.facts import FactLine, FactPairs, ImageFacts


@pytest.fixture
def facts(qtbot, host, birds):
    made = ImageFacts(host.context)
    qtbot.addWidget(made)
    made.resize(300, 900)
    made.show()
    yield made
    made.close_reader()


def pairs(of: FactPairs) -> list[tuple[str, str]]:
    return [(name.text(), value.toolTip()) for name, value in of._rows if name.isVisible()]


def shown(qtbot, facts, image):
    facts.show_image(image)
    qtbot.waitUntil(lambda: not facts._fill_timer.isActive())


def headings(facts):
    found = facts.findChildren(QLabel)
    return [x.text() for x in found if x.property("role") == "heading" and x.isVisible()]


def test_without_an_image_nothing_is_known(facts, qtbot, birds):
    assert headings(facts) == ["No image selected"]
    assert not facts.view.isVisible()
    shown(qtbot, facts, birds.store.images.ids()[0].item())
    assert facts.view.isVisible()
    shown(qtbot, facts, 99_999)
    assert headings(facts) == ["No image selected"]


def test_an_image_is_shown_with_its_file_labels_and_locations(facts, qtbot, birds, photos):
    first = int(birds.store.images.ids()[0])
    path = photos / "egret" / "egret0.jpg"
    shown(qtbot, facts, first)
    assert facts.name.toolTip() == "egret0.jpg"
    assert pairs(facts.facts) == [
        ("Dimensions", "96 × 64"),
        ("File size", f"{path.stat().st_size / 1024:,.0f} KiB"),
        ("Part", "not in a split"),
        ("Folder", str(path.parent)),
    ]
    assert dict(pairs(facts.labels))["category"] == "egret"
    assert dict(pairs(facts.labels))["view"] == "–"
    assert facts.locations.toPlainText() == f"{photos}: {Path('egret', 'egret0.jpg')}"
    assert headings(facts)[1:] == ["File", "Labels", "Label history", "Locations"]
    qtbot.waitUntil(lambda: facts.view.has_image)
    assert facts.view.image_size == (96, 64)
    path.rename(path.with_suffix(".away"))
    facts.refresh(sources=True)
    qtbot.waitUntil(lambda: dict(pairs(facts.facts))["File size"] == "not found: re-link it")


def test_the_history_has_the_twelve_newest_labels_first(facts, qtbot, birds):
    first, second = (int(image) for image in birds.store.images.ids()[:2])
    for at in range(13):
        assign(birds, [first], "view", ("left", "right")[at % 2])
    shown(qtbot, facts, first)
    lines = facts.history.toPlainText().splitlines()
    assert len(lines) == 12
    assert lines[0].endswith("view: left, by hand")
    assert lines[1].endswith("view: right, by hand (no longer set)")
    assert "imported" not in facts.history.toPlainText()
    shown(qtbot, facts, second)
    (line,) = facts.history.toPlainText().splitlines()
    assert line.endswith("category: egret, imported")


def test_a_long_value_is_elided_in_the_middle_and_whole_in_its_tooltip(qtbot):
    line = FactLine()
    qtbot.addWidget(line)
    line.resize(120, 20)
    line.show()
    text = "a/" * 60 + "<b>"
    line.set_full_text(text)
    assert "…" in line.text()
    assert line.text().startswith("a/")
    assert line.text().endswith("<b>")
    assert line.toolTip() == plain_text(text) != text
    line.resize(2000, 20)
    assert line.text() == text


def test_rows_without_a_value_any_more_are_hidden(qtbot):
    made = FactPairs()
    qtbot.addWidget(made)
    made.show()
    made.fill([("a", "1"), ("b", "2"), ("c", "3")])
    made.fill([("d", "4")])
    assert pairs(made) == [("d", "4")]
    made.fill([("e", "5"), ("f", "6")])
    assert pairs(made) == [("e", "5"), ("f", "6")]
