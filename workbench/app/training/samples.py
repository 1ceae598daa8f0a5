"""Samples of a run: labelled images or crops of the project, and the lists of labels in use; and
what runs learned from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.advice import DataFacts
from workbench.domain.crops import Crop
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFile, ImageFilter
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.recipes import JOINT, LARGEST_RATIO
from workbench.domain.run_pairs import Seen, SeenImages, seen_images
from workbench.domain.runs import (
    SAMPLES_FILE,
    LabelList,
    RunLabels,
    RunRecord,
    Sample,
    decode_samples,
)
from workbench.domain.splits import DEFAULT_SPLIT, Part
from workbench.domain.text import mark
from workbench.files import DamagedFile, read_recorded
from workbench.storage.project import Project


@dataclass(frozen=True)
class SampleSet:
    """Samples of one target.

    `crops`: whether they are mouth crops; `shorter_side` and `cut`: see DataFacts.
    """

    labels: RunLabels
    samples: tuple[Sample, ...]
    crops: bool
    shorter_side: int
    cut: float

    def facts(self) -> DataFacts:
        """Facts for recommendations; without a split, the counts that DEFAULT_SPLIT would give."""
        split = any(sample.part for sample in self.samples)
        train = Part.TRAIN if split else ""
        counts = [0] * len(self.labels.target.labels)
        for sample in self.samples:
            if sample.target >= 0 and sample.part == train:
                counts[sample.target] += 1
        share = 1.0 if split else DEFAULT_SPLIT.train
        validation = sum(sample.part == Part.VALIDATION for sample in self.samples)
        return DataFacts(
            tuple(round(count * share) for count in counts),
            validation if split else round(DEFAULT_SPLIT.validation * len(self.samples)),
            self.crops,
            self.shorter_side,
            self.cut,
        )


@dataclass(frozen=True)
class _Subject:
    """An image or a crop of it, with its labels of the target: at most one if they are
    exclusive."""

    image: int
    labels: tuple[str, ...]
    crop: Crop | None = None


def collect(store: Project, target: str) -> SampleSet:
    """Labelled images (or crops) of a project for `target`, with the parts of its split.

    Raises ValueRefused for an unknown target, KnownError if fewer than two labels are in use.
    """
    first = store.labels.get("category" if target == JOINT else target)
    if target == JOINT and not (first.exclusive and store.labels.get("view").exclusive):
        raise KnownError(
            "Category + view needs labels that exclude each other in both label sets.",
            "Choose one of them as the target, or make their labels exclusive.",
        )
    if first.subject is Subject.CROP:
        return _of_subjects(store, first, _mouths(store, first), None)
    views = store.labels.get("view") if target == JOINT else None
    given = _labels_of_images(store, first)
    if views is None:
        subjects = [_Subject(image, labels) for image, labels in given.items()]
        return _of_subjects(store, first, subjects, None)
    seen = _labels_of_images(store, views)
    both = sorted(given.keys() | seen.keys())
    subjects = [_Subject(image, given.get(image, ())) for image in both]
    return _of_subjects(store, first, subjects, views)


def _labels_of_images(store: Project, label_set: LabelSet) -> dict[int, tuple[str, ...]]:
    ids = store.images.ids()
    if not label_set.exclusive:
        return dict(store.labels.of_images(ids, label_set.name))
    at = store.labels.label_ids(ids, label_set.name)
    known = np.flatnonzero(at >= 0)
    names = label_set.names
    return {int(ids[i]): (names[int(at[i])],) for i in known}


def _mouths(store: Project, label_set: LabelSet) -> list[_Subject]:
    """Usable crops with their own label, or that of their image if it has a single mouth.

    Images of sources without detections are used as a whole: they are crops themselves.
    """
    own = _labels_of_images(store, label_set)
    ids = [int(image) for image in store.images.ids()]
    of_images = store.crops.of_images(ids)
    usable = {image: [crop for crop in crops if crop.usable] for image, crops in of_images.items()}
    crop_ids = [crop.id for crops in usable.values() for crop in crops if crop.id is not None]
    given = store.labels.of_crops(crop_ids, label_set.name)
    whole = undetected_images(store)
    found: list[_Subject] = []
    for image in ids:
        crops = usable.get(image, [])
        for crop in crops:
            labels = given.get(crop.id or -1) or (own.get(image) if len(crops) == 1 else None)
            if labels:
                found.append(_Subject(image, labels, crop))
        if not of_images.get(image) and image in whole and image in own:
            found.append(_Subject(image, own[image]))
    return found


def undetected_images(store: Project) -> set[int]:
    """Images of sources without detections."""
    detected = store.crops.detected_sources()
    whole: set[int] = set()
    for source in store.images.sources():
        if source.id not in detected:
            whole.update(store.images.ids(ImageFilter(source=source.id)).tolist())
    return whole


def _of_subjects(
    store: Project, target: LabelSet, subjects: Sequence[_Subject], views: LabelSet | None
) -> SampleSet:
    used = {label for subject in subjects for label in subject.labels}
    target_list = list_in_use(target, used)
    if len(used) < 2:
        raise _too_few(target, subjects)
    images = list(dict.fromkeys(subject.image for subject in subjects))
    files = store.images.files(np.array(images, dtype=np.int64))
    true_views = store.labels.of_images(images, "view") if "view" in store.labels.sets() else {}
    seen = (view for own in true_views.values() for view in own)
    view_list = list_in_use(views, seen) if views is not None else None
    if view_list is not None and len(view_list.labels) < 2:
        raise KnownError(
            "Category + view needs images with at least two different views.",
            "Label views on the Views page, or choose category as the target.",
        )
    parts = store.splits.parts()
    samples = [
        _sample(subject, files[subject.image], target_list, view_list, true_views, parts)
        for subject in subjects
        if subject.image in files
    ]
    return SampleSet(
        RunLabels(target_list, view_list),
        tuple(samples),
        target.subject is Subject.CROP,
        *side_and_cut(_sizes(subjects, files)),
    )


def _sample(
    subject: _Subject,
    file: ImageFile,
    target: LabelList,
    views: LabelList | None,
    true_views: Mapping[int, tuple[str, ...]],
    parts: Mapping[int, Part],
) -> Sample:
    seen = true_views.get(subject.image, ())
    rect = subject.crop.rect if subject.crop is not None else None
    marks = tuple(target.labels.index(label) for label in subject.labels)
    return Sample(
        image=subject.image,
        hash=file.hash,
        path=file.path,
        crop=subject.crop.id if subject.crop is not None else None,
        box=rect.as_tuple() if rect is not None else None,
        target=marks[0] if marks else -1,
        marks=() if target.exclusive else marks,
        view=views.labels.index(seen[0]) if views is not None and seen else -1,
        part=str(parts.get(subject.image, "")),
        true_view=", ".join(seen),
    )


def list_in_use(label_set: LabelSet, given: Iterable[str]) -> LabelList:
    """Labels in use and their mirrors, in the set's order.

    A label that never occurs would only reduce the scores of the others.
    """
    used = set(given)
    labels = tuple(
        label for label in label_set.labels if label.name in used or (label.mirror or "") in used
    )
    own = replace(label_set, labels=labels)
    return LabelList(own.name, own.names, own.mirror_permutation(), own.exclusive)


def _too_few(target: LabelSet, subjects: Sequence[_Subject]) -> KnownError:
    crops = target.subject is Subject.CROP
    labelled = sorted({label for subject in subjects for label in subject.labels})
    if labelled:
        return KnownError(
            "All labels of {name} are “{label}”.",
            "Assign at least two different labels.",
            name=target.name,
            label=labelled[0],
        )
    return KnownError(
        mark("No mouth has a label of {name} yet.")
        if crops
        else mark("No image has a label of {name} yet."),
        mark("Assign at least two different labels to mouths.")
        if crops
        else mark("Assign at least two different labels, or import labels with the images."),
        name=target.name,
    )


def _sizes(subjects: Sequence[_Subject], files: Mapping[int, ImageFile]) -> NDArray[np.int64]:
    """Width and height in pixels of each subject whose size is known, as N × 2."""
    sizes = []
    for subject in subjects:
        known = subject.crop.rect if subject.crop is not None else None
        size = known or files.get(subject.image)
        if size is not None:
            sizes.append((size.width, size.height))
    return np.array(sizes, np.int64).reshape(-1, 2)


def side_and_cut(sizes: NDArray[np.int64]) -> tuple[int, float]:
    """Median shorter side in pixels, and mean share that the centre crop cuts off, of N × 2
    sizes."""
    if not len(sizes):
        return 0, 0.0
    longer, shorter = sizes.max(axis=1), sizes.min(axis=1)
    cut = 1 - LARGEST_RATIO * shorter / np.maximum(longer, 1)
    return int(np.median(shorter)), round(float(cut.clip(0, 1).mean()), 4)


def seen_by(runs_folder: Path) -> Seen:
    """What runs learned from, by the samples in their folders; None for runs without them."""

    def seen(record: RunRecord) -> SeenImages | None:
        path = runs_folder / record.id / SAMPLES_FILE
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        return _seen(path, changed, record.labels)

    return seen


@lru_cache(maxsize=256)
def _seen(path: Path, _changed: int, labels: RunLabels) -> SeenImages | None:
    with contextlib.suppress(OSError, DamagedFile, msgspec.DecodeError, IndexError):
        return seen_images(decode_samples(read_recorded(path)), labels)
    return None
