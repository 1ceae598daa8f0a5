"""The features images are compared by: which networks there are, and the index each one fills."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.app.learner import run_request
from workbench.app.results.run_images import usable_runs, uses_crops
from workbench.app.session import Session
from workbench.app.transfer.assessing import start_request
from workbench.app.weights import is_whole, weights_path
from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import BACKBONES, backbone
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.features import FeatureRequest, feature_key, places_of
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.reports import Featured, Note, Progress
from workbench.domain.runs import MODEL_FILE, SAMPLES_FILE, WEIGHTS_FILE, Sample, encode_samples
from workbench.domain.text import Message
from workbench.storage.features import FeatureIndex
from workbench.storage.subjects import SubjectFile, Subjects, read_files, read_subjects
from workbench.vision.headers import identify

LOOKED_UP = 2000  # files that are looked for between two chances to stop
GUESSED = 1024  # features of a network that no index was made of yet

Steps = Generator[object | None, None, "Indexed"]


@dataclass(frozen=True)
class FeatureSource:
    """A network whose features images are compared by. `name` is how a filter and the command line
    call it: "run:ID", a backbone's name (its ImageNet weights), or "BACKBONE=FILE"."""

    name: str
    words: str
    order: StartRequest
    crops: bool = False


@dataclass(frozen=True)
class Indexed:
    """Subjects of a project that have features, the row of each in the index (`places`), and those
    of files asked for beside them (`extra`). `computed` were new, `left_out` cannot be read. `note`
    says that the index was damaged and had to be made again; else it is ""."""

    subjects: Subjects
    index: FeatureIndex
    places: NDArray[np.int64]
    extra: NDArray[np.int64]
    computed: int
    left_out: int
    note: str = ""

    def rows(self, places: NDArray[np.int64] | None = None) -> NDArray[np.float16]:
        """Features of all subjects, or of these places of the index."""
        wanted = self.places if places is None else places
        whole = len(wanted) == len(self.index.rows)
        if whole and np.array_equal(wanted, np.arange(len(wanted))):
            return self.index.rows  # as it lies on the disk: nothing is copied
        return np.asarray(self.index.rows[wanted])


def feature_sources(session: Session) -> list[FeatureSource]:
    """What images can be compared by at once: runs with a network, newest first, then ImageNet
    weights that are on this machine. A run whose network cannot be read is left out."""
    ranked = sorted(BACKBONES.values(), key=lambda known: known.feature_rank)
    known = [f"run:{run.id}" for run in usable_runs(session)]
    found = []
    for name in (*known, *(one.name for one in ranked if weights_path(one.name) is not None)):
        with contextlib.suppress(KnownError):
            found.append(feature_source(session, name))
    return found


def feature_source(session: Session, name: str = "", crops: bool | None = None) -> FeatureSource:
    """The source called `name`, "" for the best there is: the newest run, else ImageNet weights on
    this machine. `crops` asks for mouth crops instead of images; None leaves that to the run.

    Raises KnownError and ValueRefused where there is no such run, backbone or file.
    """
    kind, _, rest = name.partition(":")
    if not name:
        found = _best(session)
    elif kind == "run" and rest:
        record = session.store.runs.get(rest)
        words = Message("{run} · {backbone}", run=record.name, backbone=record.recipe.backbone)
        order = start_request(session, name, "")
        mouths = uses_crops(session, record) and bool(session.store.crops.detected_sources())
        found = FeatureSource(name, words, order, mouths)
    else:
        found = _of_backbone(session, name)
    if crops is None or crops == found.crops:
        return found
    return FeatureSource(found.name, found.words, found.order, crops)


def _best(session: Session) -> FeatureSource:
    sources = feature_sources(session)
    if not sources:
        raise KnownError(
            "There is no network yet to compare images by.",
            "Train a run, or download ImageNet weights on the Train page (start: ImageNet).",
        )
    return sources[0]


def _of_backbone(session: Session, name: str) -> FeatureSource:
    known, mark, file = name.partition("=")
    title = backbone(known).title
    if mark:
        return FeatureSource(
            name, f"{Path(file).name} · {title}", start_request(session, f"file:{file}", known)
        )
    path = weights_path(known)
    if path is None:
        there = ", ".join(n for n in BACKBONES if weights_path(n) is not None) or "none"
        raise ValueRefused("start", known, f"weights on this machine ({there}), or {known}=FILE")
    order = StartRequest(start="imagenet", backbone=known, weights=str(path))
    return FeatureSource(name, f"ImageNet · {title}", order)


def index_name(order: StartRequest) -> str:
    """What an index is called: by its backbone and the bytes of its weights, and for a run of how
    the network is built around them. Raises KnownError where the weights cannot be read."""
    files = [Path(order.weights)]
    if order.run:
        files = [Path(order.run) / WEIGHTS_FILE, Path(order.run) / MODEL_FILE]
    digests = []
    for file in files:
        digest = identify(file)
        if digest is None:
            raise KnownError("{file} cannot be read.", "Choose other features.", file=file)
        digests.append(digest[:16])
    return "-".join((order.backbone, *digests))


