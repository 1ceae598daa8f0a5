"""A run folder from elsewhere in a project: which of its images and mouths are known here."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from tests.fixtures.finished_runs import epoch
from tests.fixtures.stored_images import fill
from workbench.app.jobs import Done
from workbench.app.training.adopting import adopt, adopt_again_task
from workbench.app.versions import version_of_run
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.projects import PointKind
from workbench.domain.recipes import Recipe, to_toml
from workbench.domain.reports import Finished, PartScore, Started, Stopped, encode_report
from workbench.domain.runs import (
    CHECKPOINT_FILE,
    LABELS_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
    LabelList,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    decode_samples,
    encode_samples,
)
from workbench.domain.splits import DEFAULT_SPLIT
from workbench.storage.restore_points import make_point

LABELS = RunLabels(LabelList("category", ("owl", "puffin"), (0, 1)))
SQUARES = [Rect(10 * at, 20, 10 * at + 30, 50) for at in range(3)]
POINTS = tuple((40.0 + i, 60.0) for i in range(68))


def started(number):
    return Started(
        device="cpu",
        precision="fp32",
        batch=1,
        parameters=1,
        trained_parameters=1,
        images={},
        epoch=number,
    )


def write_folder(folder, samples, reports=()):
    folder.mkdir(parents=True)
    (folder / RECIPE_FILE).write_text(to_toml(Recipe(target="category")))
    (folder / LABELS_FILE).write_bytes(msgspec.json.encode(LABELS))
    (folder / SAMPLES_FILE).write_bytes(encode_samples(samples))
    (folder / REPORTS_FILE).write_bytes(b"\n".join(encode_report(one) for one in reports))
    (folder / CHECKPOINT_FILE).write_bytes(b"state")
    return folder


def sample(image, number, crop=None, rect=None):
    box = None if rect is None else rect.as_tuple()
    path = f"/away/{number}.jpg"
    return Sample(image=image, hash=f"hash{number}", path=path, crop=crop, box=box, target=0)


def finish(folder, images, crops=None):
    """Put weights and predictions into a run folder."""
    score = PartScore(top1=0.5, top5=1.0, loss=0.7, images=2)
    done = Finished(parts={"test": score}, seconds=60.0, epochs=3, kept_epoch=2)
    with (folder / REPORTS_FILE).open("ab") as file:
        file.write(b"\n" + encode_report(done))
    (folder / WEIGHTS_FILE).write_bytes(b"weights")
    count = len(images)
    np.savez(
        folder / PREDICTIONS_FILE,
        images=np.array(images),
        crops=np.array(crops or [-1] * count),
        parts=np.full(count, 2),
        truth=np.zeros(count, np.int64),
        scores=np.array([[at / 10, 1 - at / 10] for at in range(count)], np.float32),
        view_truth=np.full(count, -1),
        true_view=np.full(count, ""),
    )


@pytest.fixture
def birds(session):
    """Four images; the second has three mouths."""
    fill(session.store, 4)
    with session.edit("Find mouths"):
        for face, rect in enumerate(SQUARES):
            session.store.crops.save(
                Crop(None, 2, face, CropState.FOUND, rect, POINTS, "cascade", False)
            )
    return session


def test_an_unfinished_run_is_adopted_as_paused_with_its_complete_epochs(birds, tmp_path):
    samples = [sample(1, 0), sample(2, 1)]
    reports = [started(0), epoch(1), epoch(2), epoch(3), started(2), epoch(2)]
    folder = write_folder(tmp_path / "away" / "r1", samples, reports)
    adopted = adopt(birds, folder)
    record = birds.runs.get("r1")
    assert adopted.record == record
    assert (record.status, record.target, adopted.unknown) == (RunStatus.PAUSED, "category", 0)
    assert record.epochs_done == 2
    assert record.finished is None
    assert record.metrics == {}
    assert [one.epoch for one in birds.runs.epochs("r1")] == [1, 2]
    assert (birds.runs_folder / "r1" / CHECKPOINT_FILE).read_bytes() == b"state"
    again = adopt(birds, folder, name="second").record
    assert again.id != "r1"
    assert (again.name, "r1" in record.name) == ("second", True)
    assert {run.id for run in birds.runs.all()} == {"r1", again.id}


@pytest.mark.parametrize(
    "samples",
    [
        [sample(1, 0), sample(7, 8)],  # one image is not here
        [sample(1, 0), sample(4, 1)],  # one is called otherwise here
    ],
)
def test_a_run_that_is_not_finished_is_refused_where_it_was_not_prepared(birds, tmp_path, samples):
    folder = write_folder(tmp_path / "r1", samples, [started(0), epoch(1)])
    with pytest.raises(KnownError):
        adopt(birds, folder)
    assert birds.runs.all() == []
    assert not (birds.runs_folder / "r1").exists()


def test_without_a_checkpoint_nothing_can_be_resumed(birds, tmp_path):
    folder = write_folder(tmp_path / "r1", [sample(1, 0)], [started(0)])
    (folder / CHECKPOINT_FILE).unlink()
    with pytest.raises(KnownError):
        adopt(birds, folder)


def test_predictions_are_kept_of_the_images_that_are_here_under_their_own_ids(birds, tmp_path):
    samples = [sample(11, 3), sample(12, 9), sample(13, 0)]
    folder = write_folder(tmp_path / "r1", samples, [started(0), epoch(1), epoch(2), epoch(3)])
    finish(folder, [11, 12, 13])
    adopted = adopt(birds, folder)
    assert adopted.unknown == 1
    record = birds.runs.get("r1")
    assert record.status is RunStatus.FINISHED
    assert record.finished - record.started == pytest.approx(60.0)
    assert record.metrics["test"]["top1"] == 0.5
    table = birds.store.runs.predictions("r1", None)
    by_image = dict(zip(table.images.tolist(), table.scores[:, 0].tolist(), strict=True))
    assert by_image == {4: pytest.approx(0.0), 1: pytest.approx(0.2)}
    kept = decode_samples((birds.runs_folder / "r1" / SAMPLES_FILE).read_bytes())
    assert [(one.image, one.hash, one.crop) for one in kept] == [
        (4, "hash3", None),
        (1, "hash0", None),
    ]


def test_a_mouth_is_identified_by_its_image_and_box(birds, tmp_path):
    own = [crop.id for crop in birds.crops.of_images([2])[2]]
    moved = Rect(0, 0, 5, 5)
    squares = [SQUARES[2], moved, SQUARES[0]]
    samples = [sample(22, 1, 70 + at, rect) for at, rect in enumerate(squares)]
    folder = write_folder(tmp_path / "r1", samples, [started(0), epoch(1)])
    finish(folder, [22, 22, 22], [70, 71, 72])
    adopted = adopt(birds, folder)
    assert adopted.unknown == 1
    table = birds.store.runs.predictions("r1", None)
    scores = dict(zip(table.crops.tolist(), table.scores[:, 0].tolist(), strict=True))
    assert scores == {own[2]: pytest.approx(0.0), own[0]: pytest.approx(0.2)}
    assert set(table.images.tolist()) == {2}
    kept = decode_samples((birds.runs_folder / "r1" / SAMPLES_FILE).read_bytes())
    assert [(one.image, one.crop) for one in kept] == [(2, own[2]), (2, own[0])]


def test_a_folder_without_weights_or_of_other_images_changes_nothing(birds, tmp_path):
    folder = write_folder(tmp_path / "r1", [sample(1, 0)], [started(0), epoch(1)])
    finish(folder, [1])
    (folder / WEIGHTS_FILE).unlink()
    strange = write_folder(tmp_path / "r2", [sample(1, 77)], [started(0)])
    for one in (folder, strange, tmp_path / "none"):
        with pytest.raises(KnownError):
            adopt(birds, one)
    assert birds.runs.all() == []


def confirm_version(session):
    """The name of the version of the project as it is."""
    return version_of_run(session.store, session.store.versions.draft(None, DEFAULT_SPLIT))


def run_to_end_here(session):
    """The result of adopting all run folders without a record."""
    task, outcome = adopt_again_task(session), None
    steps = task.work()
    while outcome is None:
        try:
            task.apply(next(steps))
        except StopIteration as end:
            outcome = Done(end.value)
    return outcome.value


def test_a_run_that_a_restore_left_out_is_adopted_in_place(birds):
    runs = birds.runs_folder
    folder = write_folder(runs / "r1", [sample(1, 0), sample(7, 8)], [started(0), epoch(1)])
    finish(folder, [1, 7])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    version = confirm_version(birds)
    earlier = RunRecord(
        "r1", "owls", RunStatus.FINISHED, "category", "", LABELS, 5.0, 6.0, 7.0, {}, split="mine"
    )
    for lost in ("", version, "another"):
        birds.store.runs.create(dataclasses.replace(earlier, version=lost))
        make_point(birds.folder, PointKind.DAILY)
        birds.store.runs.remove("r1")
        record = adopt(birds, folder).record
        assert (record.id, record.name, record.created, record.started) == ("r1", "owls", 5.0, 6.0)
        assert (record.split, record.version) == ("mine", version if lost == version else "")
        assert record.metrics["test"]["top1"] == 0.5
        assert birds.store.runs.predictions("r1", None).images.tolist() == [1]
        birds.store.runs.remove("r1")
    assert [path.name for path in runs.iterdir()] == ["r1"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_version_of_the_same_name_made_later_is_not_the_one_that_the_run_saw(birds):
    version = confirm_version(birds)
    folder = write_folder(birds.runs_folder / "r1", [sample(1, 0)], [started(0), epoch(1)])
    birds.store.runs.create(
        RunRecord("r1", "", RunStatus.PAUSED, "category", "", LABELS, 5.0, version=version)
    )
    make_point(birds.folder, PointKind.DAILY)
    birds.store.runs.remove("r1")
    birds.store.versions.remove(version)
    assert confirm_version(birds) == version
    assert adopt(birds, folder).record.version == ""


def test_a_stopped_run_is_stopped_again_and_one_without_a_checkpoint_is_refused(birds):
    reports = [started(0), epoch(1), Stopped(epoch=1)]
    for name, last in (("r1", reports), ("r2", reports[:2])):
        folder = write_folder(birds.runs_folder / name, [sample(1, 0)], last)
        (folder / CHECKPOINT_FILE).unlink()
    result = run_to_end_here(birds)
    assert [(run.id, run.status) for run in result.adopted] == [("r1", RunStatus.STOPPED)]
    (refused,) = result.refused
    assert str(birds.runs_folder / "r2") in refused
    assert "not finished" in refused
