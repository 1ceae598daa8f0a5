"""Imports of lists, tables and datasets of any format, and of one that was added from outside."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.imports import export_labels, import_labels
from tests.fixtures.toy_formats import TOY
from tests.formats.strategies import read_dataset
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.labels.label_export import ImageCopies
from workbench.app.labels.reading import (
    EncodingUnsure,
    ReadChoices,
    ReadDataset,
    decisions_about,
    format_for,
)
from workbench.cli.imports import change_of
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.formats import Origin
from workbench.domain.images import SkippedFile
from workbench.domain.import_reports import DecisionKind
from workbench.domain.reports import Note
from workbench.domain.splits import Part
from workbench.formats import FORMATS, ReadOptions

NAMES = ("a.png", "my bird.png", "c.png")
TABLE = "path\tcategory\tview\na.png\tgreat owl\tleft\nmy bird.png\tduck\t\nc.png\t\tfront\n"
LIST = "a.png\tgreat owl\nmy bird.png\tduck\nc.png\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with the images that the texts above name."""
    root = tmp_path / "birds"
    root.mkdir()
    for i, name in enumerate(NAMES):
        Image.new("RGB", (20, 10 + i), (i, 40, 90)).save(root / name)
    return root


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def imported(session, place, labels_from=None, hear=lambda report: None, **choices):
    task = import_task(session, [place], labels_from, ReadChoices(**choices))
    outcome = run_here(task, hear)
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(session, label_set="category"):
    rows = session.store.images.rows(session.store.images.ids())
    return {row.name: "+".join(row.labels[label_set]) for row in rows if row.labels.get(label_set)}


@pytest.mark.parametrize("origin", [Origin.NONE, Origin.TABLE, Origin.LIST])
def test_a_tsv_table_keeps_its_labels_whichever_origin_is_chosen(session, folder, origin):
    result = imported(session, write(folder / "t.tsv", TABLE), {"category": origin})
    assert (result.added, result.labelled, result.skipped) == (3, 4, [])
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}
    assert labels(session, "view") == {"a.png": "left", "c.png": "front"}


@pytest.mark.parametrize("origin", [Origin.TABLE, Origin.LIST])
def test_a_tsv_list_keeps_its_labels_whichever_origin_is_chosen(session, folder, origin):
    result = imported(session, write(folder / "t.tsv", LIST), {"category": origin})
    assert (result.added, result.labelled, result.skipped) == (3, 2, [])
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}


def test_labels_of_a_list_go_to_no_set_unless_one_is_chosen(session, folder):
    heard: list[object] = []
    imported(session, write(folder / "t.tsv", LIST), {}, heard.append)
    assert (labels(session), labels(session, "view")) == ({}, {})
    remark = "t.tsv has labels, but no label set is imported from the list."
    assert Note(text=remark, warning=True) in heard


def test_any_label_set_comes_in_from_a_list_or_column(session, folder):
    imported(session, write(folder / "t.tsv", LIST), {"mood": "list"})
    assert labels(session, "mood") == {"a.png": "great owl", "my bird.png": "duck"}
    imported(session, write(folder / "t.csv", "path,tone\na.png,low\n"), {"tone": "csv"})
    assert labels(session, "tone") == {"a.png": "low"}


def test_a_column_that_nobody_named_is_offered(session, folder):
    """Tables with the columns `filename,label` are usual."""
    table = write(folder / "t.csv", "filename,label\na.png,owl\nmy bird.png,auk\n")
    heard: list[object] = []
    result = imported(session, table, {}, heard.append)
    assert labels(session) == {}
    assert Note(text="t.csv has labels that are not imported: label.", warning=True) in heard
    offered = [str(one.value) for one in result.report.decisions]
    assert "“label” (owl, auk, …) is not imported" in offered
    imported(session, table, sets={"label": "category"})
    assert labels(session) == {"a.png": "owl", "my bird.png": "auk"}


@pytest.mark.parametrize("column", ["id", "image_id", "image"])
def test_identifiers_without_an_extension_are_found(session, folder, column):
    table = write(folder / "t.csv", f"{column},breed\na,owl\nmy bird,auk\ngone,x\n")
    result = imported(session, table, sets={"breed": "category"})
    assert labels(session) == {"a.png": "owl", "my bird.png": "auk"}
    assert [one.path for one in result.skipped] == ["gone"]


def test_paths_of_another_computer_are_found_by_their_ends(session, folder):
    lines = ["C:\\data\\birds\\a.png owl", "/mnt/old/my bird.png\tauk", "file:///x/y/c.png jay"]
    imported(session, write(folder / "list.txt", "\n".join(lines)), {"category": "list"})
    assert labels(session) == {"a.png": "owl", "my bird.png": "auk", "c.png": "jay"}


