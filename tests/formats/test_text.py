"""Encodings of text files: Unicode is recognised, others are guessed, what is no text refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.domain.errors import KnownError
from workbench.formats.text import (
    OPENING,
    decoded,
    is_damaged,
    read_opening,
    read_text,
    text_lines,
)

UNICODE = "path,label\n鸟.png,Häher “ж” フクロウ 🦉\n"


def written(folder: Path, data: bytes, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "encoding", "guessed"),
    [
        (UNICODE.encode(), "utf-8", False),
        (UNICODE.encode("utf-8-sig"), "utf-8", False),
        (UNICODE.encode("utf-16"), "utf-16-le", False),
        (b"\xfe\xff" + UNICODE.encode("utf-16-be"), "utf-16-be", False),
        (UNICODE.encode("utf-32"), "utf-32-le", False),
        (UNICODE.encode("utf-16-le"), "utf-16-le", True),
        (UNICODE.encode("utf-16-be"), "utf-16-be", True),
    ],
)
def test_unicode_is_read_without_its_mark(
    tmp_path: Path, data: bytes, encoding: str, guessed: bool
) -> None:
    found = read_text(written(tmp_path, data))
    assert (found.content, found.encoding, found.guessed) == (UNICODE, encoding, guessed)


def test_plain_ascii_is_no_guess(tmp_path: Path) -> None:
    found = read_text(written(tmp_path, b"a.jpg owl\r\n"))
    assert (found.content, found.encoding, found.guessed) == ("a.jpg owl\r\n", "utf-8", False)
    assert read_text(written(tmp_path, b"")).content == ""


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("cp1252", "path,label\na.jpg,Häher\n"),
        ("cp1252", "filename;Art\nMüller.jpg;Eichelhäher\n"),
        ("cp1252", "path,label\na.jpg,Weißstorch\n"),
        ("cp1252", "path,label\na.jpg,ÄRGER\n"),
        ("cp1252", "path,label\na.jpg,l’oiseau d’or\n"),
        ("cp1252", "path,label\na.jpg,Blåmes\nb.jpg,Bøksanger\n"),
        ("cp1252", "path,label\na.jpg,pääskynen\n"),
        ("cp1252", "path,label\na.jpg,20 °C\n"),
        ("cp1252", "path,label\na.jpg,Ñandú\n"),
        ("cp1250", "path,label\na.jpg,żuraw\nb.jpg,sokół\n"),
        ("cp1254", "path,label\na.jpg,kuğu\nb.jpg,şahin\n"),
        ("cp850", "path,label\na.jpg,Grünspecht\nb.jpg,Weißstorch\n"),
        ("cp1251", "path,label\na.jpg,Сова\n"),
        ("cp1251", "путь;метка\na.jpg;ЖУРАВЛЬ\n"),
        ("koi8_r", "path,label\na.jpg,сова\nb.jpg,воробей\n"),
        ("cp1253", "path,label\na.jpg,κουκουβάγια\n"),
        ("cp1255", "path,label\na.jpg,ינשוף\nb.jpg,עורב\nc.jpg,דרור\nd.jpg,תרנגול\n"),
        ("cp932", "path,label\na.jpg,フクロウ\n"),
        ("cp932", "path,label\na.jpg,白鳥\nb.jpg,雀\n"),
        ("cp932", "画像,種類\na.jpg,すずめ\n"),
        ("euc_jp", "path,label\na.jpg,フクロウ\n"),
        ("gb18030", "path,label\na.jpg,猫头鹰\n"),  # well-formed UTF-8, too
        ("gb18030", "鸟.png 海鸥\n"),
        ("big5", "path,label\na.jpg,貓頭鷹\n"),
        ("big5", "圖片,類別\na.jpg,狗\n"),
        ("cp949", "path,label\na.jpg,올빼미\n"),
        ("cp949", "path,label\na.jpg,참새\nb.jpg,까마귀\n"),
        ("iso2022_jp", "path,label\na.jpg,白鳥\n"),
    ],
)
def test_short_tables_in_older_encodings_are_guessed(encoding: str, content: str) -> None:
    found = decoded(Path("table.csv"), content.encode(encoding))
    assert (found.content, found.encoding, found.guessed) == (content, encoding, True)


def test_an_encoding_that_is_no_candidate_is_detected() -> None:
    birds = ["นกฮูก", "นกอินทรี", "อีกา", "นกพิราบ", "นกกระจอก", "เป็ด", "ห่าน", "หงส์", "ไก่"]
    content = "path,label\n" + "".join(f"{word}.jpg,{word}\n" for word in birds)
    found = decoded(Path("table.csv"), content.encode("cp874"))
    assert (found.content, found.guessed) == (content, True)


def test_a_late_character_decides_too() -> None:
    """A byte that the first choice does not have rules it out, wherever it is."""
    content = "path,label\n" + "a.jpg,Häher\n" * 3000
    data = content.encode("cp1252") + b"b.jpg,\x81\n"  # no character of cp1252
    found = decoded(Path("table.csv"), data)
    assert found.encoding != "cp1252"
    assert found.guessed


def test_the_user_decides(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jpg フクロウ\n".encode("shift_jis"))
    assert read_text(path, "shift_jis").content == "a.jpg フクロウ\n"
    assert not read_text(path, "shift_jis").guessed
    with pytest.raises(KnownError, match=r"list\.txt cannot be read as UTF-8: line 1 has other"):
        read_text(path, "utf-8")
    for name in ("klingon", "rot13", "hex", "\0"):
        with pytest.raises(KnownError, match="is not the name of a character encoding"):
            read_text(path, name)


@pytest.mark.parametrize(
    ("well", "line"), [(40, b"b.jpg H\xe4her"), (2, b"b.jpg M\xfcller"), (2, b"b.jpg \xff\xfe")]
)
def test_a_damaged_line_of_a_unicode_file_is_named(tmp_path: Path, well: int, line: bytes) -> None:
    data = ("a.jpg Häher\n" * well).encode() + line + "\nc.jpg Möwe\n".encode()
    found = read_text(written(tmp_path, data))
    assert (found.encoding, found.guessed) == ("utf-8", False)
    assert [is_damaged(text) for text in text_lines(found.content)] == [
        *[False] * well,
        True,
        False,
    ]
    wrong = rf"cannot be read as UTF-8: line {well + 1} has other characters"
    with pytest.raises(KnownError, match=wrong):
        decoded(tmp_path / "list.txt", data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"a.jpg\0owl\n",
        b"\xff\xd8\xff\xe0\x01\x02 JFIF",
        b"\xff\xfea",  # half a character after the mark of UTF-16
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(KnownError, match=r"list\.txt (is not a text|cannot be read as UTF-16)"):
        read_text(written(tmp_path, data))
    assert read_opening(tmp_path / "list.txt") == ""


def test_the_opening_ends_with_a_whole_line(tmp_path: Path) -> None:
    line = "ä.jpg 鸟\n"
    path = written(tmp_path, (line * OPENING).encode())
    opening = read_opening(path)
    assert len(opening.encode()) > OPENING - len(line.encode())
    assert set(opening.splitlines()) == {line.strip()}
    assert read_opening(tmp_path) == read_opening(tmp_path / "gone.txt") == ""


def test_lines_end_as_those_of_files_do() -> None:
    assert text_lines("a\rb\r\nc\nd\u2028e\x0bf\x85g") == [
        "a\r",
        "b\r\n",
        "c\n",
        "d\u2028e\x0bf\x85g",
    ]
