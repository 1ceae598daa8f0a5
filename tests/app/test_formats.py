"""Lists, tables and label files of every format, and of one that was registered from outside."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.toy_formats import PSV, register_for_test
from workbench.app.images.import_plan import SourcePlan, origin_offered
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.labels.label_files import (
    LABEL_CODECS,
    LabelCodec,
    LabelRow,
    export_labels,
    import_labels,
)
from workbench.app.labels.label_lists import LIST_READERS, Entry, ListedLabels
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.formats import FORMATS, FileKind, Format, Origin
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Note

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


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def imported(session, place, labels_from=None, hear=lambda report: None):
    outcome = run_here(import_task(session, [place], labels_from), hear)
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(session, label_set="category"):
    rows = session.store.images.rows(session.store.images.ids())
    return {row.name: "+".join(row.labels[label_set]) for row in rows if row.labels.get(label_set)}


@pytest.mark.parametrize("origin", [Origin.NONE, Origin.TABLE, Origin.LIST])
def test_a_tsv_table_keeps_its_labels_whichever_origin_is_chosen(session, folder, origin):
    result = imported(session, write(folder / "t.tsv", TABLE), {"category": origin})
    assert (result.added, result.labelled, result.skipped) == (3, 3, [])
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}
    assert labels(session, "view") == {"a.png": "left", "c.png": "front"}


@pytest.mark.parametrize("origin", [Origin.TABLE, Origin.LIST])
def test_a_tsv_list_keeps_its_labels_whichever_origin_is_chosen(session, folder, origin):
    result = imported(session, write(folder / "t.tsv", LIST), {"category": origin})
    assert (result.added, result.labelled, result.skipped) == (3, 2, [])
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}


def test_a_tsv_list_parted_by_spaces_is_read_as_any_list(session, folder):
    imported(session, write(folder / "t.tsv", "a.png owl\nmy bird.png duck\n"), {"view": "list"})
    assert labels(session, "view") == {"a.png": "owl", "my bird.png": "duck"}


def test_the_labels_of_a_tsv_list_go_to_no_set_where_several_are_chosen(session, folder):
    heard: list[object] = []
    both = {"category": Origin.TABLE, "view": Origin.TABLE}
    imported(session, write(folder / "t.tsv", LIST), both, heard.append)
    assert (labels(session), labels(session, "view")) == ({}, {})
    remark = "t.tsv has labels, but no label set is imported from the list."
    assert Note(text=remark, warning=True) in heard


def test_a_tsv_table_without_the_column_of_a_list_reports_so(session, folder):
    heard: list[object] = []
    table = write(folder / "t.tsv", "path\tview\na.png\tleft\n")
    imported(session, table, {"category": Origin.LIST}, heard.append)
    assert labels(session, "view") == {"a.png": "left"}
    assert Note(text="t.tsv has no column category.", warning=True) in heard


def test_a_tsv_table_that_names_no_images_is_refused_as_a_csv_is(session, folder):
    table = write(folder / "t.tsv", "picture\tcategory\tview\na.png\towl\tleft\n")
    outcome = run_here(import_task(session, [table]))
    assert isinstance(outcome, Failed)
    assert "has no column of image paths" in outcome.sentence


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_of_a_table_is_detected_from_its_content(session, folder, ending, delimiter):
    table = write(folder / f"t.{ending}", "\n" + TABLE.replace("\t", delimiter))
    assert origin_offered(table) is Origin.TABLE
    imported(session, table)
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}


def test_the_own_delimiter_wins_where_two_are_equally_frequent(session, folder):
    table = write(folder / "t.tsv", "path\tcategory,kind\na.png\towl\n")
    imported(session, table)
    assert session.store.images.count() == 1


@pytest.mark.parametrize(
    ("name", "text", "origin"),
    [
        ("t.tsv", TABLE, Origin.TABLE),
        ("t.tsv", "\ufeff\n" + TABLE, Origin.TABLE),
        ("t.tsv", "\ufeff\n" + LIST, Origin.LIST),
        ("t.tsv", "a.png\n", Origin.LIST),
        ("t.csv", "path,view\n", Origin.TABLE),
        ("t.csv", "path,size\n", Origin.NONE),
        ("t.txt", "a.png owl\n", Origin.LIST),
        ("names", "a.png owl\n", Origin.LIST),
        ("t.other", "a.png owl\n", Origin.LIST),
        ("t.json", "{}", Origin.NONE),
        ("t.gif", "GIF89a", Origin.NONE),
    ],
)
def test_the_origin_of_labels_depends_on_ending_and_first_line(tmp_path, name, text, origin):
    assert origin_offered(write(tmp_path / name, text)) is origin


def test_an_unreadable_file_offers_no_labels(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b"\xff\xfe\x00\x80")
    assert origin_offered(tmp_path / "t.tsv") is Origin.NONE
    assert origin_offered(tmp_path / "gone.txt") is Origin.NONE
    assert origin_offered(tmp_path) is Origin.FOLDER


def test_an_import_records_its_plan_for_each_source(session, folder):
    places = [write(folder / "t.tsv", TABLE), write(folder / "l.lst", "a.png owl\n"), folder]
    origins = {"category": "folder", "view": "csv", "expression": "list"}
    outcome = run_here(import_task(session, places, origins))
    assert outcome.value.plans == [
        SourcePlan(
            places[0],
            Origin.TABLE,
            "TSV",
            (("view", "view"),),
            "t.tsv has no column expression.",
        ),
        SourcePlan(places[1], Origin.LIST, "List file", (("expression", ""),)),
        SourcePlan(folder, Origin.FOLDER, "", (("category", ""),)),
    ]
    kinds = [source.kind for source in session.store.images.sources()]
    assert kinds == [Origin.TABLE, Origin.LIST, Origin.FOLDER]


def test_only_importable_sets_are_filled(session, folder):
    with pytest.raises(ValueRefused, match="category, view or expression"):
        import_task(session, [folder], {"mood": "folder"})


def test_a_file_that_holds_no_image_names_is_refused(session, folder):
    outcome = run_here(import_task(session, [write(folder / "labels.json", "{}")]))
    assert isinstance(outcome, Failed)
    assert outcome.sentence == f"{folder / 'labels.json'} is not a list of images."


def test_a_single_image_of_a_kind_that_is_not_read_is_skipped(session, folder):
    write(folder / "moving.gif", "GIF89a")
    outcome = run_here(import_task(session, [folder / "moving.gif", folder / "a.png"]))
    assert outcome.value.added == 1
    assert outcome.value.skipped == [
        SkippedFile("moving.gif", "GIF is not supported, but JPEG, PNG, BMP, TIFF and WebP are")
    ]


def test_a_new_delimited_format_is_one_entry(session, folder, monkeypatch):
    table = write(folder / "t.psv", TABLE.replace("\t", "|"))
    with pytest.raises(ValueRefused, match=r"ends in \.csv, \.tsv or \.json\."):
        export_labels(session, folder / "labels.psv")
    register_for_test(monkeypatch, PSV)
    assert origin_offered(table) is Origin.TABLE
    result = imported(session, table, {"category": "csv"})
    assert (result.plans[0].format, result.labelled) == ("PSV", 3)
    assert export_labels(session, folder / "labels.psv") == 4
    assert (folder / "labels.psv").read_text("utf-8").startswith("path|hash|set|label|")
    session.undo()
    imported(session, folder)
    assert import_labels(session, folder / "labels.psv").labelled == 4
    assert labels(session) == {"a.png": "great owl", "my bird.png": "duck"}


def test_a_format_without_delimiter_brings_its_reader_and_writer(session, folder, monkeypatch):
    kinds = (FileKind.TABLE, FileKind.LABELS)
    lines = Format("JSON lines", (".jsonl",), kinds, written=(FileKind.LABELS,))

    def read_lines(path):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        entries = [
            Entry(number, row["path"], (("category", row["category"]),))
            for number, row in enumerate(rows, start=1)
        ]
        return ListedLabels(FileKind.TABLE, entries, columns=("category",))

    def read_labels(path):
        return [LabelRow(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]

    def write_labels(path, rows):
        write(
            path,
            "\n".join(json.dumps({"path": r.path, "set": r.set, "label": r.label}) for r in rows),
        )

    register_for_test(monkeypatch, lines)
    monkeypatch.setitem(LIST_READERS, lines, read_lines)
    monkeypatch.setitem(LABEL_CODECS, lines, LabelCodec(read_labels, write_labels))
    table = write(folder / "t.jsonl", '{"path": "a.png", "category": "owl"}\n')
    assert origin_offered(table) is Origin.TABLE
    imported(session, table, {"category": "csv"})
    assert labels(session) == {"a.png": "owl"}
    export_labels(session, folder / "labels.jsonl")
    session.undo()
    imported(session, folder)
    import_labels(session, folder / "labels.jsonl")
    assert labels(session) == {"a.png": "owl"}


def test_every_format_that_holds_labels_has_a_reader_and_a_writer():
    for format in FORMATS.read_as(FileKind.TABLE):
        assert format.delimiter or format in LIST_READERS
    for format in {*FORMATS.read_as(FileKind.LABELS), *FORMATS.written_as(FileKind.LABELS)}:
        assert format.delimiter or format in LABEL_CODECS


def test_a_label_file_of_another_format_is_refused(session, tmp_path):
    with pytest.raises(KnownError, match=r"ends in \.csv, \.tsv or \.json\."):
        import_labels(session, write(tmp_path / "labels.txt", "path,set,label\n"))
