"""The registry of file formats: lookup by extension, unique extensions, the manual's table."""

import pytest

from tests.fixtures.toy_formats import PSV, register_for_test
from workbench.domain.formats import (
    FORMATS,
    FileKind,
    Format,
    FormatRow,
    endings,
    enumerated,
    formats_table,
    images_read,
    names,
    patterns,
)


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.TSV", "TSV"), ("x.list", "List file"), ("photo.JPE", "JPEG"), ("p.json", "JSON")],
)
def test_a_format_is_found_by_its_ending_in_any_case(path, name):
    assert FORMATS.of(path).name == name


@pytest.mark.parametrize("path", ["a.tsv/b", "noending", ".tsv", "x.tsv.gz", ""])
def test_an_unknown_ending_has_no_format(path):
    assert FORMATS.of(path) is None


def test_an_ending_belongs_to_one_format():
    with pytest.raises(ValueError, match=r"\.csv of Other is CSV"):
        FORMATS.register(Format("Other", (".new", ".csv"), (FileKind.TABLE,)))
    assert FORMATS.of("x.new") is None
    every = [ending for format in FORMATS for ending in format.endings]
    assert len(set(every)) == len(every)
    assert all(ending.startswith(".") and ending == ending.lower() for ending in every)


def test_formats_are_reported_apart_by_what_they_hold_and_which_way_they_go():
    assert names(FORMATS.read_as(FileKind.LIST)) == "List file and TSV"
    assert names(FORMATS.read_as(FileKind.TABLE)) == "CSV and TSV"
    assert endings(FORMATS.written_as(FileKind.LABELS)) == ".csv, .tsv or .json"
    assert patterns(FORMATS.read_as(FileKind.LIST, FileKind.TABLE)) == (
        "*.txt *.lst *.list *.csv *.tsv"
    )
    assert images_read() == "Supported formats: JPEG, PNG, BMP, TIFF and WebP."
    assert FORMATS.of("x.gif") not in FORMATS.read_as(FileKind.IMAGE)


@pytest.mark.parametrize(
    ("words", "sentence"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), ("abc", "a, b or c")]
)
def test_names_are_joined_for_a_sentence(words, sentence):
    assert enumerated(words, "or") == sentence


def test_the_manual_lists_a_new_format_with_each_kind_it_holds(monkeypatch):
    before = formats_table()
    register_for_test(monkeypatch, PSV)
    table = "a header, a column of image paths and a column for each label set"
    labels = "the labels of a project, one in each row"
    assert [row for row in formats_table() if row not in before] == [
        FormatRow("PSV", (".psv",), True, False, table),
        FormatRow("PSV", (".psv",), True, True, labels),
    ]
    assert FormatRow("GIF", (".gif",), False, False, "an image") in before
