"""What a run learns from, taken from real projects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import OpenProject
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import advise, prepare, prepare_task
from workbench.app.training.samples import collect
from workbench.app.training.splitting import split
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.recipes import parse_toml
from workbench.domain.reports import Note, decode_report
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    RunRecord,
    RunStatus,
    decode_samples,
)
from workbench.domain.splits import SplitPlan


@pytest.fixture
def op(tmp_path: Path) -> Iterator[OpenProject]:
    made = small_project(tmp_path, label_sets=("category", "view"))
    yield made
    made.close()


def test_category_samples_carry_labels_views_and_parts(op: OpenProject) -> None:
    split(op, SplitPlan(0.5, 0.25, 0.25), stratify=("category",))
    found = collect(op.store, "category")
    assert found.labels.target.labels == op.store.labels.get("category").names
    assert found.labels.view is None
    assert len(found.samples) == 36
    parts = [sample.part for sample in found.samples]
    assert (parts.count("train"), parts.count("validation"), parts.count("test")) == (18, 9, 9)
    sample = found.samples[0]
    row = op.store.images.row(sample.image)
    assert found.labels.target.labels[sample.target] == row.labels["category"]
    assert sample.true_view == row.labels["view"]
    assert sample.path == row.path
    assert found.facts().class_counts == (6, 6, 6)
    assert found.facts().shorter_side == 40


def test_joint_samples_keep_images_that_lack_one_label(op: OpenProject) -> None:
    ids = op.store.images.ids().tolist()
    with op.edit("Take labels away"):
        op.store.labels.assign(ids[:3], "category", None)
        op.store.labels.assign(ids[3:5], "view", None)
    found = collect(op.store, "category+view")
    assert found.labels.view is not None
    assert found.labels.view.labels == ("front", "back", "left", "right")
    assert found.labels.view.mirror == (0, 1, 3, 2)
    assert sum(sample.target < 0 for sample in found.samples) == 3
    assert sum(sample.view < 0 for sample in found.samples) == 2


@pytest.mark.parametrize("target", ["category", "view", "category+view", "expression"])
@pytest.mark.parametrize("divided", [False, True])
def test_facts_from_columns_are_those_of_the_samples(
    tmp_path: Path, target: str, divided: bool
) -> None:
    op = small_project(tmp_path, label_sets=("category", "view", "expression"))
    ids = op.store.images.ids().tolist()
    with op.edit("Leave holes"):
        op.store.labels.assign(ids[::5], "category", None)
        op.store.labels.assign(ids[1::4], "view", None)
        back = [at for at in ids if op.store.images.row(at).labels.get("view") in ("back", "right")]
        op.store.labels.assign(back, "view", "left")
    if divided:
        split(op, SplitPlan(0.5, 0.25, 0.25), stratify=("category",))
    assert facts_of(op.store, target) == collect(op.store, target).facts()
    op.close()


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_facts_of_mouths_are_those_of_the_samples(tmp_path: Path, divided: bool, seed: int) -> None:
    op = small_project(tmp_path, 36, ("expression",))
    random = np.random.default_rng(seed)
    states, names = list(CropState), ("smile", "open", "none")
    ids = op.store.images.ids().tolist()
    with op.edit("Detection"):
        for image in ids[::2] if seed else ids:
            if random.random() < 0.2:
                op.store.labels.assign([image], "expression", None)
            for face in range(int(random.integers(0, 3))):
                rect = Rect(face, 0, face + int(random.integers(10, 30)), 25)
                state = states[int(random.integers(len(states)))]
                made = op.store.crops.save(Crop(None, image, face, state, rect))
                if random.random() < 0.5:
                    name = names[int(random.integers(3))]
                    op.store.labels.assign_crops([made.id], "expression", name)
    if divided:
        split(op, SplitPlan(0.5, 0.25, 0.25), stratify=("expression",))
    assert facts_of(op.store, "expression") == collect(op.store, "expression").facts()
    op.close()


def test_facts_say_what_is_missing_as_samples_do(op: OpenProject) -> None:
    ids = op.store.images.ids().tolist()
    with op.edit("All the same"):
        op.store.labels.assign(ids, "view", "front")
    for target, words in (("view", "same view: front"), ("category+view", "two different views")):
        with pytest.raises(KnownError, match=words):
            facts_of(op.store, target)


def test_a_label_and_its_mirror_come_together(op: OpenProject) -> None:
    ids = op.store.images.ids().tolist()
    with op.edit("Only front and left"):
        op.store.labels.assign(ids[:18], "view", "front")
        op.store.labels.assign(ids[18:], "view", "left")
    labels = collect(op.store, "view").labels.target
    assert labels.labels == ("front", "left", "right")
    assert labels.mirror == (0, 2, 1)


def test_fewer_than_two_labels_are_the_world_s_error(op: OpenProject) -> None:
    ids = op.store.images.ids().tolist()
    with op.edit("All the same"):
        op.store.labels.assign(ids, "view", "front")
    with pytest.raises(KnownError, match="same view: front"):
        collect(op.store, "view")
    with pytest.raises(KnownError, match="No mouth crop has a expression label"):
        collect(op.store, "expression")
    with pytest.raises(ValueRefused, match="colour"):
        collect(op.store, "colour")
    with pytest.raises(ValueRefused, match="target"):
        prepare(op, {})


def test_ready_made_mouths_are_taken_whole_until_detection_has_met_them(tmp_path: Path) -> None:
    op = small_project(tmp_path, 12, ("expression",))
    try:
        found = collect(op.store, "expression")
        assert found.crops
        assert len(found.samples) == 12
        assert all(sample.box is None for sample in found.samples)
        first, second = op.store.images.ids().tolist()[:2]
        with op.edit("Detection"):
            for image, faces in ((first, 1), (second, 2)):
                crops = tuple(
                    Crop(None, image, face, CropState.FOUND, Rect(face, 0, face + 20, 20))
                    for face in range(faces)
                )
                op.store.crops.apply(image, CropUpdate(crops, ()))
        labelled = op.store.crops.of_image(second)[1]
        with op.edit("Label"):
            op.store.labels.assign_crops([labelled.id], "expression", "smile")
            op.store.labels.assign_crops(
                [op.store.crops.of_image(first)[0].id], "expression", "open"
            )
        found = collect(op.store, "expression")
        assert sorted(sample.image for sample in found.samples) == [first, second]
        assert {sample.box for sample in found.samples} == {(0, 0, 20, 20), (1, 0, 21, 20)}
        assert {sample.crop for sample in found.samples} >= {labelled.id}
        assert found.shorter_side == 20
    finally:
        op.close()


def test_prepare_makes_the_missing_split_and_says_so(op: OpenProject) -> None:
    record = prepare(op, FAST, name="first")
    assert record.status is RunStatus.QUEUED
    assert op.store.runs.get(record.id) == record
    folder = op.store.runs_folder / record.id
    notes = [decode_report(line) for line in (folder / REPORTS_FILE).read_bytes().splitlines()]
    assert any(isinstance(note, Note) and "no split" in note.text for note in notes)
    samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
    assert {sample.part for sample in samples} == {"train", "validation", "test"}
    recipe = parse_toml((folder / RECIPE_FILE).read_text(), "recipe")
    assert recipe["epochs"] == 2
    assert recipe["learning_rate"] == advise(op, FAST).values["learning_rate"]
    assert not list(op.store.runs_folder.glob("*.part"))


@pytest.mark.parametrize("plan", [None, SplitPlan(0.5, 0.0, 0.5, seed=3)])
def test_a_job_freezes_the_same_run_in_a_thread_of_its_own(
    op: OpenProject, qtbot: QtBot, plan: SplitPlan | None
) -> None:
    made: list[RunRecord] = []
    job = op.jobs.start(prepare_task(op, FAST, "by a job", plan, made.append))
    with qtbot.waitSignal(job.ended):
        pass
    assert made == op.store.runs.all()
    assert made[0].status is RunStatus.PAUSED, "until it is queued"
    assert (op.store.splits.current() is None) == (plan is not None)
    op.store.runs.remove(made[0].id)
    if plan is None:
        op.undo()
    here = prepare(op, FAST, "by a job", plan)
    assert here.recipe_toml == made[0].recipe_toml
    folders = [op.store.runs_folder / record.id for record in (made[0], here)]
    for name in (RECIPE_FILE, LABELS_FILE, SAMPLES_FILE, REPORTS_FILE):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_job_starts_from_a_file_named_from_where_one_stands(
    op: OpenProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/mine.safetensors", "mine.safetensors"):
        made: list[RunRecord] = []
        outcome = run_here(prepare_task(op, {**FAST, "start": f"file:{given}"}, then=made.append))
        assert isinstance(outcome, Done), outcome
        recipe = parse_toml(made[0].recipe_toml, "recipe")
        assert recipe["start"] == f"file:{tmp_path / 'mine.safetensors'}"


def test_a_job_that_finds_nothing_to_learn_fails_and_makes_nothing(op: OpenProject) -> None:
    task = prepare_task(op, FAST)
    with op.edit("Nothing to learn"):
        op.store.labels.assign(op.store.images.ids(), "category", None)
    outcome = run_here(task)
    assert isinstance(outcome, Failed)
    assert outcome.sentence == "No image has a category label yet."
    assert not outcome.report
    assert op.store.runs.all() == []
    assert op.store.splits.current() is None
    assert list(op.store.runs_folder.iterdir()) == []


def test_prepare_says_where_rare_classes_count_twice(op: OpenProject) -> None:
    for chosen, said in (({}, 0), ({"class_weights": "balanced"}, 1)):
        record = prepare(op, {**FAST, "sampling": "balanced", **chosen})
        text = (op.store.runs_folder / record.id / REPORTS_FILE).read_text()
        assert text.count("count twice") == said


def test_prepare_names_classes_without_training_images(op: OpenProject) -> None:
    ids = op.store.images.ids().tolist()
    split(op, SplitPlan(0.5, 0.0, 0.5), stratify=("category",))
    test = [image for image, part in op.store.splits.parts().items() if part == "test"]
    with op.edit("A class that is only tested"):
        op.store.labels.save_set(op.store.labels.get("category").with_labels(("rare",)))
        op.store.labels.assign(test[:2], "category", "rare")
    record = prepare(op, FAST)
    text = (op.store.runs_folder / record.id / REPORTS_FILE).read_text()
    assert "No training image of: rare" in text
    with op.edit("Nothing to learn"):
        op.store.labels.assign([image for image in ids if image not in test], "category", "disc")
    with pytest.raises(KnownError, match="fewer than two classes"):
        prepare(op, FAST)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"backbone": "hugenet"}, "hugenet"),
        ({"epochs": 0}, "epochs"),
        ({"colour": 3}, "colour"),
        ({"start": "file:/nowhere/weights.pth"}, "/nowhere/weights.pth"),
        ({"start": "run:none"}, "run:none"),
        ({"frozen": "fire3"}, "conv1"),
    ],
)
def test_wrong_settings_are_refused_and_nothing_is_made(
    op: OpenProject, setting: dict[str, object], named: str
) -> None:
    with pytest.raises(KnownError, match=named):
        prepare(op, {**FAST, **setting})
    assert op.store.runs.all() == []
    assert op.store.splits.current() is None
