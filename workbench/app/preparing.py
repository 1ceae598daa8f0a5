"""Freezing a run: its recipe, samples, labels and start weights, whole in one folder."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from workbench.app.choices import check_choices
from workbench.app.data_facts import facts_of
from workbench.app.open_project import OpenProject
from workbench.app.samples import SampleSet, collect
from workbench.app.splitting import draw, split
from workbench.app.unlabelled import with_unlabelled
from workbench.app.weights import weights_path
from workbench.domain.advice import TWICE, Advice
from workbench.domain.advice import advise as advise_for
from workbench.domain.backbones import backbone
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import JOINT, Recipe, complete, parse_toml, to_toml
from workbench.domain.reports import Note, encode_report
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    START_FILE,
    WEIGHTS_FILE,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    encode_samples,
)
from workbench.domain.splits import Part, SplitPlan, stratified_split
from workbench.storage.project import Project

DEFAULT_SPLIT = SplitPlan()


def advise(project: OpenProject, partial: Mapping[str, object]) -> Advice:
    """What an expert would choose for the project's labels of the target that `partial` names.

    Raises KnownError where the labels allow no training, ValueRefused for an unknown target.
    """
    return advise_for(facts_of(project.store, _target(partial)), partial)


def prepare(
    project: OpenProject,
    partial: Mapping[str, object],
    name: str = "",
    plan: SplitPlan | None = None,
) -> RunRecord:
    """Make a queued run: the recipe is completed by advice and everything it needs is frozen.

    Without a split yet, one of 70 / 15 / 15 is made, which a note in the run's reports says. With
    `plan` the run has a split of its own, drawn by it, and the project keeps the one it has.
    Raises KnownError and ValueRefused, in which case nothing was made.
    """
    target = _target(partial)
    notes = []
    found, parts = _found(project, target, plan)
    recipe = _recipe(found, partial)
    check_choices(recipe, found.labels.target.exclusive)
    start = start_of(project.store, recipe)
    more = with_unlabelled(project.store, found, recipe, parts)
    if plan is None and project.store.splits.current() is None:
        notes.append(_default_split(project, recipe))
        found = collect(project.store, target)
        recipe = _recipe(found, partial)
        more = with_unlabelled(project.store, found, recipe)
    notes += _notes(found) + _doubts(recipe)
    run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    final = project.store.runs_folder / run_id
    write_run(final, recipe, more, start, notes)
    record = _queued(run_id, name or _name(project.store, recipe), recipe, found.labels)
    project.store.runs.create(record)
    project.announce(Changes(runs=frozenset({run_id})))
    return record


def _queued(run_id: str, name: str, recipe: Recipe, labels: RunLabels) -> RunRecord:
    return RunRecord(
        id=run_id,
        name=name,
        status=RunStatus.QUEUED,
        target=recipe.target,
        recipe_toml=to_toml(recipe),
        labels=labels,
        created=time.time(),
    )


def check(
    project: OpenProject, partial: Mapping[str, object], plan: SplitPlan | None = None
) -> None:
    """Raise KnownError or ValueRefused where `prepare` would refuse these keys; nothing is made."""
    found, parts = _found(project, _target(partial), plan)
    recipe = _recipe(found, partial)
    check_choices(recipe, found.labels.target.exclusive)
    start_of(project.store, recipe)
    with_unlabelled(project.store, found, recipe, parts)


def _found(
    project: OpenProject, target: str, plan: SplitPlan | None
) -> tuple[SampleSet, dict[int, Part] | None]:
    """The labelled samples in their parts, and with `plan` the parts that it draws."""
    found = collect(project.store, target)
    if plan is None:
        return found, None
    parts = draw(project, plan, _strata(target))
    return _divided(found, parts), parts


def _target(partial: Mapping[str, object]) -> str:
    target = partial.get("target")
    if not isinstance(target, str) or not target:
        raise ValueRefused("target", target, 'a label set such as "category", or "category+view"')
    return target


def _recipe(found: SampleSet, partial: Mapping[str, object]) -> Recipe:
    recipe = complete(partial, advise_for(found.facts(), partial).values)
    if not recipe.start.startswith("file:"):
        return recipe
    path = Path(recipe.start.removeprefix("file:")).expanduser().resolve()
    return msgspec.structs.replace(recipe, start=f"file:{path}")


def start_of(store: Project, recipe: Recipe) -> Path | None:
    """The file that a recipe starts from; None where it starts from nothing, or from ImageNet
    weights that are not downloaded yet. Raises KnownError where the file or run is missing."""
    kind, _, rest = recipe.start.partition(":")
    if kind == "imagenet":
        return weights_path(recipe.backbone)
    if kind == "run":
        return _weights_of_run(store, rest, recipe)
    if kind != "file":
        return None
    path = Path(rest)
    if not path.is_file():
        raise KnownError(f"The start weights {path} are missing.", "Choose another file.")
    return path


def _weights_of_run(store: Project, run_id: str, recipe: Recipe) -> Path:
    record = next((r for r in store.runs.all() if r.id == run_id), None)
    if record is None:
        raise ValueRefused("start", f"run:{run_id}", "the id of a run of this project")
    trained = parse_toml(record.recipe_toml, record.name).get("backbone")
    if trained != recipe.backbone:
        raise KnownError(
            f"The run “{record.name}” trained {trained}, not {recipe.backbone}.",
            "Choose a run of the same backbone.",
        )
    path = store.runs_folder / run_id / WEIGHTS_FILE
    if not path.is_file():
        raise KnownError(f"The run “{record.name}” has no weights yet.", "Choose a finished run.")
    return path


def _default_split(project: OpenProject, recipe: Recipe) -> str:
    split(project, DEFAULT_SPLIT, stratify=_strata(recipe.target))
    return "There was no split: 70 % train, 15 % validation and 15 % test were drawn."


def _strata(target: str) -> tuple[str, ...]:
    return ("category", "view") if target == JOINT else (target,)


def _divided(found: SampleSet, parts: Mapping[int, Part]) -> SampleSet:
    """`found` with each image in the part that `parts` gives it."""
    samples: list[Sample] = [
        msgspec.structs.replace(sample, part=str(parts.get(sample.image, "")))
        for sample in found.samples
    ]
    return dataclasses.replace(found, samples=tuple(samples))


def _notes(found: SampleSet) -> list[str]:
    """What is worth saying of the frozen samples. Raises KnownError when there is no training."""
    labelled = [sample for sample in found.samples if sample.target >= 0]
    counts = [0] * len(found.labels.target.labels)
    for sample in labelled:
        if sample.part == Part.TRAIN:
            counts[sample.target] += 1
    if sum(1 for count in counts if count) < 2:
        raise KnownError(
            "The train part has labelled images of fewer than two classes.",
            "Make a new split, or label more images.",
        )
    names = found.labels.target.labels
    used = {sample.target for sample in labelled}
    empty = [names[at] for at, count in enumerate(counts) if not count and at in used]
    notes = [f"No training image of: {', '.join(empty)}."] if empty else []
    outside = sum(not sample.part for sample in labelled)
    if outside:
        notes.append(f"{outside} labelled images belong to no part of the split.")
    return notes


def _doubts(recipe: Recipe) -> list[str]:
    twice = recipe.sampling != "plain" and recipe.class_weights != "none"
    return [TWICE] if twice else []


def _name(store: Project, recipe: Recipe) -> str:
    number = 1 + sum(record.target == recipe.target for record in store.runs.all())
    return f"{recipe.target} {number}: {backbone(recipe.backbone).title}"


def write_run(
    folder: Path, recipe: Recipe, found: SampleSet, start: Path | None, notes: list[str]
) -> None:
    """Write a run folder; it appears whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    try:
        part.mkdir(parents=True)
        (part / RECIPE_FILE).write_text(to_toml(recipe), encoding="utf-8")
        (part / LABELS_FILE).write_bytes(msgspec.json.encode(found.labels))
        (part / SAMPLES_FILE).write_bytes(encode_samples(list(found.samples)))
        lines = [encode_report(Note(text=note, warning=True)) + b"\n" for note in notes]
        (part / REPORTS_FILE).write_bytes(b"".join(lines))
        if start is not None:
            put_start(part, start)
        os.replace(part, folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise KnownError(f"{folder} cannot be written: {error.strerror}.") from error


def put_start(folder: Path, start: Path) -> None:
    """Copy start weights into a run folder, so that it can be trained anywhere."""
    safe = start.suffix == ".safetensors"
    target = folder / (START_FILE if safe else Path(START_FILE).with_suffix(".pth").name)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(start, part)
    os.replace(part, target)


def as_if_split(found: SampleSet) -> SampleSet:
    """`found` with the parts that the default split would give, where there is none yet."""
    if any(sample.part for sample in found.samples):
        return found
    strata = {sample.image: str(sample.target) for sample in found.samples}
    return _divided(found, stratified_split(DEFAULT_SPLIT, strata))
