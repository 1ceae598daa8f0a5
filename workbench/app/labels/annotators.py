"""The people who label a project: what each has done, how well they agree, and second opinions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from pathlib import Path

import numpy as np

from workbench.app.session import AnnotatorReader, Session
from workbench.domain.agreement import (
    Agreement,
    Opinions,
    Ratings,
    cohen,
    fleiss,
    images_an_hour,
    in_bulk,
    ratings,
)
from workbench.domain.datasets import GivenLabel
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.label_names import LabelNames
from workbench.domain.labels import Author, LabelSet, Role, Subject
from workbench.domain.spreadsheets import csv_text, notes_on
from workbench.domain.text import Message, counted, mark
from workbench.domain.values import Cells
from workbench.files import write_whole, writing
from workbench.storage.annotators import NewAnnotation
from workbench.storage.project import Project

HEAD = ("annotator", "labels", "images", "images_an_hour", "last_label")
AGREEMENT_HEAD = ("between", "images", "equal", "kappa", "low", "high")
NO_KAPPA = mark("Kappa is undefined where all labels are equal.")
FLAT_KAPPA = mark(
    "Where one of two people used only one label, kappa is 0 and its interval has no width."
)


@dataclass(frozen=True)
class AnnotatorRow:
    """What one person labelled.

    Numbers of labels (cleared and replaced ones too) and of images, images in an hour of work (NaN
    if unknown, as for imported labels and those given or accepted together), and the time of the
    last label in seconds since the epoch. Decisions on disagreements are no labels of anybody.
    """

    name: str
    labels: int
    images: int
    images_an_hour: float
    last: float

    def cells(self) -> Cells:
        """The values in the order of HEAD; the time as local ISO 8601."""
        hourly = None if isnan(self.images_an_hour) else round(self.images_an_hour)
        last = datetime.fromtimestamp(self.last).isoformat(timespec="seconds")
        return (self.name, self.labels, self.images, hourly, last)


@dataclass(frozen=True)
class AgreementRow:
    """Agreement of `people`: of two persons (Cohen), of one with their own blind repeats (Cohen),
    or of more (Fleiss)."""

    people: tuple[str, ...]
    found: Agreement

    def cells(self) -> Cells:
        """The values in the order of AGREEMENT_HEAD."""
        who = " – ".join(self.people) if len(self.people) > 1 else f"{self.people[0]} (repeated)"
        found = self.found
        return (who, found.count, found.share, found.kappa, found.low, found.high)


@dataclass(frozen=True)
class Disagreement:
    """A subject that people labelled differently.

    `crop` is None for a set of images. `opinions` are pairs of a name and a label, `current` is the
    current label, "" without one.
    """

    image: int
    crop: int | None
    opinions: tuple[tuple[str, str], ...]
    current: str


@dataclass(frozen=True)
class SetAgreement:
    """Agreement on one label set: a row for all people if they are more than two, for each pair and
    for each person with repeats; and the disagreements that are not settled by a decision."""

    label_set: str
    rows: tuple[AgreementRow, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()

    @property
    def undefined(self) -> bool:
        """Whether a row has no kappa, because all labels are equal."""
        return any(isnan(row.found.kappa) for row in self.rows)

    def notes(self) -> list[str]:
        """What is to be known about figures of the rows, as marked texts."""
        flat = any(row.found.flat for row in self.rows)
        return [NO_KAPPA] * self.undefined + [FLAT_KAPPA] * flat


def annotator_table(session: Session) -> list[AnnotatorRow]:
    """A row for each person who labelled, in alphabetical order."""
    moments = session.store.annotators.moments()
    rows = []
    for id_, name in session.store.annotators.names().items():
        own = moments.annotators == id_
        if not own.any():
            continue
        images, made = moments.images[own], moments.made[own]
        by_hand = moments.by_hand[own] & ~in_bulk(made, moments.accepted[own])
        hourly = images_an_hour(made[by_hand], images[by_hand])
        distinct = len(np.unique(images))
        rows.append(AnnotatorRow(name, len(made), distinct, hourly, int(made.max()) / 1e6))
    return rows


def not_rated(name: str) -> KnownError:
    """Why there is no agreement on a label set that is not exclusive: its labels are added to those
    of others, so that nobody's own choice is known."""
    return KnownError(
        "“{name}” has several labels per image, so agreement is not computed.",
        "Choose a label set whose labels exclude each other.",
        name=name,
    )


def rated_sets(session: Session) -> list[str]:
    """Label sets for which agreement is computed: the exclusive ones."""
    return [name for name, one in session.store.labels.sets().items() if one.exclusive]


def unrated_sets(session: Session) -> list[str]:
    """Label sets that are not exclusive, of which a named person has given a label."""
    found = session.store.annotators
    return [
        name
        for name, one in session.store.labels.sets().items()
        if not one.exclusive and len(found.opinions(name).labels)
    ]


def agreement(session: Session, label_set: str) -> SetAgreement:
    """Agreement of people on an exclusive set, from the last label of each on each image.

    Raises ValueRefused for an unknown set, KnownError for one that is not exclusive.
    """
    known = session.store.labels.get(label_set)
    if not known.exclusive:
        raise not_rated(label_set)
    opinions = session.store.annotators.opinions(label_set)
    held = ratings(opinions)
    names = session.store.annotators.names()
    people = sorted(held.annotators, key=list(names).index)
    rows = _rows(held, people, names, len(known.labels))
    newest: dict[int, int] = dict(
        zip(opinions.subjects.tolist(), opinions.made.tolist(), strict=True)  # oldest first
    )
    decided = session.store.annotators.decisions(label_set)
    disputed = [
        at
        for at, subject in zip(
            held.disputed(), held.subjects[held.disputed()].tolist(), strict=True
        )
        if decided.get(subject, -1) < newest[subject]
    ]
    return SetAgreement(label_set, tuple(rows), _disagreements(session, known, held, disputed))


