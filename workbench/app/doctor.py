"""Diagnosis of the installation and of a project: what is installed, missing or damaged."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench import __version__
from workbench.app.device import QUERY, apple_gpu, describe, processor
from workbench.app.restoring import adopting_command, unrecorded_runs
from workbench.app.session import Session
from workbench.app.weights import weights_path
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError
from workbench.domain.text import Message, counted, mark
from workbench.vision.mouths import LICENCE_NOTE, landmarks_path

PACKAGES = (
    "PySide6-Essentials",
    "torch",
    "torchvision",
    "numpy",
    "opencv-python-headless",
    "dlib-bin",
    "sqlite-utils",
    "captum",
    "onnxruntime",
)
# Libraries that Qt needs on Linux, with their Debian packages.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
QT_X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
}
LITTLE_DISK = 2 << 30  # bytes; a warning below this, as runs and exports need space


@dataclass(frozen=True)
class Finding:
    """One result of the diagnosis.

    `topic` and `name` are marked texts or proper names, `value` and `remedy` messages or proper
    names; if not `ok`, the remedy is what to do.
    """

    topic: str
    name: str
    value: str
    ok: bool = True
    remedy: str = ""


PROGRAM, MACHINE, WINDOW = mark("program"), mark("machine"), mark("window")
WEIGHTS, MOUTHS, PROJECT = mark("weights"), mark("mouths"), mark("project")


def examine_program() -> Iterator[Finding]:
    """Versions, machine, Qt's system libraries, ImageNet weights and the landmark file."""
    yield Finding(PROGRAM, "Vantage Workbench", __version__)
    yield Finding(PROGRAM, "Python", f"{platform.python_version()} ({sys.executable})")
    yield from _packages()
    yield Finding(MACHINE, mark("system"), f"{platform.system()} {platform.release()}")
    yield Finding(MACHINE, mark("device"), _device())
    yield from qt_libraries()
    yield from _weights()
    yield _landmarks()


def _device() -> str:
    """Name of the device that trainings will use."""
    if gpu := apple_gpu():
        return gpu
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return processor()
    command = [tool, *QUERY]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return processor()
    return describe(found.stdout) or processor()


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(PROGRAM, name, version(name))
        except PackageNotFoundError:
            frozen = bool(getattr(sys, "frozen", False))
            value = Message("included") if frozen else Message("missing")
            remedy = Message("Install it: pip install {package}", package=name)
            yield Finding(PROGRAM, name, value, frozen, remedy)


def qt_libraries(load: Callable[[str], object] = ctypes.CDLL) -> Iterator[Finding]:
    """Check the system libraries that Qt needs to open a window (Linux only).

    `load` raises OSError for a missing library.
    """
    if sys.platform != "linux":
        return
    needed = dict(QT_LIBRARIES)
    if os.environ.get("DISPLAY"):
        needed |= QT_X11_LIBRARIES
    missing = [name for name in needed if not _loads(name, load)]
    if not missing:
        found = Message("all {count} found", count=len(needed))
        yield Finding(WINDOW, mark("Qt's system libraries"), found)
    for name in missing:
        remedy = Message("Install it: apt-get install {package}", package=needed[name])
        value = Message("missing; the window cannot open")
        yield Finding(WINDOW, name, value, False, remedy)


def _loads(name: str, load: Callable[[str], object]) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True


def _weights() -> Iterator[Finding]:
    found = [known.title for known in BACKBONES.values() if known.weights and _has(known.name)]
    none = Message("none yet; they are downloaded when a training needs them")
    yield Finding(WEIGHTS, mark("ImageNet weights"), ", ".join(found) or none)


def _has(backbone: str) -> bool:
    return weights_path(backbone) is not None


def _landmarks() -> Finding:
    try:
        path = landmarks_path()
    except KnownError as error:
        return Finding(MOUTHS, mark("landmark file"), error.sentence, False, error.remedy)
    value = Message("{name}; {licence}", name=path.name, licence=LICENCE_NOTE)
    return Finding(MOUTHS, mark("landmark file"), value)


def examine_project(session: Session) -> Iterator[Finding]:
    """Check the database, the files of every source and the free disk space of a project."""
    store = session.store
    damage = store.damage()
    if damage:
        remedy = Message(
            "Restore an earlier state: workbench restore {folder} --list", folder=store.folder
        )
        yield Finding(PROJECT, mark("database"), "; ".join(damage[:3]), False, remedy)
    else:
        yield Finding(PROJECT, mark("database"), Message("intact"))
    yield Finding(PROJECT, mark("images"), str(store.images.count()))
    for source in store.images.sources():
        yield _source(session, source.id, Path(source.path))
    yield from map(_unrecorded, unrecorded_runs(session))
    free = shutil.disk_usage(store.folder).free
    yield Finding(
        PROJECT,
        mark("free disk space"),
        f"{free / 1024**3:.1f} GiB",
        free >= LITTLE_DISK,
        Message("Free up disk space: trainings need it for weights and predictions."),
    )


def _unrecorded(folder: Path) -> Finding:
    name = Message("run folder {name}", name=folder.name)
    remedy = Message(
        "Add the run to the list: {command}, or delete the folder {folder}.",
        command=adopting_command(folder),
        folder=folder,
    )
    return Finding(PROJECT, name, Message("its run is not in the list of runs"), False, remedy)


def _source(session: Session, source_id: int, place: Path) -> Finding:
    known = session.store.images.known_files(source_id)
    root = place if place.is_dir() else place.parent
    missing = [name for name in known if not (root / name).is_file()]
    name = Message("source {path}", path=place)
    if not missing:
        found = counted(len(known), "{n:,} file, none missing", "{n:,} files, none missing")
        return Finding(PROJECT, name, found)
    value = counted(
        len(known),
        "its only file, {name}, is missing",
        "{missing:,} of {n:,} files missing, such as {name}",
        missing=len(missing),
        name=missing[0],
    )
    remedy = Message("Restore the files, or re-link the source on the Images page.")
    return Finding(PROJECT, name, value, False, remedy)
