"""What is done in the gallery's projects: labels, trainings, questions, mouths."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tests.gallery import project_images
from workbench.app.jobs import Done, Failed, Task, run_here
from workbench.app.labels.labelling import assign, assign_crops, edit_set
from workbench.app.mouths.cropping import detection_task
from workbench.app.session import Session
from workbench.app.similar.clustering import cluster_request, cluster_task
from workbench.app.similar.features import feature_source
from workbench.app.similar.similarity import similar_task
from workbench.app.training.preparing import prepare
from workbench.app.training.studies import new_study, next_runs
from workbench.app.training.training import training_task
from workbench.app.transfer.assessing import assess_task, layers_task
from workbench.domain.labels import Label, LabelSet
from workbench.domain.recipes import KeyValue, UncheckedKeys
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.studies import Plan, SplitFractions
from workbench.domain.text import Message

QUICK: dict[str, KeyValue] = {
    "target": "category",
    "backbone": "simpleconv3",
    "start": "none",
    "image_size": 64,
    "test_resize": 0,
    "epochs": 40,
    "batch": 16,
    "learning_rate": 0.05,
    "head_factor": 1.0,
    "label_smoothing": 0.0,
    "precision": "fp32",
}


def carried_out(task: Task[object]) -> object:
    """Run a task and return its value. Raises RuntimeError if it fails."""
    outcome = run_here(task)
    if not isinstance(outcome, Done):
        raise RuntimeError(f"{task.title}: {outcome}")
    return outcome.value


def give_views(session: Session) -> None:
    """Views by turns for two images of three."""
    ids = session.store.images.ids()
    names = session.store.labels.get("view").names
    for at, name in enumerate(names):
        chosen = [int(image) for n, image in enumerate(ids) if n % 3 and n % len(names) == at]
        assign(session, chosen, "view", name)


def name_people(session: Session, names: Sequence[str]) -> None:
    """Make people known who have not labelled yet."""
    for name in names:
        session.store.annotators.ensure(name)


def train(session: Session, recipe: UncheckedKeys, name: str) -> RunRecord:
    run = prepare(session, recipe, name=name)
    carried_out(training_task(session, run.id))
    return session.store.runs.get(run.id)


def fail(session: Session, folder: Path, name: str) -> None:
    """A run that fails as it starts: its weights are of no network. `folder` is where the project
    will lie in the end."""
    weights = folder / "weights of another network.safetensors"
    weights.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    run = prepare(session, {**QUICK, "start": f"file:{weights}"}, name=name)
    outcome = run_here(training_task(session, run.id))
    if not isinstance(outcome, Failed):
        raise RuntimeError(f"A training from empty weights should fail, but: {outcome}")
    here, there = str(session.store.folder), str(folder / session.store.folder.name)
    message = session.store.runs.get(run.id).message.replace(here, there)
    session.store.runs.update(run.id, message=message)


def pause(session: Session) -> None:
    run = prepare(session, {**QUICK, "epochs": 80}, name="more epochs")
    session.store.runs.update(run.id, status=RunStatus.PAUSED)


def study(session: Session, epochs: int) -> None:
    """Two variants with two seeds, all trained but the last."""
    plan = Plan(
        name="Does mixing images help?",
        base={**QUICK, "epochs": epochs},
        variants={"plain": {}, "Mixup": {"mix": "mixup"}},
        seeds=(0, 1),
        split=SplitFractions(0.5, 0.0, 0.5),
    )
    study = new_study(session, plan)
    for _ in plan.cells[:-1]:
        study, runs = next_runs(session, study)
        carried_out(training_task(session, runs[0]))


def answer_questions(session: Session, run: RunRecord) -> None:
    """Everything that is computed on request and then remembered."""
    start = f"run:{run.id}"
    backbone = str(QUICK["backbone"])
    carried_out(assess_task(session, "category", ["none", start], backbone))
    carried_out(layers_task(session, "category", "none", backbone))
    carried_out(layers_task(session, "category", start, backbone))
    source = feature_source(session, start)
    carried_out(cluster_task(session, source, cluster_request(source, "deepcluster", 6, rounds=1)))
    carried_out(similar_task(session, source, session.store.images.ids()[:1]))


def find_mouths(session: Session) -> None:
    """Find them, accept none, and give every other one an expression."""
    carried_out(detection_task(session, session.store.images.ids().tolist()))
    crops, _, _ = session.store.crops.usable()
    names = next(s for s in session.store.labels.sets().values() if s.subject == "crop").names
    for at, name in enumerate(names):
        chosen = [int(crop) for crop in crops[::2][at :: len(names)]]
        if chosen:
            assign_crops(session, chosen, "expression", name)


def use_long_names(session: Session) -> None:
    """Long names for views and expressions, and a set of its own with a long name."""
    sets = session.store.labels.sets()
    views = (
        "正面 (front, three quarters)",
        f"{project_images.MARKUP}背面",
        "左侧 left-hand side, slightly from above",
        "右侧",
    )
    edit_set(
        session, _renamed(sets["view"], views), dict(zip(sets["view"].names, views, strict=True))
    )
    output = project_images.LONG_EXPRESSIONS
    expression = sets["expression"]
    edit_set(
        session, _renamed(expression, output), dict(zip(expression.names, output, strict=True))
    )
    light = (
        f"{project_images.MARKUP}逆光",
        "overcast, with reflections on the water",
        "夜间闪光灯 (flash)",
    )
    edit_set(session, LabelSet("光线条件 <i>light and weather", tuple(map(Label, light))), {})


def _renamed(label_set: LabelSet, names: Sequence[str]) -> LabelSet:
    """The set with other names; mirrors point at the new ones."""
    new = dict(zip(label_set.names, names, strict=True))
    labels = tuple(
        dataclasses.replace(one, name=new[one.name], mirror=new.get(one.mirror, ""))
        for one in label_set.labels
    )
    return dataclasses.replace(label_set, labels=labels)


def lose_source(session: Session, place: Path) -> None:
    """Its first source has a path that does not exist."""
    with session.edit(Message("Find the moved source")):
        session.store.images.relink(session.store.images.sources()[0].id, str(place))
