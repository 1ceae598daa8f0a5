"""What the Results page knows of runs: which is newest, what it has, and why it has nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QMessageBox, QWidget

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.results import TARGET_HEAD, Scope
from workbench.domain.errors import KnownError
from workbench.domain.recipes import JOINT
from workbench.domain.runs import LabelList, RunLabels
from workbench.domain.splits import Part
from workbench.ui.pages.results.model import CACHED, ResultsModel


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def model(host):
    return ResultsModel(host.context)


def test_the_newest_finished_run_comes_before_newer_ones(session, images, model):
    assert model.newest_scored([]) == ""
    make_run(session.store, images, "running", status="running")
    assert model.newest_scored(model.records()) == "running"
    for name, status in (("old", "finished"), ("new", "finished"), ("queued", "queued")):
        make_run(session.store, images, name, status=status)
    assert [record.id for record in model.records()] == ["queued", "new", "old", "running"]
    assert model.newest_scored(model.records()) == "new"
    assert model.name("old") == "old"


def test_the_last_runs_used_stay_in_memory(session, images, model):
    names = [f"run {n}" for n in range(CACHED + 1)]
    ids = [make_run(session.store, images, name).id for name in names]
    first, second = model.results(ids[0]), model.results(ids[1])
    for run in (*ids[2:CACHED], ids[0], ids[CACHED]):
        model.results(run)
    assert model.results(ids[0]) is first
    assert model.results(ids[1]) is not second, "the one not used for longest was dropped"
    model.forget([ids[1]])
    assert model.results(ids[0]) is first
    model.forget(None)
    assert model.results(ids[0]) is not first


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("queued", "This run is queued. Results appear when training finishes."),
        ("running", "This run is training. Results appear when training finishes."),
        ("paused", "This run is paused. Results appear when training finishes."),
        ("failed", "Failed. The memory of the device is full."),
    ],
)
def test_why_a_run_has_no_results(session, images, model, status, reason):
    make_run(session.store, images, "run", status=status)
    assert model.open("run") == (None, reason)
    assert model.shown("run", Scope(Part.TEST)) is None
    with pytest.raises(KnownError):
        model.results("run")


def test_a_run_is_shown_in_a_scope(session, images, model):
    assert model.open("") == (None, "Select a run above.")
    make_run(session.store, images, "run")
    results, reason = model.open("run")
    assert (results.record.id, reason) == ("run", "")
    shown = model.shown("run", Scope(Part.TEST))
    assert shown.results is results
    assert (shown.scope, shown.names) == (Scope(Part.TEST), ("owl", "puffin", "toucan"))
    assert shown.scope.head == TARGET_HEAD


def test_finished_runs_with_the_same_labels_can_be_compared(session, images, model):
    for name, keys in {
        "one": {},
        "two": {},
        "joint": {"target": JOINT},
        "failed": {"status": "failed"},
    }.items():
        make_run(session.store, images, name, **keys)
    record = session.store.runs.get("one")
    assert [other.id for other in model.comparable(record)] == ["joint", "two"]
    views = LabelList("view", ("front",), (0,))
    other = replace(record, labels=RunLabels(views))
    assert model.comparable(other) == []


def test_epochs_are_by_name_with_the_id_where_names_are_equal(session, images, model):
    for name in ("one", "two"):
        make_run(session.store, images, name)
    model.rename("two", "  ")
    assert model.name("two") == "two"
    model.rename("two", "one")
    found = model.epochs(["one", "two"])
    assert list(found) == ["one", "one (two)"]
    assert [epoch.epoch for epoch in found["one"]] == [1, 2, 3]
    assert model.epochs_of("two") == found["one (two)"]
    assert model.paths([images[2], images[0], images[2]]).keys() == {images[0], images[2]}


def test_a_run_is_deleted_after_it_was_confirmed(session, images, model, qtbot, monkeypatch):
    make_run(session.store, images, "one")
    parent = QWidget()
    qtbot.addWidget(parent)
    asked = []

    def answer(button):
        def question(_parent, title, text, *_):
            asked.append((title, text))
            return button

        monkeypatch.setattr(QMessageBox, "question", question)
        return model.confirm_removal(parent, "one")

    assert not model.confirm_removal(parent, "")
    assert not answer(QMessageBox.StandardButton.Cancel)
    assert answer(QMessageBox.StandardButton.Discard)
    assert [title for title, _ in asked] == ["Delete run"] * 2
    assert asked[0][1].startswith("Delete one with its weights")
    model.remove("one")
    assert model.records() == []