def check_weights(order: StartRequest) -> None:
    """Raise KnownError where ImageNet weights are damaged; they are not downloaded here."""
    if order.start == "imagenet" and not is_whole(order.backbone):
        raise KnownError(
            "{weights} is damaged: its SHA-256 is not the published one.",
            "Delete the file and download it again on the Train page (start: ImageNet).",
            weights=order.weights,
        )


class Indexer:
    """Brings the index of a source up to date. Made where the project is used, driven by a job."""

    def __init__(self, session: Session, source: FeatureSource) -> None:
        self._indexes = session.store.features
        self._database = session.store.folder / DATABASE_FILE
        self._passing = session.store.runs_folder
        self._source = source

    def steps(self, files: Sequence[Path] = ()) -> Steps:
        """Compute what is missing, of the project's subjects and of further files, and give all.
        Raises KnownError where a file is no image, or nothing can be read."""
        yield Progress(done=0, text=Message("Looking through the index"))
        check_weights(self._source.order)
        name = index_name(self._source.order)
        subjects = yield from read_subjects(self._database, self._source.crops)
        further = {feature_key(file.hash): file for file in map(_file, files)}
        index = self._indexes.read(name)
        note = Message("")
        if index.damaged:
            note = self._forget(name)
            yield Note(text=note, warning=True)
        at = places_of(index.keys, subjects.keys)
        there = yield from self._missing(subjects, at, index, further)
        computed = 0
        if there:
            computed = yield from self._compute(name, index, there)
            index = self._indexes.read(name)
            at = places_of(index.keys, subjects.keys)
        _check_found(index, further)
        known = np.flatnonzero(at >= 0)
        extra = places_of(index.keys, list(further))
        left_out = len(at) - len(known)
        return Indexed(subjects[known], index, at[known], extra, computed, left_out, note)

    def _forget(self, name: str) -> Message:
        """Delete a damaged index; what there is to say of it."""
        self._indexes.remove(name)
        words = Message("The features in {folder} were damaged: they are computed again.")
        return words.format(folder=self._indexes.place(name))

    def _missing(
        self,
        subjects: Subjects,
        at: NDArray[np.int64],
        index: FeatureIndex,
        further: Mapping[int, SubjectFile],
    ) -> Generator[object | None, None, list[Sample]]:
        """What has no features yet, as far as its file is there."""
        found = {key: _sample(file) for key, file in further.items()}
        for key, place in zip(found.copy(), places_of(index.keys, list(found)), strict=True):
            if place >= 0:
                del found[key]
        new = subjects[np.flatnonzero(at < 0)]
        for start in range(0, len(new), LOOKED_UP):
            some = new[np.arange(start, min(len(new), start + LOOKED_UP))]
            for file in self.files(some):
                if Path(file.path).is_file():
                    found[feature_key(file.hash, file.box)] = _sample(file)
            yield None
        return list(found.values())

    def files(self, subjects: Subjects) -> list[SubjectFile]:
        """Where the files of these subjects are."""
        return read_files(self._database, subjects, self._source.crops)

    def _compute(
        self, name: str, index: FeatureIndex, missing: Sequence[Sample]
    ) -> Generator[object | None, None, int]:
        dimensions = index.card.dimensions if index.card is not None else GUESSED
        self._indexes.make_room(name, 2 * dimensions * len(missing))
        order = FeatureRequest(start=self._source.order, folder=str(self._indexes.place(name)))
        files = {SAMPLES_FILE: encode_samples(list(missing))}
        answer = yield from run_request("features", order, files, self._passing, Featured)
        return answer.rows


def image_of_file(session: Session, file: Path) -> int | None:
    """The project's image with the bytes of `file`, or None."""
    return session.store.images.by_hash(identify(file) or "")


def forget_features(session: Session) -> int:
    """Delete all features; the bytes that this sets free. They are computed again when needed."""
    return session.store.features.forget()


def _check_found(index: FeatureIndex, further: Mapping[int, SubjectFile]) -> None:
    """Raise KnownError where a file that was asked for, or everything, has no features."""
    for file, place in zip(further.values(), places_of(index.keys, list(further)), strict=True):
        if place < 0:
            raise KnownError(
                "{path} is no image that can be read.", "Give another file.", path=file.path
            )
    if not len(index.keys):
        raise KnownError(
            "No image can be read to compare it.",
            "Import images, or re-link their source where their disk is connected elsewhere.",
        )


def _file(path: Path) -> SubjectFile:
    found = identify(path)
    if found is None:
        raise KnownError("{path} cannot be read.", "Give the path of an image file.", path=path)
    return SubjectFile(0, found, str(path.absolute()))


def _sample(file: SubjectFile) -> Sample:
    return Sample(image=file.image, hash=file.hash, path=file.path, crop=file.crop, box=file.box)
