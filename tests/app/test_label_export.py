"""Exports in every format of the registry: what comes back, with which images, and what is lost."""

from __future__ import annotations

import csv
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.imports import export_labels, import_labels
from tests.formats.strategies import read_dataset
from workbench.app.images.importing import import_task
from workbench.app.jobs import Cancelled, Done, run_here, run_to_end
from workbench.app.labels.label_export import ExportChoices, ImageCopies, export_task
from workbench.app.labels.reading import ReadChoices
from workbench.app.labels.reports import save_report
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.datasets import MAIN_SET, Carry
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.import_reports import ImportReport, Skipped
from workbench.domain.labels import Label, LabelSet
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.text import Message
from workbench.formats import FORMATS
from workbench.storage.project import Project

WRITTEN = [format for format in FORMATS.values() if format.written]
FOLDERS = [format.name for format in WRITTEN if format.is_folder]
BOXES_ONLY = tuple(format.name for format in WRITTEN if format.boxes_only)
# Boxes have labels of the main set in these; in others they have none.
PLAIN_BOXES = ("cub", "aircraft", "celeba", "cars", "dogs")
NAMES = (
    "1.jpg",
    "owl/1.jpg",
    "duck/1.jpg",
    "images/2.jpg",
    "train/3.jpg",
    "鸟/三.jpg",
    "duck/deep/4.jpg",
)
LABELS = {name: ("owl", "duck", "鸟")[at % 3] for at, name in enumerate(NAMES[:-1])}
PARTS = {name: (Part.TRAIN, Part.TEST)[at % 2] for at, name in enumerate(NAMES)}
ALL_PARTS = {name: (*Part, None)[at % 4] for at, name in enumerate(NAMES)}


def drawn(folder: Path, names=NAMES) -> Path:
    for at, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(at).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(noise).save(folder / name)
    return folder


def project(folder: Path, images: Path) -> Session:
    session = Session(Project.create(folder))
    run_here(import_task(session, [images]))
    return session


def by_name(session: Session, images: Path) -> dict[str, int]:
    rows = session.store.images.rows(session.store.images.ids())
    return {Path(row.path).relative_to(images).as_posix(): row.id for row in rows}


def labelled(session: Session, images: Path, labels=LABELS, parts=PARTS) -> Session:
    ids = by_name(session, images)
    names = tuple(map(Label, dict.fromkeys(labels.values())))
    session.store.labels.save_set(LabelSet("category", names))
    for name, label in labels.items():
        session.store.labels.assign([ids[name]], "category", label)
    session.store.splits.make(
        SplitPlan(), {ids[name]: part for name, part in parts.items() if part}
    )
    return session


def labels_of(session: Session, images: Path, label_set: str = "category") -> dict[str, str]:
    ids = by_name(session, images)
    found = session.store.labels.of_images(list(ids.values()), label_set)
    return {name: "+".join(found[id_]) for name, id_ in ids.items() if id_ in found}


def parts_of(session: Session, images: Path) -> dict[str, Part]:
    parts = session.store.splits.parts()
    return {name: parts[id_] for name, id_ in by_name(session, images).items() if id_ in parts}


@pytest.fixture
def images(tmp_path):
    return drawn(tmp_path / "src")


@pytest.fixture
def session(tmp_path, images):
    opened = labelled(project(tmp_path / "First", images), images)
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path, images):
    """A project with the same images on another computer, in another folder, without labels."""
    moved = shutil.copytree(images, tmp_path / "elsewhere" / "photos")
    opened = project(tmp_path / "Second", moved)
    yield opened, moved
    opened.close()


def target(tmp_path: Path, name: str) -> Path:
    endings = FORMATS[name].endings
    return tmp_path / f"out{endings[0] if endings else ''}"


def choices_for(name: str, path: Path, label_set: str) -> ReadChoices:
    """The choices that import what was exported as `label_set` as it again."""
    sets = read_dataset(name, path).sets
    if MAIN_SET in sets or label_set in sets or not sets:
        return ReadChoices(format=name, main=label_set)
    return ReadChoices(format=name, sets={next(iter(sets)): label_set})


def round_trip(session, other, path, name, label_set="category"):
    exported = export_labels(session, path, name, label_set)
    return exported, import_labels(other, path, choices_for(name, path, label_set))


def ways() -> list:
    """Each written format, without and with copies of the images."""
    found = []
    for format in WRITTEN:
        if not format.needs_images:
            found.append(pytest.param(format.name, None, id=format.name))
        if format.is_folder:
            found.append(pytest.param(format.name, ImageCopies.COPY, id=f"{format.name}-copy"))
    return found


