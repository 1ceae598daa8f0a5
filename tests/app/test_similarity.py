"""Searches by similarity on a real project, through the learning program."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.damage import damaged, flipped
from tests.fixtures.run_folders import draw
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here, run_to_end
from workbench.app.labels.labelling import assign
from workbench.app.session import Session
from workbench.app.similar.features import Indexer, feature_source, feature_sources
from workbench.app.similar.recognising import recognise_task
from workbench.app.similar.similarity import similar_task
from workbench.app.training.training import prepare, training_task
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.features import ROWS_FILE
from workbench.domain.geometry import Rect
from workbench.domain.reports import Note
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE
from workbench.storage.project import Project


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def template(tmp_path_factory, qapp):
    """A small project with a run that distinguishes discs, bars and crosses a little."""
    folder = tmp_path_factory.mktemp("template")
    session = small_project(folder)
    record = prepare(session, {**FAST, "epochs": 8, "learning_rate": 0.05})
    assert isinstance(run_here(training_task(session, record.id)), Done)
    session.close()
    return folder


@pytest.fixture
def trained(template, tmp_path):
    """A copy of it, images included, to do anything with."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    session = Session(Project.open(tmp_path / "Small.workbench"))
    session.store.images.relink(session.store.images.sources()[0].id, tmp_path / "pictures")
    yield session
    session.close()


def done(task):
    outcome = run_here(task)
    assert isinstance(outcome, Done), outcome
    return outcome.value


def test_the_most_similar_come_first_and_only_new_images_are_computed(trained, tmp_path):
    session = trained
    source = feature_source(session)
    assert source.name.startswith("run:")
    assert "simpleconv3" in source.title
    ids = session.store.images.ids()
    ranking = done(similar_task(session, source, ids[:1]))
    assert (ranking.computed, ranking.left_out) == (36, 0)
    assert sorted(ranking.images.tolist()) == sorted(ids.tolist())
    assert ranking.images[0] == ids[0]
    assert ranking.scores[0] == pytest.approx(1.0, abs=2e-3)
    assert (np.diff(ranking.scores) <= 0).all()
    assert done(similar_task(session, source, ids[:1])).computed == 0

    stranger = tmp_path / "stranger.png"
    draw(0, 500).save(stranger)
    by_file = done(similar_task(session, source, (), [stranger]))
    assert (by_file.computed, len(by_file.images)) == (1, 36)
    path = session.store.images.path(int(ids[0]))
    assert done(similar_task(session, source, (), [path])).computed == 0  # the first row is known
    indexed = run_to_end(Indexer(session, source).steps())
    assert np.array_equal(indexed.rows(indexed.positions[::-1]), indexed.rows()[::-1])
    session.store.images.remove([int(ids[0])])
    assert ids[0] not in done(similar_task(session, source, ids[1:2])).images
    assert session.store.features.sizes()


def test_damaged_features_are_computed_again_and_that_is_reported(trained):
    session, source = trained, feature_source(trained)
    ids = session.store.images.ids()
    before = done(similar_task(session, source, ids[:1]))
    (name,) = session.store.features.sizes()
    path = session.store.features.folder_of(name) / ROWS_FILE
    path.write_bytes(flipped(path.read_bytes(), 5, 6))
    heard = []
    again = run_here(similar_task(session, source, ids[:1]), heard.append)
    assert isinstance(again, Done), again
    assert [n.text for n in heard if isinstance(n, Note)] == [
        f"The features in {path.parent} were damaged and are computed again."
    ]
    assert again.value.computed == 36
    assert again.value.images.tolist() == before.images.tolist()
    assert again.value.scores.tolist() == before.scores.tolist()
    assert done(similar_task(session, source, ids[:1])).computed == 0


def test_a_search_by_a_damaged_network_fails_in_a_sentence(trained):
    source = feature_source(trained)
    path = Path(source.request.run) / WEIGHTS_FILE
    path.write_bytes(flipped(path.read_bytes(), 3000))
    failed = run_here(similar_task(trained, source, trained.store.images.ids()[:1]))
    assert isinstance(failed, Failed)
    assert str(path) in failed.sentence
    assert (failed.remedy, failed.report) == ("Train the run again.", "")


def test_a_run_is_not_started_from_damaged_weights(trained):
    (first,) = trained.store.runs.all()
    path = trained.store.runs_folder / first.id / WEIGHTS_FILE
    starts = {**FAST, "start": f"run:{first.id}"}
    prepare(trained, starts)
    folders = sorted(trained.store.runs_folder.iterdir())
    for start in (starts, {**FAST, "start": f"file:{path}"}):
        for way in damaged(path):
            with pytest.raises(KnownError) as caught:
                prepare(trained, start)
            assert str(path) in caught.value.sentence, way
    assert sorted(trained.store.runs_folder.iterdir()) == folders
    assert len(trained.store.runs.all()) == 2


