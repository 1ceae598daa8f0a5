"""What differs between two versions, by image, label, mouth and part."""

from __future__ import annotations

import msgspec

from workbench.domain.labels import Label, LabelSet
from workbench.domain.versions import (
    CHANGE_HEAD,
    ChangedThing,
    Difference,
    VersionContent,
    VersionCrop,
    VersionFile,
    VersionImage,
    VersionLabel,
    VersionPlace,
    change_cells,
    compare_versions,
    count_changes,
)

FRONT = VersionLabel("view", "front", "human", 1.0)
BACK = VersionLabel("view", "back", "model", 0.75)
MOUTH = VersionCrop(0, "found", 1, 2, 3, 4, "[]", "dlib", 0, "")


def content(parts=None, sets=(), **images: VersionImage) -> VersionContent:
    """The images by their hash; each has a file `HASH.jpg`."""
    file = VersionFile(640, 480, "", 0)
    files = {
        name: encoded(
            msgspec.structs.replace(
                file, places=(VersionPlace("/photos", "folder", f"{name}.jpg", 1, 1),)
            )
        )
        for name in images
    }
    states = {name: encoded(image) for name, image in images.items()}
    return VersionContent(states, files, parts or {}, tuple(sets))


def encoded(structure: msgspec.Struct) -> str:
    return msgspec.json.encode(structure).decode()


def differences(before: VersionContent, after: VersionContent) -> list[tuple[str, ...]]:
    """The cells of all differences, without the hash."""
    found = [change for change in compare_versions(before, after) if change is not None]
    assert all(change.hash + ".jpg" == change.path for change in found if change.hash)
    return [change_cells(change)[:-1] for change in found]


def images(*labels: VersionLabel, crops: tuple[VersionCrop, ...] = ()) -> VersionImage:
    return VersionImage(tuple(sorted(labels)), crops)


def test_equal_contents_do_not_differ():
    one = content({"a": 0}, [LabelSet("view")], a=images(FRONT, crops=(MOUTH,)))
    assert differences(one, one) == []


def test_images_come_and_go_with_their_labels():
    before, after = content({"a": 0}, a=images(FRONT)), content(b=images(BACK))
    assert differences(before, after) == [
        ("image", "removed", "a.jpg", "", "", "", ""),
        ("label", "removed", "a.jpg", "view", "front", "", ""),
        ("part", "removed", "a.jpg", "", "train", "", ""),
        ("image", "added", "b.jpg", "", "", "", ""),
        ("label", "added", "b.jpg", "view", "", "back", "model"),
    ]


def test_a_label_for_another_is_one_change_by_who_gave_it():
    before, after = content(a=images(BACK)), content(a=images(FRONT))
    assert differences(before, after) == [
        ("label", "changed", "a.jpg", "view", "back", "front", "human")
    ]
    assert differences(after, before) == [
        ("label", "changed", "a.jpg", "view", "front", "back", "model")
    ]


def test_a_confirmed_label_has_another_author():
    confirmed = VersionLabel("view", "back", "human", 1.0)
    assert differences(content(a=images(BACK)), content(a=images(confirmed))) == [
        ("label", "changed", "a.jpg", "view", "back", "back", "human")
    ]


def test_several_labels_of_a_set_are_compared_one_by_one():
    traits = [VersionLabel("traits", name, "human", 1.0) for name in ("big", "red", "wet")]
    known = [LabelSet("traits", tuple(Label(one.label) for one in traits), exclusive=False)]
    before = content(a=images(*traits[:2]))
    after = content(sets=known, a=images(traits[1], traits[2], FRONT))
    found = differences(before, after)
    assert [one for one in found if one[0] == "label"] == [
        ("label", "changed", "a.jpg", "traits", "big", "wet", "human"),
        ("label", "added", "a.jpg", "view", "", "front", "human"),
    ]


def test_mouths_and_their_labels():
    smile = VersionLabel("expression", "smile", "human", 1.0)
    moved = msgspec.structs.replace(MOUTH, state="adjusted", left=9, labels=(smile,))
    before, after = content(a=images(crops=(MOUTH,))), content(a=images(crops=(moved, MOUTH)))
    assert differences(before, after) == [
        ("mouth", "changed", "a.jpg", "", "found [1, 2, 3, 4]", "adjusted [9, 2, 3, 4]", ""),
        ("label", "added", "a.jpg", "expression", "", "smile", "human"),
        ("mouth", "added", "a.jpg", "", "", "found [1, 2, 3, 4]", ""),
    ]


def test_parts_and_label_sets():
    red = LabelSet("colour", (Label("red"),))
    before = content({"a": 0, "b": 1}, [LabelSet("view")], a=images(), b=images())
    after = content({"a": 2}, [red], a=images(), b=images())
    assert differences(before, after) == [
        ("label set", "added", "", "colour", "", "red", ""),
        ("label set", "removed", "", "view", "", "", ""),
        ("part", "changed", "a.jpg", "", "train", "test", ""),
        ("part", "removed", "b.jpg", "", "validation", "", ""),
    ]


def test_differences_are_counted_in_the_order_of_their_kinds():
    before = content({"a": 0}, a=images(FRONT), b=images(FRONT))
    after = content(a=images(BACK), c=images())
    changes = [change for change in compare_versions(before, after) if change is not None]
    assert list(count_changes(changes).items()) == [
        ((ChangedThing.IMAGE, Difference.ADDED), 1),
        ((ChangedThing.IMAGE, Difference.REMOVED), 1),
        ((ChangedThing.LABEL, Difference.CHANGED), 1),
        ((ChangedThing.LABEL, Difference.REMOVED), 1),
        ((ChangedThing.PART, Difference.REMOVED), 1),
    ]
    assert len(change_cells(changes[0])) == len(CHANGE_HEAD)


def test_a_long_comparison_can_be_stopped():
    many = {f"i{number}": images(FRONT) for number in range(2500)}
    steps = list(compare_versions(content(), content(**many)))
    assert steps.count(None) == 3
