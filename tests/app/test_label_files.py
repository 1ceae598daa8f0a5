"""Labels leave and come back: same project, another one, by hash or by path, crops too."""

import csv
import json

import pytest
from PIL import Image

from tests.fixtures.imports import export_labels, import_labels
from workbench.app.images.importing import import_task
from workbench.app.jobs import run_here
from workbench.app.labels.reading import ReadChoices
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.import_reports import DecisionKind
from workbench.domain.label_names import tidied
from workbench.domain.labels import Author, Label, LabelSet
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.project import Project


@pytest.fixture
def labelled(session, tmp_path):
    """Four images in two classes, one view by a person, one crop with an expression, a split."""
    for i in range(4):
        path = tmp_path / "src" / ["owl", "duck"][i % 2] / f"鸟 {i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100 + i), (i, 0, 0)).save(path)
    run_here(import_task(session, [tmp_path / "src"], {"category": "folder"}))
    session.store.labels.assign([1], "view", "left", Author.HUMAN)
    session.store.labels.assign([2], "view", "front", Author.MODEL, 0.75)
    crop = session.store.crops.save(
        Crop(None, 3, 0, CropState.FOUND, Rect(10, 10, 60, 60), detector="cascade")
    )
    session.store.labels.assign_crops([crop.id], "expression", "smile")
    session.store.splits.make(SplitPlan(), {1: Part.TRAIN, 2: Part.TEST})
    return session


@pytest.fixture
def other(tmp_path, labelled):
    """Another project with the same images and no label."""
    store = Project.create(tmp_path / "Other")
    opened = Session(store)
    run_here(import_task(opened, [tmp_path / "src"]))
    yield opened
    opened.close()


def state(session):
    ids = session.store.images.ids()
    rows = {row.name: row.labels for row in session.store.images.rows(ids)}
    crops = {crop.rect: crop.id for crop in session.store.crops.get(session.store.crops.ids())}
    messages = session.store.labels.of_crops(list(crops.values()), "expression")
    return rows, {rect: messages.get(crop) for rect, crop in crops.items()}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
def test_another_project_imports_all_labels(labelled, other, tmp_path, suffix):
    file = tmp_path / f"labels.{suffix}"
    assert export_labels(labelled, file).labels == 7
    result = import_labels(other, file)
    assert (result.rows, result.labelled, result.kept, result.skipped) == (7, 7, 0, ())
    assert state(other) == state(labelled)
    authors = {(a.label, a.author) for i in (1, 2) for a in other.store.labels.history(i)}
    assert ("left", Author.HUMAN) in authors
    assert ("front", Author.MODEL) in authors
    other.undo()
    assert other.store.labels.current() == []
    assert len(other.store.crops.ids()) == 0


