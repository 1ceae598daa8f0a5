"""Features for comparing images: the available networks, and the feature index of each."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.jobs import Steps
from workbench.app.learner import run_request
from workbench.app.results.run_images import usable_runs, uses_crops
from workbench.app.session import Session
from workbench.app.transfer.assessing import start_request
from workbench.app.weights import is_intact, weights_path
from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import BACKBONES, backbone
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.features import FeatureRequest, feature_key, positions_of
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.recipes import START_ASPECT
from workbench.domain.reports import Featured, Note, Progress
from workbench.domain.runs import MODEL_FILE, SAMPLES_FILE, WEIGHTS_FILE, Sample, encode_samples
from workbench.domain.text import Message
from workbench.storage.features import FeatureIndex
from workbench.storage.subjects import SubjectFile, Subjects, read_files, read_subjects
from workbench.vision.headers import identify

LOOKUPS = 2000  # files checked between two chances to stop
GUESSED = 1024  # assumed number of features of a network without an index


@dataclass(frozen=True)
class FeatureSource:
    """A network whose features are compared.

    `name` is its name in filters and commands: "run:ID", a backbone's name (its ImageNet weights),
    or "BACKBONE=FILE"; `title` the one for display. With `crops`, mouth crops are compared.
    """

    name: str
    title: str
    request: StartRequest
    crops: bool = False


@dataclass(frozen=True)
class Indexed:
    """Subjects of a project with features, and their rows in the index.

    `positions` are the rows of the subjects, `extra` those of further files. `computed` counts new
    rows, `left_out` unreadable subjects. `note` is a warning if the index was damaged, else "".
    """

    subjects: Subjects
    index: FeatureIndex
    positions: NDArray[np.int64]
    extra: NDArray[np.int64]
    computed: int
    left_out: int
    note: str = ""

    def rows(self, positions: NDArray[np.int64] | None = None) -> NDArray[np.float16]:
        """Features of all subjects, or of these rows of the index."""
        wanted = self.positions if positions is None else positions
        whole = len(wanted) == len(self.index.rows)
        if whole and np.array_equal(wanted, np.arange(len(wanted))):
            return self.index.rows  # memory-mapped, without a copy
        return np.asarray(self.index.rows[wanted])


def feature_sources(session: Session) -> list[FeatureSource]:
    """Available sources: runs with a network, newest first, then downloaded ImageNet weights.

    Runs with an unreadable network are left out.
    """
    ranked = sorted(BACKBONES.values(), key=lambda known: known.feature_rank)
    known = [f"run:{run.id}" for run in usable_runs(session)]
    found = []
    for name in (*known, *(one.name for one in ranked if weights_path(one.name) is not None)):
        with contextlib.suppress(KnownError):
            found.append(feature_source(session, name))
    return found


def feature_source(session: Session, name: str = "", crops: bool | None = None) -> FeatureSource:
    """The source called `name`; "" for the newest run, else downloaded ImageNet weights.

    `crops` selects mouth crops or whole images; None is as the run. Raises KnownError or
    ValueRefused for an unknown run, backbone or file.
    """
    kind, _, rest = name.partition(":")
    if not name:
        found = _best(session)
    elif kind == "run" and rest:
        record = session.store.runs.get(rest)
        request = start_request(session, name, "")
        mouths = uses_crops(session, record) and bool(session.store.crops.detected_sources())
        title = f"{record.name} · {record.recipe.backbone}"
        found = FeatureSource(name, title, request, mouths)
    else:
        found = _of_backbone(session, name)
    if crops is None or crops == found.crops:
        return found
    return FeatureSource(found.name, found.title, found.request, crops)


def _best(session: Session) -> FeatureSource:
    sources = feature_sources(session)
    if not sources:
        raise KnownError(
            "There is no network for comparing images yet.",
            "Train a run, or download ImageNet weights on the Train page (start: ImageNet).",
        )
    return sources[0]


def _of_backbone(session: Session, name: str) -> FeatureSource:
    known, mark, file = name.partition("=")
    if known not in BACKBONES or (mark and not file):
        names = ", ".join(BACKBONES)
        allowed = Message(
            "BACKBONE or BACKBONE=FILE, where BACKBONE is one of {names}", names=names
        )
        random = Message("Random weights (“none”) have no features to compare images with.")
        raise ValueRefused("start", name, allowed, random if name == "none" else None)
    title = backbone(known).title
    if mark:
        return FeatureSource(
            name, f"{Path(file).name} · {title}", start_request(session, f"file:{file}", known)
        )
    path = weights_path(known)
    if path is None:
        available = ", ".join(n for n in BACKBONES if weights_path(n) is not None)
        allowed = (
            Message("downloaded weights ({names}), or {name}=FILE", names=available, name=known)
            if available
            else Message("{name}=FILE, as no ImageNet weights are downloaded", name=known)
        )
        raise ValueRefused("start", known, allowed)
    request = StartRequest(start="imagenet", backbone=known, weights=str(path))
    return FeatureSource(name, f"ImageNet · {title}", request)


def index_name(start: StartRequest) -> str:
    """Name of the index of a network: its backbone and the digest of its weights, for a run also
    of its model card, else how it sees wide images. Raises KnownError if they cannot be read."""
    files = [Path(start.weights)]
    if start.run:
        files = [Path(start.run) / WEIGHTS_FILE, Path(start.run) / MODEL_FILE]
    digests = []
    for file in files:
        digest = identify(file)
        if digest is None:
            raise KnownError("{path} cannot be read.", "Choose other features.", path=file)
        digests.append(digest[:16])
    if not start.run:
        digests.append(START_ASPECT)
    return "-".join((start.backbone, *digests))


def check_weights(start: StartRequest) -> None:
    """Raise KnownError if the ImageNet weights are damaged; they are not downloaded here."""
    if start.start == "imagenet" and not is_intact(start.backbone):
        raise KnownError(
            "{path} is damaged: its SHA-256 is not the published one.",
            "Delete the file and download it again on the Train page (start: ImageNet).",
            path=start.weights,
        )


class Indexer:
    """Updates the index of a source; created in the project's thread, used by a job."""

    def __init__(self, session: Session, source: FeatureSource) -> None:
        self._indexes = session.store.features
        self._database = session.store.folder / DATABASE_FILE
        self._parent = session.store.runs_folder
        self._source = source

    def steps(self, files: Sequence[Path] = ()) -> Steps[Indexed]:
        """Compute missing features of the project's subjects and of further files; return all.

        Raises KnownError if a file is not an image, or nothing can be read.
        """
        yield Progress(done=0, text=Message("Searching the feature index"))
        check_weights(self._source.request)
        name = index_name(self._source.request)
        subjects = yield from read_subjects(self._database, self._source.crops)
        further = {feature_key(file.hash): file for file in map(_file, files)}
        index = self._indexes.read(name)
        note = Message("")
        if index.damaged:
            note = self._forget(name)
            yield Note(text=note, warning=True)
        at = positions_of(index.keys, subjects.keys)
        missing = yield from self._missing(subjects, at, index, further)
        computed = 0
        if missing:
            computed = yield from self._compute(name, index, missing)
            index = self._indexes.read(name)
            at = positions_of(index.keys, subjects.keys)
        _check_found(index, further)
        known = np.flatnonzero(at >= 0)
        extra = positions_of(index.keys, list(further))
        left_out = len(at) - len(known)
        return Indexed(subjects[known], index, at[known], extra, computed, left_out, note)

    def _forget(self, name: str) -> Message:
        """Delete a damaged index; return a warning."""
        self._indexes.remove(name)
        return Message(
            "The features in {folder} were damaged and are computed again.",
            folder=self._indexes.folder_of(name),
        )

    def _missing(
        self,
        subjects: Subjects,
        at: NDArray[np.int64],
        index: FeatureIndex,
        further: Mapping[int, SubjectFile],
    ) -> Steps[list[Sample]]:
        """Samples without features whose files exist."""
        found = {key: _sample(file) for key, file in further.items()}
        for key, place in zip(found.copy(), positions_of(index.keys, list(found)), strict=True):
            if place >= 0:
                del found[key]
        new = subjects[np.flatnonzero(at < 0)]
        for start in range(0, len(new), LOOKUPS):
            some = new[np.arange(start, min(len(new), start + LOOKUPS))]
            for file in self.files(some):
                if Path(file.path).is_file():
                    found[feature_key(file.hash, file.box)] = _sample(file)
            yield None
        return list(found.values())

    def files(self, subjects: Subjects) -> list[SubjectFile]:
        """Files of these subjects."""
        return read_files(self._database, subjects, self._source.crops)

    def _compute(self, name: str, index: FeatureIndex, missing: Sequence[Sample]) -> Steps[int]:
        dimensions = index.card.dimensions if index.card is not None else GUESSED
        self._indexes.make_room(name, 2 * dimensions * len(missing))
        folder = str(self._indexes.folder_of(name))
        request = FeatureRequest(start=self._source.request, folder=folder)
        files = {SAMPLES_FILE: encode_samples(list(missing))}
        answer = yield from run_request("features", request, files, self._parent, Featured)
        return answer.rows


def image_of_file(session: Session, file: Path) -> int | None:
    """Id of the project's image with the content of `file`, or None."""
    return session.store.images.by_hash(identify(file) or "")


def forget_features(session: Session) -> int:
    """Delete all features; return the number of freed bytes. They can be computed again."""
    return session.store.features.forget()


def _check_found(index: FeatureIndex, further: Mapping[int, SubjectFile]) -> None:
    """Raise KnownError if a requested file, or every subject, has no features."""
    for file, place in zip(further.values(), positions_of(index.keys, list(further)), strict=True):
        if place < 0:
            raise KnownError(
                "{path} is not a readable image.", "Choose another file.", path=file.path
            )
    if not len(index.keys):
        raise KnownError(
            "None of the images can be read.",
            "Import images, or re-link their source if it has moved.",
        )


def _file(path: Path) -> SubjectFile:
    found = identify(path)
    if found is None:
        raise KnownError("{path} cannot be read.", "Choose an image file.", path=path)
    return SubjectFile(0, found, str(path.absolute()))


def _sample(file: SubjectFile) -> Sample:
    return Sample(image=file.image, hash=file.hash, path=file.path, crop=file.crop, box=file.box)
