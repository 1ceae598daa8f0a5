"""The header of the Mouths page: progress, choices of images, and the job that finds mouths."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget

from tests.fixtures.finished_runs import fill
from workbench.app.jobs import Cancelled, Done
from workbench.app.mouths.cropping import DetectionResult
from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.ui.pages.mouths.header import ALL, NEW, SELECTED, MouthFinding, MouthHeader


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def queues(session, images):
    with session.edit("Find mouths"):
        session.store.crops.save(Crop(None, images[0], 0, CropState.FOUND, Rect(0, 0, 12, 10)))
    return MouthQueues(session)


@pytest.fixture
def header(qtbot):
    made = MouthHeader("Mouths")
    qtbot.addWidget(made)
    return made


def test_progress_is_shown_only_where_there_are_mouths(header):
    header.show_progress(3, 8)
    assert header.count.text() == "3 of 8 mouths labelled"
    assert (header.bar.minimum(), header.bar.maximum(), header.bar.value()) == (0, 8, 3)
    assert header.bar.isVisibleTo(header)
    header.show_progress(0, 1)
    assert header.count.text() == "0 of 1 mouth labelled"
    assert header.count.isVisibleTo(header)
    header.show_progress(0, 0)
    assert not header.count.isVisibleTo(header)
    assert not header.bar.isVisibleTo(header)
    assert header.bar.maximum() == 1


def enabled(header):
    return {which for which, action in header.choices.items() if action.isEnabled()}


def test_choices_count_their_images(header, queues):
    header.show_choices(queues, 2, running=False)
    assert [action.text() for action in header.choices.values()] == [
        "Search 29 unsearched images",
        "Search 2 selected images again",
        "Search all 30 images again",
    ]
    assert enabled(header) == {NEW, SELECTED, ALL}
    assert header.find_button.isEnabled()
    assert header.find_button.text() == "Find mouths"
    assert header.find_button.property("primary")
    assert header.more.isEnabled()
    header.show_choices(queues, 0, running=False)
    assert enabled(header) == {NEW, ALL}
    header.show_choices(queues, 2, running=True)
    assert enabled(header) == set()
    assert header.find_button.text() == "Finding mouths…"
    assert not header.find_button.isEnabled()
    assert not header.find_button.property("primary")
    assert not header.more.isEnabled()


def test_without_new_images_only_others_can_be_searched_again(session, header, images):
    with session.edit("Find mouths"):
        for image in images:
            session.store.crops.save(Crop(None, image, 0, CropState.MISSED, reason="none"))
    header.show_choices(MouthQueues(session), 1, running=False)
    assert enabled(header) == {SELECTED, ALL}
    assert not header.find_button.isEnabled()
    assert not header.find_button.property("primary")
    assert header.more.isEnabled()


def test_an_empty_project_has_nothing_to_search(session, header):
    header.show_choices(MouthQueues(session), 0, running=False)
    assert enabled(header) == set()
    assert not header.more.isEnabled()


def test_buttons_request_and_marks_toggle(header, queues):
    asked, shown = [], []
    header.find_requested.connect(asked.append)
    header.marks_toggled.connect(shown.append)
    header.show_choices(queues, 1, running=False)
    header.find_button.click()
    for which in (SELECTED, ALL, NEW):
        header.choices[which].trigger()
    assert asked == [NEW, SELECTED, ALL, NEW]
    assert header.marks.isChecked()
    header.toggle_marks()
    header.toggle_marks()
    assert shown == [False, True]


@pytest.fixture
def finding(qtbot, host, queues):
    window, selected = QWidget(), []
    qtbot.addWidget(window)
    made = MouthFinding(host.context, queues, lambda: selected, window)
    made.chosen_images = selected
    return made


def test_a_search_runs_once_and_reports_what_it_found(qtbot, host, finding, queues, images):
    heard = []
    finding.running_changed.connect(lambda: heard.append(finding.running))
    finding.find(SELECTED)
    assert heard == []
    assert finding.can_find()
    finding.chosen_images.extend(images[:1])
    with qtbot.waitSignal(host.context.session.jobs.ended, timeout=60_000):
        finding.find(SELECTED)
        assert finding.running
        assert not finding.can_find()
        finding.find(ALL)
    qtbot.waitUntil(lambda: not finding.running)
    assert heard == [True, False]
    assert host.messages[-1] == ("Mouths found in 0 of 1 image, missed in 1.", "info")


def test_a_stopped_search_says_what_is_kept(host, finding):
    finding._ended(Cancelled())
    assert host.messages == [("Stopped. The mouths found so far are kept.", "info")]
    finding._ended(Done(None))
    assert len(host.messages) == 1


def test_everything_searched_leaves_nothing_to_find(session, finding, queues, images):
    with session.edit("Find mouths"):
        for image in images[1:]:
            session.store.crops.save(Crop(None, image, 0, CropState.MISSED, reason="none"))
    queues.refresh(Changes(cropped=frozenset(images)))
    assert not finding.can_find()
    finding.find(NEW)
    assert not finding.running


@pytest.mark.parametrize(
    ("several", "text"),
    [
        (0, "Mouths found in 3 of 4 images, missed in 1."),
        (1, "Mouths found in 3 of 4 images, missed in 1. 1 image has several faces."),
        (2, "Mouths found in 3 of 4 images, missed in 1. 2 images have several faces."),
    ],
)
def test_several_faces_are_reported(host, finding, several, text):
    finding._show_result(DetectionResult(images=4, found=3, missed=1, several=several))
    assert host.messages == [(text, "info")]


def test_another_landmark_file_is_chosen(finding, monkeypatch, tmp_path):
    heard = []
    finding.file_changed.connect(lambda *what: heard.append(what))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    finding.choose_file()
    assert heard == []
    (tmp_path / "mine.dat").write_bytes(b"another predictor")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "mine.dat"), ""))
    finding.choose_file()
    assert heard == [("Landmark file: mine.dat.", "")]
    finding.use_file(None)
    file, licence = heard[-1]
    assert file != heard[0][0]
    assert licence[0].isupper()
    assert licence.endswith(".")
