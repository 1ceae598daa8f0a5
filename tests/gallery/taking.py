"""Plays scenes for one theme on one screen, in a process of its own: Qt's scale cannot change.

`python -m tests.gallery.taking ORDER.json`; `tests/gallery/__main__.py` writes the order.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import msgspec
from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QApplication

from tests.gallery.loading import Loading
from tests.gallery.registry import Scene, chosen
from tests.gallery.scenes import everything
from tests.gallery.screenshots import Screen
from tests.gallery.stage import Stage, Watches
from tests.gallery.waiting import PaintWatch
from workbench.ui.look.theme import apply_theme
from workbench.ui.window.notifications import DURATIONS

__all__ = ["everything"]  # it fills the registry

_HARMLESS = "This plugin does not support"  # what the offscreen platform prints for every window


class Order(msgspec.Struct, frozen=True):
    """What one process takes: scenes by name ([]: all) of the projects in `projects`, for a theme
    and a screen. Copies go into `home`, screenshots into `out`."""

    theme: str
    width: int
    height: int
    scale: int
    projects: str
    home: str
    out: str
    scenes: list[str] = []


@contextmanager
def complaints(heard: list[str]) -> Iterator[None]:
    """Gather Qt's warnings and errors that no slot caught."""

    def message(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        if not text.startswith(_HARMLESS):
            heard.append(f"Qt: {text}")

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        heard.append("".join(traceback.format_exception(kind, error, trace)))

    former, hook = qInstallMessageHandler(message), sys.excepthook
    sys.excepthook = uncaught
    try:
        yield
    finally:
        qInstallMessageHandler(former)
        sys.excepthook = hook


def play(stage: Stage, one: Scene) -> list[str]:
    """Play a scene and close what it opened; what went wrong comes back."""
    heard: list[str] = []
    stage.begin(one.page, one.state)
    with complaints(heard):
        try:
            one.play(stage)
            missing = [kind.__name__ for kind in one.dialogs if kind not in stage.shown]
            if missing:
                heard.append(f"{', '.join(missing)} was not seen.")
        except Exception:
            heard.append(traceback.format_exc())
        stage.end()
    return heard


def take_all(order: Order) -> int:
    """Play every scene of the order; 1 where something went wrong."""
    application = QApplication(["vantage-workbench"])
    application.setCursorFlashTime(0)
    apply_theme(application, order.theme)
    DURATIONS.update(dict.fromkeys(DURATIONS, 0))  # messages stay, however long a scene takes
    screen = Screen(order.width, order.height, order.scale)
    watches = Watches(PaintWatch(application), Loading())
    places = (Path(order.projects), Path(order.home), Path(order.out))
    stage = Stage(*places, order.theme, screen, watches)
    if not QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese):
        print("! No font has Chinese letters: they are drawn as boxes. Give one with --fonts.")
    failed = 0
    for one in chosen(order.scenes):
        before, begun = len(stage.taken), time.monotonic()
        heard = play(stage, one)
        failed += bool(heard)
        count, seconds = len(stage.taken) - before, time.monotonic() - begun
        print(f"{one.name}: {count} screenshots, {seconds:.1f} s", flush=True)
        for text in heard:
            print(f"! {one.name} ({order.theme}, {screen.name}): {text.rstrip()}", flush=True)
    return int(failed > 0)


def main(arguments: Sequence[str]) -> int:
    """Carry out the order in a file."""
    return take_all(msgspec.json.decode(Path(arguments[0]).read_bytes(), type=Order))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
