"""Labels, boxes and parts that files give to images: the one way in for all formats.

Records are added batch by batch, in the owner's thread. A record never replaces a label by hand.
Several labels of an exclusive set for one image are a conflict: none of them is given, and the
image keeps what it had before the import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from workbench.app.labels.reading import place_of
from workbench.app.session import Session
from workbench.domain.crops import SAME_FACE_IOU, Crop, CropState
from workbench.domain.datasets import DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.geometry import Rect
from workbench.domain.import_reports import Conflict, NewLabel, PlacedLabel
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.splits import Part
from workbench.domain.text import Message
from workbench.storage.bulk_labels import ImportedLabel
from workbench.storage.labels import Standing

FROM_FILE = "file"  # detector of a crop that was created by a label file
_MODEL = Author.MODEL.value
PART_SET = ""  # of conflicts between parts of a split


class PlacedRecord(NamedTuple):
    """A record, the image that it describes, and the file that it is from, for messages.

    A label that the image has is kept if it was given after `kept_since` (in seconds since the
    epoch): its file is unchanged since it was imported from the same place.
    """

    image: int
    record: ImageRecord
    source: str
    kept_since: float = math.inf

    @property
    def place(self) -> str:
        """The file, with the line if it has lines."""
        return place_of(self.source, self.record)


class _Labelled(NamedTuple):
    """What a label of a set is given to: an image, or a crop of it."""

    set: str
    id: int
    is_crop: bool = False


@dataclass
class _Seen:
    """The first label of an exclusive set that the import has for a subject.

    `before` is the label that the subject had; `given` whether the import replaced it.
    """

    label: str
    one: PlacedRecord
    before: str | None = None
    given: bool = False
    settled: bool = False  # a label by hand stands, or a conflict was reported


class _Wanted(NamedTuple):
    """A label to give, with everything that is stored with it."""

    set: str
    label: str
    author: Author
    confidence: float
    annotator: str
    is_crop: bool


_Given = tuple[PlacedRecord, int, GivenLabel]  # the id is that of the image or crop


@dataclass
class LabelIntake:
    """Gives the labels of records to images; keeps what is to be reported.

    `sets` maps the label sets of the files to those of the project: labels of others are left out.
    `declared` is what the files declare about their sets. `elsewhere` returns where the label that
    an image has comes from if that place still holds, else "": the label then conflicts with that
    of a record.
    """

    session: Session
    sets: Mapping[str, str]
    declared: Mapping[str, DeclaredSet] = field(default_factory=dict)
    elsewhere: Callable[[int], str] = lambda _: ""
    labelled: int = 0
    kept: int = 0
    parts: dict[int, Part] = field(default_factory=dict)
    new_sets: list[str] = field(default_factory=list)
    new_labels: list[NewLabel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names: dict[str, LabelNames] = {}
        self._seen: dict[_Labelled, _Seen] = {}
        self._places: dict[int, PlacedRecord] = {}  # of the part of each image
        self._images: dict[_Labelled, PlacedRecord] = {}  # with conflicts
        self._conflicts: dict[_Labelled, list[PlacedLabel]] = {}

    @property
    def conflicts(self) -> list[Conflict]:
        """All conflicts, in the order in which they were found."""
        return [
            Conflict(
                self._images[subject].record.path,
                subject.set,
                tuple(labels),
                (self._seen[subject].before or "") if subject in self._seen else "",
                self._images[subject].image,
            )
            for subject, labels in self._conflicts.items()
        ]

    def add(self, records: Sequence[PlacedRecord]) -> None:
        """Give the labels of some records, within an open edit."""
        kept = self._kept(records)
        self._declare(records, kept)
        sets = self.session.store.labels.sets()
        crops = self._crops(records)
        by_set: dict[tuple[str, bool], list[_Given]] = {}
        for one in records:
            self._add_part(one)
            for given in one.record.labels:
                name = self.sets.get(given.set, "")
                if (name, one.image) in kept:
                    self._keep(name, one, given, kept[name, one.image])
                elif name:
                    by_set.setdefault((name, False), []).append((one, one.image, given))
            for name, subject, given in (
                self._of_regions(one, crops, sets) if one.record.regions else ()
            ):
                of_crop = sets[name].subject is Subject.CROP
                by_set.setdefault((name, of_crop), []).append((one, subject, given))
        for (name, is_crop), labels in by_set.items():
            give = self._give_one if sets[name].exclusive else self._give_several
            give(name, is_crop, labels)

    def _keep(self, name: str, one: PlacedRecord, given: GivenLabel, now: Standing) -> None:
        """Note what a record says of an image that keeps its label, to find conflicts."""
        subject, written = _Labelled(name, one.image), tidied(given.label)
        seen = self._seen.get(subject)
        if seen is None:
            by_hand = now.author is Author.HUMAN and now.label != written
            self.kept += by_hand
            self._seen[subject] = _Seen(written, one, now.label, settled=by_hand)
        elif seen.label != written:
            self._conflict(subject, seen, written, one)

    def _of_regions(
        self, one: PlacedRecord, crops: Mapping[int, Iterator[int]], sets: Mapping[str, LabelSet]
    ) -> Iterator[tuple[str, int, GivenLabel]]:
        """Set, crop and label of each label of a region; the image in place of the crop if the set
        describes images."""
        for region in one.record.regions:
            crop = next(crops[one.image])
            for given in region.labels:
                if name := self.sets.get(given.set):
                    of_crop = sets[name].subject is Subject.CROP
                    yield name, crop if of_crop else one.image, given

    # Sets and labels

    def _kept(self, records: Sequence[PlacedRecord]) -> dict[tuple[str, int], Standing]:
        """The labels that images keep because they were given after `kept_since`, by set and
        image."""
        since = {one.image: one.kept_since for one in records if one.kept_since < math.inf}
        labels, found = self.session.store.labels, {}
        for name in {*self.sets.values()} & set(labels.sets()) if since else ():
            for image, now in labels.standing(since, name).items():
                if now.made_at > since[image]:
                    found[name, image] = now
        return found

    def _declare(
        self, records: Sequence[PlacedRecord], kept: Mapping[tuple[str, int], Standing]
    ) -> None:
        """Add missing sets and labels."""
        wanted: dict[str, dict[str, None]] = {}
        on_crops: set[str] = set()
        for one in records:
            for given in one.record.labels:
                name = self.sets.get(given.set)
                if name and (name, one.image) not in kept:
                    wanted.setdefault(name, {})[given.label] = None
            for region in one.record.regions:
                for given in region.labels:
                    if name := self.sets.get(given.set):
                        wanted.setdefault(name, {})[given.label] = None
                        on_crops.add(name)
        for name, labels in wanted.items():
            self._add_labels(name, labels, name in on_crops)

    def _add_labels(self, name: str, written: Iterable[str], on_crops: bool) -> None:
        known = self.session.store.labels.sets()
        declared = next((self.declared[at] for at, to in self.sets.items()
                         if to == name and at in self.declared), DeclaredSet())  # fmt: skip
        if name not in known:
            self.new_sets.append(name)
            subject = Subject.CROP if on_crops else Subject.IMAGE
            before = LabelSet(name, (), subject, declared.exclusive)
            written = [*declared.labels, *written]
        else:
            before = known[name]
        names = self._names_of(name)
        new = {names.equal_or_new(label): None for label in written if names.equal(label) is None}
        new.pop("", None)
        if name in known and not new:
            return
        self.new_labels += [NewLabel(name, label, names.like(label)) for label in new]
        self.session.store.labels.save_set(before.with_labels(tuple(new)))
        self._names[name] = LabelNames([*before.names, *new])

    def _names_of(self, name: str) -> LabelNames:
        if name not in self._names:
            known = self.session.store.labels.sets().get(name)
            self._names[name] = LabelNames(known.names if known is not None else ())
        return self._names[name]

    # Labels

    def _give_one(self, name: str, is_crop: bool, given: Sequence[_Given]) -> None:
        """Give labels of an exclusive set."""
        labels, names = self.session.store.labels, self._names_of(name)
        now = labels.standing({subject for _, subject, _ in given}, name, is_crop)
        wanted: dict[_Labelled, _Wanted] = {}
        for one, id_, label_given in given:
            label = names.equal(label_given.label)
            if label is None:
                continue
            subject = _Labelled(name, id_, is_crop)
            seen = self._seen.get(subject)
            if seen is None:
                if self._first(subject, label, one, now.get(id_)):
                    wanted[subject] = _wanted(name, label, label_given, is_crop)
            elif seen.label != label:
                wanted.pop(subject, None)
                self._conflict(subject, seen, label, one)
        self._assign_each(name, is_crop, wanted)

    def _first(
        self,
        subject: _Labelled,
        label: str,
        one: PlacedRecord,
        current: Standing | None,
    ) -> bool:
        """Note the first label of a subject; return whether it is to be given."""
        seen = self._seen[subject] = _Seen(label, one)
        if current is None:
            seen.given = True
            self.labelled += 1
            return True
        now, author, _ = current
        seen.before = now
        if now == label:
            self.labelled += 1
            return False
        if author is Author.HUMAN:
            seen.settled = True
            self.kept += 1
            return False
        if place := self.elsewhere(one.image):
            self._note(subject, one, _place_given(now, place), _place_given(label, one.place))
            seen.settled = True
            return False
        seen.given = True
        self.labelled += 1
        return True

    def _conflict(self, subject: _Labelled, seen: _Seen, label: str, one: PlacedRecord) -> None:
        """Report another label of a subject, and take back the first one."""
        if seen.settled and subject not in self._conflicts:
            return  # a label by hand decides
        both = _place_given(seen.label, seen.one.place), _place_given(label, one.place)
        self._note(subject, one, *both)
        if seen.settled:
            return
        seen.settled = True
        if seen.given or seen.before == seen.label:
            self.labelled -= 1
        if seen.given:
            back = seen.before
            assign = self._assigner(subject.is_crop)
            assign([subject.id], subject.set, back, Author.IMPORT)

    def _note(self, subject: _Labelled, one: PlacedRecord, *labels: PlacedLabel) -> None:
        found = self._conflicts.setdefault(subject, [])
        self._images.setdefault(subject, one)
        found += [label for label in labels if label not in found]

    def _give_several(self, name: str, is_crop: bool, given: Sequence[_Given]) -> None:
        """Give labels of a set that is not exclusive."""
        names = self._names_of(name)
        groups: dict[_Wanted, dict[int, None]] = {}
        for _, id_, label_given in given:
            label = names.equal(label_given.label)
            if label is not None:
                what = _wanted(name, label, label_given, is_crop)
                groups.setdefault(what, {})[id_] = None
        for what, ids in groups.items():
            self._assign(what, list(ids))
            self.labelled += len(ids)

    def _assign_each(
        self, name: str, is_crop: bool, wanted: Mapping[_Labelled, _Wanted]
    ) -> None:  # fmt: skip
        """Give each subject its label of an exclusive set."""
        plain: list[ImportedLabel] = []
        of_people: dict[_Wanted, list[int]] = {}
        for subject, what in wanted.items():
            if what.annotator:
                of_people.setdefault(what, []).append(subject.id)
            else:
                plain.append(ImportedLabel(subject.id, what.label, what.author, what.confidence))
        if plain:
            self.session.store.labels.assign_each(name, plain, is_crop)
        for what, ids in of_people.items():
            self._assign(what, ids)

    def _assign(self, what: _Wanted, ids: Sequence[int]) -> None:
        assign = self._assigner(what.is_crop)
        assign(ids, what.set, what.label, what.author, what.confidence, what.annotator)

    def _assigner(self, is_crop: bool) -> Callable[..., frozenset[int]]:
        labels = self.session.store.labels
        return labels.assign_crops if is_crop else labels.assign

    # Parts

    def _add_part(self, one: PlacedRecord) -> None:
        part = one.record.part
        if part is None:
            return
        known = self.parts.setdefault(one.image, part)
        first = self._places.setdefault(one.image, one)
        if known is not part:
            both = _place_given(known.value, first.place), _place_given(part.value, one.place)
            self._note(_Labelled(PART_SET, one.image), one, *both)

    @property
    def parts_without_conflict(self) -> dict[int, Part]:
        """The part of each image for which all records have the same one."""
        return {
            image: part
            for image, part in self.parts.items()
            if _Labelled(PART_SET, image) not in self._conflicts
        }

    # Boxes

    def _crops(self, records: Sequence[PlacedRecord]) -> dict[int, Iterator[int]]:
        """Ids of the crops of each image's regions, in their order; missing ones are created."""
        regions: dict[int, list[Region]] = {}
        for one in records:
            if one.record.regions:
                regions.setdefault(one.image, []).extend(one.record.regions)
        if not regions:
            return {}
        store = self.session.store
        files = store.images.files(np.array(list(regions), np.int64))
        known = store.crops.of_images(list(regions))
        new: list[Crop] = []
        found: dict[int, list[Crop]] = {}
        for image, of_image in regions.items():
            size = files[image].width, files[image].height
            existing = [crop for crop in known.get(image, []) if crop.rect is not None]
            face = 1 + max((crop.face for crop in existing), default=-1)
            for region in of_image:
                crop = _placed(region.in_pixels(*size), *size, image, face)
                same = _match(crop, existing)
                if same is None:
                    face += 1
                    new.append(crop)
                    existing.append(crop)
                found.setdefault(image, []).append(crop if same is None else same)
        ids = iter(store.crops.add(new))
        made = {id(crop): next(ids) for crop in new}
        return {
            image: iter([made.get(id(crop)) or crop.id or 0 for crop in crops])
            for image, crops in found.items()
        }