def test_missing_files_are_left_out_and_counted(trained):
    ids = trained.store.images.ids()
    trained.store.images.path(int(ids[3])).unlink()
    source = feature_source(trained)
    ranking = done(similar_task(trained, source, ids[:1]))
    assert (len(ranking.images), ranking.left_out) == (35, 1)
    lost = run_here(similar_task(trained, source, ids[3:4]))
    assert isinstance(lost, Failed)
    assert "no features" in lost.sentence


def test_a_few_labels_recognise_the_rest_without_training(trained):
    session = trained
    label_set = session.store.labels.get("view")
    ids = session.store.images.ids()
    kinds = np.arange(36) % 3  # disc, bar, cross
    few = np.arange(12)
    for kind in range(3):
        assign(session, ids[few[kinds[few] == kind]], "view", label_set.names[kind])
    found = done(recognise_task(session, feature_source(session), "view", k=3))
    assert (found.labelled, found.measured) == (12, 12)
    assert found.accuracy == sum(one.right for one in found.labels) / 12
    assert len(found.found) == 24  # those without a view
    by_path = {path: label for path, label, _ in found.found}
    paths = {row.id: row.path for row in session.store.images.rows(ids)}
    right = [
        by_path[paths[int(image)]] == label_set.names[kind]
        for image, kind in zip(ids[12:], kinds[12:], strict=True)
    ]
    assert np.mean(right) > 0.6  # chance is a third
    assert all(0 < share <= 1 for _, _, share in found.found)


def test_a_labelled_query_image_does_not_vote_for_itself(trained):
    session = trained
    ids = session.store.images.ids()
    assign(session, ids[:1], "view", "front")
    assign(session, ids[1:3], "view", "back")
    found = done(recognise_task(session, feature_source(session), "view", k=1, images=ids[:1]))
    assert [label for _, label, _ in found.found] == ["back"]


def test_what_cannot_be_compared_is_reported_at_once(tmp_path, qapp):
    session = small_project(tmp_path)
    try:
        assert feature_sources(session) == []
        with pytest.raises(KnownError, match="no network for comparing"):
            feature_source(session)
        with pytest.raises(ValueRefused, match="resnet18"):
            feature_source(session, "resnet18")
        with pytest.raises(KnownError, match="does not exist"):
            feature_source(session, f"resnet18={tmp_path / 'gone.pth'}")
        with pytest.raises(ValueRefused, match="BACKBONE"):
            feature_source(session, "resnet")
        with pytest.raises(KnownError, match="no run"):
            feature_source(session, "run:123")
    finally:
        session.close()


def test_a_run_that_cannot_be_read_is_not_offered(trained):
    (source,) = feature_sources(trained)
    (Path(source.request.run) / MODEL_FILE).write_bytes(b"{")
    assert feature_sources(trained) == []


def test_a_search_that_is_stopped_ends_the_program_and_leaves_no_order(trained):
    steps = Indexer(trained, feature_source(trained)).steps()
    for _ in range(4):
        next(steps)
    assert len(list(trained.store.runs_folder.glob(".features-*"))) == 1
    steps.close()
    assert list(trained.store.runs_folder.glob(".*")) == []


def test_a_set_without_two_labels_in_use_cannot_be_recognised(trained):
    outcome = run_here(recognise_task(trained, feature_source(trained), "view"))
    assert isinstance(outcome, Failed)
    assert "Fewer than two labels of view" in outcome.sentence


def test_mouths_are_compared_if_crops_are_requested(trained):
    session = trained
    ids = session.store.images.ids()
    for at, label in ((0, "smile"), (3, "smile"), (1, "open"), (4, "open"), (6, "")):
        box = Rect(2 * at, 0, 2 * at + 20, 20)
        found = Crop(None, int(ids[at]), 0, CropState.FOUND, box)
        second = Crop(None, int(ids[at]), 1, CropState.FOUND, Rect(15, 15, 39, 39))
        session.store.crops.apply(int(ids[at]), CropUpdate((found, second), ()))
        crops = [crop.id for crop in session.store.crops.of_image(int(ids[at]))]
        if label:
            session.store.labels.assign_crops(crops, "expression", label)
    mouths = feature_source(session, crops=True)
    ranking = done(similar_task(session, mouths, ids[:1]))
    assert ranking.computed == 10
    assert sorted(ranking.images.tolist()) == sorted(ids[[0, 1, 3, 4, 6]].tolist())
    assert ranking.left_out == 0
    assert (
        done(similar_task(session, feature_source(session), ids[:1])).computed == 36
    )  # whole images

    found = done(recognise_task(session, feature_source(session), "expression", k=1))
    assert (found.labelled, found.measured) == (8, 8)
    assert len(found.found) == 2  # the two crops of the image without a label
    lost = run_here(similar_task(session, mouths, ids[10:11]))
    assert isinstance(lost, Failed)
    assert "no mouth" in lost.sentence
