"""Edits through the open project: announced once, undone, and split or labelled as single steps."""

import threading

import pytest
from PySide6.QtCore import QObject

from tests.fixtures.stored_images import fill
from workbench.app.jobs import Cancelled, Done, Failed, Task
from workbench.app.labels.labelling import assign
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.studies import Study, parse_plan


@pytest.fixture
def reported(session):
    heard = []
    session.changed.connect(heard.append)
    return heard


def test_an_edit_is_reported_once_after_it_is_on_the_disk(session, reported):
    with session.edit("Import") as edit:
        fill(session.store, 3)
        with session.edit("inside"):
            session.store.labels.assign([1], "view", "left")
        assert reported == []
    assert reported == [edit.changes]
    assert reported[0].added == {1, 2, 3}
    assert session.store.history.undo_text() == "Import"


def test_an_edit_of_nothing_and_one_that_fails_are_not_reported(session, reported):
    with session.edit("nothing"):
        pass

    def fail():
        with session.edit("half"):
            fill(session.store, 3)
            raise KnownError("no")

    with pytest.raises(KnownError):
        fail()
    assert reported == []
    assert session.store.images.count() == 0
    assert assign(session, [1], "view", "left") == frozenset()


def test_undo_and_redo_are_reported(session, reported):
    fill(session.store, 2)
    assert assign(session, [1, 2], "view", "left") == {1, 2}
    assert session.undo() == "Label 2 images “left”"
    assert session.redo() == "Label 2 images “left”"
    assert [changes.labelled for changes in reported] == [{1, 2}] * 3
    session.undo()
    session.undo()
    assert session.undo() is None
    assert len(reported) == 5


def test_removing_images_is_one_edit_that_is_reported(session, reported):
    fill(session.store, 3)
    session.remove_images([1, 3])
    assert session.store.images.ids().tolist() == [2]
    assert reported[-1].removed == {1, 3}
    assert session.store.history.undo_text() == "Remove 2 images"
    session.undo()
    assert session.store.images.count() == 3


@pytest.fixture
def run_id(session):
    labels = RunLabels(LabelList("view", ("front",), (0,)))
    session.store.runs.create(RunRecord("r", "first", RunStatus.STOPPED, "view", "", labels, 0.0))
    (session.store.runs_folder / "r").mkdir()
    return "r"


def test_renaming_a_run_is_reported_and_an_empty_name_is_refused(session, reported, run_id):
    session.rename_run(run_id, " much\nbetter ")
    with pytest.raises(ValueRefused, match="No name of the run is given"):
        session.rename_run(run_id, " ")
    assert session.store.runs.get(run_id).name == "much better"
    assert reported == [Changes(runs=frozenset({run_id}))]


def test_a_study_that_is_stored_is_reported(session, reported):
    plan = parse_plan({"base": {}, "variants": {"plain": {}, "late": {"epochs": 9}}}, "Depth")
    session.put_study(Study(id="s", created=1.0, plan=plan))
    assert [study.id for study in session.studies.all()] == ["s"]
    assert reported == [Changes(studies=True)]


def test_removing_a_run_deletes_its_folder_and_is_reported(session, reported, run_id):
    session.remove_run(run_id)
    assert session.store.runs.all() == []
    assert not (session.store.runs_folder / run_id).exists()
    assert reported == [Changes(runs=frozenset({run_id}))]
    with pytest.raises(KnownError, match="no run r"):
        session.remove_run(run_id)


def test_what_is_remembered_is_no_edit(session, reported):
    session.remember("page", {"shown": ["images"]})
    assert session.store.settings.get("page") == {"shown": ["images"]}
    assert reported == []
    assert not session.store.history.undo_text()


def test_closing_stops_the_jobs(session):
    ends = []

    def work():
        while True:
            yield

    session.jobs.start(Task("long", work, finish=ends.append))
    session.close()
    session.close()
    assert len(ends) == 1


def counting():
    yield "half"
    return {"images": 2}


def refused():
    yield "half"
    raise KnownError("The disk is full.", "Free some room.")


def forever():
    while True:
        yield "on"


def heard_of(session, qtbot, work, finish=lambda outcome: None, stop=False):
    """What a job that was started on a session reports to whom, in order."""
    heard = []
    job = session.start(
        Task("work", work, lambda value: heard.append(("apply", value)), finish),
        done=lambda value: heard.append(("done", value)),
        failed=lambda failure: heard.append(("failed", failure)),
        ended=lambda outcome: heard.append(("ended", outcome)),
        reported=lambda report: heard.append(("reported", report)),
    )
    if stop:
        job.stop()
    qtbot.waitUntil(lambda: job not in session.jobs.jobs(), timeout=10_000)
    assert job.outcome is heard[-2 if heard[-1][0] != "ended" else -1][1]
    return heard


def test_a_job_hands_its_value_to_who_started_it(session, qtbot):
    value = {"images": 2}
    assert heard_of(session, qtbot, counting) == [
        ("apply", "half"),
        ("reported", "half"),
        ("ended", Done(value)),
        ("done", value),
    ]


def test_a_job_that_fails_reports_why_and_hands_over_no_value(session, qtbot):
    failure = Failed("The disk is full.", "Free some room.")
    assert failure.text == "The disk is full. Free some room."
    everywhere = []
    session.jobs.ended.connect(lambda job, outcome: everywhere.append(outcome))
    assert heard_of(session, qtbot, refused)[2:] == [("ended", failure), ("failed", failure)]
    assert everywhere == [failure]


def test_a_value_that_cannot_be_kept_is_not_handed_over(session, qtbot):
    def finish(outcome):
        raise KnownError("There is no room for it.")

    failure = Failed("There is no room for it.")
    assert failure.text == "There is no room for it."
    assert heard_of(session, qtbot, counting, finish)[2:] == [
        ("ended", failure),
        ("failed", failure),
    ]


def test_a_job_that_is_stopped_has_ended_and_no_more(session, qtbot):
    assert heard_of(session, qtbot, forever, stop=True)[-1] == ("ended", Cancelled())


def test_a_job_may_outlive_who_started_it(session, qtbot):
    heard, gone = [], threading.Event()

    def work():
        gone.wait(10)
        yield from counting()
        return "value"

    class Part(QObject):
        def take(self, value):
            heard.append((self.objectName(), value))

    part = Part()
    job = session.start(Task("work", work), done=part.take, ended=part.take)
    part.deleteLater()
    with qtbot.waitSignal(part.destroyed):
        pass
    gone.set()
    qtbot.waitUntil(lambda: not session.jobs.jobs(), timeout=10_000)
    assert job.outcome == Done("value")
    assert heard == []