def test_root_says_what_paths_are_relative_to(session, folder, tmp_path):
    listed = write(tmp_path / "elsewhere.txt", "birds/a.png owl\n")
    (tmp_path / "lists").mkdir()
    listed = listed.rename(tmp_path / "lists" / "l.txt")
    imported(session, listed, {"category": "list"}, root=tmp_path)
    assert labels(session) == {"a.png": "owl"}
    path = session.store.images.rows([1])[0].path
    assert Path(path).resolve() == folder / "a.png"


@pytest.mark.parametrize(
    ("encoding", "label"),
    [("cp1252", "Häher"), ("shift_jis", "フクロウ"), ("gb18030", "白腹锦鸡")],
)
def test_an_encoding_that_had_to_be_guessed_is_confirmed(session, folder, encoding, label):
    table = write(folder / "t.csv", f"path,category\na.png,{label}\n", encoding)
    outcome = run_here(import_task(session, [table]))
    assert isinstance(outcome, Failed)
    assert label in outcome.sentence
    assert session.store.images.count() == 0
    imported(session, table, encoding=encoding)
    assert labels(session) == {"a.png": label}
    with pytest.raises(EncodingUnsure) as raised:
        import_labels(session, table)
    assert raised.value.samples == (label,)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_unicode_needs_no_confirmation(session, folder, encoding):
    table = write(folder / "t.csv", "path,category\na.png,Häher\n", encoding)
    imported(session, table)
    assert labels(session) == {"a.png": "Häher"}


def test_a_malformed_row_is_refused_with_its_line(session, folder):
    text = 'path,category\na.png,"owl\nmy bird.png,duck\nc.png,jay\n'
    result = imported(session, write(folder / "t.csv", text))
    assert labels(session) == {"my bird.png": "duck", "c.png": "jay"}
    assert [one.path for one in result.skipped] == ["t.csv, line 2"]


def test_parts_come_in_with_a_table_and_with_folders(session, folder):
    text = "path,category,split\na.png,owl,train\nmy bird.png,duck,TEST\nc.png,jay,val\n"
    result = imported(session, write(folder / "t.csv", text))
    assert result.report.parts == {"train": 1, "test": 1, "validation": 1}
    assert session.store.splits.counts() == {
        Part.TRAIN: 1, Part.VALIDATION: 1, Part.TEST: 1
    }  # fmt: skip


def test_a_dataset_folder_is_recognised(session, tmp_path):
    root = tmp_path / "CUB_200_2011"
    for at, name in enumerate(("001.Auk/a.jpg", "002.Owl/b.jpg"), start=1):
        (root / "images" / name).parent.mkdir(parents=True)
        Image.new("RGB", (30, 20 + at)).save(root / "images" / name)
    (root / "images.txt").write_text("1 001.Auk/a.jpg\n2 002.Owl/b.jpg\n")
    (root / "classes.txt").write_text("1 001.Auk\n2 002.Owl\n")
    (root / "image_class_labels.txt").write_text("1 1\n2 2\n")
    (root / "train_test_split.txt").write_text("1 1\n2 0\n")
    (root / "bounding_boxes.txt").write_text("1 2.0 3.0 10.0 12.0\n2 1.0 1.0 5.0 5.0\n")
    result = imported(session, root)
    assert result.plans[0].format == "cub"
    assert labels(session) == {"a.jpg": "001.Auk", "b.jpg": "002.Owl"}
    assert session.store.splits.counts()[Part.TEST] == 1
    crops = session.store.crops.of_images([1, 2])
    assert [crop.rect.as_tuple() for crop in crops[1]] == [(2, 3, 12, 15)]
    exported = tmp_path / "again"
    export_labels(session, exported, "cub", "category")
    for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt"):
        assert (exported / name).read_text() == (root / name).read_text()


def test_a_file_that_holds_no_image_names_is_refused(session, folder):
    outcome = run_here(import_task(session, [write(folder / "labels.json", "{}")]))
    assert isinstance(outcome, Failed)
    assert outcome.sentence == f"{folder / 'labels.json'} has no known format of labels."


def test_a_single_image_of_a_kind_that_is_not_read_is_skipped(session, folder):
    write(folder / "moving.gif", "GIF89a")
    outcome = run_here(import_task(session, [folder / "moving.gif", folder / "a.png"]))
    assert outcome.value.added == 1
    (skipped,) = outcome.value.skipped
    assert isinstance(skipped, SkippedFile)
    assert skipped.reason.startswith("GIF is not supported, but JPEG, PNG,")


