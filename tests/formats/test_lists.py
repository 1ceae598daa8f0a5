"""Lists of images: how lines are divided into path and label, and round trips."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fixtures.read_datasets import any_text, read, round_trips, written
from workbench.domain.datasets import MAIN_SET, Dataset, DeclaredSet, GivenLabel, ImageRecord
from workbench.domain.errors import KnownError
from workbench.domain.label_names import tidied
from workbench.formats import FORMATS, WriteOptions, recognised

LIST = FORMATS["list"]


def lines_of(dataset: Dataset) -> list[tuple[int, str, str]]:
    assert all(label.set == MAIN_SET for one in dataset.images for label in one.labels)
    return [
        (one.line, one.path, " + ".join(label.label for label in one.labels))
        for one in dataset.images
    ]


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a.jpg owl", "a.jpg", "owl"),
        ("a 1.jpg\tblue jay", "a 1.jpg", "blue jay"),
        ("IMG_1\tblue jay", "IMG_1", "blue jay"),
        ("b c.png  great\tauk", "b c.png  great", "auk"),
        ("a.jpg\tred, dark", "a.jpg", "red, dark"),
        ("a.jpg\t", "a.jpg", ""),
        ("my owl.jpg owl", "my owl.jpg", "owl"),
        ("my owl.JPG   owl  ", "my owl.JPG", "owl"),
        ("my owl.jpg", "my owl.jpg", ""),
        ("a.jpg great owl", "a.jpg", "great owl"),
        ("a.jpg b.jpg owl", "a.jpg b.jpg", "owl"),
        ("a.jpg 3", "a.jpg", "3"),
        ("a.jpg,owl", "a.jpg", "owl"),
        ("a.jpg, great owl", "a.jpg", "great owl"),
        ("a b.jpg;great owl", "a b.jpg", "great owl"),
        ("a.jpg;red, dark", "a.jpg", "red, dark"),
        ("a,b.jpg,red", "a,b.jpg", "red"),
        ("IMG_1,great owl", "IMG_1", "great owl"),
        ("n01440764/x_1 owl", "n01440764/x_1", "owl"),
        ('"a, b.jpg","the ""red"" one"', "a, b.jpg", 'the "red" one'),
        ('"a b.jpg" great owl', "a b.jpg", "great owl"),
        ('a b.jpg "great owl"', "a b.jpg", "great owl"),
        ('a.jpg\t5" pipe', "a.jpg", '5" pipe'),
        ('a.jpg\tthe "red" one', "a.jpg", 'the "red" one'),
        ('"a b.jpg"', "a b.jpg", ""),
        ("C:\\my data\\a.jpg owl", "C:/my data/a.jpg", "owl"),
        ("\\\\server\\share\\a b.jpg\tgreat owl", "//server/share/a b.jpg", "great owl"),
        ("file:///C:/my%20data/a.jpg owl", "C:/my data/a.jpg", "owl"),
        ("./birds//a.jpg owl", "./birds//a.jpg", "owl"),
        ("a.jpg cafe\u0301", "a.jpg", "café"),
        ("a\u2028b.jpg\t🦉", "a\u2028b.jpg", "🦉"),
        ("#1.jpg owl", "#1.jpg", "owl"),
    ],
)
@pytest.mark.parametrize("name", ["list.txt", "list.lst", "list.data"])
def test_lines_are_divided(tmp_path: Path, name: str, line: str, path: str, label: str) -> None:
    found = read(written(tmp_path, name, f"{line}\nz.jpg emu\n"), format=LIST)
    assert lines_of(found) == [(1, path, label), (2, "z.jpg", "emu")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_line_ends_and_encodings(tmp_path: Path, end: str, encoding: str) -> None:
    text = end.join(["鸟.png 海鸥", "", "  ", "b.png\t海鸥", "c.png 猫头鹰", "lonely"])
    found = read(written(tmp_path, "list.txt", text, encoding))
    assert lines_of(found) == [(1, "鸟.png", "海鸥"), (4, "b.png", "海鸥"), (5, "c.png", "猫头鹰")]
    assert [(str(one.path), str(one.reason)) for one in found.rejected] == [
        ("list.txt, line 6", "“lonely” is not “path label”")
    ]
    assert found.sets == {MAIN_SET: DeclaredSet(("海鸥", "猫头鹰"))}
    assert found.guessed == (encoding == "gb18030")


def test_files_on_the_disk_decide(tmp_path: Path) -> None:
    for name in ("my owl", "a.jpg b", "x.jpg y.jpg", "q.jpg", "tab\there"):
        (tmp_path / name).touch()
    text = "my owl\na.jpg b owl\nx.jpg y.jpg\nq.jpg r.jpg owl\ntab\there\nn1,x auk\n"
    found = read(written(tmp_path, "list.txt", text))
    assert lines_of(found) == [
        (1, "my owl", ""),
        (2, "a.jpg", "b owl"),
        (3, "x.jpg y.jpg", ""),
        (4, "q.jpg", "r.jpg owl"),
        (5, "tab\there", ""),
        (6, "n1", "x auk"),
    ]
    elsewhere = read(tmp_path / "list.txt", base=tmp_path / "other")
    assert lines_of(elsewhere)[0] == (1, "my", "owl")
    assert elsewhere.base == tmp_path / "other"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("lonely", "“lonely” is not “path label”"),
        ("x" * 200, f"“{'x' * 80}” is not “path label”"),
        (f"a.jpg{' ' * 9000}owl", f"“a.jpg{' ' * 75}” is not “path label”"),
        ('a.jpg\t"owl', "the quotation marks do not match"),
        ('"a.jpg owl', "the quotation marks do not match"),
        ('"a.jpg" "owl', "the quotation marks do not match"),
        ("a.jpg\towl\ttrain", "“a.jpg\towl\ttrain” is not “path label”"),
    ],
)
def test_a_malformed_line_is_rejected_alone(tmp_path: Path, line: str, reason: str) -> None:
    found = read(written(tmp_path, "list.txt", f"a.jpg owl\n{line}\nb.jpg auk\n"))
    assert [one.path for one in found.images] == ["a.jpg", "b.jpg"]
    assert [(str(one.path), str(one.reason)) for one in found.rejected] == [
        ("list.txt, line 2", reason)
    ]


def test_an_image_listed_twice_has_two_records(tmp_path: Path) -> None:
    found = read(written(tmp_path, "list.txt", "a.jpg owl\na.jpg auk\n"))
    assert lines_of(found) == [(1, "a.jpg", "owl"), (2, "a.jpg", "auk")]


def test_a_header_is_no_image(tmp_path: Path) -> None:
    found = read(written(tmp_path, "list.txt", "\nfilename label\na.jpg owl\nname class\n"))
    assert lines_of(found) == [(3, "a.jpg", "owl"), (4, "name", "class")]
    assert [str(one) for one in found.remarks] == ["The first line is a header: filename label."]


def test_a_csv_without_a_header_is_a_list(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.csv", 'a.jpg,owl\nb.jpg,"great, auk"\n'))
    assert lines_of(found) == [(1, "a.jpg", "owl"), (2, "b.jpg", "great, auk")]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"a.jpg\0owl\n")
    assert not LIST.recognises(path)
    with pytest.raises(KnownError, match=r"list\.txt is not a text file"):
        read(path, format=LIST)


@pytest.mark.parametrize("ending", ["txt", "lst", "tsv"])
def test_one_set_is_written(tmp_path: Path, ending: str) -> None:
    images = [
        ImageRecord("a b.jpg", (GivenLabel("view", "left"), GivenLabel("kind", "great owl"))),
        ImageRecord("b.jpg", (GivenLabel("kind", "=1"), GivenLabel("kind", "y"))),
        ImageRecord("c.jpg"),
        ImageRecord("d\n.jpg", (GivenLabel("kind", "z"),)),
    ]
    path = tmp_path / f"list.{ending}"
    messages = LIST.write(path, Dataset(tmp_path, images), WriteOptions("kind"))
    lost = "2 labels are not written: a list has one label of one line for each image."
    assert str(messages[-1]) == lost
    assert len(messages) == 1 + (ending == "tsv")  # the formula
    assert [one.name for one in recognised(path)] == ["list"]
    assert lines_of(read(path)) == [
        (1, "a b.jpg", "great owl"),
        (2, "b.jpg", "=1"),
        (3, "c.jpg", ""),
    ]


ONE_LINE = any_text.filter(lambda text: tidied(text) and not {"\r", "\n"} & set(text))


@round_trips
@hypothesis.given(st.lists(ONE_LINE, min_size=1, max_size=6), st.sampled_from(["txt", "tsv"]))
def test_any_label_comes_back(tmp_path_factory, labels: list[str], ending: str) -> None:
    path = tmp_path_factory.mktemp("t") / f"list.{ending}"
    images = [
        ImageRecord(f"a {i}.jpg", (GivenLabel("", tidied(label)),), line=i)
        for i, label in enumerate(labels, start=1)
    ]
    LIST.write(path, Dataset(path.parent, images), WriteOptions())
    found = read(path, format=LIST)
    assert (found.rejected, found.images) == ([], images)
