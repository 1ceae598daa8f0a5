"""Crops, splits and runs are read as they were stored."""

import dataclasses
import sqlite3
from contextlib import closing

import msgspec
import pytest

from tests.fixtures.stored_images import fill
from workbench.domain.crops import Crop, CropState, CropUpdate, merge_detection
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.reports import Epoch
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.studies import Study, parse_plan
from workbench.domain.text import Message
from workbench.storage.project import Project

MARKS = tuple((i / 7, 300 - i / 3) for i in range(68))


def test_a_crop_is_restored_completely(project):
    fill(project, 2)
    crop = Crop(None, 2, 0, CropState.FOUND, Rect(1, 2, 30, 31), MARKS, "hog", False, "why")
    stored = project.crops.save(crop)
    assert project.crops.get([stored.id]) == [stored]
    assert dataclasses.replace(stored, id=None) == crop
    moved = dataclasses.replace(stored, rect=Rect(3, 3, 9, 9), state=CropState.ADJUSTED)
    project.crops.save(dataclasses.replace(moved, reviewed=True))
    assert project.crops.of_image(2)[0].reviewed
    assert project.crops.counts()[CropState.ADJUSTED] == 1
    assert project.crops.ids(CropState.ADJUSTED, reviewed=True).tolist() == [stored.id]
    assert project.crops.ids(CropState.FOUND).tolist() == []
    assert project.crops.of_images([1]) == {}
    assert project.crops.detected_sources() == {1}


def test_reasons_of_crops_keep_their_values(project):
    fill(project, 1)
    reason = Message("{first}; {second}", first=Message("unsure"), second=Message("clipped"))
    project.crops.save(Crop(None, 1, 0, CropState.MISSED, reason=reason))
    (crop,) = project.crops.of_image(1)
    assert crop.reason == "unsure; clipped"
    assert (crop.reason.template, crop.reason.values) == (reason.template, reason.values)


def test_a_new_detection_keeps_labels_and_what_a_person_did(project):
    fill(project, 1)
    face, other = Rect(0, 0, 20, 20), Rect(100, 100, 120, 120)
    first = [Crop(None, 1, i, CropState.FOUND, r) for i, r in enumerate((face, other))]
    project.crops.apply(1, CropUpdate(tuple(first), ()))
    kept, dropped = project.crops.of_image(1)
    project.labels.assign_crops([kept.id], "expression", "smile")
    labelled = project.crops.labelled([1])
    update = merge_detection(
        project.crops.of_image(1),
        [Crop(None, 1, 0, CropState.FOUND, Rect(1, 1, 21, 21), MARKS, "cascade")],
        labelled,
    )
    project.crops.apply(1, update)
    (now,) = project.crops.of_image(1)
    assert (now.id, now.rect, now.detector) == (kept.id, Rect(1, 1, 21, 21), "cascade")
    assert dropped.id not in [crop.id for crop in project.crops.of_image(1)]
    assert project.labels.of_crops([now.id], "expression") == {now.id: ("smile",)}


def test_a_crop_without_an_image_is_refused(project):
    with pytest.raises(KnownError, match="no image 5"):
        project.crops.save(Crop(None, 5, 0, CropState.MISSED))
    with pytest.raises(KnownError, match="Crop 8 no longer exists"):
        project.crops.save(Crop(8, 5, 0, CropState.MISSED))


def test_the_newest_split_is_current_and_earlier_ones_stay(project):
    fill(project, 4)
    plan = SplitPlan(1 / 3, 1 / 3, 1 / 3, seed=11)
    first = project.splits.make(plan, {1: Part.TRAIN, 2: Part.TEST})
    current = project.splits.current()
    assert (current.id, current.plan, current.name) == (first, plan, "33 / 33 / 33 · 11")
    assert project.splits.parts() == {1: Part.TRAIN, 2: Part.TEST}
    second = project.splits.make(SplitPlan(), {3: Part.VALIDATION}, "again")
    assert project.splits.current().id == second
    assert project.splits.counts() == {Part.TRAIN: 0, Part.VALIDATION: 1, Part.TEST: 0}
    project.images.remove([3])
    assert project.splits.parts() == {}
    project.history.undo()
    project.history.undo()
    assert project.splits.parts() == {1: Part.TRAIN, 2: Part.TEST}