def _rows(
    held: Ratings, people: Sequence[int], names: dict[int, str], labels: int
) -> list[AgreementRow]:
    column = {person: held.labels[:, held.annotators.index(person)] for person in people}
    rows = []
    if len(people) > 2 and len(held.shared()):
        everyone = tuple(names[person] for person in people)
        rows.append(AgreementRow(everyone, fleiss(held.labels, labels)))
    for at, first in enumerate(people):
        for second in people[at + 1 :]:
            found = cohen(column[first], column[second], labels)
            if found.count:
                rows.append(AgreementRow((names[first], names[second]), found))
    for person in people:
        if person in held.repeats:
            earlier, repeated = np.array(held.repeats[person], np.int64).T
            rows.append(AgreementRow((names[person],), cohen(earlier, repeated, labels)))
    return rows


def _disagreements(
    session: Session, label_set: LabelSet, held: Ratings, disputed: Sequence[int]
) -> tuple[Disagreement, ...]:
    crops = label_set.subject is Subject.CROP
    subjects = held.subjects[disputed].tolist()
    labels = session.store.labels
    read = labels.of_crops if crops else labels.of_images
    current = read(subjects, label_set.name)
    names = session.store.annotators.names()
    found = []
    for at, subject in zip(disputed, subjects, strict=True):
        pairs = sorted(
            (names[person], label_set.names[label])
            for person, label in zip(held.annotators, held.labels[at].tolist(), strict=True)
            if label >= 0
        )
        now = ", ".join(current.get(subject, ()))
        image = int(held.images[at])
        found.append(Disagreement(image, subject if crops else None, tuple(pairs), now))
    return tuple(found)


def decide(session: Session, found: Disagreement, label_set: str, label: str) -> None:
    """Settle a disagreement by the label that stands from now on, as one edit.

    The opinions stay as they are. Raises ValueRefused for an unknown set or label.
    """
    with session.edit(Message("Decide “{label}”", label=label)):
        subjects = [found.image if found.crop is None else found.crop]
        session.store.labels.decide(subjects, label_set, label, crops=found.crop is not None)


def give_opinion(session: Session, images: Iterable[int], label_set: str, label: str) -> None:
    """Store a label given without seeing the current ones, which stay, as one edit.

    Raises KnownError if nobody's name is chosen.
    """
    if not session.annotator:
        raise KnownError(
            "A second opinion needs the name of the person who gives it.",
            "Choose your name in Label → Annotator….",
        )
    ids = list(images)
    text = counted(len(ids), "Second opinion on {n:,} image", "Second opinion on {n:,} images")
    session.store.labels.get(label_set).index(label)
    with session.edit(text):
        session.store.annotators.add_opinions(
            label_set,
            [
                NewAnnotation(one, None, label, session.annotator, Author.HUMAN, Role.BLIND, 0)
                for one in ids
            ],
        )


def known_annotator(people: AnnotatorReader, name: str) -> int:
    """Id of the annotator called `name`, whatever its case. Raises ValueRefused, listing the names,
    if there is none."""
    names = people.names()
    known = LabelNames(names.values())
    found = known.equal(name) or known.like(name)
    if not found:
        raise ValueRefused(Message("annotator"), name, ", ".join(names.values()) or Message("none"))
    return next(id_ for id_, one in names.items() if one == found)


def labels_given_by(
    store: Project, annotator: str
) -> tuple[dict[int, list[GivenLabel]], dict[int, list[GivenLabel]]]:
    """The last labels of a person by image, and by crop, also where they are not current.

    Raises ValueRefused for an unknown name.
    """
    person = known_annotator(store.annotators, annotator)
    name = store.annotators.names()[person]
    labels: dict[int, list[GivenLabel]] = {}
    of_crops: dict[int, list[GivenLabel]] = {}
    for one in store.labels.sets().values():
        found = labels if one.subject is Subject.IMAGE else of_crops
        for subject, at in _last_labels(store.annotators.opinions(one.name), person, one.exclusive):
            given = GivenLabel(one.name, one.names[at], Author.HUMAN.value, annotator=name)
            found.setdefault(subject, []).append(given)
    return labels, of_crops


def _last_labels(given: Opinions, person: int, exclusive: bool) -> list[tuple[int, int]]:
    """Pairs of a subject and the position of a person's last label; blind repeats replace none."""
    own = given.annotators == person
    last: dict[tuple[int, int], tuple[int, int]] = {}
    rows = (given.subjects[own], given.labels[own], given.blind[own])
    for subject, label, blind in zip(*(column.tolist() for column in rows), strict=True):
        key = (subject, -1 if exclusive else label)
        if not (blind and key in last):
            last[key] = (subject, label)
    return list(last.values())


def write_table(session: Session, path: Path) -> list[Message]:
    """Write the table of annotators as CSV; the file is replaced when complete.

    Returns notes on what was changed for spreadsheets. Raises KnownError if it cannot be written.
    """
    text = csv_text([HEAD, *(row.cells() for row in annotator_table(session))])
    with writing(path):
        write_whole(path, text.encode())
    return notes_on(text)
