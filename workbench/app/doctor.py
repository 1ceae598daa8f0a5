"""What is installed, what is missing and whether a project is whole: the first thing to ask for."""

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
from workbench.app.device import describe, processor_words
from workbench.app.session import Session
from workbench.app.weights import weights_path
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError
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
# What Qt's window needs of a Linux system, with the Debian package that brings it.
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
LITTLE_DISK = 2 * 1024**3  # bytes; runs and exports want some room


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `value` in words; `ok` False asks for the `remedy`."""

    topic: str
    name: str
    value: str
    ok: bool = True
    remedy: str = ""


def examine_program() -> Iterator[Finding]:
    """Versions, machine, Qt's system libraries, weights and the 68-point file."""
    yield Finding("program", "Vantage Workbench", __version__)
    yield Finding("program", "Python", f"{platform.python_version()} ({sys.executable})")
    yield from _packages()
    yield Finding("machine", "system", f"{platform.system()} {platform.release()}")
    yield Finding("machine", "device", _device())
    yield from qt_libraries()
    yield from _weights()
    yield _landmarks()


def _device() -> str:
    """What a training will run on, as the driver's own tool tells."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "Apple GPU, " + processor_words()
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return processor_words()
    question = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return processor_words()
    return describe(answer.stdout) or processor_words()


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("program", name, version(name))
        except PackageNotFoundError:
            frozen = bool(getattr(sys, "frozen", False))
            value = "inside the program" if frozen else "missing"
            yield Finding("program", name, value, frozen, f"Install it: pip install {name}")


def qt_libraries(load: Callable[[str], object] = ctypes.CDLL) -> Iterator[Finding]:
    """The system libraries without which Qt shows no window; `load` raises OSError for a missing
    one."""
    if sys.platform != "linux":
        return
    wanted = dict(QT_LIBRARIES)
    if os.environ.get("DISPLAY"):
        wanted |= QT_X11_LIBRARIES
    missing = [name for name in wanted if not _loads(name, load)]
    if not missing:
        yield Finding("window", "Qt's system libraries", f"all {len(wanted)} there")
    for name in missing:
        remedy = f"Install it: apt-get install {wanted[name]}"
        yield Finding("window", name, "missing; the window cannot open", False, remedy)


def _loads(name: str, load: Callable[[str], object]) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True


def _weights() -> Iterator[Finding]:
    there = [known.title for known in BACKBONES.values() if known.weights and _has(known.name)]
    value = ", ".join(there) or "none yet; they are downloaded when a training asks for them"
    yield Finding("weights", "ImageNet weights", value)


def _has(backbone: str) -> bool:
    return weights_path(backbone) is not None


def _landmarks() -> Finding:
    try:
        path = landmarks_path()
    except KnownError as error:
        return Finding("mouths", "68-point file", error.sentence, False, error.remedy)
    return Finding("mouths", "68-point file", f"{path.name}; {LICENCE_NOTE}")


def examine_project(session: Session) -> Iterator[Finding]:
    """Whether the database is sound, every source where it was, and its files all there."""
    store = session.store
    damage = store.damage()
    if damage:
        remedy = "Restore project.sqlite from one of the backups beside it."
        yield Finding("project", "database", "; ".join(damage[:3]), False, remedy)
    else:
        yield Finding("project", "database", "sound")
    yield Finding("project", "images", str(store.images.count()))
    for source in store.images.sources():
        yield _source(session, source.id, Path(source.path))
    free = shutil.disk_usage(store.folder).free
    yield Finding(
        "project",
        "free disk",
        f"{free / 1024**3:.1f} GiB",
        free >= LITTLE_DISK,
        "Make room: a training writes its weights and predictions beside the project.",
    )


def _source(session: Session, source_id: int, place: Path) -> Finding:
    known = session.store.images.known_files(source_id)
    root = place if place.is_dir() else place.parent
    missing = [name for name in known if not (root / name).is_file()]
    if not missing:
        return Finding("project", f"source {place}", f"{len(known)} files, all there")
    value = f"{len(missing)} of {len(known)} files missing, such as {missing[0]}"
    remedy = "Put them back, or show where they are now: Images, Sources, Re-link."
    return Finding("project", f"source {place}", value, False, remedy)
