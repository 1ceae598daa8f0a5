"""Tables of annotators, agreement from what several people labelled, and decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.stored_images import fill
from workbench.app.labels.annotators import (
    Disagreement,
    agreement,
    annotator_table,
    decide,
    give_opinion,
    rated_sets,
    write_table,
)
from workbench.app.labels.labelling import assign, edit_set
from workbench.app.session import Session
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.images import ImageFilter
from workbench.domain.labels import Author, Label, LabelSet
from workbench.domain.text import Message


@pytest.fixture
def images(session: Session) -> Session:
    fill(session.store, 6)
    return session


def label(session: Session, person: str, label: str | None, *images: int) -> None:
    session.set_annotator(person)
    assign(session, images, "view", label)


def opinion(session: Session, person: str, label: str, *images: int) -> None:
    session.set_annotator(person)
    give_opinion(session, images, "view", label)


def rows(session: Session) -> list[tuple[object, ...]]:
    found = agreement(session, "view").rows
    return [(*row.people, row.found.count, round(row.found.share, 3)) for row in found]


def test_the_table_counts_labels_and_images_of_each_person(images: Session) -> None:
    assert annotator_table(images) == []
    label(images, "", "left", 6)
    label(images, "ben", "left", 1, 2)
    label(images, "ben", "right", 1)
    label(images, "Ann", "left", 3)
    table = annotator_table(images)
    assert [(row.name, row.labels, row.images) for row in table] == [("Ann", 1, 1), ("ben", 3, 2)]
    last = max(one.made_at for one in images.labels.history(1))
    assert table[1].last == pytest.approx(last)
    assert table[0].cells()[:4] == ("Ann", 1, 1, None)


def test_the_table_is_saved_without_formulas(images: Session, tmp_path: Path) -> None:
    label(images, "=Ann", "left", 3)
    write_table(images, tmp_path / "table.csv")
    head, row = (tmp_path / "table.csv").read_text("utf-8").splitlines()
    assert head.startswith("annotator,")
    assert row.startswith("'=Ann,1,1,")


def test_two_people_agree_by_cohens_kappa(images: Session) -> None:
    label(images, "Ann", "left", 1, 2, 3)
    label(images, "Ann", "right", 4, 5)
    label(images, "Ben", "left", 1, 2, 4)
    label(images, "Ben", "right", 5, 6)
    found = agreement(images, "view")
    (row,) = found.rows
    assert (row.people, row.found.count, row.found.share) == (("Ann", "Ben"), 4, 0.75)
    assert row.found.kappa == pytest.approx(0.5)  # chance: 1/2 · 3/4 + 1/2 · 1/4
    assert found.disagreements == (
        Disagreement(4, None, (("Ann", "right"), ("Ben", "left")), "left"),
    )


def test_three_people_agree_by_fleiss_kappa_too(images: Session) -> None:
    label(images, "Ann", "left", 1, 2)
    opinion(images, "Ben", "left", 1)
    opinion(images, "Cat", "right", 1, 2)
    assert rows(images) == [
        ("Ann", "Ben", "Cat", 2, 0.167),
        ("Ann", "Ben", 1, 1.0),
        ("Ann", "Cat", 2, 0.0),
        ("Ben", "Cat", 1, 0.0),
    ]
    assert images.labels.counts("view")["left"] == 2, "opinions leave the labels as they are"


def test_blind_repeats_count_for_the_person_alone(images: Session) -> None:
    label(images, "Ann", "left", 1, 2, 3)
    label(images, "Ben", "left", 1)
    opinion(images, "Ann", "left", 1, 2)
    opinion(images, "Ann", "right", 3)
    assert rows(images) == [("Ann", "Ben", 1, 1.0), ("Ann", 3, 0.667)]
    assert agreement(images, "view").disagreements == ()


def test_a_decision_settles_a_disagreement_until_someone_disagrees_again(images: Session) -> None:
    label(images, "Ann", "left", 1, 2)
    label(images, "Ben", "right", 1, 2)
    first, second = agreement(images, "view").disagreements
    images.set_annotator("Cat")
    decide(images, first, "view", "right")
    assert agreement(images, "view").disagreements == (second,)
    decide(images, second, "view", "left")
    assert agreement(images, "view").disagreements == ()
    assert images.labels.counts("view")["left"] == images.labels.counts("view")["right"] == 1
    assert rows(images) == [("Ann", "Ben", 2, 0.0)], "a decision is no rating"
    images.undo()
    assert agreement(images, "view").disagreements == (second,)
    opinion(images, "Dan", "back", 1)
    assert [one.image for one in agreement(images, "view").disagreements] == [1, 2]


def test_agreement_needs_an_exclusive_set(images: Session) -> None:
    edit_set(images, LabelSet("traits", (Label("a"),), exclusive=False), {})
    assert rated_sets(images) == ["category", "view", "expression"]
    with pytest.raises(KnownError, match="several labels per image"):
        agreement(images, "traits")
    with pytest.raises(ValueRefused):
        agreement(images, "none")
    assert agreement(images, "expression").rows == ()


def test_an_opinion_needs_a_name_and_a_known_label(images: Session) -> None:
    with pytest.raises(KnownError, match="needs the name"):
        give_opinion(images, [1], "view", "left")
    with pytest.raises(ValueRefused):
        opinion(images, "Ann", "top", 1)
    assert annotator_table(images) == []


def test_images_are_filtered_by_who_labelled_them(images: Session) -> None:
    label(images, "Ann", "left", 1, 2, 3)
    label(images, "Ben", "right", 2)
    label(images, "Ann", None, 3)
    opinion(images, "Cat", "left", 4)

    def seen(name: str) -> list[int]:
        return images.images.ids(ImageFilter(annotator=name)).tolist()

    assert [seen(name) for name in ("Ann", "ben", "Cat", "Dan")] == [[1, 2], [2], [4], []]


def test_imported_labels_count_for_their_people_but_not_as_work(images: Session) -> None:
    for image in (1, 2, 3):
        images.store.labels.assign([image], "view", "left", Author.IMPORT, annotator="Ben")
    (row,) = annotator_table(images)
    assert row.cells()[:4] == ("Ben", 3, 3, None)


def test_suggestions_accepted_together_are_not_work_by_hand(images: Session) -> None:
    for image in (1, 2):
        label(images, "Ann", "left", image)
    alone = annotator_table(images)[0].images_an_hour
    with images.edit(Message("Accept")):
        for image in (3, 4, 5):
            images.store.labels.assign([image], "view", "left", confidence=0.9)
    (row,) = annotator_table(images)
    assert (row.images, row.images_an_hour) == (5, alone)
