"""Atomic file writes; digests detect every flipped bit."""

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.damage import DAMAGES, flipped, without_seal
from tests.fixtures.finished_runs import fill, make_run
from workbench.cli.command import run
from workbench.domain.errors import KnownError, remedy_of
from workbench.files import (
    DIGESTS_FILE,
    DamagedFile,
    GrowingFile,
    check_archive,
    check_digest,
    check_recorded,
    check_regular,
    digest_of,
    hash_regular,
    make_folder,
    new_folder,
    read_regular,
    record_digest,
    regular_bytes,
    replacing,
    seal_archive,
    write_whole,
    writing,
)
from workbench.learning.protocol.failures import error_report
from workbench.storage.project import Project
from workbench.vision.headers import identify
from workbench.vision.reading import read_rgb

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")


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


def test_a_sealed_archive_is_a_valid_archive(sealed):
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
    """The content of an archive, as text."""
    if kind == "torch":
        return str(torch.load(path, weights_only=True))
    with path.open("rb") as file, np.load(file) as arrays:
        return str({name: array.tolist() for name, array in arrays.items()})


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_an_archive_without_a_seal_is_accepted_if_intact(tmp_path, kind):
    path, data, refused = tmp_path / "old", archive(kind), 0
    path.write_bytes(data)
    check_archive(path)
    messages = content(kind, path)
    for at in range(0, len(data), 3):
        path.write_bytes(flipped(data, at, at % 8))
        try:
            check_archive(path)
        except DamagedFile:
            refused += 1
        else:
            assert readable(kind, path) in (messages, None)
    assert refused


def readable(kind, path):
    """`content`, or None if the archive cannot be read, which its reader detects."""
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
    record_digest(two, digest_of(two))  # a damaged record is written again
    check_recorded(two)


def test_a_growing_file_has_the_digest_of_its_content(tmp_path):
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


