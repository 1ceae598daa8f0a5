"""What a run learns from, taken from real projects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import prepare, prepare_task
from workbench.app.training.samples import collect
from workbench.app.training.splitting import draw, split
from workbench.domain.advice import advise
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Label, LabelSet
from workbench.domain.recipes import check_keys, parse_toml
from workbench.domain.reports import Note, decode_report
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    RunLabels,
    RunRecord,
    RunStatus,
    decode_samples,
)
from workbench.domain.splits import Part, SplitPlan
from workbench.learning.images.label_tensors import LabelTensors


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = small_project(tmp_path, label_sets=("category", "view"))
    yield made
    made.close()


def test_category_samples_carry_labels_views_and_parts(session: Session) -> None:
    split(session, SplitPlan(0.5, 0.25, 0.25), stratify=("category",))
    found = collect(session.store, "category")
    assert found.labels.target.labels == session.store.labels.get("category").names
    assert found.labels.view is None
    assert len(found.samples) == 36
    parts = [sample.part for sample in found.samples]
    assert (parts.count("train"), parts.count("validation"), parts.count("test")) == (18, 9, 9)
    sample = found.samples[0]
    row = session.store.images.row(sample.image)
    assert found.labels.target.labels[sample.target] == row.labels["category"][0]
    assert sample.true_view == row.labels["view"][0]
    assert sample.path == row.path
    assert found.facts().class_counts == (6, 6, 6)
    assert found.facts().shorter_side == 40


def test_joint_samples_keep_images_that_lack_one_label(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    with session.edit("Take labels away"):
        session.store.labels.assign(ids[:3], "category", None)
        session.store.labels.assign(ids[3:5], "view", None)
    found = collect(session.store, "category+view")
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
    session = small_project(tmp_path, label_sets=("category", "view", "expression"))
    ids = session.store.images.ids().tolist()
    with session.edit("Leave holes"):
        session.store.labels.assign(ids[::5], "category", None)
        session.store.labels.assign(ids[1::4], "view", None)
        seen = session.store.labels.of_images(ids, "view")
        back = [at for at, (view,) in seen.items() if view in ("back", "right")]
        session.store.labels.assign(back, "view", "left")
    if divided:
        split(session, SplitPlan(0.5, 0.25, 0.25), stratify=("category",))
    assert facts_of(session.store, target) == collect(session.store, target).facts()
    session.close()


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_facts_of_mouths_are_those_of_the_samples(tmp_path: Path, divided: bool, seed: int) -> None:
    session = small_project(tmp_path, 36, ("expression",))
    random = np.random.default_rng(seed)
    states, names = list(CropState), ("smile", "open", "none")
    ids = session.store.images.ids().tolist()
    with session.edit("Detection"):
        for image in ids[::2] if seed else ids:
            if random.random() < 0.2:
                session.store.labels.assign([image], "expression", None)
            for face in range(int(random.integers(0, 3))):
                rect = Rect(face, 0, face + int(random.integers(10, 30)), 25)
                state = states[int(random.integers(len(states)))]
                made = session.store.crops.save(Crop(None, image, face, state, rect))
                if random.random() < 0.5:
                    name = names[int(random.integers(3))]
                    session.store.labels.assign_crops([made.id], "expression", name)
    if divided:
        split(session, SplitPlan(0.5, 0.25, 0.25), stratify=("expression",))
    assert facts_of(session.store, "expression") == collect(session.store, "expression").facts()
    session.close()


def test_facts_report_what_is_missing_as_samples_do(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    with session.edit("All the same"):
        session.store.labels.assign(ids, "view", "front")
    for target, words in (
        ("view", "labels of view are “front”"),
        ("category+view", "two different views"),
    ):
        with pytest.raises(KnownError, match=words):
            facts_of(session.store, target)


def test_a_label_and_its_mirror_come_together(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    with session.edit("Only front and left"):
        session.store.labels.assign(ids[:18], "view", "front")
        session.store.labels.assign(ids[18:], "view", "left")
    labels = collect(session.store, "view").labels.target
    assert labels.labels == ("front", "left", "right")
    assert labels.mirror == (0, 2, 1)


def test_a_one_sided_mirror_of_an_older_version_reaches_no_training(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    with session.edit("Mirrors of an older version"):
        session.store.labels.assign(ids[::2], "view", "left")
        session.store.labels.assign(ids[1::2], "view", "back")
        session.store._db.run("UPDATE label SET mirror = 'left' WHERE name = 'back'")
    labels = collect(session.store, "view").labels
    assert labels.target.labels == ("back", "left", "right")
    assert labels.target.mirror == (0, 2, 1)
    flips = torch.ones(3, dtype=torch.bool)
    shown = LabelTensors(torch.tensor([0, 1, 2]), torch.full((3,), -1))
    flipped = shown.mirrored(flips, labels)
    assert flipped.targets.tolist() == [0, 2, 1]
    assert torch.equal(flipped.mirrored(flips, labels).targets, shown.targets)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ([0, 2, 1], (0, 2, 1)),
        ([1, 1, 2], (0, 1, 2)),
        ([1, 2, 0], (0, 1, 2)),
        ([0, 9, 1], (0, 1, 2)),
    ],
)
def test_mirrors_of_a_run_that_do_not_point_back_are_dropped(
    stored: list[int], read: tuple[int, ...]
) -> None:
    target = {"name": "view", "labels": ["a", "b", "c"], "mirror": stored, "exclusive": False}
    labels = msgspec.json.decode(msgspec.json.encode({"target": target}), type=RunLabels)
    assert labels.target.mirror == read
    flips, marks = torch.ones(3, dtype=torch.bool), torch.eye(3)
    shown = LabelTensors(torch.arange(3), torch.full((3,), -1), marks)
    again = shown.mirrored(flips, labels).mirrored(flips, labels)
    assert again.marks is not None
    assert torch.equal(again.marks, marks)
    assert torch.equal(again.targets, shown.targets)


def test_strata_keep_a_label_with_a_comma_from_two_labels(session: Session) -> None:
    """Half of the images carry one label, half two, which read alike when joined: each half is
    divided by the plan's fractions, not both together."""
    ids = session.store.images.ids().tolist()
    names = ("red", "dark", "red, dark", "red/dark")
    paint = LabelSet("paint", tuple(map(Label, names)), exclusive=False)
    session.store.labels.save_set(paint)
    one, two = ids[:18], ids[18:]
    session.store.labels.assign(one, "paint", "red, dark")
    for name in ("red", "dark"):
        session.store.labels.assign(two, "paint", name)
    for seed in range(5):
        parts = draw(session.store, SplitPlan(0.5, 0.5, 0.0, seed), ("paint",))
        assert sum(parts[image] is Part.TRAIN for image in one) == 9
        assert sum(parts[image] is Part.TRAIN for image in two) == 9


