"""Contradicting labels for one image: listed with their places, and given to nobody."""

import shutil

import pytest
from PIL import Image

from tests.fixtures.imports import import_labels
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.labelling import assign, edit_set
from workbench.domain.labels import Label, LabelSet


def draw(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (shade, 255 - shade, 90)).save(path)
    return path


def taken(session, *paths, **origins):
    outcome = run_here(import_task(session, paths, origins or {"category": "folder"}))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(session):
    """The categories of images by the first number in their name."""
    rows = session.store.images.rows(session.store.images.ids())
    given = session.store.labels.of_images([row.id for row in rows], "category")
    return {int(row.name.split(".")[0]): "+".join(given.get(row.id, ())) for row in rows}


@pytest.fixture
def twins(tmp_path):
    """A folder with one image of a cat, and one that is in the folders of cats and dogs."""
    root = tmp_path / "pets"
    draw(root / "cat" / "0.png", 1)
    draw(root / "cat" / "1.png", 2)
    (root / "dog").mkdir()
    shutil.copy(root / "cat" / "1.png", root / "dog" / "1.png")
    return root


def places(result):
    return [
        (one.set, one.kept, [(given.label, given.place) for given in one.labels])
        for one in getattr(result, "report", result).conflicts
    ]


@pytest.mark.parametrize("batch", [400, 1])
def test_one_image_in_two_class_folders_gets_neither_label(session, twins, monkeypatch, batch):
    monkeypatch.setattr("workbench.app.images.importing.BATCH_IMAGES", batch)
    monkeypatch.setattr("workbench.app.images.importing.CHUNK", batch)
    both = [("cat", str(twins / "cat" / "1.png")), ("dog", str(twins / "dog" / "1.png"))]
    for _ in range(2):
        result = taken(session, twins)
        assert labels(session) == {0: "cat", 1: ""}
        assert places(result) == [("category", "", both)]
    session.undo()
    session.undo()
    assert session.store.labels.current() == []
    session.redo()
    assert labels(session) == {0: "cat", 1: ""}


@pytest.mark.parametrize("batch", [400, 1])
def test_a_label_from_before_stays_when_a_second_folder_contradicts_it(
    session, twins, monkeypatch, batch
):
    monkeypatch.setattr("workbench.app.images.importing.BATCH_IMAGES", batch)
    monkeypatch.setattr("workbench.app.images.importing.CHUNK", batch)
    (twins / "dog" / "1.png").rename(twins / "1.png")
    taken(session, twins)
    before = labels(session)
    (twins / "a dog").mkdir()  # read before the folder of cats
    (twins / "1.png").rename(twins / "a dog" / "1.png")
    result = taken(session, twins)
    assert labels(session) == before
    assert [kept for _, kept, _ in places(result)] == ["cat"]


def test_a_label_by_hand_settles_a_conflict(session, twins):
    taken(session, twins)
    image = next(
        row.id
        for row in session.store.images.rows(session.store.images.ids())
        if row.name == "1.png"
    )
    session.store.labels.save_set(session.store.labels.get("category").with_labels(("dog",)))
    assign(session, [image], "category", "dog")
    result = taken(session, twins)
    assert labels(session) == {0: "cat", 1: "dog"}
    assert places(result) == []
    assert result.report.kept == 1


def test_another_source_does_not_overwrite_a_label_whose_file_is_there(session, twins, tmp_path):
    shutil.rmtree(twins / "dog")
    taken(session, twins)
    shutil.copytree(twins / "cat", tmp_path / "more" / "wolf")
    result = taken(session, tmp_path / "more")
    assert labels(session) == {0: "cat", 1: "cat"}
    assert places(result)[0] == (
        "category",
        "cat",
        [
            ("cat", str(twins / "cat" / "0.png")),
            ("wolf", str(tmp_path / "more" / "wolf" / "0.png")),
        ],
    )


def test_a_file_moved_to_another_class_folder_follows_it(session, twins):
    shutil.rmtree(twins / "dog")
    taken(session, twins)
    (twins / "dog").mkdir()
    (twins / "cat" / "1.png").rename(twins / "dog" / "1.png")
    assert places(taken(session, twins)) == []
    assert labels(session) == {0: "cat", 1: "dog"}


def test_a_set_whose_labels_go_together_has_no_conflicts(session, twins):
    edit_set(session, LabelSet("category", (Label("cat"), Label("dog")), exclusive=False), {})
    assert places(taken(session, twins)) == []
    assert labels(session) == {0: "cat", 1: "cat+dog"}


def test_two_lines_of_a_label_file_that_contradict_each_other(session, twins, tmp_path):
    shutil.rmtree(twins / "dog")
    taken(session, twins)
    file = tmp_path / "l.csv"
    file.write_text("path,set,label\n0.png,category,owl\n1.png,category,owl\n1.png,category,bat\n")
    result = import_labels(session, file)
    assert (result.rows, result.labelled, len(result.changed)) == (3, 0, 1)
    assert labels(session) == {0: "owl", 1: "cat"}
    ((name, kept, claims),) = places(result)
    assert (name, kept) == ("category", "cat")
    assert claims == [("owl", "l.csv, line 3"), ("bat", "l.csv, line 4")]


def test_replaced_labels_of_an_earlier_import_are_listed_with_both_places(session, twins, tmp_path):
    shutil.rmtree(twins / "dog")
    taken(session, twins)
    file, other = tmp_path / "h.csv", tmp_path / "h2.csv"
    file.write_text("path,category\n0.png,owl\n1.png,owl\n")
    other.write_text("path,category\n0.png,owl\n1.png,bat\n")
    assert len(import_labels(session, file).changed) == 2
    result = import_labels(session, other)
    (one,) = result.changed
    assert (one.image, one.set, one.before.label, one.after.label) == (
        "1.png", "category", "owl", "bat"
    )  # fmt: skip
    assert str(one.before.place).startswith("Import labels from h.csv, 20")
    assert str(one.after.place) == "h2.csv, line 3"
    assert (result.labelled, result.equal, result.conflicts) == (0, 1, ())
    assert result.needs_attention
    assert session.import_reports.all()[3] == result
    again = import_labels(session, other)
    assert (again.labelled, again.equal, again.changed) == (0, 2, ())


def test_a_conflict_takes_back_a_change(session, twins, tmp_path):
    shutil.rmtree(twins / "dog")
    taken(session, twins)
    file = tmp_path / "h.csv"
    file.write_text("path,category\n1.png,owl\n1.png,cat\n0.png,cat\n0.png,owl\n")
    result = import_labels(session, file)
    assert (result.labelled, result.equal, result.changed) == (0, 0, ())
    assert len(result.conflicts) == 2
    assert labels(session) == {0: "cat", 1: "cat"}


def test_labels_that_go_together_count_only_new_ones(session, twins, tmp_path):
    edit_set(session, LabelSet("category", (Label("cat"), Label("dog")), exclusive=False), {})
    taken(session, twins)
    file = tmp_path / "h.csv"
    file.write_text("path,set,label\n1.png,category,owl\n1.png,category,cat\n")
    result = import_labels(session, file)
    assert (result.labelled, result.equal, result.changed) == (1, 1, ())