def test_a_write_that_fails_leaves_what_was_there_and_no_piece(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("before")
    with contextlib.suppress(ZeroDivisionError), replacing(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def flushed(monkeypatch, path, **options):
    """What was flushed to the disk while `path` was written, and whether it was there by then."""
    found = []

    def fsync(handle):
        folder = os.path.isdir(f"/proc/self/fd/{handle}")
        found.append(("folder" if folder else "file", path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"new", **options)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files in /proc")
def test_bytes_are_flushed_before_the_rename_and_the_name_after_it(monkeypatch, tmp_path):
    assert flushed(monkeypatch, tmp_path / "a") == [("file", False), ("folder", True)]
    assert flushed(monkeypatch, tmp_path / "b", flush=False) == []


@pytest.mark.parametrize("options", [{}, {"flush": False}, {"shared": True}])
def test_a_file_is_replaced_only_by_a_whole_one(tmp_path, options):
    path = tmp_path / "kept.json"
    write_whole(path, b"first", **options)
    with contextlib.suppress(ZeroDivisionError), replacing(path, **options) as part:
        part.write_bytes(b"half")
        assert part.parent == path.parent
        assert path.read_bytes() == b"first"
        raise ZeroDivisionError
    assert path.read_bytes() == b"first"
    with replacing(path, **options) as part:
        part.write_bytes(b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["kept.json"]


def test_several_may_write_one_file_at_once(tmp_path):
    path = tmp_path / "shared"
    with replacing(path, shared=True) as mine:
        code = "import pathlib, sys; from workbench.files import write_whole; "
        code += "write_whole(pathlib.Path(sys.argv[1]), b'theirs', shared=True)"
        mine.write_bytes(b"mine")
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        assert path.read_bytes() == b"theirs"
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["shared"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_kill_while_writing_keeps_the_old_file_and_allows_a_retry(tmp_path):
    path = tmp_path / "kept"
    write_whole(path, b"first")
    code = "import os, pathlib, sys; from workbench.files import replacing\n"
    code += "with replacing(pathlib.Path(sys.argv[1])) as part:\n"
    code += "    part.write_bytes(b'half of it'); os.kill(os.getpid(), 9)\n"
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"first"
    write_whole(path, b"2nd")
    assert path.read_bytes() == b"2nd"
    assert os.listdir(tmp_path) == ["kept"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "runs" / "one"
    with contextlib.suppress(ZeroDivisionError), new_folder(folder) as part:
        (part / "half").touch()
        raise ZeroDivisionError
    assert os.listdir(tmp_path / "runs") == []
    (tmp_path / "runs" / "one.part").mkdir()  # what a killed program left
    (tmp_path / "runs" / "one.part" / "old").touch()
    with new_folder(folder) as part:
        (part / "new").touch()
        assert not folder.exists()
    assert os.listdir(folder) == ["new"]
    assert os.listdir(tmp_path / "runs") == ["one"]


@POSIX
def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path):
    """Between the check and the reading, whatever lies there may be replaced."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")

    class Replaced(type(tmp_path)):
        def stat(self, **options):
            return (tmp_path / "file").stat(**options)

    for read in (regular_bytes, hash_regular):
        with pytest.raises(OSError, match="it is a named pipe"):
            read(Replaced(tmp_path / "pipe"))


def test_a_file_is_refused_by_its_size_before_it_is_used(tmp_path):
    (tmp_path / "x").write_bytes(bytes(100))
    check_regular(tmp_path / "x", 100, "Choose another.")
    for path, reason in ((tmp_path / "x", "its size is 0.0 GB"), (tmp_path, "it is a folder")):
        with pytest.raises(KnownError) as refused:
            check_regular(path, 99, "Choose another.")
        assert reason in refused.value.sentence
        assert refused.value.remedy == "Choose another."
    with pytest.raises(KnownError, match="does not exist"):
        check_regular(tmp_path / "y", 99, "Choose another.")


def test_pipes_and_devices_are_not_read(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"abc")
    assert (read_regular(path), read_regular(path, 2)) == (b"abc", b"ab")
    with pytest.raises(KnownError, match=r"list\.txt cannot be read: its size is .* the limit is"):
        read_regular(path, most=2)
    with pytest.raises(KnownError, match="it is a folder"):
        read_regular(tmp_path)
    with pytest.raises(KnownError, match=r"cannot be read: .+\."):
        read_regular(tmp_path / "gone")
    with pytest.raises(KnownError, match="null"):
        read_regular(tmp_path / "a\0b")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
@pytest.mark.parametrize("words", [["labels", "import", "P"], ["import", "P"], ["train", "P"]])
def test_a_pipe_that_is_named_in_a_command_is_refused_at_once(tmp_path, monkeypatch, qapp, words):
    monkeypatch.chdir(tmp_path)
    assert run(["new", "P"]) == 0
    for name in ("pipe.json", "pipe.csv", "pipe.txt", "pipe.toml"):
        os.mkfifo(name)
        assert run([*words, name]) in (1, 2)


def test_a_failed_write_is_reported(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "inside"
    refused = pytest.raises(KnownError, match=r"inside cannot be written: .*a part of this path is")
    with refused, writing(path):
        write_whole(path, b"")
    with pytest.raises(KnownError, match=r"inside cannot be created: .*a part of this path is"):
        make_folder(path)


def _remedy(path):
    with pytest.raises(KnownError) as caught, writing(path):
        write_whole(path, b"content")
    return caught.value.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="other error numbers")
def test_the_remedy_fits_the_error_number(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    remedies = {
        "folder": "Choose the name of a file instead of a folder.",
        "missing/file": "Create its folder first, or choose another one.",
        "x" * 300: "Choose a shorter name.",
        "circle": "Choose a path without links that lead in a circle.",
    }
    assert {name: _remedy(tmp_path / name) for name in remedies} == remedies
    numbers = {
        errno.ENOSPC: "disk space",
        errno.EDQUOT: "disk space",
        errno.EACCES: "permissions",
        errno.EROFS: "can be written to",
        errno.EIO: "drive is connected",
    }
    for number, word in numbers.items():
        assert word in remedy_of(OSError(number, os.strerror(number)))
    assert remedy_of(OSError("no number"), "Otherwise.") == "Otherwise."


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_named_as_such():
    refused = pytest.raises(KnownError, match=r"no space left.*Free up disk space")
    with refused, writing(Path("/dev/full")), open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KnownError, match="it is a named pipe"), writing(tmp_path / "pipe"):
        write_whole(tmp_path / "pipe", b"content")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_during_a_training_is_told_from_other_errors(tmp_path):
    full = error_report(OSError(errno.ENOSPC, "No space left on device", "a.safetensors"))
    assert "disk is full" in full.sentence
    denied = error_report(PermissionError(errno.EACCES, "Permission denied", "a.safetensors"))
    assert denied.sentence == "a.safetensors cannot be used: permission denied."
    assert "permissions" in denied.remedy
    assert error_report(OSError("something")).traceback


def test_outputs_that_are_folders_are_refused_before_the_work(tmp_path, qapp, capsys):
    with contextlib.closing(Project.create(tmp_path / "P")) as store:
        make_run(store, fill(store, tmp_path / "images"), "one")
    capsys.readouterr()
    (tmp_path / "out.onnx").mkdir()
    project, out = str(tmp_path / "P"), str(tmp_path / "out.onnx")
    assert run(["predict", project, "one", str(tmp_path / "images"), "--out", out]) == 1
    assert "Choose the name of a file instead of a folder." in capsys.readouterr().err
    assert run(["export", project, "one", out]) == 1
    assert "Choose the name of a file instead of a folder." in capsys.readouterr().err
    assert run(["labels", "export", project, str(tmp_path / "images.csv" / "x.csv")]) == 1
    assert "Create its folder first" in capsys.readouterr().err


def test_a_run_is_renamed_and_deleted_by_commands_that_report_it(tmp_path, qapp, capsys):
    with contextlib.closing(Project.create(tmp_path / "P")) as store:
        make_run(store, fill(store, tmp_path / "images"), "one")
    assert run(["runs", str(tmp_path / "P"), "--rename", "one", "two "]) == 0
    assert "“one” → “two”" in capsys.readouterr().out
    assert run(["runs", str(tmp_path / "P"), "--remove", "two"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("deleted: ")
    assert "“two”" in out


@pytest.fixture
def places(tmp_path, monkeypatch, qapp):
    """A project beside a named pipe, a socket, a file and a folder."""
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Project.create(Path("P"))) as store:
        make_run(store, fill(store, tmp_path / "folder"), "one")
    os.mkfifo("pipe")
    os.mkfifo("pipe.jpg")
    os.mkfifo("pipe.safetensors")
    Path("file").touch()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as there:
        there.bind("socket")
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["import", "P", "/dev/null"], "a device"),
        (["import", "P", "pipe"], "a named pipe"),
        (["import", "P", "socket"], "a socket"),
        (["predict", "P", "one", "file", "--out", "x.csv"], "a file"),
        (["predict", "P", "one", "pipe", "--out", "x.csv"], "a named pipe"),
        (["crop", "P", "--landmarks", "folder"], "a folder"),
        (["crop", "P", "--landmarks", "pipe"], "a named pipe"),
        (["labels", "import", "P", "pipe.jpg/"], ""),
        (["train", "P", "--set", "target=category", "--set", "start=file:folder"], "a folder"),
        (["cluster", "P", "--start", "resnet18=pipe.safetensors"], "a named pipe"),
    ],
)
def test_a_path_of_another_kind_is_named_as_what_it_is(places, capsys, words, kind):
    assert run(words) in (1, 2)
    output = capsys.readouterr().err
    assert "does not exist" not in output
    assert f"it is {kind}" in output if kind else output


@POSIX
@pytest.mark.parametrize(
    "name", ["project.lock", "project.sqlite-wal", "project.sqlite-journal", "thumbnails.sqlite"]
)
def test_a_project_with_a_pipe_for_a_file_is_refused(places, capsys, name):
    (places / "P.workbench" / name).unlink(missing_ok=True)
    os.mkfifo(places / "P.workbench" / name)
    assert run(["runs", "P"]) == 1
    assert f"{name} cannot be used: it is a named pipe. Delete it" in capsys.readouterr().err


@POSIX
def test_a_file_of_labels_is_refused_as_what_it_is(places, capsys):
    os.mkfifo("pipe.csv")
    with Path("large.csv").open("wb") as file:
        file.truncate(30_000_000_000)
    refused = {"pipe.csv": "used: it is a named pipe", "large.csv": "read: its size is 30.0 GB"}
    for name, reason in refused.items():
        assert run(["labels", "import", "P", name]) == 1
        assert f"{name} cannot be {reason}" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="gives up the privilege of root")
def test_what_may_not_be_read_is_named_with_the_reason(places):
    shutil.copy(next(Path("folder").iterdir()), "good.jpg")
    for name in ("closed.jpg", "closed.toml"):
        Path(name).touch()
        Path(name).chmod(0)
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    start = [sys.executable, "-m", "workbench"]
    if os.geteuid() == 0:
        start = [*drop, *start]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}

    def ended(*words):
        return subprocess.run([*start, *words], env=env, capture_output=True, text=True, timeout=60)

    listed = ended("import", "P", "closed.jpg", "good.jpg", "--json")
    assert listed.returncode == 0, listed.stderr
    answer = json.loads(listed.stdout.splitlines()[0])
    assert [one["path"] for one in answer["skipped"]] == ["closed.jpg"]
    assert "permission denied" in answer["skipped"][0]["reason"]
    refused = ended("train", "P", "closed.toml")
    assert refused.returncode == 1
    assert "closed.toml cannot be read: permission denied." in refused.stderr


@POSIX
def test_pipes_among_images_are_skipped_with_the_reason(places, capsys):
    os.mkfifo(places / "folder" / "pipe.png")
    for words in (["import", "P", "pipe.jpg"], ["import", "P", "folder"]):
        assert run([*words, "--json"]) == 0
        (skipped,) = json.loads(capsys.readouterr().out)["skipped"]
        assert skipped["reason"] == "it is a named pipe"
    with pytest.raises(KnownError, match="it is a named pipe"):
        read_rgb(Path("pipe.jpg"))
    assert identify(Path("pipe.jpg")) is None


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KnownError, match="file cannot be used: it is a file"):
        make_folder(tmp_path / "file")
