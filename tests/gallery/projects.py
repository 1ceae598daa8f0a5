"""Projects for the gallery, made by the program itself: imports, trainings, studies, mouths.

`python -m tests.gallery.projects FOLDER [NAME …]` makes those that are not in FOLDER yet.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from tests.gallery import project_images
from tests.gallery.clock import stop_clock
from tests.gallery.contents import (
    QUICK,
    answer_questions,
    carried_out,
    fail,
    find_mouths,
    give_views,
    lose_source,
    name_people,
    pause,
    study,
    train,
    use_long_names,
)
from tests.gallery.project_images import IN_PATHS, MARKUP
from tests.gallery.transfers import transferred
from workbench.app.images.importing import import_task
from workbench.app.session import Session
from workbench.app.similar.suggesting import suggest_task
from workbench.app.training.splitting import split
from workbench.app.transfer.assessing import layers_task
from workbench.app.transfer.transferring import keep
from workbench.domain.recipes import JOINT, KeyValue
from workbench.domain.splits import SplitPlan
from workbench.storage.project import Project

EMPTY, FULL, FACES = "Empty", "Photographs", "Faces"
LONG = f"Observations {IN_PATHS}2024–2026, 北京植物园与奥林匹克森林公园, second copy (final)"
BROKEN, BROKEN_FACES = "Damaged", "Damaged faces"

PEOPLE = ("Ann", "Ben", "Cat")
LONG_PEOPLE = ("Wolfeschlegelsteinhausenbergerdorff,动物学系", "Kirchmaier-Obermüller,植物学系")
LONG_RUN = (
    f"SqueezeNet {MARKUP}对照实验：只用上午拍摄的照片 — all layers but the first two, third attempt"
)


@dataclasses.dataclass(frozen=True)
class Given:
    """Where projects are made, and folders of real images (None: they are drawn)."""

    folder: Path
    images: Path | None = None
    faces: Path | None = None
    epochs: int = 40  # of a training; curves of fewer show less

    @property
    def recipe(self) -> dict[str, KeyValue]:
        """The recipe of a quick training."""
        return {**QUICK, "epochs": self.epochs}


@contextmanager
def _made(given: Given, name: str, like: str = "") -> Iterator[Session]:
    """A new project, or a copy of the project `like`, put in its place only when it is whole."""
    part = given.folder / "part" / f"{name}.workbench"
    shutil.rmtree(part.parent, ignore_errors=True)
    part.parent.mkdir()
    if like:
        shutil.copytree(given.folder / f"{like}.workbench", part)
    session = Session(Project.open(part) if like else Project.create(part))
    try:
        yield session
        stop_clock(session)
    finally:
        session.close()
    part.rename(given.folder / part.name)
    part.parent.rmdir()


def _photos(given: Given, name: str, fill: Callable[[Path], None]) -> Path:
    """A folder of images beside the projects, filled once."""
    folder = given.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    fill(folder)
    return folder


# Projects


def make_empty(given: Given) -> None:
    """No image at all."""
    with _made(given, EMPTY):
        pass


def make_full(given: Given) -> None:
    """Six categories, most views given, runs, a study, groups, scored starts, a transfer."""
    photos = _photos(given, "photographs", lambda at: project_images.categories(given.images, at))
    with _made(given, FULL) as session:
        carried_out(import_task(session, [photos], {"category": "folder"}))
        give_views(session)
        split(session, SplitPlan(0.5, 0.1, 0.4, seed=0))
        first = train(session, {**given.recipe, "target": JOINT}, "category and view together")
        second = train(session, {**given.recipe, "penalty": "l2"}, "categories, weights kept small")
        study(session, max(1, given.epochs // 4))
        pause(session)
        suggested = suggest_task(session, "view")
        if suggested is not None:
            carried_out(suggested)
        answer_questions(session, second)
        name_people(session, PEOPLE)
        keep(session, transferred(session, given.folder, (first, second)))


def make_faces(given: Given) -> None:
    """Faces whose mouths were found; some have an expression."""
    photos = _photos(given, "faces", lambda at: project_images.faces(given.faces, at))
    with _made(given, FACES) as session:
        carried_out(import_task(session, [photos]))
        find_mouths(session)


def make_long(given: Given) -> None:
    """The longest names, in Latin and Chinese letters, of everything that has one."""

    def fill(at: Path) -> None:
        drawn = given.folder / "drawn"
        shutil.rmtree(drawn, ignore_errors=True)
        project_images.categories(given.images, drawn / "photos")
        project_images.faces(given.faces, drawn / "faces")
        several = project_images.all_images(drawn / "photos")[::2]
        project_images.long_named(several, at / "照片 photographs")
        project_images.long_named(project_images.all_images(drawn / "faces")[:6], at / "人脸 faces")
        shutil.rmtree(drawn)

    photos = _photos(
        given, f"2024年5月18日 植物园 {IN_PATHS}(unsorted originals, do not delete)", fill
    )
    with _made(given, LONG) as session:
        for place in sorted(photos.iterdir()):
            carried_out(import_task(session, [place], {"category": "folder"}))
        use_long_names(session)
        give_views(session)
        split(session, SplitPlan(0.5, 0.0, 0.5, seed=0))
        run = train(session, {**given.recipe, "target": JOINT}, LONG_RUN)
        carried_out(layers_task(session, "category", f"run:{run.id}", str(QUICK["backbone"])))
        find_mouths(session)
        fail(session, given.folder, f"{LONG_RUN}, once more with other weights")
        name_people(session, LONG_PEOPLE)
        keep(session, transferred(session, given.folder, (run, run)))


def make_broken(given: Given) -> None:
    """Images that are gone, files that could not be read, a training that failed."""
    first = project_images.all_images(given.folder / "photographs")[0]
    bad = _photos(given, "damaged", lambda at: project_images.damaged(first, at))
    with _made(given, BROKEN, FULL) as session:
        carried_out(import_task(session, [bad]))
        fail(session, given.folder, "from weights that do not fit")
        lose_source(session, given.folder / "on a disk that is not connected" / "photographs")


def make_broken_faces(given: Given) -> None:
    """Faces with their mouths, whose images are missing."""
    with _made(given, BROKEN_FACES, FACES) as session:
        lose_source(session, given.folder / "on a disk that is not connected" / "faces")


# All of them

MAKERS: dict[str, Callable[[Given], None]] = {
    EMPTY: make_empty,
    FULL: make_full,
    FACES: make_faces,
    LONG: make_long,
    BROKEN: make_broken,
    BROKEN_FACES: make_broken_faces,
}
_NEEDS = {BROKEN: FULL, BROKEN_FACES: FACES}


def make(given: Given, names: Sequence[str]) -> None:
    """Make the named projects, and those they are copies of, where they are not there yet."""
    given.folder.mkdir(parents=True, exist_ok=True)
    wanted = {*names, *(_NEEDS[name] for name in names if name in _NEEDS)}
    for name, maker in MAKERS.items():
        if name in wanted and not (given.folder / f"{name}.workbench").exists():
            print(f"making the project “{name}”", flush=True)
            maker(given)


def main(arguments: Sequence[str]) -> int:
    """Make projects in a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.projects")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--epochs", type=int, default=Given.epochs, help="of the trainings")
    given = parser.parse_args(arguments)
    application = QCoreApplication([])
    where = Given(given.folder, given.images, given.faces, given.epochs)
    make(where, given.names or list(MAKERS))
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
