"""Digests of files: every bit that turns over is noticed, and files without one are accepted."""

import io
import zipfile

import numpy as np
import pytest
import torch

from tests.fixtures.damage import DAMAGES, flipped, without_seal
from workbench.files import (
    DIGESTS_FILE,
    DamagedFile,
    GrowingFile,
    check_archive,
    check_digest,
    check_recorded,
    digest_of,
    record_digest,
    seal_archive,
)


def archive(kind):
    """Bytes of a small archive by numpy or torch."""
    file = io.BytesIO()
    if kind == "numpy":
        np.savez(file, a=np.arange(7), names=np.array(["ä", "b"]))
    else:
        torch.save({"a": torch.arange(7), "more": [1, 2.5, "text"]}, file)
    return file.getvalue()


@pytest.fixture(params=["numpy", "torch"])
def sealed(request, tmp_path):
    path = tmp_path / "sealed"
    path.write_bytes(archive(request.param))
    with path.open("r+b") as file:
        seal_archive(file)
    return path


def test_the_digest_is_that_of_blake3s_test_vectors(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    # test_vectors.json of the BLAKE3 team, input length 0
    assert digest_of(path) == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_sealed_archive_is_an_archive_still(sealed):
    check_archive(sealed)
    with zipfile.ZipFile(sealed) as found:
        assert found.testzip() is None
        assert found.comment.startswith(b"BLAKE3 ")
    before = without_seal(sealed.read_bytes())
    assert before in (archive("numpy"), archive("torch"))


def test_every_byte_of_a_sealed_archive_counts(sealed):
    data = sealed.read_bytes()
    for at in range(len(data)):
        sealed.write_bytes(flipped(data, at, at % 8))
        with pytest.raises(DamagedFile):
            check_archive(sealed)
    for length in range(len(data)):
        sealed.write_bytes(data[:length])
        with pytest.raises(DamagedFile):
            check_archive(sealed)
    sealed.write_bytes(data + b"\0")
    with pytest.raises(DamagedFile):
        check_archive(sealed)


def content(kind, path):
    """What an archive says, as text."""
    if kind == "torch":
        return str(torch.load(path, weights_only=True))
    with path.open("rb") as file, np.load(file) as arrays:
        return str({name: array.tolist() for name, array in arrays.items()})


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_an_archive_without_a_seal_is_accepted_where_it_says_what_it_said(tmp_path, kind):
    path, data, refused = tmp_path / "old", archive(kind), 0
    path.write_bytes(data)
    check_archive(path)
    said = content(kind, path)
    for at in range(0, len(data), 3):
        path.write_bytes(flipped(data, at, at % 8))
        try:
            check_archive(path)
        except DamagedFile:
            refused += 1
        else:
            assert readable(kind, path) in (said, None)
    assert refused


def readable(kind, path):
    """`content`, or None where the archive cannot be read, which its reader notices."""
    try:
        return content(kind, path)
    except Exception:
        return None


def test_a_recorded_digest_is_compared_and_others_are_kept(tmp_path):
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for path in (one, two, three):
        path.write_bytes(path.name.encode() * 100)
        check_recorded(path)  # nothing is recorded yet
    record_digest(one, digest_of(one))
    record_digest(two, digest_of(two))
    data = one.read_bytes()
    for damage in DAMAGES.values():
        one.write_bytes(damage(data))
        with pytest.raises(DamagedFile):
            check_recorded(one)
    three.write_bytes(b"other")
    for path in (two, three):
        check_recorded(path)
    for text in ("{", "[]", '{"two": 5}'):
        (tmp_path / DIGESTS_FILE).write_text(text)
        with pytest.raises(DamagedFile):
            check_recorded(two)
    record_digest(two, digest_of(two))  # a damaged record is written anew
    check_recorded(two)


def test_a_growing_file_knows_the_digest_of_all_its_bytes(tmp_path):
    path = tmp_path / "grows"
    growing = GrowingFile(path, 0)
    growing.append(b"abc" * 1000)
    growing.append(b"")
    growing.append(b"de")
    assert growing.digest == digest_of(path)
    assert path.stat().st_size == 3002
    with path.open("ab") as file:
        file.write(b"cut off")
    again = GrowingFile(path, 3002, growing.digest)
    again.append(b"f")
    assert path.read_bytes() == b"abc" * 1000 + b"def"
    assert again.digest == digest_of(path)
    check_digest(path, growing.digest, 3002)
    for size in (3001, 3003, 4000):
        with pytest.raises(DamagedFile):
            check_digest(path, growing.digest, size)
        with pytest.raises(DamagedFile):
            GrowingFile(path, size, growing.digest)
    assert path.stat().st_size == 3003  # what does not fit is left alone