LABELS = RunLabels(
    LabelList("category", ("a", "b", "c"), (0, 1, 2)), LabelList("view", ("l", "r"), (1, 0))
)


def record(run_id: str, created: float = 1.0, target: str = "category+view") -> RunRecord:
    return RunRecord(run_id, f"run {run_id}", RunStatus.QUEUED, target, "x = 1", LABELS, created)


def epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number,
        epochs=9,
        train_loss=1 / number,
        train_accuracy=0.5,
        learning_rate=0.1,
        images_per_second=9.0,
        seconds=1.0,
        eta=2.0,
    )


def test_a_run_is_kept_updated_and_removed(project):
    project.runs.create(record("r1"))
    project.runs.create(record("r2", created=2.0))
    with pytest.raises(KnownError, match="r1 already"):
        project.runs.create(record("r1"))
    assert project.runs.get("r1") == record("r1")
    assert [run.id for run in project.runs.all()] == ["r2", "r1"]
    metrics = {"test": {"top1": 0.5}}
    project.runs.update("r1", status=RunStatus.FINISHED, metrics=metrics, finished=9.5)
    run = project.runs.get("r1")
    assert (run.status, run.metrics, run.finished) == (RunStatus.FINISHED, metrics, 9.5)
    assert project.runs.newest("view").id == "r1"
    assert project.runs.newest("category").id == "r1"
    assert project.runs.newest("expression") is None
    with pytest.raises(TypeError, match="colour"):
        project.runs.update("r1", colour="red")
    with pytest.raises(KnownError, match="no run r9"):
        project.runs.get("r9")
    project.runs.add_epoch("r1", epoch(1))
    project.runs.remove("r1")
    assert [run.id for run in project.runs.all()] == ["r2"]
    assert project._db.value("SELECT count(*) FROM epoch") == 0
    assert project.history.undo_text() is None


def test_the_newest_finished_run_is_the_one_made_last(project):
    for name, created in (("r1", 1.0), ("r2", 3.0), ("r3", 2.0), ("r4", 4.0)):
        project.runs.create(record(name, created=created))
    for name in ("r1", "r2", "r3"):
        project.runs.update(name, status=RunStatus.FINISHED)
    assert project.runs.newest("view").id == "r2"
    project.runs.create(record("r5", created=3.0))
    project.runs.update("r5", status=RunStatus.FINISHED)
    assert project.runs.newest("view").id == "r5"


def test_epochs_are_replaced_and_cut_back(project):
    project.runs.create(record("r1"))
    for number in (1, 2, 3, 3):
        project.runs.add_epoch("r1", epoch(number))
    assert project.runs.epochs("r1") == [epoch(1), epoch(2), epoch(3)]
    assert project.runs.get("r1").epochs_done == 3
    project.runs.truncate_epochs("r1", after=1)
    assert project.runs.epochs("r1") == [epoch(1)]
    assert project.runs.get("r1").epochs_done == 1


def test_usable_crops_come_by_id_with_their_size(project):
    fill(project, 3)
    states = (CropState.ADJUSTED, CropState.REJECTED, CropState.FOUND, CropState.MISSED)
    for at, state in enumerate(states):
        rect = None if state is CropState.MISSED else Rect(0, 0, 20 + at, 30)
        project.crops.save(Crop(None, 3 - at % 3, at, state, rect, MARKS))
    crops, images, sizes = project.crops.usable()
    assert (crops.tolist(), images.tolist()) == ([1, 3], [3, 1])
    assert sizes.tolist() == [[20, 30], [22, 30]]
    project.crops.save(Crop(None, 1, 9, CropState.FOUND, Rect(0, 0, 50, 8), MARKS))
    assert project.crops.usable()[2].tolist()[2] == [50, 8]


