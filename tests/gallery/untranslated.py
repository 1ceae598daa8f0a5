"""Finds texts of the window that no translation can reach, and names that Qt would show as HTML:
plays the gallery in a language that only puts brackets around what it translates.

`python -m tests.gallery.untranslated PROJECTS HOME [SCENE …]`, with `packaging` on the path, prints
each text that has words outside brackets, and where it was seen first. Names that people gave in
the projects, and those of the program's tables (recipe keys, backbones, formats), are no texts.
"""

from __future__ import annotations

import argparse
import html
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, QTranslator
from PySide6.QtGui import QAction, QPainter, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QGraphicsView,
    QLabel,
    QMenu,
    QTabBar,
    QWidget,
)
from translations import all_marks

from tests.gallery.loading import Loading
from tests.gallery.project_images import MARKUP
from tests.gallery.registry import chosen
from tests.gallery.scenes import everything
from tests.gallery.scenes.imports import USERS_NAMES
from tests.gallery.screenshots import Screen
from tests.gallery.stage import Stage, Watches
from tests.gallery.taking import play
from tests.gallery.waiting import PaintWatch
from workbench.app.training.choices import specs
from workbench.domain.backbones import BACKBONES
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.projects import DATABASE_FILE
from workbench.domain.recipes import KEYS
from workbench.domain.text import CONTEXT, use_language
from workbench.formats import FORMATS
from workbench.formats.label_file import COLUMNS
from workbench.ui.dialogs.import_sources import ENCODINGS
from workbench.ui.dialogs.manual import ManualDialog
from workbench.ui.look.language import translated
from workbench.ui.look.theme import apply_theme
from workbench.ui.parts.wrapped_text import WrappedText

__all__ = ["everything"]  # it fills the registry

OPEN, CLOSE = "⁅", "⁆"
INNERMOST = re.compile(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}")
CUT = re.compile(f"{OPEN}[^{CLOSE}]*$")  # an elided text has lost its end
NO_TEXT = re.compile(  # tags, keys, addresses, paths, what is elided, names with dots
    r"<[^>]+>|&\w+;|\b(?:ctrl|alt|shift|meta|f\d+)\b|https?:\S+|\S*[/\\]\S*|\S*…\S*|\S+\.\w+"
)
PLACEHOLDER = re.compile(r"(\{\w+(?:[:!][^{}]*)?\})")
WHOLE_PATH = re.compile(f"(?:^|(?<={CLOSE}))/[^/\n{OPEN}]+/[^\n{OPEN}]*")  # spaces in its names
PIECES = re.compile(r" → |\n")
SCORE_AT_END = re.compile(r"\s+[01]\.\d+$")
WORD = re.compile(r"[^\W\d_]{3,}")  # shorter ones are units, axes and keys
IN_QUOTES = re.compile(r'"([^"\\]+)"')
# Whose text is the program's, and what returns it; the text of a field is the user's
WRITTEN = {QLabel: "text", QAbstractButton: "text", WrappedText: "toPlainText"}
ROWS = 40  # rows of a table that are looked at
# Names of things, the same in every language
NAMES = (
    "Vantage Workbench ImageNet Grad CAM CPU GPU GiB MiB SHA ONNX CSV JSON PNG SVG HTML TSV TOML "
    "KiB COCO VOC JPEG BMP TIFF WebP LEEP NCE SQLite Python Qt dlib Linux "
    "Esc Del Space Enter Return Home End Left Right Up Down PgUp PgDown Tab Backspace Ins inf nan"
)


def in_brackets(text: str) -> str:
    """A text in brackets, but not its placeholders: a value must be a name or translated itself."""
    parts = PLACEHOLDER.split(text)
    return "".join(
        part if n % 2 else part and f"{OPEN}{part}{CLOSE}" for n, part in enumerate(parts)
    )


class Brackets(QTranslator):
    """Translates every text into itself in brackets: ours where it is marked, Qt's always."""

    def __init__(self, parent: QApplication) -> None:
        super().__init__(parent)
        self._marked = {mark.text for mark in all_marks()}

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, text: str, comment: str | None = None, n: int = -1) -> str:
        del comment, n
        return in_brackets(text) if context != CONTEXT or text in self._marked else ""


