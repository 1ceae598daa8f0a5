"""Labels by hand are single edits, named after what they did; the next open image goes round."""

from __future__ import annotations

import pytest

from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import (
    assign,
    assign_crops,
    edit_set,
    next_unlabelled,
    remove_set,
    rename_label,
)
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.labels import Label, LabelSet


def crops(session: Session, *images: int) -> list[int]:
    square = Rect(0, 0, 5, 5)
    made = [session.store.crops.save(Crop(None, i, 0, CropState.FOUND, square)) for i in images]
    return [crop.id for crop in made if crop.id is not None]


def test_the_next_unlabelled_image_goes_round(session: Session) -> None:
    fill(session.store, 4)
    ids = [4, 2, 1, 3]
    assert next_unlabelled(session, ids, "view", None) == 4
    assign(session, [4, 1], "view", "left")
    assert next_unlabelled(session, ids, "view", 4) == 2
    assert next_unlabelled(session, ids, "view", 2) == 3
    assert next_unlabelled(session, ids, "view", 3) == 2
    assert next_unlabelled(session, ids, "view", 99) == 2
    assign(session, [2], "view", "right")
    assert next_unlabelled(session, ids, "view", 3) == 3  # itself comes last
    assign(session, [3], "view", "right")
    assert next_unlabelled(session, ids, "view", 2) is None


def test_edits_are_named_after_what_they_did(session: Session) -> None:
    fill(session.store, 2)
    one, two = crops(session, 1, 2)
    texts = []
    for label in ("smile", None):
        assign_crops(session, [one], "expression", label)
        texts.append(session.store.history.undo_text())
    for label in ("left", None):
        assign(session, [1, 2], "view", label)
        texts.append(session.store.history.undo_text())
    assign_crops(session, [one, two], "expression", "smile")
    texts.append(session.store.history.undo_text())
    assert texts == [
        "Label 1 mouth “smile”",
        "Clear expression of 1 mouth",
        "Label 2 images “left”",
        "Clear view of 2 images",
        "Label 2 mouths “smile”",
    ]


def test_the_changed_images_are_returned(session: Session) -> None:
    fill(session.store, 3)
    one, two = crops(session, 1, 3)
    assert assign(session, [1, 2], "view", "left") == {1, 2}
    assert assign(session, [2, 3], "view", "left") == {3}
    assert assign_crops(session, [one, two], "expression", "smile") == {1, 3}
    assert assign_crops(session, [one, two], "expression", "smile") == frozenset()
    with pytest.raises(ValueRefused):
        assign(session, [1], "view", "sideways")


def test_a_set_is_changed_and_removed_with_its_labels_as_one_edit(session: Session) -> None:
    fill(session.store, 1)
    edit_set(session, LabelSet("weather", (Label("rain"), Label("sun"))), {})
    assert session.store.history.undo_text() == "Change label set weather"
    assign(session, [1], "weather", "rain")
    edit_set(session, LabelSet("weather", (Label("wet"), Label("sun"))), {"rain": "wet"})
    assert session.store.labels.of_images([1], "weather") == {1: ("wet",)}
    remove_set(session, "weather")
    assert "weather" not in session.store.labels.sets()
    assert session.store.history.undo_text() == "Remove label set weather"
    session.undo()
    assert session.store.labels.get("weather").names == ("wet", "sun")
    assert session.store.labels.of_images([1], "weather") == {1: ("wet",)}


def test_renaming_to_an_existing_label_merges_only_if_that_is_meant(session: Session) -> None:
    fill(session.store, 3)
    edit_set(session, LabelSet("category", tuple(map(Label, ("gull", "sea gull")))), {})
    assign(session, [1], "category", "gull")
    assign(session, [2, 3], "category", "sea gull")
    with pytest.raises(KnownError, match="already has a label “gull”"):
        rename_label(session, "category", "sea gull", "gull")
    assert session.labels.counts("category") == {"gull": 1, "sea gull": 2, "": 0}
    assert rename_label(session, "category", "sea gull", " gull ", merge=True)
    assert session.labels.counts("category") == {"gull": 3, "": 0}
    assert session.history.undo_text() == "Merge label “sea gull” into “gull”"
    session.undo()
    assert session.labels.counts("category") == {"gull": 1, "sea gull": 2, "": 0}
    assert not rename_label(session, "category", "sea gull", "herring gull", merge=True)
    assert session.history.undo_text() == "Rename label “sea gull” to “herring gull”"
    assert session.labels.counts("category") == {"gull": 1, "herring gull": 2, "": 0}
    with pytest.raises(ValueRefused, match="“owl”"):
        rename_label(session, "category", "owl", "gull", merge=True)


def test_a_blank_name_is_no_name_of_a_label(session: Session) -> None:
    edit_set(session, LabelSet("category", (Label("gull"), Label("owl"))), {})
    for blank in ("", " ", "\u200b"):
        with pytest.raises(ValueRefused, match="visible"):
            rename_label(session, "category", "gull", blank)
    assert session.labels.get("category").names == ("gull", "owl")


def test_only_the_case_changes_in_a_rename_and_one_name_has_one_spelling(session: Session) -> None:
    fill(session.store, 1)
    edit_set(session, LabelSet("category", (Label("owl", "O"), Label("H\u00e4her"))), {})
    assign(session, [1], "category", "owl")
    assert not rename_label(session, "category", "owl", "Owl")
    assert session.labels.get("category").labels[0] == Label("Owl", "O")
    assert session.labels.counts("category") == {"Owl": 1, "H\u00e4her": 0, "": 0}
    with pytest.raises(KnownError, match="already has"):
        rename_label(session, "category", "Owl", "Ha\u0308her")
    assert rename_label(session, "category", "Owl", "Ha\u0308her", merge=True)
    assert session.labels.get("category").labels == (Label("H\u00e4her", "O"),)


def test_another_spelling_of_a_set_is_that_set(session: Session) -> None:
    fill(session.store, 1)
    edit_set(session, LabelSet("caf\u00e9", (Label("tea"),)), {})
    assign(session, [1], "caf\u00e9", "tea")
    more = LabelSet("cafe\u0301\u200b", (Label("tea"), Label("juice")))
    edit_set(session, more, {})
    assert session.labels.get("caf\u00e9").names == ("tea", "juice")
    assert "cafe\u0301\u200b" not in session.labels.sets()
    edit_set(session, LabelSet("caf\u00e9\u200b", (Label("chai"), Label("juice"))), {"tea": "chai"})
    assert session.labels.counts("caf\u00e9") == {"chai": 1, "juice": 0, "": 0}