def test_a_format_from_outside_is_one_entry(session, folder):
    lines = write(folder / "t.toy", "a.png => owl\nmy bird.png => duck\n")
    with pytest.raises(ValueRefused, match="cannot be exported"):
        export_labels(session, folder / "labels.toy")
    with FORMATS.temporarily(TOY.name, TOY):
        assert format_for(lines) is TOY
        assert imported(session, lines).labelled == 2
        assert export_labels(session, folder / "labels.toy", label_set="category").labels == 2
        session.undo()
        imported(session, folder)
        assert import_labels(session, folder / "labels.toy").labelled == 2
        assert labels(session) == {"a.png": "owl", "my bird.png": "duck"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.csv", b"", "is empty"),
        ("l.xlsx", b"", "is empty"),
        ("l.json", b" \r\n", "is empty"),
        ("l.json", b'{"images": [}', "no known format"),
    ],
)
def test_files_without_content_are_refused_in_a_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KnownError, match=f"{name} .*{message}"):
        format_for(tmp_path / name)


def test_what_is_no_file_or_folder_of_the_format_is_named(tmp_path, folder):
    os.mkfifo(tmp_path / "pipe.csv")
    for format in ("", "table", "voc"):
        with pytest.raises(KnownError, match=r"pipe\.csv cannot be used: it is a named pipe"):
            format_for(tmp_path / "pipe.csv", format)
    with pytest.raises(KnownError, match="birds cannot be used: it is a folder"):
        format_for(folder, "coco")
    file = write(tmp_path / "l.csv", "path\n")
    with pytest.raises(KnownError, match=r"l\.csv cannot be used: it is a file. Choose the folder"):
        format_for(file, "voc")
    with pytest.raises(KnownError, match=r"gone\.csv does not exist"):
        format_for(tmp_path / "gone.csv")


COCO = (
    '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "Häher",'
    ' "supercategory": ""}], "annotations": [{"image_id": 1, "category_id": 1}]}'
)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_json_comes_in_other_encodings(session, folder, encoding):
    file = write(folder / "l.json", COCO, encoding)
    if encoding == "cp1252":
        with pytest.raises(EncodingUnsure, match="“Häher”"):
            list(import_task(session, [file]).work())
        imported(session, file, encoding=encoding)
    else:
        imported(session, file)
    assert labels(session) == {"a.png": "Häher"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n"images": [,]\n}', "line 2 is not JSON"),
        ('{"images": ' + "[" * 10**5, "nested too deeply"),
        ('{"images": [' + "[" * 10**5 + "]" * 10**5 + "]}", "nested too deeply"),
    ],
)
def test_malformed_json_is_refused_in_a_sentence(folder, text, reason):
    file = write(folder / "l.json", text)
    with pytest.raises(KnownError, match=reason):
        list(FORMATS["coco"].read(file, ReadOptions()))


def test_columns_of_one_label_set_are_remarked(session, folder):
    file = write(folder / "t.csv", "path,label,kind\na.png,owl,owl\nc.png,owl,duck\n")
    report = imported(session, file, sets={"label": "category", "kind": "category"}).report
    assert labels(session) == {"a.png": "owl"}
    assert [one.image for one in report.conflicts] == ["c.png"]
    (remark,) = (one for one in report.decisions if "are all imported as" in one.value)
    assert remark.value.startswith("“label” and “kind” are all imported as category")


def test_labels_of_rows_without_an_image_are_not_created(session, folder):
    file = write(folder / "t.csv", "path,tone\na.png,low\ngone.png,high\n")
    report = imported(session, file, sets={"tone": "tone"}).report
    assert session.labels.get("tone").names == ("low",)
    assert [one.label for one in report.new_labels] == ["low"]


def test_a_new_spelling_of_a_label_of_the_same_file_is_remarked(session, folder):
    imported(session, write(folder / "t.csv", "path,category\na.png,Owl\nc.png,ｏｗｌ\n"))
    report = session.import_reports.all()[1]
    assert [(one.label, one.like) for one in report.new_labels] == [("Owl", ""), ("ｏｗｌ", "Owl")]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
def test_a_folder_with_an_invisible_name_is_reported(session, folder):
    (folder / "\u200b").mkdir()
    (folder / "a.png").rename(folder / "\u200b" / "a.png")
    report = imported(session, folder, {"category": "folder"}).report
    assert [one.reason for one in report.skipped] == ["the label has no visible character"]


@pytest.mark.parametrize(
    "text", ["path,category\nhttps://x.org/i/a.png?size=9,owl\n", "https://x.org/a.png owl\n"]
)
def test_web_addresses_are_found_by_their_names(session, folder, text):
    file = write(folder / ("t.csv" if "," in text else "t.txt"), text)
    imported(session, file, {} if "," in text else {"category": "list"})
    assert labels(session) == {"a.png": "owl"}


def test_a_table_in_a_folder_of_images_is_remarked(session, folder):
    write(folder / "t.csv", "path,category\na.png,owl\n")
    write(folder / "settings.json", "{}")
    report = imported(session, folder).report
    assert [one.about for one in report.decisions] == ["t.csv"]
    assert labels(session) == {}


