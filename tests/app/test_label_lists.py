"""Lists and tables as text: which is which, their lines, labels, encodings and bad lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.app.labels.label_lists import (
    Entry,
    kind_of,
    labels_offered,
    locate,
    may_be_both,
    read_list,
    read_listed,
    read_table,
    table_rows,
)
from workbench.domain.errors import KnownError
from workbench.domain.formats import FileKind, Origin


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def labelled(line: int, path: str, label: str) -> Entry:
    return Entry(line, path, (("", label),))


def test_lines_have_a_path_and_a_last_word_and_empty_ones_count(tmp_path: Path) -> None:
    (tmp_path / "my owl.png").touch()
    text = "a.png owl\n\n  \nb c.png  great\tauk\nmy owl.png\nlonely\n"
    found = read_list(written(tmp_path, "list.txt", text))
    assert found.kind is FileKind.LIST
    assert found.entries == [
        labelled(1, "a.png", "owl"),
        labelled(4, "b c.png  great", "auk"),
        Entry(5, "my owl.png"),
    ]
    (bad,) = found.bad
    assert bad.path == "list.txt, line 6"
    assert bad.reason == "“lonely” is not “path label”"


def test_a_long_bad_line_is_cut(tmp_path: Path) -> None:
    (bad,) = read_list(written(tmp_path, "list.txt", "x" * 200)).bad
    assert bad.reason == f"“{'x' * 80}” is not “path label”"


def test_tabs_divide_a_tsv_list_where_it_has_any(tmp_path: Path) -> None:
    tabs = read_list(written(tmp_path, "a.tsv", "a b.png\tgreat owl\nc.png\t\n"))
    assert tabs.entries == [labelled(1, "a b.png", "great owl")]
    assert len(tabs.bad) == 1
    spaces = read_list(written(tmp_path, "b.tsv", "a b.png owl\n"))
    assert spaces.entries == [labelled(1, "a b.png", "owl")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_lists_are_read_in_three_encodings(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "list.txt", "鸟.png 海鸥\n", encoding)
    assert read_list(path).entries == [labelled(1, "鸟.png", "海鸥")]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xff\xff")
    with pytest.raises(KnownError, match=r"list\.txt is not a text file"):
        read_list(tmp_path / "list.txt")
    assert labels_offered(tmp_path / "list.txt") is Origin.LIST  # by its ending alone
    (tmp_path / "t.csv").write_bytes(b"\xff\xff\xff")
    assert labels_offered(tmp_path / "t.csv") is Origin.NONE


def test_a_table_has_columns_in_any_order_and_case(tmp_path: Path) -> None:
    text = (
        "Note, View ,FILE,category\nx, left ,a.png,owl\n\ny,,b.png\n,right,,auk\nz,top, c.png ,\n"
    )
    found = read_table(written(tmp_path, "t.csv", text))
    assert (found.kind, set(found.columns)) == (FileKind.TABLE, {"category", "view"})
    assert [(one.line, one.path, dict(one.labels)) for one in found.entries] == [
        (2, "a.png", {"category": "owl", "view": "left"}),
        (4, "b.png", {}),
        (6, "c.png", {"view": "top"}),
    ]
    (bad,) = found.bad
    assert (bad.path, bad.reason) == ("t.csv, line 5", "the line has no image path")


def test_the_first_column_of_paths_by_name_counts(tmp_path: Path) -> None:
    found = read_table(written(tmp_path, "t.csv", "image,filename,path\na,b,c\n"))
    assert found.entries == [Entry(2, "c")]
    with pytest.raises(KnownError) as refused:
        read_table(written(tmp_path, "t.csv", "name,label\na,b\n"))
    assert str(refused.value) == (
        f"{tmp_path / 't.csv'} has no column of image paths; its columns are name, label."
        " Rename that column to path, filename, file or image."
    )


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_most_frequent_mark_of_the_header_divides_its_cells(tmp_path: Path, mark: str) -> None:
    text = (
        mark.join(("path", "category", "view")) + "\n" + mark.join(('"a,b;c.png"', "owl", "left"))
    )
    path = written(tmp_path, "t.csv", "\n" + text)
    assert list(table_rows(path))[-1] == (3, ["a,b;c.png", "owl", "left"])
    assert labels_offered(path) is Origin.TABLE


def test_a_cell_that_does_not_end_is_reported_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "path\n" + "x" * 200_000 + "\n")
    with pytest.raises(KnownError, match=r"t\.csv, line 2"):
        list(table_rows(path))


@pytest.mark.parametrize(
    ("name", "text", "kind", "origin"),
    [
        ("a.txt", "a.png owl", FileKind.LIST, Origin.LIST),
        ("a.unknown", "a.png owl", FileKind.LIST, Origin.LIST),
        ("a.csv", "path,category", FileKind.TABLE, Origin.TABLE),
        ("a.csv", "path,note", FileKind.TABLE, Origin.NONE),
        ("a.tsv", "a.png\towl", FileKind.LIST, Origin.LIST),
        ("a.tsv", "\n\npath\tview", FileKind.TABLE, Origin.TABLE),
        ("a.tsv", "x\ty\tz", FileKind.TABLE, Origin.NONE),
        ("a.tsv", "x,y", FileKind.TABLE, Origin.NONE),
        ("a.tsv", "a.png owl", FileKind.LIST, Origin.LIST),
        ("a.tsv", "", FileKind.LIST, Origin.LIST),
        ("a.png", "", None, Origin.NONE),
    ],
)
def test_the_ending_and_else_the_first_line_decide(tmp_path, name, text, kind, origin) -> None:
    path = written(tmp_path, name, text)
    assert kind_of(path) is kind
    assert labels_offered(path) is origin
    assert may_be_both(path) is name.endswith(".tsv")


def test_each_kind_is_read_by_its_own_rules(tmp_path: Path) -> None:
    assert read_listed(written(tmp_path, "a.tsv", "path\tview\na\tleft\n")).columns == ("view",)
    assert read_listed(written(tmp_path, "b.tsv", "a.png\tleft\n")).kind is FileKind.LIST
    with pytest.raises(KnownError, match="is not a list of images"):
        read_listed(written(tmp_path, "a.png", ""))


def test_files_are_located_from_the_folder_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "a.png").touch()
    for name in ("birds/a.png", "birds\\a.png", "./birds/../birds/a.png"):
        assert locate(tmp_path, name) == tmp_path / "birds" / "a.png"
    for name in ("birds", "gone.png", "a\0b", "x" * 5000):
        assert locate(tmp_path, name) is None
