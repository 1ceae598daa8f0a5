"""MATLAB files: what they hold, and damaged, too large or too new ones."""

import random
import struct

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from workbench.domain.errors import KnownError
from workbench.formats import matlab
from workbench.formats.matlab import cells, entries_of, read_mat, structs, text_in, write_mat


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "annos.mat"
    rows = structs([{"a": "x", "b": 1.0}, {"a": "ü", "b": 2.5}], ("a", "b"))
    write_mat(
        path,
        {
            "rows": rows,
            "names": cells(["one", "two words"]),
            "n": np.array([[1.0, 3.0], [2.0, 4.0]]),
        },
    )
    return path


def test_what_is_written_is_read_again(file):
    found = read_mat(file)
    assert entries_of(found["rows"]) == [{"a": "x", "b": 1.0}, {"a": "ü", "b": 2.5}]
    assert entries_of(found["names"]) == ["one", "two words"]
    assert found["n"] == [1.0, 2.0, 3.0, 4.0], "column by column"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_arrays_of_any_length(tmp_path, count):
    path = tmp_path / "a.mat"
    rows = [{"a": f"row {at}"} for at in range(count)]
    write_mat(path, {"rows": structs(rows, ("a",)), "texts": cells("ab"[:count], column=True)})
    found = read_mat(path)
    assert entries_of(found["rows"]) == rows
    assert entries_of(found["texts"]) == list("ab"[:count])


def test_values_of_all_kinds(tmp_path):
    path = tmp_path / "kinds.mat"
    values = {
        "small": np.uint8(7),
        "large": np.array([[1 << 40]]),
        "single": np.float32(0.5),
        "rows": np.array(["one", "three"]),
        "clef": "\U0001d11e clef",
        "empty": "",
        "sparse": csc_array(np.eye(2)),
        "truth": np.array([True, False]),
    }
    savemat(path, values)
    assert read_mat(path) == {
        "small": 7,
        "large": 1 << 40,
        "single": 0.5,
        "rows": ["one", "three"],
        "clef": "\U0001d11e clef",
        "empty": "",
        "sparse": None,
        "truth": [1, 0],
    }


def test_the_byte_order_of_other_computers(tmp_path):
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    def array(kind, name, content):
        flags = element(6, struct.pack(">II", kind, 0))
        sizes = element(5, struct.pack(">ii", 1, 2))
        return element(14, flags + sizes + element(1, name) + content)

    numbers = array(6, b"n", element(9, struct.pack(">dd", 1.5, 2.5)))
    text = array(4, b"text", element(4, "né".encode("utf-16-be")))
    path = tmp_path / "sun.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + numbers + text)
    assert read_mat(path) == {"n": [1.5, 2.5], "text": "né"}


def test_a_value_that_is_no_text():
    assert text_in("a b") == "a b"
    for value in ([], 3, " ", None):
        with pytest.raises(ValueError, match="no text"):
            text_in(value)


def test_version_7_3_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + b" " * 500)
    with pytest.raises(KnownError) as refused:
        read_mat(path)
    assert str(refused.value) == (
        f"{path} cannot be read: it is a MATLAB file of version 7.3."
        " Save it in MATLAB with the option -v7."
    )


@pytest.mark.parametrize("content", [b"", b"no", b"MATLAB 5.0 MAT-file", b"\x89HDF\r\n" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.mat"
    path.write_bytes(content)
    with pytest.raises(KnownError, match="it is no MATLAB file of version 5"):
        read_mat(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_truncated_file_is_refused(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(KnownError, match=r"annos\.mat cannot be read"):
        read_mat(file)


@pytest.mark.parametrize("packed", [False, True])
def test_an_array_that_declares_more_than_there_is_is_refused(tmp_path, packed):
    path = tmp_path / "many.mat"
    savemat(path, {"names": cells(["a", "b"])}, do_compression=False)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<ii", 1, 2))  # its dimensions
    data[at : at + 8] = struct.pack("<ii", 1, 1 << 30)
    if packed:
        import zlib

        content = zlib.compress(bytes(data[128:]))
        data = data[:128] + struct.pack("<II", 15, len(content)) + content
    path.write_bytes(data)
    with pytest.raises(KnownError, match="it is damaged"):
        read_mat(path)


def test_content_that_grows_when_it_is_unpacked_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "zeros.mat"
    write_mat(path, {"zeros": np.zeros((1 << 18,))})
    assert path.stat().st_size < 5000
    with pytest.raises(KnownError, match="its content is larger than 1 MB"):
        read_mat(path)


def test_large_arrays_of_numbers_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MOST_NUMBERS", 3)
    path = tmp_path / "pixels.mat"
    write_mat(path, {"three": np.arange(3), "four": np.arange(4)})
    assert read_mat(path) == {"three": [0, 1, 2], "four": None}


def test_arrays_inside_of_each_other_have_a_limit(tmp_path):
    def nested(levels):
        value = 1.0
        for _ in range(levels - 1):
            value = cells([value])
        write_mat(tmp_path / "deep.mat", {"deep": value})
        return read_mat(tmp_path / "deep.mat")["deep"]

    assert str(nested(matlab.MOST_LEVELS)).count("[") == matlab.MOST_LEVELS - 1
    with pytest.raises(KnownError, match="it is damaged"):
        nested(matlab.MOST_LEVELS + 1)


def test_damaged_bytes_never_end_the_program(file):
    data = file.read_bytes()
    draws = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(draws.randint(1, 4)):
            damaged[draws.randrange(128, len(data))] = draws.randrange(256)
        file.write_bytes(damaged)
        try:
            read_mat(file)
        except KnownError:
            refused += 1
    assert refused > 150