def test_studies_come_newest_first(project):
    plan = parse_plan(
        {
            "seeds": [0, 1],
            "base": {"target": "view"},
            "variants": {"one": {}, "two": {"epochs": 3}},
        },
        "plan",
    )
    for name, created in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        project.studies.put(Study(id=name, created=created, plan=plan))
    assert [study.id for study in project.studies.all()] == ["c", "b", "a"]
    project.studies.put(Study(id="a", created=9.0, plan=plan))
    assert project.studies.get("a").created == 9.0
    assert [study.id for study in project.studies.all()] == ["c", "b", "a"]  # as they were begun
    project.studies.remove("c")
    assert [study.id for study in project.studies.all()] == ["b", "a"]
    with pytest.raises(KnownError):
        project.studies.get("c")


def test_the_history_lists_the_newest_edits_and_which_were_undone(project):
    for number in range(4):
        with project.edit(f"edit {number}"):
            project.images.add_source(f"/source {number}")
    project.history.undo()
    project.history.undo()
    assert (project.history.undo_text(), project.history.redo_text()) == ("edit 1", "edit 2")
    entries = project.history.entries(3)
    assert [(entry.text, entry.undone) for entry in entries] == [
        ("edit 3", True),
        ("edit 2", True),
        ("edit 1", False),
    ]
    assert len(project.history.entries()) == 4
    project.history.redo()
    assert [entry.undone for entry in project.history.entries(2)] == [True, False]
    project.history.forget()
    assert project.history.entries() == []
    assert project.history.undo() is project.history.redo() is None


def test_a_deleted_split_returns_with_its_members_after_other_undone_edits(project):
    fill(project, 4)
    first = project.splits.make(SplitPlan(), {1: Part.TRAIN, 2: Part.TEST}, "paper")
    project.splits.make(SplitPlan(), {3: Part.TRAIN}, "other")
    project.splits.delete(first)
    project.images.remove([4])
    project.history.undo()
    project.images.remove([3])  # discards what was undone
    assert [split.name for split in project.splits.all()] == ["other"]
    project.history.undo()
    project.history.undo()
    assert [split.name for split in project.splits.all()] == ["other", "paper"]
    assert project.splits.parts(first) == {1: Part.TRAIN, 2: Part.TEST}
    assert project.splits.counts(first)[Part.TEST] == 1


def test_a_project_without_names_of_splits_opens(project):
    """Earlier versions gave splits no name, and runs did not know theirs."""
    fill(project, 2)
    project.splits.make(SplitPlan(seed=4), {1: Part.TRAIN, 2: Part.TEST})
    project.runs.create(record("old"))
    project.close()
    with closing(sqlite3.connect(project.folder / DATABASE_FILE)) as db, db:
        db.execute("ALTER TABLE run DROP COLUMN split")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'split_of_runs'")
        db.execute("""UPDATE split SET name = '',
            plan = '{"train":0.7,"validation":0.15,"test":0.15,"seed":4}'""")
    again = Project.open(project.folder)
    assert again.runs.get("old").split == ""
    current = again.splits.current()
    assert (current.name, current.plan) == ("70 / 15 / 15 · 4", SplitPlan(seed=4))
    again.splits.make(SplitPlan(seed=4), {1: Part.TEST})
    assert len(again.splits.all()) == 1, "the one of this name is replaced"
    again.close()


def test_a_run_has_the_time_of_its_epochs_and_the_highest_memory(project):
    run = "r1"
    project.runs.create(record(run))
    for number, memory in ((1, 300), (2, 500), (3, 400)):
        project.runs.add_epoch(
            run, msgspec.structs.replace(epoch(number), memory=memory, device_memory=7)
        )
    found = project.runs.get(run)
    assert (found.seconds, found.memory, found.device_memory) == (3.0, 500, 7)
    project.runs.truncate_epochs(run, 1)  # resumed from a checkpoint
    project.runs.add_epoch(run, msgspec.structs.replace(epoch(2), seconds=5.0))
    found = project.runs.get(run)
    assert (found.seconds, found.memory) == (6.0, 500)
    project.runs.raise_memory(run, 900, 1)
    assert (project.runs.get(run).memory, project.runs.get(run).device_memory) == (900, 7)