def names_of(project: Path) -> set[str]:
    """What people wrote into a project, as whole names."""
    found = {project.stem, project.name}
    with sqlite3.connect(project / DATABASE_FILE) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    found.update(_names_in(cell) if isinstance(cell, str) else ())
    return found


def _names_in(cell: str) -> list[str]:
    """The cell itself, the parts of a path, or the texts in JSON or TOML."""
    texts = [cell, *IN_QUOTES.findall(cell)]
    return [part for text in texts for part in (text, *text.split("/"))]


def names_of_program() -> set[str]:
    """Names that the program gives: of recipe keys and values, networks, methods and the papers
    they are from, formats."""
    names = [*KEYS, *BACKBONES, *(one.name for one in IMAGE_FORMATS), *FORMATS, *NAMES.split()]
    for known in BACKBONES.values():
        names += [known.title, *known.stage_names]
    names += [*COLUMNS, *ENCODINGS, "utf-8"]
    return {*names, *(spec.name for spec in specs()), *(spec.source for spec in specs())}


class Names:
    """Names that stay as they are in every language."""

    def __init__(self, names: set[str]) -> None:
        names |= {html.escape(name, quote=False) for name in names}  # in rich tooltips
        long = sorted((name.lower() for name in names if len(name) > 2), key=len, reverse=True)
        self._names = [name for name in long if WORD.search(name)]

    def untranslated(self, text: str) -> set[str]:
        """The words of a text that are neither translated nor part of a name."""
        left = WHOLE_PATH.sub(" ", text).lower()
        while left != (shorter := INNERMOST.sub(" ", left)):
            left = shorter
        pieces = PIECES.split(CUT.sub(" ", left))
        return {word for piece in pieces for word in self._words(piece)}

    def _words(self, piece: str) -> list[str]:
        piece = piece.strip()
        unscored = SCORE_AT_END.sub("", piece)
        if "…" in piece and (piece.startswith("/") or self._is_elided(unscored)):
            return []
        plain = NO_TEXT.sub(" ", piece)
        if not WORD.search(plain):
            return []
        for name in self._names:
            if name in piece:
                piece = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", piece)
        return WORD.findall(NO_TEXT.sub(" ", SCORE_AT_END.sub("", piece)))

    def _is_elided(self, text: str) -> bool:
        """Whether a text is a name, or two, of which the middle was left out."""
        start, _, end = text.partition("…")
        starts = any(name.startswith(start.strip()) for name in self._names)
        return starts and any(name.endswith(end.strip()) for name in self._names)


def texts_of(widget: QWidget) -> Iterator[str]:
    """The texts of a widget itself, without those of its children."""
    yield from (widget.windowTitle(), widget.toolTip(), widget.statusTip())
    yield from (widget.accessibleName(), widget.accessibleDescription())
    written = [method for kind, method in WRITTEN.items() if isinstance(widget, kind)]
    for name in ("title", "placeholderText", *written):
        if callable(text := getattr(widget, name, None)):
            yield str(text())
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(at) for at in range(widget.count()))
    if isinstance(widget, QTabBar):
        yield from (widget.tabText(at) for at in range(widget.count()))
    if isinstance(widget, QGraphicsView):
        yield from (item.toPlainText() for item in widget.items() if hasattr(item, "toPlainText"))
    if isinstance(widget, QAbstractItemView) and widget.model() is not None:
        yield from _of_model(widget.model())
    for action in widget.actions():
        yield from _of_action(action)


def _of_action(action: QAction) -> Iterator[str]:
    yield from (action.text(), action.toolTip(), action.statusTip())
    menu = action.menu()
    if isinstance(menu, QMenu):
        for inside in menu.actions():
            yield from _of_action(inside)


_TEXTS = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)