KEYWORDS = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>'
    "{}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_several_keywords_of_an_image_are_offered_and_no_conflict(session, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for at, words in enumerate((("owl", "night"), ("jay",))):
        Image.new("RGB", (20, 20), (at, 0, 0)).save(folder / f"{at}.png")
        items = "".join(f"<rdf:li>{word}</rdf:li>" for word in words)
        (folder / f"{at}.xmp").write_text(KEYWORDS.format(items))
    report = run_here(import_task(session, [folder])).value.report
    assert (report.added, report.labelled, report.conflicts) == (2, 0, ())
    (offered,) = [one for one in report.decisions if one.kind is DecisionKind.NOT_IMPORTED]
    assert change_of(offered) == "To import it as labels: --labels =keywords"
    report = import_labels(session, folder, ReadChoices(sets={"": "keywords"}))
    assert (report.labelled, report.new_sets, report.conflicts) == (3, ("keywords",), ())
    assert not session.labels.sets()["keywords"].exclusive
    assert import_labels(session, folder).equal == 3  # a set that there is needs no choice


def test_labels_of_a_list_that_are_not_imported_are_offered(session, tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "li.txt").write_text("a.png owl\n")
    report = run_here(import_task(session, [tmp_path / "li.txt"])).value.report
    (offered,) = [one for one in report.decisions if one.kind is DecisionKind.NOT_IMPORTED]
    assert change_of(offered) == "To import it as labels: --labels =category"
    choices = ReadChoices(sets={"": "category"})
    assert run_here(import_task(session, [tmp_path / "li.txt"], {}, choices)).value.labelled == 1


def test_labels_of_boxes_are_not_counted_as_labels_of_images(tmp_path):
    box = Region((0, 0, 5, 5), (GivenLabel("", "owl"),))
    image = ImageRecord("a.png", (GivenLabel("category", "owl"),), regions=(box,))
    dataset = Dataset(tmp_path, [image], sets={"": DeclaredSet(), "category": DeclaredSet()})
    sets = {"": "category", "category": "category"}
    read = ReadDataset(dataset, FORMATS.find("coco"), sets, ())
    texts = [str(one.value) for one in decisions_about(tmp_path, read, ReadChoices())]
    assert not any("are all imported as" in text for text in texts)


@pytest.mark.parametrize("name", ["folders", "dogs"])
def test_labels_that_no_folder_can_have_stay_distinct(session, folder, tmp_path, name):
    given = "path,category\na.png,x/y\nmy bird.png,x_y\nc.png,x_y.\n"
    imported(session, write(folder / "t.csv", given), {"category": "csv"})
    exported = tmp_path / "again"
    report = export_labels(session, exported, name, "category", ImageCopies.COPY)
    changed = "“x/y” → “x_y_2”, “x_y.” → “x_y_3”"
    assert any(str(note).endswith(f": {changed}.") for note in report.notes), report.notes
    found = {path.parent.name: path.name for path in exported.rglob("*.png")}
    assert found == {"x_y": "my bird.png", "x_y_2": "a.png", "x_y_3": "c.png"}
    read = read_dataset(name, exported)
    assert {one.labels[0].label for one in read.images} == set(found)


def test_flags_of_images_are_no_labels_of_boxes(session, folder):
    shape = {"label": "head", "points": [[1, 2], [9, 8]], "shape_type": "rectangle"}
    content = {"version": "5.2.1", "flags": {"owl": True, "jay": False}, "shapes": [shape],
               "imagePath": "a.png", "imageHeight": 10, "imageWidth": 20}  # fmt: skip
    write(folder / "a.json", json.dumps(content))
    imported(session, folder)
    import_labels(session, folder, ReadChoices(format="labelme"))
    assert labels(session) == {"a.png": "owl"}
    assert session.store.labels.get("object").names == ("head",)


def test_tags_of_cvat_are_no_labels_of_boxes(session, folder):
    names = "".join(
        f"<label><name>{name}</name><type>{kind}</type></label>"
        for name, kind in (("owl", "tag"), ("jay", "tag"), ("head", "rectangle"), ("eye", "any"))
    )
    box = '<box label="head" occluded="0" xtl="1" ytl="2" xbr="9" ybr="8"/><tag label="owl"/>'
    image = f'<image id="0" name="a.png" width="20" height="10">{box}</image>'
    text = f"<annotations><meta><task><labels>{names}</labels></task></meta>{image}</annotations>"
    imported(session, folder)
    import_labels(session, write(folder / "c.xml", text))
    assert labels(session) == {"a.png": "owl"}
    assert session.store.labels.get("object").names == ("head", "eye")