@pytest.mark.parametrize(("name", "copies"), ways())
def test_labels_and_parts_come_back_into_a_project_with_the_same_images(
    session, images, other, tmp_path, name, copies
):
    second, moved = other
    path = target(tmp_path, name)
    if not FORMATS[name].absolute:
        exported = export_labels(session, path, name, "category", copies)
        images.rename(tmp_path / "gone")
        report = import_labels(second, path, choices_for(name, path, "category"))
    else:  # absolute paths of another computer may be ambiguous
        exported, report = round_trip(session, second, path, name)
    assert report.skipped == ()
    assert report.conflicts == ()
    if name not in BOXES_ONLY:
        assert labels_of(second, moved) == LABELS
        assert exported.labels == len(LABELS)
    if Carry.PARTS in FORMATS[name].carries:
        expected = PARTS if name != "dogs" else {key: PARTS[key] for key in LABELS}
        assert parts_of(second, moved) == expected


@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
def test_all_parts_come_back_or_a_note_tells(tmp_path, images, other, name):
    session = labelled(project(tmp_path / "First", images), images, parts=ALL_PARTS)
    second, moved = other
    exported, _ = round_trip(session, second, target(tmp_path, name), name)
    session.close()
    text = "\n".join(exported.notes)
    wanted = {name: part for name, part in ALL_PARTS.items() if part}
    if Carry.PARTS not in FORMATS[name].carries:
        assert name == "list" or not FORMATS[name].absolute
        return
    if "validation image" in text:
        wanted = {
            name: Part.TRAIN if part is Part.VALIDATION else part for name, part in wanted.items()
        }
    if "without a part" in text:
        wanted = {name: part or Part.TRAIN for name, part in ALL_PARTS.items()} | wanted
    if name == "dogs":
        wanted.pop(NAMES[-1], None)
    assert parts_of(second, moved) == wanted


@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
def test_labels_of_boxes_come_back_or_a_note_tells(session, images, other, tmp_path, name):
    second, moved = other
    ids = by_name(session, images)
    rects = {"owl/1.jpg": Rect(3, 4, 20, 30), "1.jpg": Rect(5, 6, 50, 40)}
    for image, rect in rects.items():
        crop = session.store.crops.save(Crop(None, ids[image], 0, CropState.ADJUSTED, rect))
        session.store.labels.assign_crops([crop.id], "expression", "smile")
    exported, _ = round_trip(session, second, target(tmp_path, name), name, "expression")
    text = "\n".join(exported.notes)
    found = by_name(second, moved)
    crops = second.store.crops.of_images(list(found.values()))
    got = {image: crop.rect for image, id_ in found.items() for crop in crops.get(id_, [])}
    if Carry.BOXES not in FORMATS[name].carries:
        assert "box" in text or "line for each image" in text
        return
    assert got == (rects if name != "dogs" else {})
    given = second.store.labels.of_crops([one.id for some in crops.values() for one in some],
                                         "expression")  # fmt: skip
    if name in PLAIN_BOXES:
        assert "label of a box" in text or "labels of boxes" in text or name == "dogs"
    else:
        assert sorted(given.values()) == [("smile",), ("smile",)]


# what is lost


@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
def test_the_file_has_as_many_labels_as_reported_and_what_is_lost_is_told(
    session, images, tmp_path, name
):
    ids = by_name(session, images)
    labels = session.store.labels
    labels.save_set(LabelSet("traits", (Label("a/b"), Label("two words")), exclusive=False))
    for label in ("a/b", "two words"):
        labels.assign([ids["1.jpg"]], "traits", label)
    labels.assign([ids["owl/1.jpg"]], "view", "left")
    rect = Rect(3, 4, 20, 30)
    crop = Crop(None, ids["1.jpg"], 0, CropState.ADJUSTED, rect, ((5.0, 6.0), (7.0, 8.0)))
    labels.assign_crops([session.store.crops.save(crop).id], "expression", "smile")
    total = len(LABELS) + 4
    path = target(tmp_path, name)
    exported = export_labels(session, path, name, "category")
    read = read_dataset(name, path)
    found = sum(
        len(one.labels) + sum(len(region.labels) for region in one.regions) for one in read.images
    )
    assert exported.labels == found
    assert exported.labels == total or exported.notes
    assert found > 0 or name in BOXES_ONLY
    if name == "label-file":
        assert (exported.labels, exported.notes) == (total, ())


@pytest.mark.parametrize("name", [format.name for format in WRITTEN])
def test_an_empty_project_is_exported(tmp_path, name):
    session = Session(Project.create(tmp_path / "Empty"))
    path = target(tmp_path, name)
    assert export_labels(session, path, name).labels == 0
    assert path.exists()
    session.close()


# images


