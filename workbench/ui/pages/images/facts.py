"""The preview pane: one image with its file, labels, their history, and its places."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from workbench.app.images.photo_reader import PhotoReader, PhotoRequest, Pixels
from workbench.domain.images import ImageRow
from workbench.domain.labels import Annotation, Author
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.photo import PhotoView
from workbench.ui.parts.side import SidePanel

LONGEST = 640  # pixels of a preview
_HISTORY = 12


class FactLine(QLabel):
    """A line to select and copy, cut in the middle where it is too long, whole in its tooltip."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._whole = text
        self.setMinimumWidth(40)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.say(text)

    def say(self, text: str) -> None:
        """Another line."""
        self._whole = text
        self.setToolTip(html.escape(text))
        self._cut()

    def whole(self) -> str:
        """The uncut line."""
        return self._whole

    def _cut(self) -> None:
        room = max(40, self.width())
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideMiddle, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cut()

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())


class ImageFacts(SidePanel):
    """Shows one image; asks for its photograph in the background, so that arrows never wait."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._reader = PhotoReader(kept=24, parent=self)
        self._reader.ready.connect(self._arrived)
        self._image: int | None = None
        self._sources: dict[int, str] | None = None  # counting their images takes long: kept
        self.photo = PhotoView()
        self.photo.setFixedHeight(220)
        self.name = FactLine()
        self.name.setProperty("role", "heading")
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.photo)
        column.addWidget(self.name)
        self.facts, self.labels = FactPairs(), FactPairs()
        self.history = QLabel()
        self.history.setProperty("role", "muted")
        self.history.setWordWrap(True)
        self.places = QLabel()
        self.places.setProperty("role", "muted")
        self.places.setWordWrap(True)
        self.places.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.add("", top)
        self._sections = [
            self.add(tr("File"), self.facts),
            self.add(tr("Labels"), self.labels),
            self.add(tr("Label history"), self.history),
            self.add(tr("Places"), self.places),
        ]
        self._later = QTimer(self, singleShot=True, interval=40)
        self._later.timeout.connect(self._fill)
        self._fill()

    def show_image(self, image: int | None) -> None:
        """Show this image soon: while arrows are held, only the last one is read."""
        self._image = image
        self._later.start()

    def refresh(self, *, sources: bool = False) -> None:
        """Its labels or places may have changed; with `sources`, what sources there are, too."""
        self._sources = None if sources else self._sources
        self._later.start()

    def close_reader(self) -> None:
        """End the thread that reads photographs."""
        self._later.stop()
        self._reader.close()

    def _fill(self) -> None:
        rows = [] if self._image is None else self._context.session.images.rows([self._image])
        self.photo.setVisible(bool(rows))
        if not rows:
            self.photo.show_array(None)
            self.name.say(tr("No image is chosen"))
            self._show_sections(False)
            return
        row = rows[0]
        self._show_sections(True)
        self._show_photo(row)
        self.name.say(row.name)
        self.facts.fill(self._file_facts(row))
        sets = self._context.session.labels.sets()
        self.labels.fill([(name, ", ".join(row.labels.get(name, ())) or "–") for name in sets])
        self.history.setText("\n".join(self._history_lines(row.id)))
        self.places.setText("\n".join(self._place_lines(row.id)))

    def _show_sections(self, shown: bool) -> None:
        for section in self._sections:
            section.setVisible(shown)

    def _show_photo(self, row: ImageRow) -> None:
        pixels = self._reader.get(row.id)
        if pixels is None:
            pixels = self._context.thumbnails.get(row.id)
            self._reader.want([PhotoRequest(row.id, Path(row.path), LONGEST)])
        if pixels is None:
            self.photo.show_placeholder(row.width, row.height)
        else:
            self.photo.show_array(pixels, (row.width, row.height))

    def _arrived(self, image: int, pixels: Pixels) -> None:
        if image == self._image:
            self.photo.show_array(pixels, self.photo.image_size)

    def _file_facts(self, row: ImageRow) -> list[tuple[str, str]]:
        try:
            size = f"{Path(row.path).stat().st_size / 1024:,.0f} kB"
        except OSError:
            size = tr("not found (File, “Re-link moved sources…”)")
        return [
            (tr("Size"), f"{row.width} × {row.height}"),
            (tr("File"), size),
            (tr("Part"), row.part or tr("in no split")),
            (tr("Folder"), str(Path(row.path).parent)),
        ]

    def _history_lines(self, image: int) -> Sequence[str]:
        entries = self._context.session.labels.history(image)
        newest = sorted(entries, key=lambda entry: -entry.made_at)[:_HISTORY]
        return [self._said(entry) for entry in newest] or [tr("No label yet")]

    def _said(self, entry: Annotation) -> str:
        by = {
            Author.HUMAN: tr("by hand"),
            Author.IMPORT: tr("imported"),
            Author.MODEL: tr("by a model, {0:.2f}").format(entry.confidence),
        }[entry.author]
        when = time.strftime("%d %b %H:%M", time.localtime(entry.made_at))
        gone = "" if entry.ended_at is None else tr(" (no longer)")
        return f"{when}  {entry.label_set}: {entry.label}, {by}{gone}"

    def _place_lines(self, image: int) -> list[str]:
        images = self._context.session.images
        if self._sources is None:
            self._sources = {source.id: source.path for source in images.sources()}
        places = images.places(image)
        return [f"{self._sources.get(source, '?')}: {path}" for source, path in places]


class FactPairs(QWidget):
    """Names and values in two columns; the values are cut in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[QLabel, FactLine]] = []

    def fill(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Show these pairs."""
        while len(self._rows) < len(pairs):
            name, value = QLabel(), FactLine()
            name.setProperty("role", "muted")
            self._grid.addWidget(name, len(self._rows), 0)
            self._grid.addWidget(value, len(self._rows), 1)
            self._rows.append((name, value))
        for at, (name, value) in enumerate(self._rows):
            shown = at < len(pairs)
            name.setVisible(shown)
            value.setVisible(shown)
            if shown:
                name.setText(pairs[at][0])
                value.say(pairs[at][1])
