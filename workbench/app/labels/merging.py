"""Merging the labels of another project into this one: what is new, equal and in conflict."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from workbench.app.jobs import Steps, Task
from workbench.app.mouths.cropping import add_by_hand
from workbench.app.project_folders import project_folder
from workbench.app.session import Session
from workbench.domain.crops import SAME_FACE_IOU, Crop
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import Annotation, Author, LabelSet, Role, Subject
from workbench.domain.reports import Progress
from workbench.domain.text import Message
from workbench.storage.annotators import NewAnnotation
from workbench.storage.project import Project

FROM_PROJECT = "project"  # detector of a crop that was created by a merge
STEP = 1000  # labels between two reports of progress
_Place = tuple[int, int | None, tuple[int, int, int, int] | None]  # image, crop, box of a new crop
_Said = tuple[str, _Place, str, str, int]  # set, subject, person, label, microseconds


@dataclass(frozen=True)
class OtherLabel:
    """A label of the other project, for an image of this one.

    `annotator` is a name or "", `made_at` in microseconds. For a label of a mouth, `crop` is its id
    here, or `box` its place if it is not here yet.
    """

    image: int
    label_set: str
    label: str
    annotator: str
    author: Author
    confidence: float
    made_at: int
    role: Role = Role.LABEL
    crop: int | None = None
    box: Rect | None = None

    @property
    def place(self) -> _Place:
        """What is labelled."""
        return (self.image, self.crop, self.box.as_tuple() if self.box is not None else None)


@dataclass(frozen=True)
class LabelConflict:
    """An image, or a mouth of it, that has different labels in the two projects."""

    name: str
    mine: Annotation
    theirs: OtherLabel


class NewSpelling(NamedTuple):
    """A name in the other project that is new here, and the one here that it resembles.

    `label_set` is the set of a label, "" for the name of a set.
    """

    label_set: str
    new: str
    known: str


class RenamedHere(NamedTuple):
    """A label of the other project that was renamed here, or merged into another, since."""

    label_set: str
    earlier: str
    name: str


@dataclass
class MergePlan:
    """What merging another project would do; nothing is changed yet.

    `images` of the other project are in this one too, `missing` are not. `sets` are stored first.
    `added` become current labels, `equal` is the number of current labels that both have,
    `opinions` are labels that people gave there and that stay known besides the current ones.
    `skipped` has label sets that are of another kind here, each with the number of its labels that
    are left out. `new_sets` and `new_labels` (by set) are created. `spellings` are new names that
    differ from those here in case or spaces alone; they stay apart. `renamed` labels get their name
    here.
    """

    name: str
    images: int = 0
    missing: int = 0
    equal: int = 0
    sets: list[LabelSet] = field(default_factory=list)
    added: list[OtherLabel] = field(default_factory=list)
    conflicts: list[LabelConflict] = field(default_factory=list)
    opinions: list[OtherLabel] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    new_sets: list[str] = field(default_factory=list)
    new_labels: dict[str, list[str]] = field(default_factory=dict)
    spellings: list[NewSpelling] = field(default_factory=list)
    renamed: list[RenamedHere] = field(default_factory=list)


def merge_plan_task(session: Session, folder: Path) -> Task[MergePlan]:
    """A job that compares the labels of the project in `folder` with those of this one.

    Images are matched by hash, label sets and labels by name. An older project is upgraded first.
    Raises KnownError at once if it is not a project or is this one; the job fails if it is in use.
    """
    session.check_writable()
    folder, here = project_folder(folder), session.folder
    if folder.resolve() == here.resolve():
        raise KnownError("{name} is this project.", "Choose another one.", name=folder.name)

    def work() -> Steps[MergePlan]:
        with closing(Project.open(folder)) as other, Project.reading(here) as mine:
            yield None
            comparison = _Comparison(mine, other)
            yield from comparison.steps()
        return comparison.plan

    return Task(Message("Compare labels with {name}", name=folder.stem), work, kind="merge")


def merge(
    session: Session,
    plan: MergePlan,
    theirs: Collection[LabelConflict] = (),
    mine: Collection[LabelConflict] = (),
) -> None:
    """Store what is new and decide conflicts in favour of `theirs` or `mine`, as one edit.

    The other labels keep their authors, people and times. Each person's own label stays known. Of
    other conflicts the label here stays current, and the disagreement open.
    """
    with session.edit(Message("Merge labels from {name}", name=plan.name)):
        for label_set in plan.sets:
            session.store.labels.save_set(label_set)
        crops: dict[_Place, int] = {}
        for name, rows in _by_set(session, plan.added, crops):
            session.store.annotators.add_labels(name, rows)
        for name, rows in _by_set(session, plan.opinions, crops):
            session.store.annotators.add_opinions(name, rows)
        for name, rows in _by_set(session, [one.theirs for one in theirs], crops):
            session.store.annotators.replace_labels(name, rows)
        _confirm(session, [one.mine for one in mine])


def _confirm(session: Session, labels: Iterable[Annotation]) -> None:
    """Store current labels as decisions of the present annotator."""
    groups: dict[tuple[str, str, bool], list[int]] = {}
    for one in labels:
        key = (one.label_set, one.label, one.crop is not None)
        groups.setdefault(key, []).append(one.image if one.crop is None else one.crop)
    for (label_set, label, crops), ids in groups.items():
        session.store.labels.decide(ids, label_set, label, crops)


def _by_set(
    session: Session, labels: Iterable[OtherLabel], crops: dict[_Place, int]
) -> Iterator[tuple[str, list[NewAnnotation]]]:
    """Labels to store by their set; missing crops are created, and added to `crops`."""
    sets: dict[str, list[NewAnnotation]] = {}
    for one in labels:
        crop = one.crop
        if one.box is not None:
            if one.place not in crops:
                crops[one.place] = add_by_hand(session, one.image, one.box, FROM_PROJECT).id or 0
            crop = crops[one.place]
        values = (one.image, crop, one.label, one.annotator, one.author, one.role, one.made_at)
        sets.setdefault(one.label_set, []).append(NewAnnotation(*values, one.confidence))
    yield from sets.items()


class _Comparison:
    """Fills a plan from two open projects."""

    def __init__(self, store: Project, other: Project) -> None:
        self._store, self._other = store, other
        self.plan = MergePlan(other.name)
        self._crops: dict[int, list[Crop]] = {}
        self._mine: dict[tuple[str, _Place], list[Annotation]] = {}
        self._given: set[tuple[str, _Place, str]] = set()  # what gets a label ("": any) of a set
        self._said: set[_Said] = set()
        self._left_out: dict[tuple[str, str], str] = {}  # the set here of a label that is skipped

    def steps(self) -> Steps[None]:
        """Compare; yields progress."""
        self._match_images()
        yield None
        self._match_sets()
        for one in self._store.labels.current():
            self._mine.setdefault((one.label_set, (one.image, one.crop, None)), []).append(one)
        yield None
        for name in self._known:
            self._said.update(self._opinions_here(name))
            yield None
        yield from self._compare_labels()
        yield from self._compare_opinions()

    def _compare_labels(self) -> Steps[None]:
        theirs = self._other.labels.current()
        for at, one in enumerate(theirs):
            if at % STEP == 0:
                yield Progress(done=at, total=len(theirs), text=Message("Comparing labels"))
            skipped = self._left_out.get((one.label_set, one.label))
            if skipped is not None and one.image in self._image:
                self.plan.skipped[skipped] += 1
            if (found := self._translated(one)) is not None:
                self._compare(found)

    def _compare_opinions(self) -> Steps[None]:
        for at, opinion in enumerate(self._opinions_there()):
            if at % STEP == 0:
                yield None
            if _said(opinion) not in self._said:
                self.plan.opinions.append(opinion)

    def _match_images(self) -> None:
        here, there = self._store.images.hashes(), self._other.images.hashes()
        self._image = {there[hash_]: here[hash_] for hash_ in there.keys() & here.keys()}
        self.plan.images, self.plan.missing = len(self._image), len(there) - len(self._image)

    def _match_sets(self) -> None:
        """Map pairs (set, label) of the other project to those here; plan what is missing."""
        self._known = self._store.labels.sets()
        theirs = self._other.labels.sets()
        sets = LabelNames(self._known)
        names = {name: LabelNames(one.names) for name, one in self._known.items()}
        meant: dict[tuple[str, str], tuple[str, str]] = {}
        for written, one in theirs.items():
            name = sets.equal_or_new(written)
            labels = names.get(name, LabelNames(()))
            for label in one.names:
                meant[written, label] = (name, self._label_here(name, labels, label))
            self._note_spellings("", sets, [name])
            self._note_spellings(name, labels, [meant[written, label][1] for label in one.names])
        wanted: dict[str, LabelSet] = {}
        self._label: dict[tuple[str, str], tuple[str, str]] = {}
        for pair, (name, label) in meant.items():
            source = theirs[pair[0]]
            new = dataclasses.replace(source, name=name)
            known = wanted.get(name) or self._known.get(name) or new
            if (known.subject, known.exclusive) != (source.subject, source.exclusive):
                self.plan.skipped.setdefault(name, 0)
                self._left_out[pair] = name
                continue
            self._label[pair] = (name, label)
            wanted[name] = known.with_labels((label,))
        changed = (one for one in wanted.values() if one != self._known.get(one.name))
        self.plan.sets.extend(changed)
        for one in self.plan.sets:
            before = self._known.get(one.name)
            if before is None:
                self.plan.new_sets.append(one.name)
            known_names = before.names if before is not None else ()
            added = [label for label in one.names if label not in known_names]
            self.plan.new_labels[one.name] = added

    def _label_here(self, label_set: str, known: LabelNames, written: str) -> str:
        """The label here that one of the other project means: also one that was renamed since the
        projects were copied."""
        name = known.equal_or_new(written)
        if known.equal(name) is not None:
            return name
        now = self._store.labels.present_names(label_set, 0.0).get(name)
        if now is None:
            return name
        self.plan.renamed.append(RenamedHere(label_set, name, now))
        return now

    def _note_spellings(self, label_set: str, known: LabelNames, used: Iterable[str]) -> None:
        for name in used:
            if known.equal(name) is None and (like := known.like(name)):
                self.plan.spellings.append(NewSpelling(label_set, name, like))

    def _translated(self, one: Annotation) -> OtherLabel | None:
        """A label of the other project in the terms of this one; None if it has no place here."""
        pair = self._label.get((one.label_set, one.label))
        if one.image not in self._image or pair is None:
            return None
        return self._placed(
            OtherLabel(
                self._image[one.image],
                *pair,
                one.annotator,
                one.author,
                one.confidence,
                round(one.made_at * 1e6),
                one.role,
            ),
            one.crop,
        )

    def _placed(self, one: OtherLabel, crop: int | None) -> OtherLabel | None:
        """The label with its mouth here, for a crop of the other project."""
        if crop is None:
            return one
        found = self._other.crops.get([crop])
        if not found or found[0].rect is None:
            return None
        rect = found[0].rect
        if one.image not in self._crops:
            self._crops[one.image] = self._store.crops.of_image(one.image)
        boxes = [(mine.rect.iou(rect), mine.id) for mine in self._crops[one.image] if mine.rect]
        overlap, here = max(boxes, default=(0.0, None))
        if overlap >= SAME_FACE_IOU:
            return dataclasses.replace(one, crop=here)
        return dataclasses.replace(one, box=rect)

    def _compare(self, theirs: OtherLabel) -> None:
        key = (theirs.label_set, theirs.place)
        mine = self._mine.get(key, [])
        known = self._known.get(theirs.label_set)
        exclusive = known is None or known.exclusive
        if any(one.label == theirs.label for one in mine):
            self.plan.equal += 1
        elif mine and exclusive:
            name = self._store.images.row(theirs.image).name
            self.plan.conflicts.append(LabelConflict(name, mine[0], theirs))
        elif (once := (*key, "" if exclusive else theirs.label)) not in self._given:
            self._given.add(once)  # two crops or labels there may be one here
            self.plan.added.append(theirs)
            self._said.add(_said(theirs))

    def _opinions_here(self, label_set: str) -> Iterator[_Said]:
        store = self._store
        known = store.labels.get(label_set)
        crops = known.subject is Subject.CROP
        names, found = store.annotators.names(), store.annotators.opinions(label_set)
        columns = (found.images, found.subjects, found.annotators, found.labels, found.made)
        for image, subject, person, label, made in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            place = (image, subject if crops else None, None)
            yield (label_set, place, tidied(names[person]).casefold(), known.names[label], made)

    def _opinions_there(self) -> Iterator[OtherLabel]:
        """Labels that people gave there and that have a place here."""
        names = self._other.annotators.names()
        for label_set in self._other.labels.sets().values():
            crops = label_set.subject is Subject.CROP
            found = self._other.annotators.opinions(label_set.name)
            columns = (found.images, found.subjects, found.annotators, found.labels, found.made)
            for image, subject, person, label, made, blind in zip(
                *(column.tolist() for column in (*columns, found.blind)), strict=True
            ):
                pair = self._label.get((label_set.name, label_set.names[label]))
                if image not in self._image or pair is None:
                    continue
                role = Role.BLIND if blind else Role.LABEL
                here, name = self._image[image], names[person]
                one = OtherLabel(here, *pair, name, Author.HUMAN, 1.0, made, role)
                placed = self._placed(one, subject if crops else None)
                if placed is not None:
                    yield placed


def _said(one: OtherLabel) -> _Said:
    return (one.label_set, one.place, tidied(one.annotator).casefold(), one.label, one.made_at)
