"""Adoption of a run folder that was trained elsewhere, after checking that it fits the project."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from workbench.app.jobs import (
    Done,
    Failed,
    JobResult,
    Steps,
    Task,
    applying,
    run_here,
    when_done,
)
from workbench.app.restoring import EarlierRun, earlier_run, unrecorded_runs
from workbench.app.session import Session
from workbench.app.training.starts import check_run_weights
from workbench.app.training.training import load_predictions
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, ValueRefused, reason_of
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import Recipe, parse_recipe, to_toml, whole
from workbench.domain.reports import (
    AnyReport,
    Epoch,
    Finished,
    Progress,
    Started,
    Stopped,
    decode_report,
)
from workbench.domain.runs import (
    CHECKPOINT_FILE,
    LABELS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
    ModelCard,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    decode_samples,
    encode_samples,
)
from workbench.domain.text import Message
from workbench.files import DamagedFile, new_folder, read_recorded, write_recorded, writing
from workbench.storage.project import Project

BLOCK = 8 * 1024**2  # bytes copied between two chances to stop


@dataclasses.dataclass(frozen=True)
class Adopted:
    """An adopted run, and the number of its samples of images outside this project."""

    record: RunRecord
    unknown: int


@dataclasses.dataclass(frozen=True)
class _Found:
    recipe: Recipe
    labels: RunLabels
    samples: Sequence[Sample]
    reports: Sequence[AnyReport]


@dataclasses.dataclass(frozen=True)
class _Copied:
    """A run whose folder is copied, but which is not in the project yet."""

    record: RunRecord
    epochs: Sequence[AnyReport]
    table: PredictionTable | None


def adopt(session: Session, folder: Path, name: str = "") -> Adopted:
    """Run `adopt_task` in this thread; raises KnownError if it fails."""
    outcome = run_here(adopt_task(session, folder, name))
    if isinstance(outcome, Failed):
        raise KnownError(outcome.sentence, outcome.remedy)
    assert isinstance(outcome, Done)  # nothing stops it here
    return Adopted(session.store.runs.get(outcome.value.record.id), outcome.value.unknown)


def adopt_task(session: Session, folder: Path, name: str = "") -> Task[Adopted]:
    """A job that adds the run of a folder to the project, with curves and predictions; it ends
    Done(Adopted).

    The folder is copied into the project, unless it is one of `unrecorded_runs`, which is used as
    it is: its run gets back its id and what restore points know of it. Images are matched by their
    hash, mouths by image and rectangle. An unfinished run can be resumed if it was prepared in this
    project. Fails with a KnownError for a missing or damaged file, and if none of the images are in
    this project; nothing is changed then.
    """
    session.check_writable()
    place = session.store.folder
    copied: list[_Copied] = []

    def work() -> Steps[Adopted]:
        with Project.reading(place) as store:
            made, unknown = yield from _copy_run(store, folder, name)
        copied.append(made)
        return Adopted(made.record, unknown)

    def keep(_: Adopted) -> None:
        _add(session, copied[0])

    title = Message("Adopt run {name}", name=folder.resolve().name)
    return Task(title, work, finish=when_done(keep), kind="adopt")


def _copy_run(store: Project, folder: Path, name: str) -> Steps[tuple[_Copied, int]]:
    """Check a run folder and copy it into the project, which is only read."""
    found = _read(folder)
    yield None
    ids = _ids(store, found.samples)
    if not ids:
        raise KnownError(
            "The run in {folder} was not trained on images of this project.",
            "Adopt it in the project where it was prepared, or import its images first.",
            folder=folder,
        )
    own = all(ids.get(_key(sample)) == _key(sample) for sample in found.samples)
    ended = next((r for r in reversed(found.reports) if isinstance(r, Finished)), None)
    table = _table(folder, ids) if ended is not None else None
    yield None
    status = RunStatus.FINISHED if ended is not None else _unfinished(folder, found, own)
    record = _record(store, folder, name, found, ended, status)
    if not _is_unrecorded(store, folder):  # else unchanged, as a restore point may have its run
        samples = None if own else _own(found.samples, ids)
        yield from _copy(folder, store.runs_folder / record.id, samples)
    unknown = sum(_key(sample) not in ids for sample in found.samples)
    return _Copied(record, found.reports, table), unknown


def _add(session: Session, copied: _Copied) -> None:
    """Add a copied run to the project."""
    runs, run = session.store.runs, copied.record.id
    runs.create(copied.record)
    for report in copied.epochs:
        if isinstance(report, Started):
            runs.truncate_epochs(run, report.epoch - 1)
        elif isinstance(report, Epoch):
            runs.add_epoch(run, report)
    if copied.table is not None:
        runs.save_predictions(run, copied.table)
    session.announce(Changes(runs=frozenset({run})))


def _unfinished(folder: Path, found: _Found, own: bool) -> RunStatus:
    """The status of a run without predictions. Raises KnownError if it cannot be used here."""
    if own and isinstance(next(reversed(found.reports), None), Stopped):
        return RunStatus.STOPPED
    if own and (folder / CHECKPOINT_FILE).exists():
        return RunStatus.PAUSED
    raise KnownError(
        "The run in {folder} is not finished and cannot be resumed in this project.",
        "Finish the training elsewhere, then adopt the run.",
        folder=folder,
    )


@dataclasses.dataclass(frozen=True)
class AdoptedAgain:
    """The runs that a restore had left out and that were added again, and why others were not."""

    adopted: list[RunRecord]
    refused: list[Message]


@dataclasses.dataclass(frozen=True)
class _Folder(JobResult):
    folder: Path


def adopt_again_task(session: Session) -> Task[AdoptedAgain]:
    """A job that adopts each of `unrecorded_runs`."""
    folders, result = unrecorded_runs(session), AdoptedAgain([], [])

    def work() -> Steps[AdoptedAgain]:
        for folder in folders:
            yield _Folder(folder)
        return result

    def adopt_one(one: _Folder) -> None:
        try:
            result.adopted.append(adopt(session, one.folder).record)
        except KnownError as error:
            result.refused.append(error.message)

    return Task(
        Message("Add runs to the list"), work, apply=applying(_Folder, adopt_one), kind="adopt"
    )


Key = tuple[int, int]  # ids of an image and a crop (-1: none)


def _key(sample: Sample) -> Key:
    return sample.image, -1 if sample.crop is None else sample.crop


def _read(folder: Path) -> _Found:
    def of(name: str) -> bytes:
        try:
            return read_recorded(folder / name)
        except (OSError, DamagedFile) as error:
            raise KnownError(
                "{path} cannot be read: {reason}.",
                "Choose a run folder.",
                path=folder / name,
                reason=reason_of(error),
            ) from error

    try:
        recipe = whole(parse_recipe(of(RECIPE_FILE).decode(), RECIPE_FILE))
        labels = msgspec.json.decode(of(LABELS_FILE), type=RunLabels)
        samples = decode_samples(of(SAMPLES_FILE))
        reports = [decode_report(line) for line in of(REPORTS_FILE).splitlines()]
        if (folder / MODEL_FILE).exists():
            _check_model(msgspec.json.decode(of(MODEL_FILE), type=ModelCard), recipe, labels)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnownError(
            "The run folder {folder} is damaged: {error}.", folder=folder, error=error
        ) from error
    except ValueRefused as error:
        raise KnownError(
            "The run folder {folder} is damaged: {error}", folder=folder, error=error.message
        ) from error
    return _Found(recipe, labels, samples, reports)


def _check_model(card: ModelCard, recipe: Recipe, labels: RunLabels) -> None:
    if (card.backbone, card.method, card.labels) != (recipe.backbone, recipe.method, labels):
        sentence = Message("{model} does not match {recipe}.", model=MODEL_FILE, recipe=RECIPE_FILE)
        raise ValueRefused("backbone", card.backbone, recipe.backbone, sentence)


def _ids(store: Project, samples: Sequence[Sample]) -> dict[Key, Key]:
    """Map keys of the folder's samples to this project's ids, for images of the project."""
    images = {sample.hash: store.images.by_hash(sample.hash) for sample in samples}
    here = [image for image in images.values() if image is not None]
    crops = store.crops.of_images(here) if any(s.crop is not None for s in samples) else {}
    found: dict[Key, Key] = {}
    for sample in samples:
        image = images[sample.hash]
        if image is None:
            continue
        if sample.crop is None:
            found[_key(sample)] = image, -1
            continue
        for crop in crops.get(image, []):
            if crop.id is not None and crop.rect == sample.rect:
                found[_key(sample)] = image, crop.id
    return found


def _own(samples: Sequence[Sample], ids: Mapping[Key, Key]) -> list[Sample]:
    """The samples of images of this project, with its ids."""
    found = []
    for sample in samples:
        if _key(sample) in ids:
            image, crop = ids[_key(sample)]
            both = {"image": image, "crop": None if crop < 0 else crop}
            found.append(msgspec.structs.replace(sample, **both))
    return found


def _table(folder: Path, ids: Mapping[Key, Key]) -> PredictionTable:
    """The folder's predictions for images of this project, with its ids."""
    if not (folder / WEIGHTS_FILE).is_file():
        raise KnownError(
            "{path} is missing: this run has no trained network.", path=folder / WEIGHTS_FILE
        )
    check_run_weights(folder / WEIGHTS_FILE)
    table = load_predictions(folder / PREDICTIONS_FILE)
    keys = list(zip(table.images.tolist(), table.crops.tolist(), strict=True))
    rows = np.array([at for at, key in enumerate(keys) if key in ids], dtype=np.int64)
    here = np.array([ids[keys[at]] for at in rows.tolist()], dtype=np.int64).reshape(-1, 2)
    return PredictionTable(
        images=here[:, 0],
        crops=here[:, 1],
        parts=table.parts[rows],
        truth=table.truth[rows],
        scores=table.scores[rows],
        view_truth=table.view_truth[rows],
        view_scores=None if table.view_scores is None else table.view_scores[rows],
        true_view=table.true_view[rows],
        marks=None if table.marks is None else table.marks[rows],
    )


