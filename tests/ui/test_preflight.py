"""The line of a trial: what it shows of one, when one starts, and what cancels it."""

from __future__ import annotations

import threading

import pytest

from workbench.app.jobs import Task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Trial
from workbench.domain.text import Message
from workbench.ui.pages.train.preflight import PreflightLine, byte_size

FITS = Trial(
    device="CPU, 2 cores",
    precision="fp32",
    batch=8,
    largest_batch=8,
    step_seconds=0.5,
    total_seconds=75.0,
    memory=3 * 1024**2,
    memory_free=2 * 1024**3,
    disk=2048,
    disk_free=2048,
)
IDLE = "A trial step measures time, memory and disk space."


@pytest.fixture
def line(qtbot, session):
    made = PreflightLine(session)
    qtbot.addWidget(made)
    made.requests = []
    made.trial_requested.connect(lambda: made.requests.append(1))
    return made


def shown(line):
    return line.text.text(), line.text.property("role"), line.button.text()


def changed(**values):
    return Trial(**{**{f: getattr(FITS, f) for f in FITS.__struct_fields__}, **values})


def finished(qtbot, line, trial):
    def work():
        yield None
        return trial

    line.run(Task(Message("Trial"), work))
    assert shown(line) == ("Trying one step…", "muted", "Stop")
    qtbot.waitUntil(lambda: line.button.text() != "Stop")


def test_a_trial_is_summed_up(qtbot, line):
    finished(qtbot, line, FITS)
    assert shown(line) == (
        "CPU, 2 cores, fp32  ·  batch 8 (up to 8 fit)  ·  about 1:15  ·  "
        "memory 3.0 MiB of 2.0 GiB  ·  disk 2 KiB of 2 KiB free",
        "text",
        "Try a step",
    )
    assert line.trial is FITS


@pytest.mark.parametrize("tight", [{"batch": 9}, {"disk": 2049}])
def test_what_does_not_fit_is_a_warning(qtbot, line, tight):
    finished(qtbot, line, changed(**tight))
    assert line.text.property("role") == "warn"


def test_a_failed_trial_shows_why(qtbot, line):
    def work():
        yield None
        raise KnownError("The images are gone.", "Re-link them.")

    line.run(Task(Message("Trial"), work))
    qtbot.waitUntil(lambda: line.button.text() != "Stop")
    assert shown(line) == ("The images are gone. Re-link them.", "bad", "Try a step")
    assert line.trial is None


def test_the_button_requests_a_trial_or_stops_it(qtbot, line):
    line.button.click()
    assert line.requests == [1]
    go_on = threading.Event()

    def work():
        while not go_on.is_set():
            yield None

    line.run(Task(Message("Trial"), work))
    line.button.click()
    assert shown(line) == (IDLE, "muted", "Try a step")
    assert line.requests == [1]
    go_on.set()


def test_another_trial_replaces_the_running_one(qtbot, line):
    def endless():
        while True:
            yield None

    line.run(Task(Message("Trial"), endless))
    finished(qtbot, line, FITS)
    assert line.trial is FITS


def test_a_change_drops_the_trial_and_starts_another_one_later(qtbot, line):
    finished(qtbot, line, FITS)
    line.settings_changed(soon=False)
    assert line.trial is None
    assert shown(line)[0] == IDLE
    assert not line._timer.isActive()
    line.settings_changed(soon=True)
    assert line._timer.isActive()
    assert line.requests == []
    line._timer.start(0)
    qtbot.waitUntil(lambda: line.requests == [1])
    line.settings_changed(soon=True)
    line.show_reason("Fix the settings marked in red first.")
    assert not line._timer.isActive()
    assert shown(line) == ("Fix the settings marked in red first.", "warn", "Try a step")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1024**2 - 1, "1,024 KiB"),
        (1024**2, "1.0 MiB"),
        (1.5 * 1024**3, "1.5 GiB"),
        (1023 * 1024**3, "1023.0 GiB"),
        (5120 * 1024**3, "5.0 TiB"),
    ],
)
def test_sizes_have_units_of_1024(size, text):
    assert byte_size(size) == text