@pytest.mark.parametrize(
    ("name", "copies"),
    [*((name, ImageCopies.COPY) for name in FOLDERS), ("folders", ImageCopies.LINK)],
)
def test_images_are_where_the_format_reads_them(session, images, tmp_path, name, copies):
    path = tmp_path / "out"
    exported = export_labels(session, path, name, "category", copies)
    read = read_dataset(name, path)
    originals = {(images / file).read_bytes() for file in NAMES}
    copied = [file for file in path.rglob("*.jpg") if file.is_file()]
    assert exported.images == len(copied) == (6 if name == "dogs" else 7)
    assert {file.read_bytes() for file in copied} <= originals
    linked = {file.stat().st_nlink > 1 for file in copied}
    assert linked == {copies is ImageCopies.LINK}
    found = [read.base / image.path for image in read.images]
    assert all(file.is_file() for file in found)
    assert len(found) == len(copied)


@pytest.mark.parametrize("name", [format.name for format in WRITTEN if not format.is_folder])
def test_a_file_cannot_contain_the_images(session, tmp_path, name):
    with pytest.raises(KnownError, match="cannot contain the images"):
        export_labels(session, target(tmp_path, name), name, images=ImageCopies.COPY)


@pytest.mark.parametrize("name", ["folders", "yolo-classes", "dogs"])
def test_class_folders_without_images_are_refused(session, tmp_path, name):
    with pytest.raises(KnownError, match="without the images"):
        export_labels(session, tmp_path / "out", name, images=ImageCopies.NONE)
    assert not (tmp_path / "out").exists()


def test_nothing_that_exists_is_overwritten(session, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(KnownError, match="not an empty folder"):
        export_labels(session, tmp_path / "out", "folders")
    with pytest.raises(KnownError, match="not an empty folder"):
        export_labels(session, tmp_path / "out" / "mine.txt", "folders")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    with pytest.raises(ValueRefused):
        export_labels(session, tmp_path / "new", "cub", "no such set")
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part" / "mine.txt").write_text("mine")
    with pytest.raises(KnownError, match=r"new\.part exists"):
        export_labels(session, tmp_path / "new", "folders")
    assert (tmp_path / "new.part" / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert export_labels(session, tmp_path / "empty", "folders").images == 7


def test_a_stopped_export_leaves_nothing(session, tmp_path):
    task = export_task(session, tmp_path / "out", ExportChoices("folders"))
    steps = task.work()
    reports = [report for report in (next(steps) for _ in range(6)) if report is not None]
    assert [(one.done, one.total) for one in reports][:2] == [(1, 7), (2, 7)]
    steps.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []
    stop = threading.Event()
    outcome = run_here(task, lambda _: stop.set(), stop)
    assert isinstance(outcome, Cancelled)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []


def test_an_export_that_fails_half_way_leaves_nothing(session, tmp_path):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    task = export_task(session, tmp_path / "out", ExportChoices("folders"))
    steps = task.work()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))
        with pytest.raises(KnownError, match=r"out cannot be written: .*large"):
            run_to_end(steps)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == []


def test_images_without_a_file_are_named(session, images, tmp_path):
    (images / "1.jpg").unlink()
    (images / "owl" / "1.jpg").unlink()
    os.mkfifo(images / "owl" / "1.jpg")
    exported = export_labels(session, tmp_path / "out", "cub", images=ImageCopies.COPY)
    assert exported.images == 5
    (note,) = [note for note in exported.notes if "not copied" in note]
    assert note == "2 images are not copied, as their files are not found: 1.jpg, 1.jpg."


@pytest.mark.parametrize("name", FOLDERS)
def test_a_dataset_with_images_is_imported_as_it_was_exported(session, images, tmp_path, name):
    path = tmp_path / "out"
    export_labels(session, path, name, "category", ImageCopies.COPY)
    second = Session(Project.create(tmp_path / "Second"))
    choices = choices_for(name, path, "category")
    choices = ReadChoices(sets=choices.sets, main=choices.main)
    plain = {"category": "folder"} if name in ("folders", "yolo-classes") else None
    assert isinstance(run_here(import_task(second, [path], plain, choices)), Done)
    names = {hash_: Path(file).relative_to(images).as_posix()
             for _, hash_, file in session.store.images.index()}  # fmt: skip
    ids = {id_: names[hash_] for id_, hash_, _ in second.store.images.index()}
    found = second.store.labels.of_images(list(ids), "category")
    if name not in BOXES_ONLY:
        assert {ids[id_]: "+".join(label) for id_, label in found.items()} == LABELS
    if Carry.PARTS in FORMATS[name].carries:
        parts = {ids[id_]: part for id_, part in second.store.splits.parts().items()}
        assert parts == {one: part for one, part in PARTS.items() if one in ids.values()}
    second.close()


