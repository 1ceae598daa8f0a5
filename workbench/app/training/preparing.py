"""Preparation of a run: a folder with its recipe, samples, labels and start weights."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from workbench.app.jobs import Steps, Task, nothing, run_to_end, when_done
from workbench.app.session import Session
from workbench.app.training.choices import check_choices, chosen, specs
from workbench.app.training.data_facts import facts_of
from workbench.app.training.leakage import leaks_note, open_leaks
from workbench.app.training.samples import SampleSet, collect, seen_by, undetected_images
from workbench.app.training.splitting import draw, put_splits
from workbench.app.training.starts import put_start, start_of, whole_start
from workbench.app.versions import draft_for_run, version_of_run
from workbench.domain.advice import TWICE, DataFacts, advise
from workbench.domain.assessments import MissingRun
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.domain.methods import Spec
from workbench.domain.recipes import (
    PartialRecipe,
    Recipe,
    UncheckedKeys,
    check_keys,
    label_sets_of,
    parse_recipe,
    target_of,
    to_toml,
    whole,
)
from workbench.domain.reports import Note, encode_report
from workbench.domain.run_pairs import automatic_name, seen_images
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    encode_samples,
)
from workbench.domain.splits import DEFAULT_SPLIT, Part, SplitPlan, StoredSplit, stratified_split
from workbench.domain.text import Message, counted
from workbench.files import new_folder, write_recorded, writing
from workbench.storage.project import Project
from workbench.storage.versions import VersionDraft

NEED = "unlabelled"  # in a spec's `needs`; its parameter of this name is the maximum number
_Subject = tuple[int, Crop | None]  # an image id, and a crop of the image or None


def with_unlabelled(
    store: Project, found: SampleSet, recipe: Recipe, parts: Mapping[int, Part] | None = None
) -> SampleSet:
    """Add unlabelled images (or crops), in no part, if the recipe's method needs them.

    Images of the validation and test parts in `parts` (None: the project's split) are left out.
    Raises KnownError if the method needs unlabelled images and there are none.
    """
    spec = _method(recipe)
    if spec is None or NEED not in spec.needs:
        return found
    most = int(spec.options(recipe.options)[NEED])
    known = {(sample.image, sample.crop) for sample in found.samples}
    held_out = _held_out(store.splits.parts() if parts is None else parts)
    subjects = (_mouths if found.crops else _images)(store, held_out)
    left = [it for it in subjects if (it[0], it[1].id if it[1] else None) not in known]
    if not left and all(sample.part for sample in found.samples):
        raise KnownError(
            "{method} needs unlabelled images, but all images outside the validation and test "
            "parts have a label of {label_set}.",
            "Import images without labelling them, or choose another method.",
            method=spec.title,
            label_set=found.labels.target.name,
        )
    if len(left) > most:
        draw = np.random.default_rng(recipe.seed)
        left = [left[at] for at in np.sort(draw.choice(len(left), most, replace=False))]
    return dataclasses.replace(found, samples=(*found.samples, *_samples(store, left)))


def _method(recipe: Recipe) -> Spec | None:
    """Spec of the recipe's method; None for the default method, which needs nothing."""
    plain = recipe.method == Recipe(target=recipe.target).method
    return None if plain else chosen(specs(), "method", recipe.method)


def _held_out(parts: Mapping[int, Part]) -> set[int]:
    return {image for image, part in parts.items() if part in (Part.VALIDATION, Part.TEST)}


def _images(store: Project, held_out: Collection[int]) -> list[_Subject]:
    return [(int(image), None) for image in store.images.ids() if int(image) not in held_out]


def _mouths(store: Project, held_out: Collection[int]) -> list[_Subject]:
    """Usable crops, and images of sources without detections, which are crops themselves."""
    ids = [image for image, _ in _images(store, held_out)]
    crops = store.crops.of_images(ids)
    whole = undetected_images(store)
    subjects: list[_Subject] = []
    for image in ids:
        subjects += [(image, crop) for crop in crops.get(image, ()) if crop.usable]
        if image not in crops and image in whole:
            subjects.append((image, None))
    return subjects


def _samples(store: Project, subjects: list[_Subject]) -> list[Sample]:
    images = list(dict.fromkeys(image for image, _ in subjects))
    rows = {row.id: row for row in store.images.rows(np.array(images, dtype=np.int64))}
    samples = []
    for image, crop in subjects:
        rect = crop.rect if crop is not None else None
        if image in rows:
            samples.append(
                Sample(
                    image=image,
                    hash=rows[image].hash,
                    path=rows[image].path,
                    crop=crop.id if crop is not None else None,
                    box=rect.as_tuple() if rect is not None else None,
                )
            )
    return samples


DEFAULT_SPLIT_NOTE = Message(
    "There was no split, so one was drawn: {parts}.", parts=DEFAULT_SPLIT.sentence
)


@dataclass(frozen=True)
class PreparedRun:
    """A run whose folder is complete, but which is not in the project yet.

    `drawn` is the split that was drawn for it if the project had none; `seen` is the version of the
    labels that it learns from, or its name; `split` names its split.
    """

    id: str
    name: str
    recipe: Recipe
    labels: RunLabels
    drawn: Mapping[int, Part] | None
    seen: VersionDraft | str
    split: str = ""


def prepare(
    project: Session,
    given: UncheckedKeys,
    name: str = "",
    plan: SplitPlan | StoredSplit | None = None,
) -> RunRecord:
    """Create a queued run: complete the recipe by recommendations and write its folder.

    Without a split, DEFAULT_SPLIT is drawn, with a note in the run's reports. With `plan`, the run
    has a split of its own, or another one of the project, whose current split is not changed.
    Raises KnownError or ValueRefused without creating anything.
    """
    project.check_writable()
    return _keep(project, run_to_end(_freeze(project.store, check_keys(given), name, plan)))


def prepare_task(
    project: Session,
    given: UncheckedKeys,
    name: str = "",
    plan: SplitPlan | StoredSplit | None = None,
    then: Callable[[RunRecord], None] = nothing,
) -> Task[PreparedRun]:
    """A job that does the same as `prepare` and ends Done(PreparedRun).

    `then` is called with the run, which is paused until it is queued. Errors that need no samples
    are raised immediately; others fail the job.
    """
    project.check_writable()
    partial = check_keys(given)
    target = target_of(partial)
    start_of(project.store, recipe_of(facts_of(project.store, target), partial))
    folder = project.store.folder

    def work() -> Steps[PreparedRun]:
        with Project.reading(folder) as store:
            return (yield from _freeze(store, partial, name, plan))

    def keep(frozen: PreparedRun) -> None:
        then(_keep(project, frozen, RunStatus.PAUSED))

    title = Message("Prepare training of {target}", target=target)
    return Task(title, work, finish=when_done(keep), kind="prepare")


def _freeze(
    store: Project, partial: PartialRecipe, name: str, plan: SplitPlan | StoredSplit | None
) -> Generator[None, None, PreparedRun]:
    """Write a run's folder, yielding heartbeats; `store` is only read."""
    target = target_of(partial)
    notes = []
    found, parts = _found(store, target, plan)
    yield
    recipe = recipe_of(found.facts(), partial)
    check_choices(recipe, found.labels.target.exclusive)
    start = whole_start(store, recipe)
    drawn = None
    if plan is None and store.splits.current() is None:
        notes.append(DEFAULT_SPLIT_NOTE)
        drawn = parts = draw(store, DEFAULT_SPLIT, label_sets_of(target))
        found = _divided(found, parts)
        recipe = recipe_of(found.facts(), partial)
        yield
    more = with_unlabelled(store, found, recipe, parts)
    yield
    stored = plan if isinstance(plan, StoredSplit) else None
    if not isinstance(plan, SplitPlan) and (found_leaks := open_leaks(store, stored)):
        notes.append(leaks_note(found_leaks))
    notes += _notes(found) + _recipe_notes(recipe)
    seen = draft_for_run(store, drawn, DEFAULT_SPLIT)
    yield
    run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    write_run(store.runs_folder / run_id, recipe, more, start, notes)
    current = store.splits.current()
    used = plan or (current or DEFAULT_SPLIT)
    return PreparedRun(run_id, name, recipe, found.labels, drawn, seen, used.name)


def _keep(project: Session, frozen: PreparedRun, status: RunStatus = RunStatus.QUEUED) -> RunRecord:
    """Add a prepared run, and the split drawn for it, to the project."""
    store, recipe = project.store, frozen.recipe
    if frozen.drawn is not None and store.splits.current() is None:
        put_splits(project, [(DEFAULT_SPLIT, dict(frozen.drawn))])
    record = RunRecord(
        id=frozen.id,
        name=frozen.name,
        status=status,
        target=recipe.target,
        recipe_toml=to_toml(recipe),
        labels=frozen.labels,
        created=time.time(),
        split=frozen.split,
        version=version_of_run(store, frozen.seen),
    )
    if not record.name:
        record = dataclasses.replace(record, name=automatic_name(record, store.runs.all()))
    store.runs.create(record)
    project.announce(Changes(runs=frozenset({record.id})))
    return record


def missing_task(session: Session, missing: MissingRun) -> Task[list[PartialRecipe]]:
    """A job that ends Done(recipe keys) of the runs to train for a comparison: the missing one, and
    before it the other one if labels or split have changed since.

    Raises KnownError if the other run does not exist, ValueRefused if its recipe cannot be used.
    """
    session.check_writable()
    like = session.store.runs.get(missing.like)
    keys = missing.keys(like.recipe_toml, like.name)
    folder, seen = session.store.folder, seen_by(session.store.runs_folder)

    def work() -> Steps[list[PartialRecipe]]:
        before = seen(like)
        yield None
        with Project.reading(folder) as store:
            found = collect(store, like.target)
        now = seen_images(found.samples, found.labels)
        same = before is None or before.target == now.target
        return [keys] if same else [parse_recipe(like.recipe_toml, like.name), keys]

    return Task(Message("Prepare a run like {run}", run=like.name), work, kind="prepare")


def check(
    store: Project, recipes: Iterable[UncheckedKeys], plan: SplitPlan | StoredSplit | None = None
) -> Iterator[None]:
    """Check recipe keys as `prepare` does, without creating anything; yield after each.

    Raises KnownError or ValueRefused for the first invalid recipe.
    """
    known: dict[str, tuple[SampleSet, dict[int, Part] | None]] = {}
    for given in recipes:
        partial = check_keys(given)
        target = target_of(partial)
        if target not in known:
            known[target] = _found(store, target, plan)
        found, parts = known[target]
        recipe = recipe_of(found.facts(), partial)
        check_choices(recipe, found.labels.target.exclusive)
        start_of(store, recipe)
        with_unlabelled(store, found, recipe, parts)
        yield


def _found(
    store: Project, target: str, plan: SplitPlan | StoredSplit | None
) -> tuple[SampleSet, dict[int, Part] | None]:
    """Labelled samples in their parts, and the parts of `plan` (None without it)."""
    found = collect(store, target)
    if plan is None:
        return found, None
    if isinstance(plan, StoredSplit):
        parts = store.splits.parts(plan.id)
    else:
        parts = draw(store, plan, label_sets_of(target))
    return _divided(found, parts), parts


def recipe_of(facts: DataFacts, partial: PartialRecipe) -> Recipe:
    """The complete recipe for these keys and data; the path of a start file is made absolute.

    Raises ValueRefused for keys that contradict each other.
    """
    recipe = whole(advise(facts, partial).values | partial)
    if not recipe.start.startswith("file:"):
        return recipe
    path = Path(recipe.start.removeprefix("file:")).expanduser().resolve()
    return msgspec.structs.replace(recipe, start=f"file:{path}")


def _divided(found: SampleSet, parts: Mapping[int, Part]) -> SampleSet:
    """A copy with the parts of `parts`."""
    samples: list[Sample] = [
        msgspec.structs.replace(sample, part=str(parts.get(sample.image, "")))
        for sample in found.samples
    ]
    return dataclasses.replace(found, samples=tuple(samples))


def _notes(found: SampleSet) -> list[Message]:
    """Warnings about the samples. Raises KnownError if they are too few for a training."""
    labelled = [sample for sample in found.samples if sample.target >= 0]
    counts = [0] * len(found.labels.target.labels)
    for sample in labelled:
        if sample.part == Part.TRAIN:
            counts[sample.target] += 1
    if sum(1 for count in counts if count) < 2:
        raise KnownError(
            "The train part has labelled images of fewer than two classes.",
            "Create a new split, or label more images.",
        )
    names = found.labels.target.labels
    used = {sample.target for sample in labelled}
    empty = [names[at] for at, count in enumerate(counts) if not count and at in used]
    notes = []
    if empty:
        notes.append(Message("Labels without training images: {names}.", names=", ".join(empty)))
    if any(sample.part == Part.TEST for sample in labelled):
        tested = {sample.target for sample in labelled if sample.part == Part.TEST}
        missing = [names[at] for at in sorted(used - tested)]
        if missing:
            text = "Labels without test images, whose recall will be undefined: {names}."
            notes.append(Message(text, names=", ".join(missing)))
    outside = sum(not sample.part for sample in labelled)
    if outside:
        notes.append(
            counted(
                outside,
                "{n:,} labelled image is in no part of the split.",
                "{n:,} labelled images are in no part of the split.",
            )
        )
    return notes


def _recipe_notes(recipe: Recipe) -> list[Message]:
    twice = recipe.sampling != "plain" and recipe.class_weights != "none"
    return [TWICE] if twice else []


def write_run(
    folder: Path, recipe: Recipe, found: SampleSet, start: Path | None, notes: list[Message]
) -> None:
    """Write a run folder atomically."""
    with writing(folder), new_folder(folder) as part:
        (part / RECIPE_FILE).write_text(to_toml(recipe), encoding="utf-8")
        write_recorded(part / LABELS_FILE, msgspec.json.encode(found.labels))
        write_recorded(part / SAMPLES_FILE, encode_samples(list(found.samples)))
        lines = [encode_report(Note(text=note, warning=True)) + b"\n" for note in notes]
        (part / REPORTS_FILE).write_bytes(b"".join(lines))
        if start is not None:
            put_start(part, start)


def as_if_split(found: SampleSet) -> SampleSet:
    """A copy with the parts of the default split, if there is no split yet."""
    if any(sample.part for sample in found.samples):
        return found
    strata = {sample.image: str(sample.target) for sample in found.samples}
    return _divided(found, stratified_split(DEFAULT_SPLIT, strata))
