"""The status bar: a line for each job that fits, how far each is, and its buttons."""

import threading

import pytest
from PySide6.QtCore import Qt

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Cancelled, Task
from workbench.app.training.preparing import prepare
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.reports import Progress, Started
from workbench.domain.runs import RunStatus
from workbench.ui.window.statusbar import StatusBar


@pytest.fixture
def bar(qtbot, session):
    queue = TrainingQueue(session)
    made = StatusBar(session.jobs, queue)
    qtbot.addWidget(made)
    made.resize(240 + 2 * 420, 36)
    made.show()
    yield made
    session.jobs.stop_all_and_wait()
    queue.close()


def waiting(*reports, title="Wait"):
    """A task that reports, and then continues until it is stopped."""

    def work():
        yield from reports
        while True:
            yield None
            threading.Event().wait(0.001)

    return Task(title, work)


def visible(bar):
    return [line.name.text() for line in bar.lines.values() if line.isVisible()]


def test_as_many_lines_as_fit_are_shown_and_the_rest_is_counted(bar, session):
    assert bar.idle.isVisible()
    assert not bar.more.isVisible()
    for title in ("first", "second", "third", "fourth"):
        session.start(waiting(title=title))
    assert visible(bar) == ["first", "second"]
    assert not bar.idle.isVisible()
    assert "2" in bar.more.text()
    assert bar.more.toolTip().splitlines() == ["third", "fourth"]
    bar.resize(240 + 3 * 420, 36)
    assert visible(bar) == ["first", "second", "third"]
    bar.resize(240 + 3 * 420 - 1, 36)
    assert visible(bar) == ["first", "second"]
    bar.resize(300, 36)
    assert visible(bar) == ["first"]
    bar.resize(240 + 4 * 420, 36)
    assert len(visible(bar)) == 4
    assert not bar.more.isVisible()
    places = [line.x() for line in bar.lines.values()]
    assert places == sorted(places)


def test_jobs_that_run_already_have_a_line_too(qtbot, session):
    session.start(waiting(title="early"))
    queue = TrainingQueue(session)
    made = StatusBar(session.jobs, queue)
    qtbot.addWidget(made)
    made.show()
    assert visible(made) == ["early"]
    session.jobs.stop_all_and_wait()
    assert made.lines == {}
    assert made.idle.isVisible()
    queue.close()


def test_the_bar_shows_the_share_that_is_done_as_soon_as_it_is_known(qtbot, bar, session):
    job = session.start(waiting())
    line = bar.lines[job]
    assert (line.bar.minimum(), line.bar.maximum()) == (0, 0)
    session.jobs.reported.emit(job, Progress(done=3, text="Reading"))
    assert line.bar.maximum() == 0
    assert line.status.text() == "Reading"
    session.jobs.reported.emit(job, Progress(done=1, total=4, text="Reading", eta=61.0))
    assert (line.bar.value(), line.bar.maximum()) == (250, 1000)
    assert "1:01" in line.status.text()
    assert line.status.toolTip() == line.status.text()
    session.jobs.reported.emit(job, Progress(done=5, total=4))
    assert line.bar.value() == 1000


def test_reports_reach_the_line_of_their_job_and_a_start_names_the_device(qtbot, bar, session):
    bar.set_device("unknown")
    started = Started(
        device="CPU, 2 cores",
        precision="fp32",
        batch=1,
        parameters=1,
        trained_parameters=1,
        images={},
    )
    first = session.start(waiting(title="first"))
    second = session.start(waiting(Progress(done=3, total=4), started, title="second"))
    qtbot.waitUntil(lambda: bar.device.text() == "CPU, 2 cores")
    assert bar.device.isVisible()
    assert bar.lines[second].bar.value() == 750
    assert bar.lines[first].bar.maximum() == 0


def test_a_stopped_job_shows_so_until_it_has_ended(qtbot, bar, session):
    job = session.start(waiting())
    line = bar.lines[job]
    session.jobs.reported.emit(job, Progress(done=1, total=4, text="Reading"))
    assert line.pause.isHidden()  # this is no training
    qtbot.mouseClick(line.stop, Qt.MouseButton.LeftButton)
    assert not line.stop.isEnabled()
    ending = line.status.text()
    assert ending != "Reading"
    session.jobs.reported.emit(job, Progress(done=2, total=4, text="Reading"))
    assert line.status.text() == ending
    assert line.bar.value() == 250
    qtbot.waitUntil(lambda: bar.lines == {})
    assert isinstance(job.outcome, Cancelled)
    assert bar.idle.isVisible()


@pytest.mark.parametrize(
    ("button", "status"), [("pause", RunStatus.PAUSED), ("stop", RunStatus.STOPPED)]
)
def test_a_training_is_paused_or_stopped_by_its_buttons(qtbot, tmp_path, qapp, button, status):
    project = small_project(tmp_path)
    queue = TrainingQueue(project)
    bar = StatusBar(project.jobs, queue)
    qtbot.addWidget(bar)
    bar.resize(900, 36)
    bar.show()
    run = prepare(project, {**FAST, "epochs": 100_000})
    queue.enqueue(run.id)
    (line,) = bar.lines.values()
    qtbot.waitUntil(lambda: line.bar.maximum() > 0, timeout=120_000)
    assert line.pause.isVisible()
    with qtbot.waitSignal(queue.ended, timeout=120_000):
        qtbot.mouseClick(getattr(line, button), Qt.MouseButton.LeftButton)
        assert not line.pause.isEnabled()
        assert not line.stop.isEnabled()
    assert queue.state(run.id) is status
    queue.close()
    project.jobs.stop_all_and_wait()
    project.close()
