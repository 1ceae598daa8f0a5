"""Whatever lies in a folder: images are imported, and no entry ends or holds up an import."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.scenes import heic, write_scene
from workbench.app.image_files import search
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.labels.reading import format_for
from workbench.domain.errors import KnownError
from workbench.files import MOST_BYTES
from workbench.folders import printable, walk

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="names and files that are not there")
UTF8_ONLY = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are UTF-8 there")


def draw(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([seed, *path.name.encode()]).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def finished(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def imported(session, *paths, **origins):
    outcome = run_here(import_task(session, paths, origins))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def names(session):
    ids = session.store.images.ids().tolist()
    return sorted(row.name for row in session.store.images.rows(ids))


FOREIGN = (
    *("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "__MACOSX", ".thumbnails", "@Recycle"),
    *(
        "FOUND.000",
        "found.014",
        "$WINDOWS.~BT",
        "@appstore",
        "Birds Previews.lrdata",
        "Recycle Bin",
    ),
    *("@SynoDrive", "@S2S", "@docker", "@cloudsync", "@__thumb", "@GMT-2026.01.31-12.00.00"),
    *("$Extend", "DfsrPrivate", "Config.Msi", "_vti_cnf", "PaxHeader", "PaxHeaders.0", "#Trash"),
    *("System Volume Information", "#snapshot", "@tmp", "RECYCLER", "Temporary Items"),
)


def test_folders_that_systems_make_are_passed_over(session, tmp_path):
    root = tmp_path / "birds"
    for number in range(4):
        draw(root / "owl" / f"{number}.jpg", number)
        draw(root / "owl" / "@eaDir" / f"{number}.jpg" / "SYNOPHOTO_THUMB_XL.jpg", 9)
    for name in FOREIGN:
        draw(root / name / "x.jpg", 1)
        draw(root / name.lower() / "deep" / "y.jpg", 2)
    result = imported(session, root, category="folder")
    assert (result.added, result.skipped) == (4, [])
    assert session.store.labels.get("category").names == ("owl",)


@pytest.mark.parametrize("inside", [True, False])
def test_the_originals_of_a_photo_library_are_imported_without_its_previews(
    session, tmp_path, inside
):
    for library in ("A.photoslibrary", "B.aplibrary", "C.photolibrary"):
        draw(tmp_path / "in" / library / "originals" / "0" / f"{library}.jpg")
        draw(tmp_path / "in" / library / "Masters" / "resources" / f"{library}2.jpg")
        for previews in ("resources/derivatives/masters/0", "Thumbnails/2026", "Previews"):
            draw(tmp_path / "in" / library / previews / f"{previews[:3]}{library}.jpg")
    draw(tmp_path / "in" / "Thumbnails" / "mine.jpg")
    places = tmp_path.glob("in/*") if inside else [tmp_path / "in"]
    assert imported(session, *places).added == 7


def test_a_folder_that_is_named_is_read_whatever_its_name(session, tmp_path):
    draw(tmp_path / "#recycle" / "x.jpg")
    assert imported(session, tmp_path / "#recycle").added == 1


@UTF8_ONLY
def test_names_that_are_no_utf8_are_listed_and_the_rest_imported(session, tmp_path):
    root = tmp_path / "in"
    for number in range(26):
        draw(root / f"{number}.jpg", number)
    for name in (b"caf\xe9.jpg", b"notes\xe9.txt"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"")
    folder = Path(os.fsdecode(os.fsencode(root) + b"/dir\xff"))
    draw(folder / "x.jpg", 99)
    result = imported(session, root, category="folder")
    assert result.added == 26
    assert [(one.path, one.reason) for one in result.skipped] == [
        ("caf\\xe9.jpg", "its name is not valid UTF-8"),
        ("dir\\xff", "its name is not valid UTF-8"),
    ]
    single = imported(
        session, Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.jpg")), root / "1.jpg"
    )
    assert [one.path for one in single.skipped] == ["caf\\xe9.jpg"]


@UTF8_ONLY
@pytest.mark.parametrize("words", [["import", "P"], ["predict", "P", "run"]])
def test_a_named_folder_that_is_no_utf8_is_refused_in_a_sentence(tmp_path, words):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/dir\xff"))
    draw(folder / "x.jpg")
    code, output = run(tmp_path, *words, str(folder), *(["--out", "x.csv"] * (len(words) > 2)))
    assert (code, "Traceback" in output) == (1, False)
    assert "dir\\xff" in output or "no run" in output


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of a command, which must not hang."""
    start = [sys.executable, "-m", "workbench"]
    env = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])}
    for one in (["new", "P"], list(words)):
        ended = subprocess.run(
            [*start, *one], cwd=folder, env=env, capture_output=True, text=True, timeout=60
        )
    return ended.returncode, ended.stdout + ended.stderr


