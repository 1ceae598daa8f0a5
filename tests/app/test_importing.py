"""Imports read every kind of place, keep what is in, and leave the files alone."""

import os
import shutil
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from workbench.app.images.importing import import_task
from workbench.app.jobs import Cancelled, Done, Failed, run_here
from workbench.domain.errors import ValueRefused
from workbench.domain.labels import Author
from workbench.domain.reports import Note, Progress, Report
from workbench.vision import reading


def draw(path: Path, seed: int, size: tuple[int, int] = (32, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def imported(session, *paths, **origins):
    outcome = run_here(import_task(session, paths, origins))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def labels(session, label_set="category"):
    rows = session.store.images.rows(session.store.images.ids())
    return {row.name: "+".join(row.labels.get(label_set, ())) or None for row in rows}


def test_a_folder_with_everything_in_it(session, tmp_path):
    root = tmp_path / "birds"
    draw(root / "a" / "one.jpg", 1, (40, 30))
    draw(root / "b" / "two.PNG", 2)
    shutil.copy(root / "a" / "one.jpg", root / "b" / "copy.jpg")
    (root / "empty.jpg").touch()
    (root / "cut.jpg").write_bytes((root / "a" / "one.jpg").read_bytes()[:-50])
    (root / "text.png").write_text("no image")
    (root / "notes.txt").write_text("not looked at")
    (root / "moving.gif").write_bytes(b"GIF89a")
    (root / "raw.nef").write_bytes(b"II*\0")
    draw(root / ".hidden.jpg", 3)
    draw(root / ".trash" / "x.jpg", 4)
    draw(root / "old.workbench" / "crops" / "x.png", 5)
    shutil.copy(root / "b" / "two.PNG", root / "no_suffix")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    result = imported(session, root)
    assert (result.added, result.known, result.duplicates) == (2, 0, 2)
    reasons = {file.path: file.reason for file in result.skipped}
    assert sorted(reasons) == ["cut.jpg", "empty.jpg", "moving.gif", "raw.nef", "text.png"]
    assert "truncated" in reasons["cut.jpg"]
    assert "0 bytes" in reasons["empty.jpg"]
    assert session.store.images.skipped(1) == result.skipped
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    first = session.store.images.rows(session.store.images.ids())[0]
    assert len(session.store.images.locations(first.id)) == 2
    assert (first.width, first.height) == (40, 30)


def test_again_adds_only_what_is_new_or_changed(session, tmp_path, monkeypatch):
    root = tmp_path / "birds"
    for i in range(5):
        draw(root / f"{i}.png", i)
    imported(session, root)
    draw(root / "5.png", 5)
    draw(root / "2.png", 99)
    os.utime(root / "2.png", (1, 1))
    read: list[str] = []
    plain = reading.image_bytes
    monkeypatch.setattr(
        reading, "image_bytes", lambda path: (read.append(path.name), plain(path))[1]
    )
    result = imported(session, root)
    assert sorted(read) == ["2.png", "5.png"]
    assert (result.added, result.known) == (2, 4)


def test_labels_reach_files_that_are_known_already(session, tmp_path):
    for name in ("front", "back"):
        draw(tmp_path / "cars" / name / f"{name}.png", len(name))
    imported(session, tmp_path / "cars")
    result = imported(session, tmp_path / "cars", view="folder")
    assert (result.added, result.known, result.labelled) == (0, 2, 2)
    assert labels(session, "view") == {"front.png": "front", "back.png": "back"}


def test_category_and_view_by_folders(session, tmp_path):
    draw(tmp_path / "cars" / "train" / "mini" / "Left" / "x.png", 1)
    draw(tmp_path / "cars" / "beetle" / "y.png", 2)
    imported(session, tmp_path / "cars", category="folder", view="folder")
    assert labels(session) == {"x.png": "mini", "y.png": "beetle"}
    assert labels(session, "view") == {"x.png": "Left", "y.png": None}  # another spelling is new


def test_a_class_folder_by_itself_names_its_images(session, tmp_path):
    draw(tmp_path / "owl" / "x.png", 1)
    draw(tmp_path / "set" / "duck" / "y.png", 2)
    draw(tmp_path / "set" / "loose.png", 3)
    imported(session, tmp_path / "owl", tmp_path / "set", category="folder")
    assert labels(session) == {"x.png": "owl", "y.png": "duck", "loose.png": None}


def test_a_list_file(session, tmp_path):
    draw(tmp_path / "img" / "a.jpg", 1)
    draw(tmp_path / "img" / "with space.jpg", 2)
    draw(tmp_path / "b.jpg", 3)
    lines = ["img/a.jpg 0", "", "img\\with space.jpg\t2", "b.jpg", "gone.jpg 1", "nonsense"]
    (tmp_path / "list.txt").write_text("\n".join(lines), encoding="utf-8-sig")
    result = imported(session, tmp_path / "list.txt", expression="list")
    assert result.added == 3
    assert result.labelled == 2
    assert labels(session, "expression") == {"a.jpg": "0", "with space.jpg": "2", "b.jpg": None}
    messages = {file.path: file.reason for file in result.skipped}
    assert messages["gone.jpg"] == "the file does not exist (list.txt, line 5)"
    assert "nonsense" in messages["list.txt, line 6"]


def test_labels_of_a_list_that_are_not_imported_are_reported(session, tmp_path):
    draw(tmp_path / "a.jpg", 1)
    (tmp_path / "list.txt").write_text("a.jpg owl")
    messages: list[object] = []
    run_here(import_task(session, [tmp_path / "list.txt"]), messages.append)
    assert any(isinstance(one, Note) and one.warning for one in messages)
    assert labels(session) == {"a.jpg": None}


def test_a_csv_table(session, tmp_path):
    for i, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        draw(tmp_path / "images" / name, i)
    draw(tmp_path / "more" / "c.jpg", 9)
    table = "Filename;View;category;other\nimages/a.jpg;FRONT;owl;1\nb.jpg;;duck;2\nc.jpg;left;;3\n"
    (tmp_path / "t.csv").write_text(table + ";left;;\nimages/a.jpg;back;;\n")
    result = imported(session, tmp_path / "t.csv", category="csv", view="csv")
    assert labels(session) == {"a.jpg": "owl", "b.jpg": "duck"}
    assert labels(session, "view") == {"a.jpg": None, "b.jpg": None}
    reasons = [file.reason for file in result.skipped]
    assert "2 files have this name (t.csv, line 4)" in reasons
    assert len(reasons) == 2
    (conflict,) = result.report.conflicts
    assert (conflict.image, conflict.set) == ("images/a.jpg", "view")
    assert [tuple(msgspec.structs.astuple(one)) for one in conflict.labels] == [
        ("FRONT", "t.csv, line 2"),
        ("back", "t.csv, line 6"),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [("a,b\n1,2\n", "no column of image paths"), ("path\nx\n", "no column")],
)
def test_a_csv_without_the_columns(session, tmp_path, content, words):
    (tmp_path / "t.csv").write_text(content)
    outcome = run_here(import_task(session, [tmp_path / "t.csv"], {"category": "csv"}))
    assert isinstance(outcome, Failed)
    assert words in outcome.sentence
    assert outcome.report == ""


def test_places_that_are_none(session, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bytes.txt").write_bytes(b"a\x00b.jpg\x01\x02 owl")
    for place in (tmp_path / "empty", tmp_path / "gone", tmp_path / "bytes.txt"):
        outcome = run_here(import_task(session, [place]))
        assert isinstance(outcome, Failed)
        assert str(place) in outcome.sentence
        assert outcome.report == ""
    assert session.store.images.sources() == []
    with pytest.raises(ValueRefused):
        import_task(session, [tmp_path], {"category": "name"})
    with pytest.raises(ValueRefused):
        import_task(session, [tmp_path], {"category": "list", "view": "list"})


def test_single_images_are_imported_with_their_folder_as_source(session, tmp_path):
    for i in range(3):
        draw(tmp_path / f"{i}.png", i)
    result = imported(session, tmp_path / "0.png", tmp_path / "2.png")
    assert result.added == 2
    assert [source.path for source in session.store.images.sources()] == [str(tmp_path)]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_loops_and_links_to_nothing(session, tmp_path):
    root = tmp_path / "r"
    draw(root / "a" / "x.png", 1)
    (root / "a" / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "pipe")
    result = imported(session, root)
    assert result.added == 1
    assert [file.path for file in result.skipped] == ["gone.png", "pipe"]


def test_one_undo_reverts_the_import(session, tmp_path):
    for i in range(40):
        draw(tmp_path / "a" / f"{i}.png", i)
        draw(tmp_path / "b" / f"{i}.png", 100 + i)
    imported(session, tmp_path / "a", tmp_path / "b", category="folder")
    assert session.store.images.count() == 80
    session.undo()
    assert session.store.images.count() == 0
    assert session.store.images.sources() == []
    session.redo()
    assert session.store.labels.counts("category") == {"a": 40, "b": 40, "": 0}


def test_a_persons_label_is_not_overridden(session, tmp_path):
    draw(tmp_path / "owl" / "x.png", 1)
    imported(session, tmp_path, category="folder")
    session.store.labels.save_set(session.store.labels.get("category").with_labels(("duck",)))
    session.store.labels.assign([1], "category", "duck", Author.HUMAN)
    imported(session, tmp_path, category="folder")
    assert labels(session) == {"x.png": "duck"}


def test_stop_keeps_what_is_in(session, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.app.images.importing.BATCH_SECONDS", 0.0)
    for i in range(200):
        draw(tmp_path / "a" / f"{i}.png", i)
    stop = threading.Event()

    def hear(report: Report) -> None:
        if isinstance(report, Progress) and report.done:
            stop.set()

    outcome = run_here(import_task(session, [tmp_path / "a"]), hear, stop)
    assert isinstance(outcome, Cancelled)
    assert 0 < session.store.images.count() < 200
    assert imported(session, tmp_path / "a").known > 0
    assert session.store.images.count() == 200


def test_the_job_reports_progress_in_the_window(session, tmp_path, qtbot):
    for i in range(30):
        draw(tmp_path / "a" / f"{i}.png", i)
    reports: list[object] = []
    added: list[int] = []
    session.changed.connect(lambda changes: added.extend(changes.added))
    job = session.jobs.start(import_task(session, [tmp_path / "a"]))
    job.reported.connect(reports.append)
    with qtbot.waitSignal(job.ended) as ended:
        pass
    assert isinstance(ended.args[0], Done)
    last = [one for one in reports if isinstance(one, Progress)][-1]
    assert (last.done, last.total) == (30, 30)
    assert len(added) == 30
