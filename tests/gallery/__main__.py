"""Save images of every page, dialog and menu of the window, in all states, themes and sizes.

`python -m tests.gallery FOLDER` (or `packaging/bootstrap.py gallery FOLDER`) fills FOLDER with
screenshots and an `index.html` that needs neither a network nor scripts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PySide6.QtCore import QLockFile

from tests.gallery.comparing import Verdict, compare
from tests.gallery.index import write_comparison, write_index
from tests.gallery.registry import Scene, chosen
from tests.gallery.screenshots import SCREENS, THEMES, Screen, Screenshot, screenshots_in
from tests.gallery.taking import Order

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"  # downloads are refused at once: nothing is fetched for an image


@dataclass(frozen=True)
class Place:
    """A folder for everything that is made on the way, the same in every run: its path is seen in
    the screenshots. `projects` may lie elsewhere, to be used again."""

    folder: Path
    projects: Path
    fonts: Path | None

    def home(self, theme: str, screen: Screen) -> Path:
        """A home folder for one process."""
        return self.folder / f"{theme}-{screen.name}"

    def environment(self, home: Path, scale: int = 1) -> dict[str, str]:
        """No screen, no network, nothing of the user's, one thread."""
        apart = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "CACHE")}
        data = home / "data"
        data.mkdir(parents=True, exist_ok=True)
        if self.fonts is not None and not (data / "fonts").exists():
            (data / "fonts").symlink_to(self.fonts)
        return {
            **os.environ,
            **apart,
            "HOME": str(home),
            "XDG_DATA_HOME": str(data),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "WORKBENCH_DEVICE": "cpu",
            "WORKBENCH_SQUARES_GIB": "0",
            "https_proxy": NOWHERE,
            "http_proxy": NOWHERE,
            "QT_SCALE_FACTOR": str(scale),
            "QT_QPA_PLATFORM": "offscreen:configfile=screen.json",
        }


@contextmanager
def reserved(projects: Path | None, fonts: Path | None) -> Iterator[Place]:
    """The first of a row of folders that no other gallery uses at the moment."""
    number = 1
    while True:
        folder = Path(tempfile.gettempdir()) / f"gallery-{number}"
        folder.mkdir(exist_ok=True)
        lock = QLockFile(str(folder / "lock"))
        if lock.tryLock(0):
            break
        number += 1
    _clear(folder)
    try:
        yield Place(folder, projects or folder / "projects", fonts)
    finally:
        _clear(folder)
        lock.unlock()


def _clear(folder: Path) -> None:
    """Delete what another gallery left there, also an interrupted one."""
    for inside in folder.iterdir():
        if inside.is_dir():
            shutil.rmtree(inside)


def prepare(place: Place, names: Sequence[str], given: argparse.Namespace) -> int:
    """Make the projects that the scenes open; returns 0 on success."""
    home = place.folder / "preparing"
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.gallery.projects", str(place.projects), *names]
    for option in ("images", "faces"):
        folder: Path | None = getattr(given, option)
        command += [f"--{option}", str(folder.resolve())] if folder is not None else []
    environment = {**place.environment(home), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(command, env=environment, cwd=home).returncode


def take(place: Place, out: Path, theme: str, screen: Screen, scenes: list[str]) -> int:
    """Play the scenes in a process of their own; returns 0 on success."""
    home = place.home(theme, screen)
    home.mkdir(exist_ok=True)
    size = {"width": screen.width, "height": screen.height, "x": 0, "y": 0, "name": "gallery"}
    dots = {"logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    (home / "screen.json").write_text(json.dumps({"screens": [{**size, **dots}]}))
    order = Order(
        theme=theme,
        width=screen.width,
        height=screen.height,
        scale=screen.scale,
        projects=str(place.projects),
        home=str(home),
        out=str(out),
        scenes=scenes,
    )
    (home / "order.json").write_bytes(msgspec.json.encode(order))
    command = [sys.executable, "-m", "tests.gallery.taking", "order.json"]
    ran = subprocess.run(
        command,
        env=place.environment(home, screen.scale),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    output = [line for line in ran.stdout.splitlines() if ran.returncode or line.startswith("!")]
    print("\n".join([f"{theme}, {screen.name}: done", *output]), flush=True)
    return ran.returncode


def wanted(
    screenshot: Screenshot,
    scenes: Sequence[Scene],
    themes: Sequence[str],
    screens: Sequence[Screen],
) -> bool:
    """Whether a run of these scenes would take this image, if it still could."""
    seen = screenshot.theme in themes and screenshot.size in {screen.name for screen in screens}
    return seen and any(
        one.page == screenshot.page and screenshot.state.startswith(one.state) for one in scenes
    )


def forget(out: Path, themes: Sequence[str], screens: Sequence[Screen]) -> None:
    """Delete the images of an earlier run: a scene may be gone since."""
    sizes = {screen.name for screen in screens}
    for screenshot in screenshots_in(out):
        if screenshot.theme in themes and screenshot.size in sizes:
            (out / screenshot.file).unlink()


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """What was requested on the command line."""
    parser = argparse.ArgumentParser(prog="bootstrap.py gallery", description=__doc__)
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=ROOT / "build" / "gallery",
        help="where to save the images and index.html (build/gallery)",
    )
    parser.add_argument("--only", default="", help="pages or page/state, separated by commas")
    parser.add_argument("--theme", choices=THEMES, action="append", help="all by default")
    parser.add_argument(
        "--size", choices=[s.name for s in SCREENS], action="append", help="all by default"
    )
    parser.add_argument("--images", type=Path, help="real images, one folder per category")
    parser.add_argument("--faces", type=Path, help="a folder of real images of faces")
    parser.add_argument("--fonts", type=Path, help="a folder of more fonts, such as Chinese ones")
    parser.add_argument(
        "--projects", type=Path, help="keep the prepared projects here and reuse them"
    )
    parser.add_argument("--beside", type=Path, help="an earlier gallery to compare with")
    parser.add_argument(
        "--jobs",
        type=int,
        default=(os.cpu_count() or 1) + 1,
        help="windows at a time (processors + 1)",
    )
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Fill the folder; 1 where a scene failed."""
    given = arguments_of(words)
    only = [name for name in given.only.split(",") if name]
    try:
        scenes = chosen(only)
    except ValueError as error:
        print(error)
        return 2
    begun = time.monotonic()
    out: Path = given.folder.resolve()
    out.mkdir(parents=True, exist_ok=True)
    screens = [s for s in SCREENS if given.size is None or s.name in given.size]
    themes = given.theme or THEMES
    if not only:
        forget(out, themes, screens)
    names = sorted({name for scene in scenes for name in scene.projects})
    fonts = given.fonts.resolve() if given.fonts is not None else None
    kept = given.projects.resolve() if given.projects is not None else None
    with reserved(kept, fonts) as place:
        if names and prepare(place, names, given):
            return 1
        with ThreadPoolExecutor(given.jobs) as pool:
            kinds = [(theme, screen) for screen in reversed(screens) for theme in themes]
            running = [pool.submit(take, place, out, *kind, only) for kind in kinds]
            codes = [one.result() for one in running]
    print(f"{write_index(out)} ({time.monotonic() - begun:.0f} s)")
    if given.beside is not None:
        found = [
            one
            for one in compare(out, given.beside.resolve())
            if one.verdict is not Verdict.GONE or wanted(one.screenshot, scenes, themes, screens)
        ]
        changed = sum(one.verdict is not Verdict.SAME for one in found)
        page = write_comparison(out, given.beside.resolve(), found)
        print(f"{page}: {changed} of {len(found)} screenshots differ")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