def _record(
    store: Project,
    folder: Path,
    name: str,
    found: _Found,
    ended: Finished | None,
    status: RunStatus,
) -> RunRecord:
    run_id = folder.resolve().name
    own = _is_unrecorded(store, folder)
    taken = {record.id for record in store.runs.all()}
    if not own and (run_id in taken or (store.runs_folder / run_id).exists()):
        run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)
    now = time.time()
    record = RunRecord(
        id=run_id,
        name=name or f"{found.recipe.target}: adopted from {folder.resolve().name}",
        status=status,
        target=found.recipe.target,
        recipe_toml=to_toml(found.recipe),
        labels=found.labels,
        created=now,
        started=now - (ended.seconds if ended is not None else 0.0),
        finished=now if ended is not None else None,
        metrics=msgspec.to_builtins(ended.parts) if ended is not None else {},
        memory=ended.memory if ended is not None else 0,
        device_memory=ended.device_memory if ended is not None else 0,
    )
    earlier = earlier_run(store.folder, run_id) if own else None
    return record if earlier is None else _as_earlier(store, record, name, earlier)


def _is_unrecorded(store: Project, folder: Path) -> bool:
    return folder.resolve() in [one.resolve() for one in unrecorded_runs(store)]


def _as_earlier(store: Project, record: RunRecord, name: str, earlier: EarlierRun) -> RunRecord:
    """The record with what a restore point knows; without the version if it is not here."""
    here = {(one.name, round(one.made_at * 1e6)) for one in store.versions.all()}
    return dataclasses.replace(
        record,
        name=name or earlier.name,
        created=earlier.created,
        started=earlier.started,
        finished=earlier.finished,
        split=earlier.split,
        version=earlier.version[0] if earlier.version in here else "",
    )


def _copy(folder: Path, final: Path, samples: list[Sample] | None) -> Steps[None]:
    """Copy the folder atomically, file by file; `samples`, if given, replace those in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with writing(final), new_folder(final) as part:
        for done, path in enumerate(files):
            text = Message("Copying {file}", file=path.name)
            yield Progress(done=done, total=len(files), text=text)
            to = part / path.relative_to(folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, to.open("wb") as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield None
        if samples is not None:
            write_recorded(part / SAMPLES_FILE, encode_samples(samples))
