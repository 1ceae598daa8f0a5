"""The header of the Explain page by itself: runs, parts, outcomes and modes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QPushButton

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.run_images import ShownImages
from workbench.domain.splits import Part
from workbench.ui.pages.explain.header import ANY, CHOSEN, SINGLE, WALL, ExplainHeader


@pytest.fixture
def header(qtbot):
    made = ExplainHeader("Explain")
    qtbot.addWidget(made)
    made.heard = []
    made.run_changed.connect(lambda run: made.heard.append(("run", run)))
    made.images_changed.connect(lambda: made.heard.append(("images",)))
    made.mode_changed.connect(lambda mode: made.heard.append(("mode", mode)))
    made.save_requested.connect(lambda: made.heard.append(("save",)))
    return made


@pytest.fixture
def runs(session, tmp_path):
    images = fill(session.store, tmp_path / "photos")
    first = make_run(session.store, images, "first", wrong=[4, 5, 6])
    return [first, replace(first, id="raw", name="raw", metrics={})]


def texts(box):
    return [box.itemText(row).replace("\u00a0", " ") for row in range(box.count())]


def press(header, text):
    next(b for b in header.findChildren(QPushButton) if b.text() == text).click()


def test_runs_are_listed_with_their_scores_and_chosen_by_the_user_alone(header, runs):
    header.show_runs(runs, "raw")
    assert texts(header.run) == ["first  ·  90.0 %", "raw"]
    assert header.run.currentData() == "raw"
    header.show_runs(runs, "gone")
    assert header.run.currentIndex() == 0
    assert header.run.count() == 2
    assert header.heard == []
    header.run.activated.emit(0)
    assert header.heard == [("run", "first")]


def test_parts_are_listed_after_the_images_of_another_page(header):
    header.show_parts([Part.TEST, Part.TRAIN], 0)
    assert texts(header.part) == ["Test", "Train", "All parts"]
    assert header.selected_part == "test"
    header.part.setCurrentIndex(1)
    header.show_parts([Part.TEST, Part.TRAIN], 0)
    assert header.selected_part == "train", "as before"
    header.show_parts([Part.TEST], 3)
    assert texts(header.part) == ["3 selected", "Test", "All parts"]
    assert header.selected_part == CHOSEN
    header.show_parts([], 0)
    assert header.selected_part == ANY
    assert header.heard == []
    header.part.activated.emit(0)
    assert header.heard == [("images",)]


def test_no_part_is_any(header):
    assert header.selected_part == ANY


def test_one_outcome_and_one_mode_is_chosen(header):
    assert (header.shown, header.mode) == (ShownImages.ALL, SINGLE)
    press(header, "Wrong")
    press(header, "Wall")
    assert (header.shown, header.mode) == (ShownImages.WRONG, WALL)
    press(header, "Right")
    assert header.shown is ShownImages.RIGHT
    assert header.save.toolTip() == "Save what is shown as PNG"
    press(header, "Save PNG…")
    assert header.heard == [("images",), ("mode", WALL), ("images",), ("save",)]
    header.set_mode(SINGLE)
    assert header.mode == SINGLE
    assert len(header.heard) == 4, "no signal for a mode that is set"


def test_what_an_earlier_session_chose_is_restored_if_it_exists(header):
    header.show_parts([Part.TEST, Part.TRAIN], 0)
    header.restore("train", "wrong")
    assert (header.selected_part, header.shown) == ("train", ShownImages.WRONG)
    header.restore("test", None)
    assert (header.selected_part, header.shown) == ("test", ShownImages.WRONG)
    header.restore("validation", "most")
    assert (header.selected_part, header.shown) == ("test", ShownImages.WRONG)


def test_controls_are_hidden_without_a_run_and_outcomes_disabled_without_labels(header):
    buttons = {b.text(): b for b in header.findChildren(QPushButton)}
    header.enable_outcomes(False)
    enabled = {text for text, button in buttons.items() if button.isEnabled()}
    assert enabled == {"One", "Wall", "Save PNG…"}
    for visible in (False, True):
        header.show_controls(visible)
        for widget in (header.run, header.part, *buttons.values()):
            assert widget.isVisibleTo(header) is visible
