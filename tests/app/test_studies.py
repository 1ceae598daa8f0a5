"""A study in a real project: trained, interrupted, gone on with after a restart, and read."""

import json

import pytest

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import OpenProject
from workbench.app.training.studies import (
    StudyQueue,
    as_builtins,
    find_study,
    new_study,
    next_runs,
    standing,
    study_task,
)
from workbench.app.training.training import training_task
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.runs import SAMPLES_FILE, RunStatus, decode_samples
from workbench.domain.studies import parse_plan
from workbench.storage.project import Project

PLAN = {
    "seeds": [0, 1],
    "split": {"train": 0.5, "validation": 0.0, "test": 0.5},
    "base": {**FAST, "target": "category"},
    "variants": {"plain": {}, "pulled": {"penalty": "l2", "options": {"l2": {"alpha": 0.1}}}},
}

WAIT = 60_000


@pytest.fixture
def op(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = small_project(tmp_path)
    yield made
    made.close()


def test_a_study_is_trained_cell_by_cell_and_goes_on_after_a_restart(op):
    study = new_study(op, parse_plan(PLAN, "pull"))
    assert op.store.splits.current() is None  # the project's own split is left alone
    study, runs = next_runs(op, study)
    assert isinstance(run_here(training_task(op, runs[0])), Done)
    found = standing(op, study)
    assert (found.done, found.cells) == (1, 4)
    folder = op.store.folder
    op.close()

    again = OpenProject(Project.open(folder))
    try:
        study = find_study(again, "pull")
        while True:
            study, runs = next_runs(again, study)
            if not runs:
                break
            assert isinstance(run_here(training_task(again, runs[0])), Done)
        found = standing(again, study)
        assert found.done == found.cells == 4
        plain, pulled = found.rows
        assert set(plain.values) == set(pulled.values) == {0, 1}
        again.store.runs.update(study.run_of("pulled", 0), started=0.0)  # paused since 1970
        assert 0 < standing(again, study).rows[1].seconds == pulled.seconds < 60
        assert json.loads(json.dumps(as_builtins(found)))["rows"][1]["variant"] == "pulled"
        parts = [_parts(again, study.run_of(variant, seed)) for variant, seed in study.plan.cells]
        assert parts[0] == parts[1] != parts[2] == parts[3]
        assert set(parts[0].values()) == {"train", "test"}
    finally:
        again.close()


def _parts(op, run):
    samples = decode_samples((op.store.runs_folder / run / SAMPLES_FILE).read_bytes())
    return {sample.image: sample.part for sample in samples}


def test_what_failed_or_was_removed_is_made_anew(op):
    study = new_study(op, parse_plan(PLAN, "pull"))
    study, _ = next_runs(op, study, most=2)
    first, second = study.run_of("plain", 0), study.run_of("pulled", 0)
    op.store.runs.update(first, status=RunStatus.FAILED, message="The disk is full.")
    op.store.runs.remove(second)
    assert standing(op, study).failed == (first,)
    study, runs = next_runs(op, study, most=2)
    assert not {first, second} & set(runs)
    assert [study.run_of("plain", 0), study.run_of("pulled", 0)] == runs
    assert find_study(op, study.id) == study


@pytest.mark.parametrize(("exact", "compared"), [(0.6, 0.6), (None, 0.9)])
def test_where_images_have_several_labels_every_one_has_to_be_right(op, exact, compared):
    study, (run,) = next_runs(op, new_study(op, parse_plan(PLAN, "traits")))
    said = {"test": {"top1": 0.9, "exact": exact}, "validation": {"top1": 0.1}}
    op.store.runs.update(run, status=RunStatus.FINISHED, metrics=said)
    assert standing(op, study).rows[0].values == {0: compared}


def test_a_plan_that_cannot_be_trained_leaves_nothing(op):
    wrong = {**PLAN, "variants": {"plain": {}, "odd": {"penalty": "magic"}}}
    with pytest.raises(ValueRefused, match="l2-sp"):
        new_study(op, parse_plan(wrong, "odd"))
    checked = run_here(study_task(op, parse_plan(wrong, "odd"), lambda _: None))
    assert isinstance(checked, Failed)
    assert "l2-sp" in checked.remedy
    assert op.store.studies.all() == []
    assert [record.status for record in op.store.runs.all()] == []
    with pytest.raises(KnownError, match="none yet"):
        find_study(op, "pull")


def test_a_study_stopped_while_its_next_run_is_made_trains_it_when_it_goes_on(op, qtbot):
    queue = TrainingQueue(op)
    studies = StudyQueue(op, queue)
    study = new_study(op, parse_plan({**PLAN, "seeds": [0]}, "pull"))
    studies.go_on(study.id)
    assert studies.running(study.id)
    studies.stop(study.id)
    assert not studies.running(study.id)
    qtbot.waitUntil(lambda: not op.jobs.jobs(), timeout=WAIT)
    assert queue.current == ""
    assert {record.status for record in op.store.runs.all()} <= {RunStatus.PAUSED}
    studies.go_on(study.id)
    studies.stop(study.id)
    studies.go_on(study.id)  # at once: the run that is being made is not made twice
    assert studies.running(study.id)
    qtbot.waitUntil(lambda: standing(op, study_now(op)).done == 2, timeout=WAIT)
    qtbot.waitUntil(lambda: not studies.running(study.id), timeout=WAIT)
    assert len(op.store.runs.all()) == 2
    queue.close()


def study_now(op):
    return op.store.studies.all()[0]