def _of_model(
    model: QAbstractItemModel, roles: Sequence[Qt.ItemDataRole] = _TEXTS
) -> Iterator[str]:
    listed = isinstance(model, QAbstractListModel)  # whose columns are private
    columns = range(1 if listed else model.columnCount(QModelIndex()))
    cells = [
        model.headerData(at, Qt.Orientation.Horizontal, role) for at in columns for role in roles
    ]
    for row in range(min(ROWS, model.rowCount(QModelIndex()))):
        cells += [
            model.index(row, at, QModelIndex()).data(role) for at in columns for role in roles
        ]
    yield from (cell for cell in cells if isinstance(cell, str))


def shown_as_html(widget: QWidget) -> Iterator[str]:
    """Texts of a widget with `MARKUP` in a name of the user's that Qt takes for HTML."""
    texts = [widget.toolTip()]
    if isinstance(widget, QLabel) and widget.textFormat() is not Qt.TextFormat.PlainText:
        painted = type(widget).paintEvent is not QLabel.paintEvent  # draws its text itself
        texts += [] if painted else [widget.text()]
    if isinstance(widget, QAbstractItemView) and widget.model() is not None:
        texts += _of_model(widget.model(), (Qt.ItemDataRole.ToolTipRole,))
    for text in texts:
        if MARKUP in text and Qt.mightBeRichText(text):
            yield text


class ListeningStage(Stage):
    """Plays scenes and, in place of images, notes untranslated texts and where they were seen."""

    quiet = 0.03  # texts are there before the last image has faded in

    def __init__(self, *arguments: Any, known: Names) -> None:
        super().__init__(*arguments)
        self.known = known
        self.found: dict[str, str] = {}

    def take(self, detail: str = "", front: QWidget | None = None) -> None:
        """Look through everything that is shown."""
        del front
        state = f"{self._page}/{self._state} {detail}".strip()
        for top in QApplication.topLevelWidgets():
            if top.isVisible():
                self.shown.add(type(top))
                self._look(top, state)

    def _look(self, widget: QWidget, state: str) -> None:
        for text in texts_of(widget):
            self.note(text, f"{state}, {type(widget).__name__}")
        for text in shown_as_html(widget):
            self.found.setdefault(f"shown as HTML: {text}", state)
        if isinstance(widget, ManualDialog):
            return  # the manual is translated as a document, not text by text
        for child in widget.children():
            if isinstance(child, QWidget) and child.isVisibleTo(widget):
                self._look(child, state)

    def note(self, text: str | None, place: str) -> None:
        """Keep a text that has words which are neither translated nor names."""
        if text and self.known.untranslated(text):
            self.found.setdefault(text, place)


def listen_to_painters(stage: ListeningStage) -> None:
    """Have what widgets of ours paint themselves noted, too."""
    draw: Callable[..., Any] = QPainter.drawText

    def drawing(painter: QPainter, *arguments: Any) -> Any:
        for text in arguments:
            if isinstance(text, str):
                stage.note(text, "painted")
        return draw(painter, *arguments)

    QPainter.drawText = drawing  # type: ignore[method-assign, assignment]


def main(arguments: Sequence[str]) -> int:
    """Play the scenes; 1 where a text was not translated or a scene failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.untranslated")
    parser.add_argument("projects", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("scenes", nargs="*", metavar="SCENE")
    given = parser.parse_args(arguments)
    application = QApplication(["vantage-workbench"])
    application.installTranslator(Brackets(application))
    use_language(translated)
    apply_theme(application, "dark")
    projects = given.projects.glob("*.workbench")
    known = Names(names_of_program().union(USERS_NAMES, *(names_of(one) for one in projects)))
    watches = Watches(PaintWatch(application), Loading())
    places = (given.projects, given.home, given.home)
    stage = ListeningStage(*places, "dark", Screen(1920, 1080), watches, known=known)
    listen_to_painters(stage)
    failed = [text for one in chosen(given.scenes) for text in play(stage, one)]
    for text in failed:
        print(f"! {text}")
    for text, place in stage.found.items():
        print(f"{place}: {text!r}")
    return int(bool(stage.found or failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
