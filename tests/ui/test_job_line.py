"""A button that starts and stops a job, with a line for its progress and errors."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QLabel, QPushButton

from tests.fixtures.page_host import PageHost
from workbench.app.jobs import Cancelled, Done, Failed, Task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, Progress, Step
from workbench.domain.text import Message
from workbench.ui.parts.job_line import JobLine, JobState, clock, state_after


@pytest.fixture
def line(qtbot, session):
    host, parent = PageHost(session), QObject()
    button, status, ends = QPushButton("Find"), QLabel(), []
    qtbot.addWidget(button)
    qtbot.addWidget(status)

    def made(make):
        def over(outcome):
            ends.append(outcome)
            button.setText("Find")

        return JobLine(host.context, make, over, button, status, parent), button, status, ends

    yield made
    host.close()


def test_a_job_shows_its_progress_and_its_end(qtbot, line):
    texts, go_on = [], threading.Event()

    def work():
        yield Note(text=Message("Reading"))
        yield Progress(done=1500, total=2000, text=Message("Images"))
        yield Progress(done=3, text=Message("Images"))
        go_on.wait(10)
        return 5

    job, button, status, ends = line(lambda: Task(Message("Find"), work))
    assert not job.running
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert job.running
    assert (button.text(), status.text()) == ("Stop", "Starting…")
    qtbot.waitUntil(lambda: texts.append(status.text()) or status.text() == "Images: 3 / 0")
    go_on.set()
    qtbot.waitUntil(lambda: bool(ends))
    assert ends == [Done(5)]
    assert not job.running
    assert button.text() == "Find"


def test_progress_is_grouped_by_thousands(qtbot, line):
    def work():
        yield Progress(done=1500, total=20000, text=Message("Images"))

    _, button, status, ends = line(lambda: Task(Message("Find"), work))
    button.click()
    qtbot.waitUntil(lambda: bool(ends))
    assert status.text() == "Images: 1,500 / 20,000"


@pytest.mark.parametrize("by_button", [True, False])
def test_a_running_job_is_stopped(qtbot, line, by_button):
    def work():
        while True:
            yield None

    job, button, _, ends = line(lambda: Task(Message("Find"), work))
    job.stop()
    button.click()
    if by_button:
        button.click()
    else:
        job.stop()
    qtbot.waitUntil(lambda: bool(ends))
    assert isinstance(ends[0], Cancelled)
    assert not job.running


def test_errors_before_and_in_a_job_are_shown(qtbot, line):
    def refuse():
        raise KnownError("Nothing to do.", "Import images.")

    job, button, status, ends = line(refuse)
    button.click()
    assert status.text() == "Nothing to do. Import images."
    assert not job.running
    assert ends == []


def test_a_failed_job_shows_why(qtbot, line):
    def work():
        yield None
        raise KnownError("The disk is full.")

    _, button, status, ends = line(lambda: Task(Message("Find"), work))
    button.click()
    qtbot.waitUntil(lambda: bool(ends))
    assert isinstance(ends[0], Failed)
    assert status.text() == "The disk is full."


def test_shares_of_steps_count_epochs_from_one():
    step = Step(
        epoch=1, epochs=4, step=0, steps=0, loss=1, learning_rate=1, images_per_second=1, eta=9
    )
    assert state_after(step, JobState()) == JobState(0.0, "epoch 1/4", 9)
    assert state_after(Progress(done=1234), JobState()) == JobState(None, "1,234", None)
    named = Progress(done=1, total=2, text=Message("Reading"))
    assert state_after(named, JobState()).text == "Reading"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0:00"), (59.6, "1:00"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00")],
)
def test_durations_have_hours_only_from_one_hour(seconds, text):
    assert clock(seconds) == text