ODD = (
    "Owl.jpg",
    "owl.jpg",
    "owl.png",
    "x.jpg/1.jpg",
    "two\nlines.jpg",
    " a.jpg",
    "tab\there/1.jpg",
    f"deep/{'鸟' * 60}/{'鸟' * 70}/1.jpg",
    f"{'x' * 240}.jpeg",
    "con.jpg",
    "it's “q” <b>.jpg",
    "duck__1.jpg",
    "duck/1.jpg",
    "labels/1.jpg",
    "train.jpg",
)
ODD_LABELS = (
    "a/b", "a_b", "con", "鸟" * 100, "x.jpg", ".hidden", "owl.", "100%", "train", "q\"'", "images",
)  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_odd_names_are_copied_and_found_again(tmp_path, name):
    odd = drawn(tmp_path / "odd", ODD)
    labels = {one: ODD_LABELS[at % len(ODD_LABELS)] for at, one in enumerate(ODD)}
    session = labelled(project(tmp_path / "First", odd), odd, labels, {})
    path = tmp_path / "out"
    exported = export_labels(session, path, name, "category", ImageCopies.COPY)
    files = [
        file for file in path.rglob("*") if file.is_file() and b"JFIF" in file.read_bytes()[:16]
    ]
    pngs = [file for file in path.rglob("*.png")]
    only_jpg = name == "aircraft"
    assert len(files) + len(pngs) == exported.images
    assert exported.images == len(ODD) - 4 * only_jpg
    second = project(tmp_path / "Second", odd)
    report = import_labels(second, path, choices_for(name, path, "category"))
    assert report.skipped == ()
    found = labels_of(second, odd)
    wrong = {one: label for one, label in found.items() if label != labels_of(session, odd)[one]}
    assert not wrong or any("changed" in note or "shortened" in note for note in exported.notes)
    if name not in (*BOXES_ONLY, "aircraft", "xmp"):
        assert set(found) == set(ODD)
    session.close()
    second.close()


def test_images_that_differ_in_their_extension_are_kept_in_yolo(tmp_path):
    images = drawn(tmp_path / "src", ("a/1.jpg", "a/1.png", "b/1.jpg"))
    session = project(tmp_path / "First", images)
    ids = by_name(session, images)
    for name, label in (("a/1.jpg", "smile"), ("a/1.png", "open"), ("b/1.jpg", "shut")):
        crop = Crop(None, ids[name], 0, CropState.ADJUSTED, Rect(3, 4, 20, 30))
        session.store.labels.save_set(session.store.labels.get("expression").with_labels((label,)))
        session.store.labels.assign_crops([session.store.crops.save(crop).id], "expression", label)
    exported = export_labels(session, tmp_path / "out", "yolo", images=ImageCopies.COPY)
    assert exported.labels == exported.images == 3
    assert "1 copy has another name" in exported.notes[0]
    read = read_dataset("yolo", tmp_path / "out")
    found = {one.path: one.regions[0].labels[0].label for one in read.images}
    assert found == {
        "images/unassigned/a/1.jpg": "smile",
        "images/unassigned/a/1 (2).png": "open",
        "images/unassigned/b/1.jpg": "shut",
    }
    session.close()


@pytest.mark.parametrize("name", ["label-file", "table", "list"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx"])
def test_no_cell_is_a_formula_and_names_come_back(tmp_path, name, ending):
    if ending not in FORMATS[name].endings:
        return
    names = ("=1+1", "+a", "-a", "@a", "'=1", "＝1", "''", "a=b", "-1", "﹢a")
    files = tuple(f"{name}.jpg" for name in names)
    images = drawn(tmp_path / "src", files)
    labels = dict(zip(files, names, strict=True))
    session = labelled(project(tmp_path / "First", images), images, labels, {})
    path = tmp_path / f"out{ending}"
    exported = export_labels(session, path, name, "category")
    # Paths are absolute, so that labels are the cells that begin as formulas do.
    assert exported.notes[0].startswith("7 cells begin as formulas do.")
    second = project(tmp_path / "Second", images)
    import_labels(second, path, ReadChoices(format=name))
    assert labels_of(second, images) == labels
    session.close()
    second.close()


def test_a_saved_report_has_no_formulas(tmp_path):
    skipped = (Skipped(Message("=cmd.jpg"), Message("-x")),)
    save_report(
        ImportReport(title=Message("Import"), skipped=skipped), tmp_path / "r.csv", lambda _: ""
    )
    lines = (tmp_path / "r.csv").read_text("utf-8").splitlines()
    assert ["skipped", "'=cmd.jpg", "'-x", ""] in list(csv.reader(lines))
