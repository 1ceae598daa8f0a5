"""A study in a real project: trained, interrupted, resumed after a restart, and read."""

import json
import statistics

import msgspec
import pytest

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.splitting import (
    delete_split,
    find_split,
    fold_families,
    split,
    take_split,
)
from workbench.app.training.studies import (
    StudyQueue,
    as_builtins,
    find_study,
    new_study,
    next_runs,
    study_progress,
    study_task,
)
from workbench.app.training.training import training_task
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.runs import SAMPLES_FILE, RunStatus, decode_samples, encode_samples
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.studies import parse_plan
from workbench.files import read_recorded, write_recorded
from workbench.storage.project import Project

PLAN = {
    "seeds": [0, 1],
    "split": {"train": 0.5, "validation": 0.0, "test": 0.5},
    "base": {**FAST, "target": "category"},
    "variants": {"plain": {}, "pulled": {"penalty": "l2", "options": {"l2": {"alpha": 0.1}}}},
}

WAIT = 60_000


@pytest.fixture
def session(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = small_project(tmp_path)
    yield made
    made.close()


def test_a_study_is_trained_cell_by_cell_and_resumes_after_a_restart(session):
    study = new_study(session, parse_plan(PLAN, "pull"))
    assert session.store.splits.current() is None  # the project's own split is left alone
    study, runs = next_runs(session, study)
    assert isinstance(run_here(training_task(session, runs[0])), Done)
    found = study_progress(session, study)
    assert (found.done, found.cells) == (1, 4)
    folder = session.store.folder
    session.close()

    again = Session(Project.open(folder))
    try:
        study = find_study(again, "pull")
        while True:
            study, runs = next_runs(again, study)
            if not runs:
                break
            assert isinstance(run_here(training_task(again, runs[0])), Done)
        found = study_progress(again, study)
        assert found.done == found.cells == 4
        plain, pulled = found.rows
        assert set(plain.values) == set(pulled.values) == {0, 1}
        again.store.runs.update(study.run_of("pulled", 0), started=0.0)  # paused since 1970
        assert 0 < study_progress(again, study).rows[1].seconds == pulled.seconds < 60
        assert json.loads(json.dumps(as_builtins(found)))["rows"][1]["variant"] == "pulled"
        parts = [_parts(again, study.run_of(variant, seed)) for variant, seed in study.plan.cells]
        assert parts[0] == parts[1] != parts[2] == parts[3]
        assert set(parts[0].values()) == {"train", "test"}
        # "pulled" differs in nothing but its own keys, until a run learns from other images
        assert (found.differing, found.apart) == ({}, ())
        path = again.store.runs_folder / study.run_of("pulled", 1) / SAMPLES_FILE
        fewer = encode_samples(decode_samples(read_recorded(path))[1:])
        write_recorded(path, fewer)
        found = study_progress(again, study)
        assert found.apart == (("pulled", 1),)
        one = found.rows[1].values[0] - found.rows[0].values[0]
        assert found.rows[1].difference.mean == pytest.approx(one)
        assert as_builtins(found)["not_paired"] == [{"variant": "pulled", "seed": 1}]
    finally:
        again.close()


def _parts(session, run):
    samples = decode_samples((session.store.runs_folder / run / SAMPLES_FILE).read_bytes())
    return {sample.image: sample.part for sample in samples}


FOLDS = {"base": {**FAST, "target": "category"}, "variants": {"plain": {}}}


def test_a_study_tests_every_image_once_over_folds_and_resumes(session):
    split(session, SplitPlan(0.75, 0.25, 0.0, 1, folds=3), name="cv")
    split(session, SplitPlan(0.5, 0.0, 0.5), name="halves")
    study = new_study(session, parse_plan({**FOLDS, "folds": "cv"}, "all"))
    assert study.plan.seeds == (1, 2, 3)
    study, (first,) = next_runs(session, study)
    assert isinstance(run_here(training_task(session, first)), Done)
    assert session.runs.get(first).split == "cv: fold 1 of 3"
    again = find_study(session, "all")
    while (found := next_runs(session, again))[1]:
        again, (run,) = found
        assert isinstance(run_here(training_task(session, run)), Done)
    tested = []
    for _, fold, run in again.runs:
        parts = _parts(session, run)
        assert set(parts.values()) == {"train", "validation", "test"}
        tested += [image for image, part in parts.items() if part == "test"]
        assert session.runs.get(run).recipe.seed == 0
        assert session.runs.get(run).name == f"all: plain, fold {fold}"
    assert sorted(tested) == sorted(session.images.ids().tolist())
    (row,) = study_progress(session, again).rows
    accuracies = list(row.values.values())
    assert set(row.values) == {1, 2, 3}
    assert row.accuracy.mean == pytest.approx(sum(accuracies) / 3)
    assert row.deviation == pytest.approx(statistics.stdev(accuracies))
    assert session.splits.current().name == "halves"


def test_folds_of_a_study_are_drawn_if_a_number_is_given(session):
    split(session, SplitPlan(0.5, 0.0, 0.5), name="halves")
    study = new_study(session, parse_plan({**FOLDS, "folds": "4"}, "all"))
    assert study.plan.folds == "4 folds · 0"
    assert study.plan.seeds == (1, 2, 3, 4)
    assert [one.name for one in fold_families(session)[study.plan.folds]] == [
        f"4 folds · 0: fold {at} of 4" for at in (1, 2, 3, 4)
    ]
    assert session.splits.current().name == "halves"
    assert study_progress(session, study).cells == 4
    delete_split(session, find_split(session, "4 folds · 0: fold 2 of 4"))
    with pytest.raises(KnownError, match="no longer complete"):
        next_runs(session, study)


def test_c_images_per_class_are_trained_on_and_all_others_tested(session):
    plan = parse_plan({**PLAN, "split": None, "per_class": 3, "variants": {"plain": {}}}, "three")
    study = new_study(session, plan)
    drawn = []
    for seed in plan.seeds:
        study, (run,) = next_runs(session, study)
        folder = session.store.runs_folder / run
        samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
        record = session.runs.get(run)
        for at in range(len(record.labels.target.labels)):
            parts = [sample.part for sample in samples if sample.target == at]
            assert parts.count("train") == 3
            assert parts.count("test") == len(parts) - 3 > 0
        assert (record.split, record.name) == (
            f"3 per class · {seed}",
            f"three: plain, seed {seed}",
        )
        drawn.append([sample.part for sample in samples])
        session.store.runs.update(
            run, status=RunStatus.FINISHED, metrics={"test": {"top1": 0.5 + seed / 10}}
        )
    assert drawn[0] != drawn[1]
    found = study_progress(session, study)
    assert (found.done, found.parts, found.rows[0].accuracy.mean) == (2, (Part.TEST,), 0.55)
    with pytest.raises(ValueRefused, match="per_class"):
        new_study(session, msgspec.structs.replace(plan, per_class=1000))


def test_a_published_split_is_used_by_its_name(session):
    images = sorted(session.store.images.ids().tolist())
    parts = {image: Part.TEST if image // 3 % 2 else Part.TRAIN for image in images}
    plan = parse_plan({**PLAN, "split": None, "published": "official"}, "as published")
    with pytest.raises(ValueRefused, match="this project has none"):
        new_study(session, plan)
    take_split(session, parts, "official")
    split(session, SplitPlan(0.8, 0.0, 0.2))  # the current one
    study = new_study(session, plan)
    study, (run,) = next_runs(session, study)
    samples = decode_samples((session.store.runs_folder / run / SAMPLES_FILE).read_bytes())
    assert {sample.image: sample.part for sample in samples if sample.target >= 0}.items() <= {
        image: str(part) for image, part in parts.items()
    }.items()
    assert session.runs.get(run).split == "official"
    with pytest.raises(ValueRefused, match=r"“other”.*published.*official"):
        new_study(session, msgspec.structs.replace(plan, published="other"))


def test_unknown_folds_are_refused(session):
    with pytest.raises(ValueRefused, match="number of at least 2"):
        new_study(session, parse_plan({**FOLDS, "folds": "cv"}, "all"))
    with pytest.raises(ValueRefused, match="folds"):
        parse_plan({**FOLDS, "folds": "3", "split": PLAN["split"]}, "both")
    assert session.store.studies.all() == []


def test_what_failed_or_was_removed_is_made_again(session):
    study = new_study(session, parse_plan(PLAN, "pull"))
    study, _ = next_runs(session, study, most=2)
    first, second = study.run_of("plain", 0), study.run_of("pulled", 0)
    session.store.runs.update(first, status=RunStatus.FAILED, message="The disk is full.")
    session.store.runs.remove(second)
    assert study_progress(session, study).failed == (first,)
    study, runs = next_runs(session, study, most=2)
    assert not {first, second} & set(runs)
    assert [study.run_of("plain", 0), study.run_of("pulled", 0)] == runs
    assert find_study(session, study.id) == study


@pytest.mark.parametrize(("exact", "compared"), [(0.6, 0.6), (None, 0.9)])
def test_where_images_have_several_labels_every_one_has_to_be_right(session, exact, compared):
    study, (run,) = next_runs(session, new_study(session, parse_plan(PLAN, "traits")))
    messages = {"test": {"top1": 0.9, "exact": exact}, "validation": {"top1": 0.1}}
    session.store.runs.update(run, status=RunStatus.FINISHED, metrics=messages)
    assert study_progress(session, study).rows[0].values == {0: compared}


def test_a_plan_that_cannot_be_trained_leaves_nothing(session):
    wrong = {**PLAN, "variants": {"plain": {}, "odd": {"penalty": "magic"}}}
    with pytest.raises(ValueRefused, match="l2-sp"):
        new_study(session, parse_plan(wrong, "odd"))
    checked = run_here(study_task(session, parse_plan(wrong, "odd")))
    assert isinstance(checked, Failed)
    assert "l2-sp" in checked.remedy
    assert session.store.studies.all() == []
    assert [record.status for record in session.store.runs.all()] == []
    with pytest.raises(KnownError, match="Create one first"):
        find_study(session, "pull")


def test_a_study_stopped_while_a_run_is_prepared_trains_it_on_resume(session, qtbot):
    queue = TrainingQueue(session)
    studies = StudyQueue(session, queue)
    study = new_study(session, parse_plan({**PLAN, "seeds": [0]}, "pull"))
    studies.resume(study.id)
    assert studies.running(study.id)
    studies.stop(study.id)
    assert not studies.running(study.id)
    qtbot.waitUntil(lambda: not session.jobs.jobs(), timeout=WAIT)
    assert queue.current == ""
    assert {record.status for record in session.store.runs.all()} <= {RunStatus.PAUSED}
    studies.resume(study.id)
    studies.stop(study.id)
    studies.resume(study.id)  # at once: the run that is being made is not made twice
    assert studies.running(study.id)
    qtbot.waitUntil(lambda: study_progress(session, study_now(session)).done == 2, timeout=WAIT)
    qtbot.waitUntil(lambda: not studies.running(study.id), timeout=WAIT)
    assert len(session.store.runs.all()) == 2
    queue.close()


def study_now(session):
    return session.store.studies.all()[0]