def _place_given(label: str, place: str) -> PlacedLabel:
    return PlacedLabel(label, Message(place))


def _wanted(name: str, label: str, given: GivenLabel, is_crop: bool) -> _Wanted:
    """A label as it is stored: the model's if it gave it, else that of an import, so that labels by
    hand in this project take precedence."""
    author = Author.MODEL if given.author == _MODEL else Author.IMPORT
    return _Wanted(
        name, label, author, given.confidence, given.annotator and tidied(given.annotator), is_crop
    )


def _placed(region: Region, width: int, height: int, image: int, face: int) -> Crop:
    """A new crop for a region in pixels, inside the image."""
    left, top, right, bottom = region.box
    rect = Rect(round(left), round(top), max(round(right), round(left) + 1),
                max(round(bottom), round(top) + 1)).inside(width, height)  # fmt: skip
    return Crop(
        None, image, face, CropState.ADJUSTED, rect, region.points, FROM_FILE, reviewed=True
    )


def _match(crop: Crop, existing: Sequence[Crop]) -> Crop | None:
    """The existing crop of the same box, else one of a detector that is nearly the same."""
    assert crop.rect is not None
    for other in existing:
        if other.rect == crop.rect:
            return other
    near = [
        (other.rect.iou(crop.rect), at)
        for at, other in enumerate(existing)
        if other.rect is not None and other.detector != FROM_FILE
    ]
    best = max(near, default=(0.0, 0))
    return existing[best[1]] if best[0] >= SAME_FACE_IOU else None