@POSIX
def test_an_import_by_command_ends_whatever_lies_in_the_folder(tmp_path):
    root = tmp_path / "in"
    draw(root / "good.jpg")
    os.mkfifo(root / "pipe.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    (root / "round").symlink_to(root)
    with (root / "sparse.jpg").open("wb") as file:
        file.truncate(30_000_000_000)
    code, output = run(tmp_path, "import", "P", str(root), "--json")
    assert code == 0, output
    answer = json.loads(output.splitlines()[0])
    assert answer["added"] == 1
    assert {one["path"]: one["reason"] for one in answer["skipped"]} == {
        "loop.jpg": "its links lead in a circle",
        "pipe.jpg": "it is a named pipe",
        "sparse.jpg": "its size is 30.0 GB, the limit is 1.1 GB",
    }


@POSIX
def test_what_is_neither_file_nor_folder_is_listed_as_what_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "in" / "good.jpg")
    for name in ("pipe", "pipe.png", "pipe.txt"):
        os.mkfifo(tmp_path / "in" / name)
    (tmp_path / "in" / "null.tif").symlink_to("/dev/null")
    (tmp_path / "in" / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "in" / "gone.csv").symlink_to("nowhere")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as there:
        there.bind("in/socket.jpg")
    found = finished(search(Path("in")))
    assert found.images == ["good.jpg"]
    assert {one.path: one.reason for one in found.skipped} == {
        "pipe": "it is a named pipe",
        "pipe.png": "it is a named pipe",
        "null.tif": "it is a device",
        "gone.jpg": "no such file or folder",
        "socket.jpg": "it is a socket",
    }


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_listed(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    draw(tmp_path / "good.jpg")
    found = finished(search(tmp_path))
    assert (found.images, [one.path for one in found.skipped]) == (["good.jpg"], ["closed"])


def test_a_large_file_that_does_not_start_like_an_image_is_not_read(session, tmp_path):
    with (tmp_path / "zeros.jpg").open("wb") as file:
        file.truncate(MOST_BYTES)
    draw(tmp_path / "good.jpg")
    (skipped,) = imported(session, tmp_path).skipped
    assert skipped.path == "zeros.jpg"
    assert "not an image in a supported format" in skipped.reason


def test_every_format_is_imported_and_everything_else_listed(session, tmp_path):
    for name, kind in {
        **{"a.jpg": "JPEG", "b.PNG": "PNG", "c.bmp": "BMP", "d.tif": "TIFF", "e.webp": "WEBP"},
        **{"f.avif": "AVIF", "g.jp2": "JPEG2000", "h.ppm": "PPM", "i.TGA": "TGA"},
    }.items():
        write_scene(tmp_path / name, kind)
    Image.new("L", (9, 8), 7).save(tmp_path / "k", "PNG")
    Image.new("L", (9, 8), 7).save(tmp_path / "l.pgm")
    (tmp_path / "m.heic").write_bytes(heic())
    (tmp_path / "n").write_bytes(heic(b"irot\1"))
    write_scene(tmp_path / "x.gif", "GIF")
    write_scene(tmp_path / "x.jpg_large", "JPEG")
    (tmp_path / "x.CR2").write_bytes(b"II*\0")
    (tmp_path / "x.xcf").write_bytes(b"gimp")
    (tmp_path / "x.exr").write_bytes(b"v/1\1")
    for archive in ("x.zip", "x.tar.gz"):
        (tmp_path / archive).write_bytes(b"PK\3\4")
    for other in ("a.txt", "b.csv", "c.xml", "d.json", "e", "f.unknown", "g.pdf"):
        (tmp_path / other).write_text("1 0 text")
    result = imported(session, tmp_path)
    assert "".join(name[0] for name in names(session)) == "abcdefghiklmn"
    reasons = {one.path: one.reason for one in result.skipped}
    assert set(reasons) == {
        *("x.gif", "x.jpg_large", "x.CR2", "x.xcf", "x.exr", "x.zip", "x.tar.gz")
    }
    assert reasons["x.zip"].startswith("it is an archive")
    with pytest.raises(KnownError, match=r"x\.zip is an archive"):
        format_for(tmp_path / "x.zip")
    assert reasons["x.jpg_large"] == "it is an image, but .jpg_large is not an extension of one"
    assert reasons["x.exr"].startswith("EXR is not supported, but JPEG, ")


def test_sizes_are_those_of_the_upright_image(session, tmp_path):
    (tmp_path / "x.heic").write_bytes(heic(b"irot\1"))
    imported(session, tmp_path)
    (image,) = session.store.images.ids().tolist()
    row = session.store.images.row(image)
    assert (row.width, row.height) == (48, 64)


def test_a_walk_lists_all_files_and_can_stop_in_a_large_folder(tmp_path):
    for number in range(1100):
        (tmp_path / f"{number:04}.dat").touch()
    steps = walk(tmp_path)
    pauses = sum(1 for _ in iter(lambda: next(steps, "end"), "end"))
    assert pauses == 3
    assert finished(walk(tmp_path)).files == [f"{number:04}.dat" for number in range(1100)]


def test_printable_paths_stay_as_they_are():
    for path in ("a/ü 鸟.jpg", "a\\b", "a\nb"):
        assert printable(path) == path
