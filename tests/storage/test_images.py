"""Storage of images: places, files, filters and sort orders."""

import dataclasses

import numpy as np
import pytest

from tests.fixtures.stored_images import MTIME, fill, found
from workbench.domain.errors import KnownError
from workbench.domain.formats import Origin
from workbench.domain.images import FoundImage, ImageFilter, SkippedFile, Sort
from workbench.domain.labels import Label, LabelSet
from workbench.domain.predictions import PredictionTable
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.text import Message


def test_the_same_bytes_are_one_image_with_two_files(project, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    first = project.images.add_source(here)
    second = project.images.add_source(there)
    ids = project.images.add(first, [found(1), found(1, folder="copy"), found(2)])
    assert ids == [1, 1, 2]
    assert project.images.add(second, [found(2, folder="z")]) == [2]
    assert project.images.count() == 2
    assert project.images.locations(1) == [(first, "a/image 1.jpg"), (first, "copy/image 1.jpg")]
    assert project.images.by_hash("hash2") == 2
    assert project.images.by_hash("hash3") is None
    assert project.images.path(2) == here / "a/image 2.jpg"
    (there / "z").mkdir(parents=True)
    (there / "z/image 2.jpg").write_bytes(b"")
    assert project.images.path(2) == there / "z/image 2.jpg"  # the place whose file is there


def test_importing_again_adds_nothing_and_is_no_edit(project):
    fill(project, 3)
    with project.edit("again") as edit:
        project.images.add(1, [found(i) for i in range(3)])
    assert not edit.changes
    assert project.images.known_files(1)["a/image 2.jpg"] == (1002, MTIME)
    assert project.images.known_images(1)["a/image 2.jpg"] == found(2)


def test_an_image_whose_file_was_replaced_has_no_file(project):
    fill(project, 2)
    new = FoundImage("a/image 0.jpg", "other", 10, 20, 5, MTIME + 1)
    assert project.images.add(1, [new]) == [3]
    assert project.images.row(1).path == ""
    with pytest.raises(KnownError, match="Image 1 no longer has a file"):
        project.images.path(1)
    assert project.images.row(3).name == "image 0.jpg"


def test_images_of_a_list_are_beside_it_or_at_their_absolute_path(project):
    listed = project.images.add_source("/data/list.txt", Origin.LIST)
    ids = project.images.add(listed, [found(1), FoundImage("/abs/x.jpg", "h", 1, 1, 1, 1.0)])
    assert str(project.images.path(ids[0])) == "/data/a/image 1.jpg"
    assert str(project.images.path(ids[1])) == "/abs/x.jpg"


def test_reasons_of_skipped_files_keep_their_values(project):
    fill(project, 1)
    reason = Message("{format} is not supported", format="GIF")
    project.images.set_skipped(1, [SkippedFile("x.gif", reason)])
    (skipped,) = project.images.skipped(1)
    assert skipped.reason == "GIF is not supported"
    assert (skipped.reason.template, skipped.reason.values) == (reason.template, reason.values)


def test_sources_count_images_and_skipped_files(project):
    fill(project, 3)
    reasons = [SkippedFile("x.jpg", "it is empty"), SkippedFile("y.jpg", "it is no image")]
    project.images.set_skipped(1, reasons)
    assert project.images.skipped(1) == reasons
    source = project.images.sources()[0]
    assert (source.path, source.kind, source.images, source.skipped) == (
        "/photos",
        Origin.FOLDER,
        3,
        2,
    )
    project.images.relink(1, "/moved")
    assert str(project.images.path(1)) == "/moved/a/image 0.jpg"
    project.images.add_source("/other")
    with pytest.raises(KnownError, match="already"):
        project.images.relink(1, "/other")


def test_sources_skipped_files_and_locations_are_in_the_order_of_their_addition(project):
    paths = ["/photos/z", "/photos/a", "/photos/m"]
    ids = [project.images.add_source(path) for path in paths]
    assert [source.path for source in project.images.sources()] == paths
    for folder, source in zip("zam", ids, strict=True):
        project.images.add(source, [found(1, folder=folder)])
    assert project.images.locations(1) == [
        (source, f"{folder}/image 1.jpg") for folder, source in zip("zam", ids, strict=True)
    ]
    reasons = [SkippedFile(name, "it is empty") for name in ("z.jpg", "a.jpg")]
    project.images.set_skipped(ids[1], reasons)
    assert project.images.skipped(ids[1]) == reasons
    assert project.images.skipped(ids[0]) == []
    project.images.set_skipped(ids[1], reasons[:1])
    assert project.images.skipped(ids[1]) == reasons[:1]


def test_an_unknown_image_is_reported(project):
    with pytest.raises(KnownError, match="no image 7"):
        project.images.row(7)
    assert project.images.rows([7]) == []
    assert project.images.ids().tolist() == []


def test_names_are_in_natural_order(project):
    source = project.images.add_source("/p")
    names = ["img10.jpg", "Img2.jpg", "img1.jpg", "b/1.jpg"]
    project.images.add(source, [FoundImage(n, n, 1, 1, 1, 1.0) for n in names])
    shown = [row.path[3:] for row in project.images.rows(project.images.ids())]
    assert shown == ["b/1.jpg", "img1.jpg", "Img2.jpg", "img10.jpg"]
    backwards = project.images.ids(descending=True).tolist()
    assert backwards == project.images.ids().tolist()[::-1]
    assert project.images.ids(sort=Sort.ADDED).tolist() == [1, 2, 3, 4]


@pytest.fixture
def sorted_out(project):
    source = project.images.add_source("/photos")
    kinds = ["gull", "tern", "Auk"]
    project.images.add(
        source,
        [
            found(i, *([("category", kinds[i % 3])] if i < 9 else []), folder=f"day_{i % 2}")
            for i in range(10)
        ],
    )
    project.labels.assign([1, 2], "view", "left")
    project.splits.make(SplitPlan(), {1: Part.TRAIN, 2: Part.TEST, 3: Part.VALIDATION})
    return project


CASES = {
    "a label": (ImageFilter(labels=(("category", "gull"),)), {1, 4, 7}),
    "two labels": (ImageFilter(labels=(("category", "gull"), ("view", "left"))), {1}),
    "no label": (ImageFilter(labels=(("category", None),)), {10}),
    "a part": (ImageFilter(part="test"), {2}),
    "no part": (ImageFilter(part=""), {4, 5, 6, 7, 8, 9, 10}),
    "text, whatever its case": (ImageFilter(text="DAY_1/image 3"), {4}),
    "text with signs": (ImageFilter(text="day%"), set()),
    "text across the source": (ImageFilter(text="photos/day_0"), {1, 3, 5, 7, 9}),
    "ids": (ImageFilter(ids=(3, 99, 2)), {2, 3}),
    "no ids": (ImageFilter(ids=()), set()),
    "a source": (ImageFilter(source=1, labels=(("view", "left"),)), {1, 2}),
    "another source": (ImageFilter(source=2), set()),
    "disagreement without a run": (ImageFilter(disagreement="view"), set()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_filter_finds_exactly_the_matching_images(sorted_out, name):
    wanted, ids = CASES[name]
    assert set(sorted_out.images.ids(wanted).tolist()) == ids


def test_categories_sort_by_name_and_those_without_come_last(sorted_out):
    ids = sorted_out.images.ids(sort=Sort.CATEGORY)
    shown = [row.labels.get("category", ("",))[0] for row in sorted_out.images.rows(ids)]
    assert shown == ["Auk"] * 3 + ["gull"] * 3 + ["tern"] * 3 + [""]
    assert sorted_out.images.row(2).part == "test"


def run_on(project, images, scores, run_id="r1", target="view"):
    names = project.labels.get("view").names
    labels = RunLabels(LabelList("view", names, tuple(range(4))))
    project.runs.create(
        RunRecord(run_id, run_id, RunStatus.FINISHED, target, "", labels, created=1.0)
    )
    count = len(images)
    none = np.full(count, -1)
    project.runs.save_predictions(
        run_id,
        PredictionTable(
            np.array(images),
            none,
            np.full(count, 3),
            none,
            np.array(scores, np.float32),
            none,
            None,
            np.full(count, ""),
        ),
    )


def test_a_runs_predictions_order_and_filter_the_images(sorted_out):
    sure, torn, wrong = [0, 0, 0.9, 0.1], [0, 0.4, 0.3, 0.3], [0.8, 0, 0.2, 0]
    run_on(sorted_out, [1, 2, 3], [sure, wrong, torn])
    doubtful = sorted_out.images.ids(sort=Sort.UNCERTAINTY).tolist()
    assert doubtful[:3] == [3, 2, 1]
    against = ImageFilter(disagreement="view")
    assert sorted_out.images.ids(against).tolist() == [2]
    assert sorted_out.images.ids(sort=Sort.DISAGREEMENT).tolist()[0] == 2
    suggested = sorted_out.runs.suggestions("view", [1, 2, 4])
    assert {k: (n, round(c, 4)) for k, (n, c) in suggested.items()} == {
        1: ("left", 0.9),
        2: ("front", 0.8),
    }
    assert sorted_out.runs.suggestions("category", [1]) == {}


def test_the_most_confident_disagreement_is_first_and_the_rest_by_name(sorted_out):
    sorted_out.labels.assign([3, 4], "view", "left")
    unsure, sure = [0.5, 0.2, 0.2, 0.1], [0.9, 0.1, 0, 0]
    agrees, fair = [0, 0, 1, 0], [0.7, 0.1, 0.1, 0.1]
    run_on(sorted_out, [1, 2, 3, 4, 5], [unsure, sure, agrees, fair, sure])
    by_name = [image for image in sorted_out.images.ids().tolist() if image not in (1, 2, 4)]
    assert sorted_out.images.ids(sort=Sort.DISAGREEMENT).tolist() == [2, 4, 1, *by_name]


def test_labels_that_an_import_adds_come_in_their_order_behind_the_known_ones(project):
    fill(project, 1, [("category", "swan")])
    source = project.images.add_source("/photos")
    labels = [("tern",), ("auk",), ("swan",), ("gull",)]
    project.images.add(
        source, [found(i, *(("category", one) for one in labels[i])) for i in range(4)]
    )
    assert project.labels.get("category").names == ("swan", "auk", "gull", "tern")


def test_the_size_of_each_image_and_none_of_unknown_ones(project):
    assert project.images.sizes(np.array([1, 2])).tolist() == [[0, 0], [0, 0]]
    source = project.images.add_source("/photos")
    sides = [(300, 200), (50, 400), (70, 70)]
    project.images.add(
        source,
        [
            dataclasses.replace(found(i), width=width, height=height)
            for i, (width, height) in enumerate(sides)
        ],
    )
    project.images.remove([1])
    sizes = project.images.sizes(np.array([3, 2, 1, 99]))
    assert sizes.tolist() == [[70, 70], [50, 400], [0, 0], [0, 0]]
    assert project.images.sizes(np.array([2])).tolist() == [[50, 400]]
    assert project.images.sizes(np.array([], np.int64)).shape == (0, 2)


def test_images_of_a_source_with_some_labels_come_by_the_time_of_the_label(project):
    source = project.images.add_source("/photos")
    ids = project.images.add(source, [found(i) for i in range(4)])
    other = project.images.add_source("/more")
    project.images.add(other, [found(9)])
    project.labels.save_set(LabelSet("kind", (Label("a"), Label("b"), Label("c"))))
    for image, label in ((ids[2], "a"), (ids[0], "b"), (ids[1], "a"), (ids[3], "c"), (5, "a")):
        project.labels.assign([image], "kind", label)
    project.labels.assign([ids[1]], "kind", "c")
    listed = project.images.with_labels(source, "kind", ["a", "b"])
    assert listed == [("a/image 2.jpg", "a"), ("a/image 0.jpg", "b")]
    assert project.images.with_labels(source, "kind", []) == []
    assert project.images.with_labels(source, "view", ["a"]) == []
    project.labels.save_set(LabelSet("kind", (Label("b"), Label("c"))))
    assert project.images.with_labels(source, "kind", ["a", "b"]) == [("a/image 0.jpg", "b")]


def test_ids_are_never_given_twice(project):
    ids = fill(project, 3)
    project.images.remove([ids[2]])
    source = project.images.add_source("/photos")
    assert project.images.add(source, [found(7), found(0), found(8), found(7)]) == [4, 1, 5, 4]


def test_a_path_that_is_a_source_already_is_refused_for_another(project):
    first, second = (project.images.add_source(path) for path in ("/photos", "/more"))
    assert project.images.add_source("/photos") == first
    project.images.relink(first, "/photos")  # its own path
    with pytest.raises(KnownError, match="/more is already a source"):
        project.images.relink(first, "/more")
    project.images.relink(second, "/moved")
    assert [one.path for one in project.images.sources()] == ["/photos", "/moved"]


def test_a_set_of_skipped_files_that_stays_is_no_edit(project):
    source = project.images.add_source("/photos")
    files = [SkippedFile("b.jpg", Message("broken")), SkippedFile("a.jpg", Message("empty"))]
    project.images.set_skipped(source, files)
    before = project.history.entries()
    project.images.set_skipped(source, files)
    assert project.history.entries() == before
    project.images.set_skipped(source, files[::-1])
    assert len(project.history.entries()) == len(before) + 1
    project.images.set_skipped(source, files)
    assert project.images.skipped(source) == files


def test_disagreement_needs_a_label_and_another_prediction(sorted_out):
    front, back, left = np.eye(4)[:3]
    run_on(sorted_out, [1, 2, 3, 6], [back, left, back, front])
    sorted_out.labels.assign([5], "view", "front")  # not predicted
    sorted_out.labels.assign([6], "view", "back")
    against = ImageFilter(disagreement="view")
    assert set(sorted_out.images.ids(against).tolist()) == {1, 6}
    sorted_out.labels.save_set(LabelSet("view", (Label("left"), Label("front"))))
    assert set(sorted_out.images.ids(against).tolist()) == {1}  # what was predicted is no label


def test_the_most_certain_come_last_and_what_was_not_predicted_behind_them(sorted_out):
    run_on(sorted_out, [4, 2, 9], [[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.25] * 4])
    ids = sorted_out.images.ids(sort=Sort.UNCERTAINTY).tolist()
    assert ids[:3] == [9, 4, 2]
    by_name = sorted_out.images.ids().tolist()
    assert ids[3:] == [one for one in by_name if one not in (9, 4, 2)]
    assert sorted_out.images.ids(sort=Sort.UNCERTAINTY, descending=True).tolist() == ids[::-1]
    assert sorted_out.images.ids(sort=Sort.ADDED).tolist() == list(range(1, 11))