def test_fewer_than_two_labels_are_the_world_s_error(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    with session.edit("All the same"):
        session.store.labels.assign(ids, "view", "front")
    with pytest.raises(KnownError, match="labels of view are “front”"):
        collect(session.store, "view")
    with pytest.raises(KnownError, match="No mouth has a label of expression"):
        collect(session.store, "expression")
    with pytest.raises(ValueRefused, match="colour"):
        collect(session.store, "colour")
    with pytest.raises(ValueRefused, match="target"):
        prepare(session, {})


def test_images_without_detection_are_used_whole(tmp_path: Path) -> None:
    session = small_project(tmp_path, 12, ("expression",))
    try:
        found = collect(session.store, "expression")
        assert found.crops
        assert len(found.samples) == 12
        assert all(sample.box is None for sample in found.samples)
        first, second = session.store.images.ids().tolist()[:2]
        with session.edit("Detection"):
            for image, faces in ((first, 1), (second, 2)):
                crops = tuple(
                    Crop(None, image, face, CropState.FOUND, Rect(face, 0, face + 20, 20))
                    for face in range(faces)
                )
                session.store.crops.apply(image, CropUpdate(crops, ()))
        labelled = session.store.crops.of_image(second)[1]
        with session.edit("Label"):
            session.store.labels.assign_crops([labelled.id], "expression", "smile")
            session.store.labels.assign_crops(
                [session.store.crops.of_image(first)[0].id], "expression", "open"
            )
        found = collect(session.store, "expression")
        assert sorted(sample.image for sample in found.samples) == [first, second]
        assert {sample.box for sample in found.samples} == {(0, 0, 20, 20), (1, 0, 21, 20)}
        assert {sample.crop for sample in found.samples} >= {labelled.id}
        assert found.shorter_side == 20
    finally:
        session.close()


def test_prepare_makes_the_missing_split_and_reports_so(session: Session) -> None:
    record = prepare(session, FAST, name="first")
    assert record.status is RunStatus.QUEUED
    assert session.store.runs.get(record.id) == record
    folder = session.store.runs_folder / record.id
    notes = [decode_report(line) for line in (folder / REPORTS_FILE).read_bytes().splitlines()]
    assert any(isinstance(note, Note) and "no split" in note.text for note in notes)
    samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
    assert {sample.part for sample in samples} == {"train", "validation", "test"}
    recipe = parse_toml((folder / RECIPE_FILE).read_text(), "recipe")
    assert recipe["epochs"] == 2
    advised = advise(facts_of(session.store, "category"), check_keys(FAST)).values
    assert recipe["learning_rate"] == advised["learning_rate"]
    assert not list(session.store.runs_folder.glob("*.part"))


@pytest.mark.parametrize("plan", [None, SplitPlan(0.5, 0.0, 0.5, seed=3)])
def test_a_job_freezes_the_same_run_in_a_thread_of_its_own(
    session: Session, qtbot: QtBot, plan: SplitPlan | None
) -> None:
    made: list[RunRecord] = []
    job = session.jobs.start(prepare_task(session, FAST, "by a job", plan, made.append))
    with qtbot.waitSignal(job.ended):
        pass
    assert made == session.store.runs.all()
    assert made[0].status is RunStatus.PAUSED, "until it is queued"
    assert (session.store.splits.current() is None) == (plan is not None)
    session.store.runs.remove(made[0].id)
    if plan is None:
        session.undo()
    here = prepare(session, FAST, "by a job", plan)
    assert here.recipe_toml == made[0].recipe_toml
    folders = [session.store.runs_folder / record.id for record in (made[0], here)]
    for name in (RECIPE_FILE, LABELS_FILE, SAMPLES_FILE, REPORTS_FILE):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_job_starts_from_a_file_given_by_a_relative_path(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/mine.safetensors", "mine.safetensors"):
        made: list[RunRecord] = []
        outcome = run_here(
            prepare_task(session, {**FAST, "start": f"file:{given}"}, then=made.append)
        )
        assert isinstance(outcome, Done), outcome
        recipe = parse_toml(made[0].recipe_toml, "recipe")
        assert recipe["start"] == f"file:{tmp_path / 'mine.safetensors'}"


def test_a_job_that_finds_nothing_to_learn_fails_and_makes_nothing(session: Session) -> None:
    task = prepare_task(session, FAST)
    with session.edit("Nothing to learn"):
        session.store.labels.assign(session.store.images.ids(), "category", None)
    outcome = run_here(task)
    assert isinstance(outcome, Failed)
    assert outcome.sentence == "No image has a label of category yet."
    assert not outcome.report
    assert session.store.runs.all() == []
    assert session.store.splits.current() is None
    assert list(session.store.runs_folder.iterdir()) == []


def test_prepare_reports_where_rare_classes_count_twice(session: Session) -> None:
    for chosen, messages in (({}, 0), ({"class_weights": "balanced"}, 1)):
        record = prepare(session, {**FAST, "sampling": "balanced", **chosen})
        text = (session.store.runs_folder / record.id / REPORTS_FILE).read_text()
        assert text.count("count them twice") == messages


def test_prepare_names_classes_without_training_images(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    split(session, SplitPlan(0.5, 0.0, 0.5), stratify=("category",))
    test = [image for image, part in session.store.splits.parts().items() if part == "test"]
    with session.edit("A class that is only tested"):
        session.store.labels.save_set(session.store.labels.get("category").with_labels(("rare",)))
        session.store.labels.assign(test[:2], "category", "rare")
        session.store.labels.save_set(session.store.labels.get("category").with_labels(("new",)))
        train = [image for image in ids if image not in test]
        session.store.labels.assign(train[:1], "category", "new")
    record = prepare(session, FAST)
    lines = (session.store.runs_folder / record.id / REPORTS_FILE).read_bytes().splitlines()
    notes = [note.text for note in map(decode_report, lines) if isinstance(note, Note)]
    assert "Labels without training images: rare." in notes
    assert "Labels without test images, whose recall will be undefined: new." in notes
    assert record.split == session.splits.current().name
    own = prepare(session, FAST, plan=SplitPlan(0.5, 0.0, 0.5, 3))
    assert session.runs.get(own.id).split == "50 / 0 / 50 · 3"
    session.remove_run(own.id)
    cross = [it for it in ids if session.store.images.row(it).labels["category"] == ("cross",)]
    with session.edit("Two classes are enough"):
        session.store.labels.assign(cross, "category", "bar")
    assert prepare(session, FAST).name == "category 2: Simpleconv3"
    assert prepare(session, FAST, "mine").name == "mine"
    assert prepare(session, {**FAST, "target": "view"}).name == "view 1: Simpleconv3"
    with session.edit("Nothing to learn"):
        session.store.labels.assign(
            [image for image in ids if image not in test], "category", "disc"
        )
    with pytest.raises(KnownError, match="fewer than two classes"):
        prepare(session, FAST)


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
    session: Session, setting: dict[str, object], named: str
) -> None:
    with pytest.raises(KnownError, match=named):
        prepare(session, {**FAST, **setting})
    assert session.store.runs.all() == []
    assert session.store.splits.current() is None
