"""Labels, boxes and parts that files give to images: the one way in for all formats.

Records are added batch by batch, in the owner's thread. A record never replaces a label by hand;
labels that their file has by hand are stored as such. Several labels of an exclusive set for one
image are a conflict: none of them is given, and the image keeps what it had before the import.
Labels of boxes are given to crops: where the label set describes images, a set of crops beside it
gets them.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from workbench.app.labels.reading import PlacedRecord
from workbench.app.mouths.box_crops import BoxCrops
from workbench.app.session import Session
from workbench.domain.datasets import MAIN_SET, DeclaredSet, GivenLabel
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.import_reports import (
    ChangedLabel,
    Conflict,
    Decision,
    DecisionKind,
    NewLabel,
    PlacedLabel,
    Skipped,
)
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import Author, LabelSet, Subject
from workbench.domain.splits import Part
from workbench.domain.text import Message
from workbench.storage.bulk_labels import ImportedLabel
from workbench.storage.labels import Standing

_HUMAN = Author.HUMAN.value
PART_SET = ""  # of conflicts between parts of a split
OBJECTS = "object"  # label set of boxes in formats that do not name label sets


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
    before: Standing | None = None
    given: bool = False
    settled: bool = False  # a label by hand stands, or a conflict was reported


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
    equal: int = 0
    kept: int = 0
    parts: dict[int, Part] = field(default_factory=dict)
    new_sets: list[str] = field(default_factory=list)
    new_labels: list[NewLabel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names: dict[str, LabelNames] = {}
        self._invisible: list[Skipped] = []
        self._box_sets: dict[tuple[str, str], str] = {}  # by own set and that of the project
        self._redirected: dict[tuple[str, str], Decision] = {}  # by file and own set
        self._written: set[tuple[str, str]] = set()  # set and label, as records have them
        self.boxes = BoxCrops(self.session)
        self._seen: dict[_Labelled, _Seen] = {}
        self._changed: dict[_Labelled, ChangedLabel] = {}
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
                self._kept_label(subject),
                self._images[subject].image,
            )
            for subject, labels in self._conflicts.items()
        ]

    def _kept_label(self, subject: _Labelled) -> str:
        before = self._seen[subject].before if subject in self._seen else None
        return before.label if before is not None else ""

    @property
    def changed(self) -> list[ChangedLabel]:
        """The labels that were replaced."""
        return list(self._changed.values())

    @property
    def decisions(self) -> list[Decision]:
        """What was decided about boxes."""
        return [*self._redirected.values(), *self.boxes.decisions]

    @property
    def skipped(self) -> list[Skipped]:
        """Labels and boxes that were not imported."""
        return [*self._invisible, *self.boxes.skipped]

    def add(self, records: Sequence[PlacedRecord]) -> None:
        """Give the labels of some records, within an open edit."""
        self._find_box_sets(records)
        kept = self._kept(records)
        self._declare(records, kept)
        sets = self.session.store.labels.sets()
        crops = self.boxes.add(records)
        by_set: dict[tuple[str, bool], list[_Given]] = {}
        for one in records:
            self._add_part(one)
            for given in one.record.labels:
                name = self.sets.get(given.set, "")
                if (name, one.image) in kept:
                    self._keep(name, one, given, kept[name, one.image])
                elif name:
                    by_set.setdefault((name, False), []).append((one, one.image, given))
            for name, crop, given in self._of_regions(one, crops) if one.record.regions else ():
                by_set.setdefault((name, True), []).append((one, crop, given))
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
            self.equal += now.label == written
            self._seen[subject] = _Seen(written, one, now, settled=by_hand)
        elif seen.label != written:
            self._conflict(subject, seen, written, one)

    def _of_regions(
        self, one: PlacedRecord, crops: Mapping[int, Iterator[int | None]]
    ) -> Iterator[tuple[str, int, GivenLabel]]:
        """Set, crop and label of each label of a region inside the image."""
        for region in one.record.regions:
            crop = next(crops[one.image])
            for given in region.labels if crop is not None else ():
                if (name := self._of_boxes(given.set)) and crop is not None:
                    yield name, crop, given

    # Sets and labels

    def _of_boxes(self, own: str) -> str:
        """The label set that gets the labels that boxes have in the set `own` of their file; "" if
        they are not imported."""
        name = self.sets.get(own, "")
        return name and self._box_sets.get((own, name), name)

    def _find_box_sets(self, records: Sequence[PlacedRecord]) -> None:
        """Find a label set of crops for boxes whose set describes images, or will."""
        found: dict[tuple[str, str], PlacedRecord] = {}
        for one in records:
            for region in one.record.regions:
                for given in region.labels:
                    if name := self.sets.get(given.set, ""):
                        found.setdefault((given.set, name), one)
        if not found:
            return
        sets = self.session.store.labels.sets()
        of_images = {self.sets.get(given.set) for one in records for given in one.record.labels}
        for (own, name), one in found.items():
            if (own, name) not in self._box_sets:
                of_crops = name in sets and sets[name].subject is Subject.CROP
                free = name not in sets and name not in of_images
                self._box_sets[own, name] = name if of_crops or free else boxed_set(own, name, sets)
            self._note_box_set(own, name, one)

    def _note_box_set(self, own: str, name: str, one: PlacedRecord) -> None:
        to = self._box_sets[own, name]
        if to != name and (one.source, own) not in self._redirected:
            text = Message(
                "labels of boxes are imported as the label set “{label_set}”: “{name}” describes"
                " whole images",
                label_set=to,
                name=name,
            )
            self._redirected[one.source, own] = Decision(
                one.source, text, DecisionKind.LABEL_SET, own
            )

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
        wanted: dict[tuple[str, bool], dict[str, None]] = {}
        for one in records:
            for given in one.record.labels:
                name = self.sets.get(given.set)
                if name and (name, one.image) not in kept:
                    self._want(wanted, (name, False), given, one)
            for region in one.record.regions:
                for given in region.labels:
                    if name := self._of_boxes(given.set):
                        self._want(wanted, (name, True), given, one)
        for (name, on_crops), labels in wanted.items():
            self._add_labels(name, labels, on_crops)

    def _want(
        self,
        wanted: dict[tuple[str, bool], dict[str, None]],
        label_set: tuple[str, bool],
        given: GivenLabel,
        one: PlacedRecord,
    ) -> None:
        """Note a label that a set must have; report one that is invisible."""
        labels = wanted.setdefault(label_set, {})
        if given.label not in labels and not tidied(given.label):
            about = Message("{name} ({place})", name=one.record.path, place=one.place)
            self._invisible.append(Skipped(about, Message("the label has no visible character")))
        else:
            labels[given.label] = None

    def _add_labels(self, name: str, written: Iterable[str], on_crops: bool) -> None:
        known = self.session.store.labels.find(name)
        declared = next((self.declared[at] for at, to in self.sets.items()
                         if (self._of_boxes(at) if on_crops else to) == name
                         and at in self.declared), DeclaredSet())  # fmt: skip
        self._written.update((name, label) for label in written)
        if known is None:
            self.new_sets.append(name)
            subject = Subject.CROP if on_crops else Subject.IMAGE
            before = LabelSet(name, (), subject, declared.exclusive)
            barred = declared.of_images if on_crops else ()
            written = [*(one for one in declared.labels if one not in barred), *written]
        else:
            before = known
        names = self._names_of(name)
        new = {names.equal_or_new(label): None for label in written if names.equal(label) is None}
        new.pop("", None)
        if known is not None and not new:
            return
        together = self._names[name] = LabelNames([*before.names, *new])
        order = {label: at for at, label in enumerate((*before.names, *new))}
        for label in new:
            like = together.like(label)
            earlier = like if order.get(like, len(order)) < order[label] else ""
            self.new_labels.append(NewLabel(name, label, earlier))
        self.session.store.labels.save_set(before.with_labels(tuple(new)))

    def finish(self) -> None:
        """Remove new labels that are in conflicts alone, so that nothing has them, within an open
        edit.

        New labels that no record has stay: the files declare them.
        """
        for name in dict.fromkeys(new.set for new in self.new_labels):
            counts, names = self.session.store.labels.counts(name), self._names_of(name)
            # Labels of images that the files declare for images and boxes together.
            sources = {name, *(own for (_, own), to in self._box_sets.items() if to == name)}
            written = {names.equal(label) for at, label in self._written if at in sources}
            unused = {
                new.label
                for new in self.new_labels
                if new.set == name and new.label in written and not counts[new.label]
            }
            if unused:
                self._remove_labels(name, unused)

    def _remove_labels(self, name: str, gone: Collection[str]) -> None:
        """Remove new labels, and their set if it is new and has no others."""
        labels = self.session.store.labels
        self.new_labels = [
            new for new in self.new_labels if new.set != name or new.label not in gone
        ]
        known = labels.get(name)
        left = tuple(label for label in known.labels if label.name not in gone)
        self._names.pop(name)
        if left or name not in self.new_sets:
            labels.save_set(replace(known, labels=left))
        else:
            labels.remove_set(name)
            self.new_sets.remove(name)

    def _names_of(self, name: str) -> LabelNames:
        if name not in self._names:
            known = self.session.store.labels.find(name)
            self._names[name] = LabelNames(known.names if known is not None else ())
        return self._names[name]

    # Labels

    def _give_one(self, name: str, is_crop: bool, given: Sequence[_Given]) -> None:
        """Give labels of an exclusive set."""
        labels, names = self.session.store.labels, self._names_of(name)
        now = labels.standing({subject for _, subject, _ in given}, name, is_crop)
        wanted: dict[_Labelled, ImportedLabel] = {}
        for one, id_, label_given in given:
            label = names.equal(label_given.label)
            if label is None:
                continue
            subject = _Labelled(name, id_, is_crop)
            seen = self._seen.get(subject)
            if seen is None:
                by_hand = label_given.author == _HUMAN
                if self._first(subject, label, one, now.get(id_), by_hand):
                    wanted[subject] = _imported(id_, label, label_given)
            elif seen.label != label:
                wanted.pop(subject, None)
                self._conflict(subject, seen, label, one)
        if wanted:
            labels.assign_each(name, list(wanted.values()), is_crop)

    def _first(
        self,
        subject: _Labelled,
        label: str,
        one: PlacedRecord,
        current: Standing | None,
        by_hand: bool,
    ) -> bool:
        """Note the first label of a subject; return whether it is to be given."""
        seen = self._seen[subject] = _Seen(label, one)
        if current is None:
            seen.given = True
            self.labelled += 1
            return True
        now, author, made_at = seen.before = current
        if now == label:
            self.equal += 1
            seen.given = by_hand and author is not Author.HUMAN
            return seen.given
        if author is Author.HUMAN or made_at > one.kept_since:
            seen.settled = True
            self.kept += author is Author.HUMAN
            return False
        if place := self.elsewhere(one.image):
            self._note(subject, one, _place_given(now, place), _place_given(label, one.place))
            seen.settled = True
            return False
        seen.given = True
        before = PlacedLabel(now, self._earlier_place(made_at))
        self._changed[subject] = ChangedLabel(
            one.record.path, subject.set, before, _place_given(label, one.place), one.image
        )
        return True

    def _earlier_place(self, moment: float) -> Message:
        """Where a label comes from that was given at a moment: the edit that gave it."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
        edit = self.session.store.history.text_at(moment)
        return Message("{edit}, {when}", edit=edit or Message("earlier import"), when=when)

    def _conflict(self, subject: _Labelled, seen: _Seen, label: str, one: PlacedRecord) -> None:
        """Report another label of a subject, and take back the first one."""
        if seen.settled and subject not in self._conflicts:
            return  # a label by hand decides
        both = _place_given(seen.label, seen.one.place), _place_given(label, one.place)
        self._note(subject, one, *both)
        if seen.settled:
            return
        seen.settled = True
        before = seen.before
        equal = before is not None and before.label == seen.label
        self.equal -= equal
        if not seen.given:
            return
        if not equal:
            self.labelled -= self._changed.pop(subject, None) is None
        labels = self.session.store.labels
        assign = labels.assign_crops if subject.is_crop else labels.assign
        assign([subject.id], subject.set, None)
        if before is not None:
            assign([subject.id], subject.set, before.label, before.author)

    def _note(self, subject: _Labelled, one: PlacedRecord, *labels: PlacedLabel) -> None:
        found = self._conflicts.setdefault(subject, [])
        self._images.setdefault(subject, one)
        found += [label for label in labels if label not in found]

    def _give_several(self, name: str, is_crop: bool, given: Sequence[_Given]) -> None:
        """Give labels of a set that is not exclusive."""
        names, labels = self._names_of(name), self.session.store.labels
        before = (labels.of_crops if is_crop else labels.of_images)(
            {id_ for _, id_, _ in given}, name
        )
        wanted: dict[tuple[int, str], ImportedLabel] = {}
        for _, id_, label_given in given:
            label = names.equal(label_given.label)
            if label is not None:
                one = _imported(id_, label, label_given)
                if one.author is Author.HUMAN or (id_, label) not in wanted:
                    wanted[id_, label] = one
        labels.assign_each(name, list(wanted.values()), is_crop)
        equal = sum(label in before.get(id_, ()) for id_, label in wanted)
        self.equal += equal
        self.labelled += len(wanted) - equal

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


def _place_given(label: str, place: str) -> PlacedLabel:
    return PlacedLabel(label, Message(place))


def _imported(id_: int, label: str, given: GivenLabel) -> ImportedLabel:
    """A label as it is stored: by hand or of a model if its file has that, else of an import."""
    author = Author(given.author) if given.author else Author.IMPORT
    return ImportedLabel(id_, label, author, given.confidence, tidied(given.annotator))


def boxed_set(own: str, name: str, sets: Mapping[str, LabelSet]) -> str:
    """The label set of crops for boxes whose labels are those of images in the set `name`."""
    first = OBJECTS if own == MAIN_SET and name == IMPORTABLE_SETS[0] else f"{name} of boxes"
    possible = (first if n == 1 else f"{first} {n}" for n in itertools.count(1))
    return next(one for one in possible if one not in sets or sets[one].subject is Subject.CROP)