NAMES = (
    "red, dark",
    "red; dark",
    'the "red" one',
    "it's",
    "tab\there",
    "two\nlines",
    "two\r\nmore",
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
def test_names_with_what_divides_cells_come_back_whole(labelled, other, tmp_path, suffix):
    paint = LabelSet("paint", tuple(map(Label, ("red", "dark", *NAMES))), exclusive=False)
    labelled.store.labels.save_set(paint)
    for name in NAMES:
        labelled.store.labels.assign([1], "paint", name)
    labelled.store.labels.assign([2], "paint", "red")
    labelled.store.labels.assign([2], "paint", "dark")
    file = tmp_path / f"labels.{suffix}"
    export_labels(labelled, file)
    assert import_labels(other, file).skipped == ()
    given = other.store.labels.of_images([1, 2], "paint")
    assert {image: set(names) for image, names in given.items()} == {
        1: set(map(tidied, NAMES)),  # a line end or tab becomes a space
        2: {"red", "dark"},
    }


def test_a_hash_that_contradicts_the_path_labels_neither_image(other, tmp_path):
    first, second = (other.store.images.row(at) for at in (1, 2))
    rows = [
        (first.path, second.hash, "back"),
        (first.path, "zzz", "up"),
        ("moved.png", second.hash, "left"),
        (first.path, "ab" * 32, "right"),
    ]
    table = "".join(f"{path},{digest},view,{label}\n" for path, digest, label in rows)
    (tmp_path / "l.csv").write_text("path,hash,set,label\n" + table, "utf-8")
    report = import_labels(other, tmp_path / "l.csv")
    names = f"its path is that of {first.name}, but its hash is that of {second.name}"
    assert [(str(one.path).rpartition(" (")[2], one.reason) for one in report.skipped] == [
        ("l.csv, line 2)", names),
        ("l.csv, line 3)", "“zzz” is not the hash of a file"),
    ]
    given = other.store.labels.of_images([1, 2], "view")
    assert given == {1: ("right",), 2: ("left",)}


def test_what_the_files_hold(labelled, tmp_path):
    export_labels(labelled, tmp_path / "l.csv")
    with (tmp_path / "l.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    view = next(row for row in rows if row["set"] == "view" and row["label"] == "left")
    assert view["hash"] == labelled.store.images.row(1).hash
    assert (view["part"], view["author"], view["left"]) == ("train", "human", "")
    smile = next(row for row in rows if row["set"] == "expression")
    assert [smile[side] for side in ("left", "top", "right", "bottom")] == ["10", "10", "60", "60"]
    export_labels(labelled, tmp_path / "l.json")
    assert json.loads((tmp_path / "l.json").read_text("utf-8"))["version"] == 1


def test_again_into_the_same_project_changes_nothing(labelled, tmp_path):
    before = labelled.store.labels.current()
    export_labels(labelled, tmp_path / "l.json")
    import_labels(labelled, tmp_path / "l.json")
    assert labelled.store.labels.current() == before


def test_by_hand_written_table_matches_by_path_and_reports_what_does_not(other, tmp_path):
    table = (
        "path,set,label\nowl/鸟 0.png,view,back\n鸟 1.png,mood,calm\nsrc\\owl\\鸟 2.png,view,up\n"
    )
    (tmp_path / "l.csv").write_text(table + "gone.png,view,left\n", encoding="utf-8")
    result = import_labels(other, tmp_path / "l.csv")
    assert result.labelled == 3
    assert [one.path for one in result.skipped] == ["gone.png (l.csv, line 5)"]
    rows, _ = state(other)
    assert rows["鸟 0.png"] == {"view": ("back",)}
    assert rows["鸟 1.png"] == {"mood": ("calm",)}
    assert "up" in other.store.labels.get("view").names


def test_labels_by_hand_take_precedence_over_a_file(other, tmp_path):
    other.store.labels.assign([1], "view", "right", Author.HUMAN)
    name = other.store.images.row(1).path
    (tmp_path / "l.csv").write_text(f"path,set,label\n{name},view,back\n", encoding="utf-8")
    result = import_labels(other, tmp_path / "l.csv")
    assert (result.labelled, result.kept) == (0, 1)
    assert other.store.labels.of_images([1], "view") == {1: ("right",)}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.txt", "", "is empty"),
        ("l.json", "{", "no known format"),
        ("l.json", '{"labels": [], "version": 9}', "newer"),
        ("l.json", '{"labels": [{"path": 3}]}', "not a label file"),
    ],
)
def test_files_that_are_none(session, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(KnownError, match=words):
        import_labels(session, tmp_path / name)


def test_places_that_are_none(session, tmp_path):
    with pytest.raises(ValueRefused):
        export_labels(session, tmp_path / "labels.docx")
    with pytest.raises(KnownError, match="cannot be written"):
        export_labels(session, tmp_path / "no" / "labels.csv")
    with pytest.raises(KnownError, match="does not exist"):
        import_labels(session, tmp_path / "gone.json")


def test_a_new_set_of_which_an_image_carries_two_labels_lets_them_be_together(labelled, tmp_path):
    file = tmp_path / "traits.csv"
    file.write_text("path,set,label\n鸟 0.png,traits,a\n鸟 0.png,traits,b\n鸟 1.png,traits,b\n")
    result = import_labels(labelled, file)
    assert (result.labelled, result.skipped) == (3, ())
    assert not labelled.store.labels.get("traits").exclusive
    ids = labelled.store.images.ids()
    rows = {row.name: row.id for row in labelled.store.images.rows(ids)}
    found = labelled.store.labels.of_images(ids, "traits")
    assert found == {rows["鸟 0.png"]: ("a", "b"), rows["鸟 1.png"]: ("b",)}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json"])
def test_the_name_of_the_annotator_goes_along(labelled, other, tmp_path, suffix):
    labelled.set_annotator(" Zo\u00eb ")
    labelled.store.labels.assign([2, 3], "view", "left")
    crop = labelled.store.crops.of_image(3)[0].id
    labelled.store.labels.assign_crops([crop], "expression", "open")
    file = tmp_path / f"labels.{suffix}"
    export_labels(labelled, file)
    other.set_annotator("Ann")
    import_labels(other, file)
    by_name = {
        one.label: one.annotator
        for one in other.store.labels.current()
        if one.label_set != "category" and one.image > 1
    }
    assert by_name == {"left": "Zo\u00eb", "open": "Zo\u00eb"}
    assert {one.annotator for one in other.store.labels.current()} == {"", "Zo\u00eb"}


def test_one_list_for_each_part_is_one_split(labelled, tmp_path):
    source = tmp_path / "src"
    for name, line in (
        ("train", "owl/鸟 0.png"),
        ("val", "owl/鸟 2.png"),
        ("test", "duck/鸟 1.png"),
    ):
        file = source / f"{name}.txt"
        file.write_text(line + "\n", encoding="utf-8")
        found = import_labels(labelled, file)
        assert any("Its name puts its images" in str(one.value) for one in found.decisions)
    current = labelled.splits.current()
    assert (current.name, current.plan) == ("src", None)
    assert labelled.splits.counts() == dict.fromkeys(Part, 1)


def test_a_list_of_another_name_gives_no_part(labelled, tmp_path):
    file = tmp_path / "src" / "birds.txt"
    file.write_text("owl/鸟 0.png\n", encoding="utf-8")
    before = labelled.splits.current()
    import_labels(labelled, file)
    assert labelled.splits.current() == before


def test_a_coco_file_of_a_part_gives_it(labelled, tmp_path):
    file = tmp_path / "src" / "instances_val.json"
    images = [{"id": 1, "file_name": "owl/鸟 0.png"}]
    file.write_text(json.dumps({"images": images, "categories": [], "annotations": []}))
    import_labels(labelled, file)
    assert labelled.splits.current().name == "instances"
    assert labelled.splits.counts()[Part.VALIDATION] == 1


@pytest.fixture
def foreign(session, tmp_path):
    """Two images in a project, and a table with absolute paths of other folders."""
    for at, name in enumerate(("train/b.jpg", "x/c.jpg")):
        path = tmp_path / "r" / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (20, 20 + at)).save(path)
    table = tmp_path / "f.csv"
    table.write_text("path,category\n/data/test/b.jpg,jay\nC:\\other\\season2\\c.jpg,kite\n")
    return table


def other_folders(report):
    return [
        one.value.values["n"] for one in report.decisions if one.kind is DecisionKind.OTHER_FOLDERS
    ]


def test_matches_by_the_name_alone_are_reported_by_both_imports(foreign, session, tmp_path):
    choices = ReadChoices(root=tmp_path / "r")
    task = import_task(session, [foreign], {"category": "csv"}, choices)
    report = run_here(task).value.report
    assert (report.added, other_folders(report)) == (2, [2])
    assert report.needs_attention
    assert "/data/test/b.jpg → " in str(report.decisions[-1].value)
    assert other_folders(import_labels(session, foreign)) == [2]


def test_a_root_limits_absolute_paths_to_the_images_below_it(foreign, session, tmp_path):
    run_here(import_task(session, [tmp_path / "r"]))
    report = import_labels(session, foreign, ReadChoices(root=tmp_path / "r" / "x"))
    assert (report.labelled, len(report.skipped), other_folders(report)) == (1, 1, [1])
