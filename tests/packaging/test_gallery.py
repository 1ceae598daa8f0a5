"""Images of the window are saved, shown on one page, and compared with older ones."""

import os
import subprocess
import sys
from pathlib import Path

import bootstrap
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QLockFile
from PySide6.QtWidgets import QLabel

from tests.gallery import __main__ as gallery
from tests.gallery.comparing import Verdict, compare, differing
from tests.gallery.index import write_comparison, write_index
from tests.gallery.loading import Loading
from tests.gallery.registry import Scene
from tests.gallery.screenshots import SCREENS, Screenshot, screenshots_in
from tests.gallery.stage import Stage, Watches
from tests.gallery.taking import play
from tests.gallery.waiting import PaintWatch, wait_until
from workbench.app.images.pixel_reader import PixelReader, PixelRequest

ROOT = Path(__file__).resolve().parents[2]


def save(folder, screenshot, colour, dots=0):
    """A screenshot of ten by ten pixels, `dots` of them white."""
    pixels = np.full((10, 10, 3), colour, np.uint8)
    pixels.reshape(-1, 3)[:dots] = 255
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / screenshot.file)


def screenshot(page="views", state="full", theme="dark", size="1366x768"):
    return Screenshot(page, state, theme, size)


@pytest.fixture
def loading():
    made = Loading()
    yield made
    made.close()


@pytest.fixture
def stage(tmp_path, qapp, loading):
    watches = Watches(PaintWatch(qapp), loading)
    return Stage(tmp_path, tmp_path, tmp_path, "light", SCREENS[0], watches)


def test_a_scene_is_saved_at_twice_the_size_and_shown(tmp_path):
    out = tmp_path / "out"
    chosen = ["--only", "views/empty", "--theme", "dark", "--size", "1920x1080-200"]
    command = [sys.executable, "-m", "tests.gallery", str(out), *chosen]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    taken = out / "views--empty--dark--1920x1080-200.png"
    assert [path.name for path in out.iterdir() if path.suffix == ".png"] == [taken.name]
    pixels = np.asarray(Image.open(taken).convert("RGB"))
    assert pixels.shape == (1080, 1920, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert pixels.mean() < 80  # dark
    page = (out / "index.html").read_text()
    assert f'src="{taken.name}"' in page
    assert "http" not in page
    assert "<script" not in page


def test_a_file_is_named_for_what_it_shows_and_read_back():
    for screen in SCREENS:
        made = screenshot("dialog-split", "some-left-out", "light", screen.name)
        assert Screenshot.of(Path("x") / made.file) == made
    assert Screenshot.of(Path("index.html")) is None
    assert Screenshot.of(Path("views--full--blue--1366x768.png")) is None


def test_images_are_shown_beside_older_ones(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    same, other, gone, added = (screenshot(state=s) for s in ("a", "b", "c", "d"))
    for folder in (old, new):
        save(folder, same, 90)
    save(old, other, 90)
    save(new, other, 90, dots=7)
    save(old, gone, 90)
    save(new, added, 90)
    found = {one.screenshot: one for one in compare(new, old)}
    assert [found[p].verdict for p in (same, other, gone, added)] == [
        Verdict.SAME,
        Verdict.DIFFERS,
        Verdict.GONE,
        Verdict.NEW,
    ]
    assert found[other].share == pytest.approx(0.07)
    page = write_comparison(new, old, list(found.values())).read_text()
    assert "3 differ, 1 are the same" in page
    assert "7.00 % of the pixels differ" in page
    assert f'src="../old/{other.file}"' in page
    assert f'src="../old/{added.file}"' not in page
    assert f'src="{gone.file}"' not in page


def test_an_image_of_another_size_differs_completely(tmp_path):
    save(tmp_path, screenshot(), 90)
    Image.new("RGB", (10, 11)).save(tmp_path / "b.png")
    assert [one.verdict for one in compare(tmp_path, tmp_path)] == [Verdict.SAME]
    assert differing(tmp_path / screenshot().file, tmp_path / "b.png") == 1.0


def test_the_index_has_one_row_for_all_images_of_a_state(tmp_path):
    for theme in ("dark", "light"):
        for state in ("empty", "full"):
            save(tmp_path, screenshot(state=state, theme=theme), 10)
    save(tmp_path, screenshot("images"), 10)
    page = write_index(tmp_path).read_text()
    assert page.index('id="images"') < page.index('id="views"')
    row = page.split("<h3>empty</h3>")[1].split("<h3>")[0]
    assert row.count("<img") == 2
    assert row.index("light") < row.index("dark")


def test_images_of_an_earlier_run_are_replaced(tmp_path):
    for theme in ("dark", "light"):
        save(tmp_path, screenshot(theme=theme), 10)
    gallery.forget(tmp_path, ["dark"], SCREENS)
    assert [one.theme for one in screenshots_in(tmp_path)] == ["light"]


def test_two_galleries_at_once_do_not_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "gallery-1").mkdir()
    held = QLockFile(str(tmp_path / "gallery-1" / "lock"))
    assert held.tryLock(0)
    with gallery.reserved(None, None) as place:
        assert place.folder == tmp_path / "gallery-2"
    held.unlock()
    with gallery.reserved(None, None) as place:
        assert place.folder == tmp_path / "gallery-1"


def test_errors_in_a_scene_are_reported(stage, qtbot):
    def broken(on):
        label = QLabel("Nothing")
        qtbot.addWidget(label)
        on.put(label)
        on.settle()
        on.take()
        raise ZeroDivisionError("on purpose")

    (heard,) = play(stage, Scene("views", "full", broken, (), ()))
    assert "ZeroDivisionError: on purpose" in heard
    assert [one.state for one in stage.taken] == ["full"]
    (heard,) = play(stage, Scene("views", "full", lambda on: None, (QLabel,), ()))
    assert "QLabel was not seen" in heard


def test_photographs_are_waited_for_until_they_are_there_or_lost(tmp_path, qtbot, loading):
    Image.new("RGB", (40, 30)).save(tmp_path / "there.png")
    reader = PixelReader(4)
    with qtbot.waitSignal(reader.ready):
        reader.request([PixelRequest("there", tmp_path / "there.png", 64)])
        assert loading.waiting()
    assert not loading.waiting()
    with qtbot.waitSignal(reader.failed):
        reader.request([PixelRequest("gone", tmp_path / "gone.png", 64)])
        assert loading.waiting()
    assert not loading.waiting()
    reader.request([PixelRequest("later", tmp_path / "there.png", 32)])
    reader.close()
    assert not loading.waiting()


def test_a_condition_that_never_holds_is_an_error(qapp):
    with pytest.raises(TimeoutError, match="for the moon"):
        wait_until(lambda: False, "the moon", seconds=0.05)


def test_the_set_up_offers_the_gallery(monkeypatch, capfd):
    monkeypatch.setattr(bootstrap.environment, "prepare", lambda extras=(): None)
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    assert bootstrap.main(["gallery", "--help"]) == 0
    assert "usage: bootstrap.py gallery" in capfd.readouterr().out
    assert bootstrap.main(["gallery", "--only", "viewz"]) == 2
    assert "There is no scene viewz" in capfd.readouterr().out
