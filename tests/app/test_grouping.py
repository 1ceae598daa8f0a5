"""Groups by label, folder, name and time, which no split divides."""

import dataclasses
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.stored_images import fill, found
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here, run_to_end
from workbench.app.training.grouping import group_steps
from workbench.app.training.splitting import split, split_remarks, split_report, split_task
from workbench.domain.errors import ValueRefused
from workbench.domain.reports import Note
from workbench.domain.splits import GroupBy, Grouping, SplitPlan


def at(number, path):
    """An image at a path of its source."""
    return dataclasses.replace(found(number), path=path)


def groups_of(session, by, value="", number=0):
    """The groups of several images, as sets of paths."""
    groups = run_to_end(group_steps(session.store, Grouping(by, value, number)))
    members = defaultdict(set)
    for image, _, path in session.store.images.places():
        if image in groups:
            members[groups[image]].add(path)
    return sorted(sorted(paths) for paths in members.values() if len(paths) > 1)


@pytest.fixture
def nests(session):
    source = session.store.images.add_source("/p")
    paths = ["a/1/x_7.jpg", "a/1/y_8.jpg", "a/2/z_7.jpg", "b/1/x_8.jpg", "b/w.jpg"]
    images = [at(i, path) for i, path in enumerate(paths)]
    session.store.images.add(source, images)
    return session


def test_folders_at_a_level_are_groups(nests):
    a, b = ["a/1/x_7.jpg", "a/1/y_8.jpg", "a/2/z_7.jpg"], ["b/1/x_8.jpg", "b/w.jpg"]
    assert groups_of(nests, GroupBy.FOLDER, number=1) == [a, b]
    assert groups_of(nests, GroupBy.FOLDER, number=2) == [a[:2]]
    assert groups_of(nests, GroupBy.FOLDER) == [a[:2]]


def test_the_first_group_of_a_pattern_is_the_group(nests):
    assert groups_of(nests, GroupBy.PATTERN, r"_(\d)\.") == [
        ["a/1/x_7.jpg", "a/2/z_7.jpg"],
        ["a/1/y_8.jpg", "b/1/x_8.jpg"],
    ]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("(a", "parenthesis at character"), ("a+", "no group"), ("", "no group")],
)
def test_a_wrong_pattern_is_refused(nests, pattern, reason):
    with pytest.raises(ValueRefused, match=reason):
        groups_of(nests, GroupBy.PATTERN, pattern)


def test_a_pattern_that_would_run_for_years_is_refused(session):
    source = session.store.images.add_source("/p")
    session.store.images.add(source, [at(1, "a" * 60 + "!.jpg")])
    with pytest.raises(ValueRefused, match="too long"):
        groups_of(session, GroupBy.PATTERN, r"^((a+)+)+$")


def test_an_image_in_two_places_joins_their_groups(session):
    source = session.store.images.add_source("/p")
    places = [(1, "a/1.jpg"), (2, "a/2.jpg"), (2, "b/2.jpg"), (3, "b/3.jpg"), (4, "c/4.jpg")]
    session.store.images.add(source, [at(i, path) for i, path in places])
    assert groups_of(session, GroupBy.FOLDER) == [["a/1.jpg", "a/2.jpg", "b/2.jpg", "b/3.jpg"]]


def test_labels_are_groups_and_unlabelled_images_are_not(session):
    fill(session.store, 6)
    session.store.labels.assign([1, 2], "view", "left")
    session.store.labels.assign([3, 4], "view", "front")
    groups = run_to_end(group_steps(session.store, Grouping(GroupBy.LABELS, "view")))
    assert groups[1] == groups[2] != groups[3] == groups[4]
    assert set(groups) == {1, 2, 3, 4}
    with pytest.raises(ValueRefused, match="nest"):
        run_to_end(group_steps(session.store, Grouping(GroupBy.LABELS, "nest")))


def test_images_taken_shortly_after_another_are_a_group(session, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for minute in (0, 4, 8, 20, None):
        exif = Image.Exif()
        if minute is not None:
            exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:{minute:02}:00"
        pixels = np.full((8, 8, 3), 10 + (minute or 99), np.uint8)
        Image.fromarray(pixels).save(folder / f"{minute}.jpg", exif=exif)
    assert isinstance(run_here(import_task(session, [folder])), Done)
    assert groups_of(session, GroupBy.TIME, number=5) == [["0.jpg", "4.jpg", "8.jpg"]]
    assert groups_of(session, GroupBy.TIME, number=3) == []
    assert groups_of(session, GroupBy.TIME, number=12) == [["0.jpg", "20.jpg", "4.jpg", "8.jpg"]]


def test_no_group_is_divided_and_the_difference_is_reported(session):
    source = session.store.images.add_source("/p")
    sizes = {"a": 12, "b": 4, "c": 3, "d": 1}
    paths = [f"{name}/{i}.jpg" for name, size in sizes.items() for i in range(size)]
    session.store.images.add(source, [at(i, path) for i, path in enumerate(paths)])
    for seed in range(4):
        split(session, SplitPlan(0.5, 0.0, 0.5, seed, Grouping(GroupBy.FOLDER)))
        parts = session.store.splits.parts()
        of_folder = defaultdict(set)
        for image, _, path in session.store.images.places():
            of_folder[path[0]].add(parts[image])
        assert all(len(found) == 1 for found in of_folder.values())
    (remark, _) = split_report(session).remarks()
    assert remark == "The train part has 60.0 % of the images instead of 50.0 %."


def notes_of(session, plan):
    """The notes of drawing a split, and whether each is a warning."""
    steps = []
    assert isinstance(run_here(split_task(session, plan), steps.append), Done)
    return [(str(note.text), note.warning) for note in steps if isinstance(note, Note)]


def test_groups_and_images_without_one_are_reported(nests):
    rule = Grouping(GroupBy.PATTERN, r"_(7)")
    assert notes_of(nests, SplitPlan(0.5, 0.0, 0.5, grouping=rule)) == [
        ("1 group of several images, of at most 2.", False),
        ("The paths of 3 images do not match; each is a group of its own.", True),
    ]
    rule = Grouping(GroupBy.TIME, number=5)
    none, alone = notes_of(nests, SplitPlan(0.5, 0.0, 0.5, grouping=rule))
    assert none == ("No images form a group: the split is drawn as without groups.", True)
    assert alone == ("5 images have no capture time; each is a group of its own.", True)


def test_what_folds_do_not_hold_is_reported_for_each(nests):
    for image in nests.images.ids().tolist():
        nests.store.labels.assign([image], "view", "front" if image < 4 else "left")
    rule = Grouping(GroupBy.FOLDER, number=1)
    split(nests, SplitPlan(1.0, 0.0, 0.0, grouping=rule, folds=2))
    remarks = list(map(str, split_remarks(nests)))
    assert "Fold 1: Labels of view without training images: front." in remarks
    assert "Fold 2: Labels of view without training images: left." in remarks
