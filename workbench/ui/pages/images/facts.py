"""The preview panel: one image with its file, labels, label history and locations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from workbench.app.images.pixel_reader import PixelReader, PixelRequest, Pixels
from workbench.domain.images import ImageRow
from workbench.domain.labels import Annotation, Author
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context
from workbench.ui.parts.image_view import ImageView
from workbench.ui.parts.run_texts import when
from workbench.ui.parts.side import SidePanel
from workbench.ui.parts.wrapped_text import WrappedText

LONGEST = 640  # pixels of a preview's longer side
_HISTORY = 12  # entries of the label history


class FactLine(PlainLabel):
    """A selectable line, elided in the middle where it is too long; its tooltip has all of it."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._full_text = text
        self.setMinimumWidth(40)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.set_full_text(text)

    def set_full_text(self, text: str) -> None:
        """Show `text`, elided to the width of the line."""
        self._full_text = text
        self.setToolTip(plain_text(text))
        self._elide()

    def _elide(self) -> None:
        room = max(40, self.width())
        middle = Qt.TextElideMode.ElideMiddle
        self.setText(self.fontMetrics().elidedText(self._full_text, middle, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())


class ImageFacts(SidePanel):
    """One image and what is known of it; its pixels are read in the background, so that arrow keys
    never wait."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._reader = PixelReader(capacity=24, parent=self)
        self._reader.ready.connect(self._show_pixels)
        self._image: int | None = None
        self._sources: dict[int, str] | None = None  # cached: counting their images is slow
        self.view = ImageView()
        self.view.setFixedHeight(220)
        self.name = FactLine()
        self.name.setProperty("role", "heading")
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.view)
        column.addWidget(self.name)
        self.facts, self.labels = FactPairs(), FactPairs()
        self.history, self.locations = WrappedText(), WrappedText()
        for text in (self.history, self.locations):
            text.setProperty("role", "muted")
        self.add("", top)
        self._sections = [
            self.add(tr("File"), self.facts),
            self.add(tr("Labels"), self.labels),
            self.add(tr("Label history"), self.history),
            self.add(tr("Locations"), self.locations),
        ]
        self._fill_timer = QTimer(self, singleShot=True, interval=40)
        self._fill_timer.timeout.connect(self._fill)
        self._fill()

    def show_image(self, image: int | None) -> None:
        """Show an image after a short delay: while an arrow key is held, only the last is read."""
        self._image = image
        self._fill_timer.start()

    def refresh(self, *, sources: bool = False) -> None:
        """Read the image again; with `sources`, read the list of sources again, too."""
        self._sources = None if sources else self._sources
        self._fill_timer.start()

    def close_reader(self) -> None:
        """End the thread that reads images."""
        self._fill_timer.stop()
        self._reader.close()

    def _fill(self) -> None:
        rows = [] if self._image is None else self._context.session.images.rows([self._image])
        self.view.setVisible(bool(rows))
        if not rows:
            self.view.show_array(None)
            self.name.set_full_text(tr("No image selected"))
            self._show_sections(False)
            return
        row = rows[0]
        self._show_sections(True)
        self._show_image(row)
        self.name.set_full_text(row.name)
        self.facts.fill(self._file_facts(row))
        sets = self._context.session.labels.sets()
        self.labels.fill([(name, ", ".join(row.labels.get(name, ())) or "–") for name in sets])
        self.history.setPlainText("\n".join(self._history_lines(row.id)))
        self.locations.setPlainText("\n".join(self._location_lines(row.id)))

    def _show_sections(self, shown: bool) -> None:
        for section in self._sections:
            section.setVisible(shown)

    def _show_image(self, row: ImageRow) -> None:
        pixels = self._reader.get(row.id)
        if pixels is None:
            pixels = self._context.thumbnails.get(row.id)
            self._reader.request([PixelRequest(row.id, Path(row.path), LONGEST)])
        if pixels is None:
            self.view.show_placeholder(row.width, row.height)
        else:
            self.view.show_array(pixels, (row.width, row.height))

    def _show_pixels(self, image: int, pixels: Pixels) -> None:
        if image == self._image:
            self.view.show_array(pixels, self.view.image_size)

    def _file_facts(self, row: ImageRow) -> list[tuple[str, str]]:
        try:
            size = tr("{size:,.0f} KiB").format(size=Path(row.path).stat().st_size / 1024)
        except OSError:
            size = tr("not found: re-link it")
        return [
            (tr("Dimensions"), f"{row.width} × {row.height}"),
            (tr("File size"), size),
            (tr("Part"), row.part or tr("not in a split")),
            (tr("Folder"), str(Path(row.path).parent)),
        ]

    def _history_lines(self, image: int) -> Sequence[str]:
        entries = self._context.session.labels.history(image)
        newest = sorted(entries, key=lambda entry: -entry.made_at)[:_HISTORY]
        return [self._history_line(entry) for entry in newest] or [tr("No labels yet")]

    def _history_line(self, entry: Annotation) -> str:
        by_person = tr("by {name}").format(name=entry.annotator)
        author = {
            Author.HUMAN: by_person if entry.annotator else tr("by hand"),
            Author.IMPORT: tr("imported"),
            Author.MODEL: tr("by a model, {confidence:.2f}").format(confidence=entry.confidence),
        }[entry.author]
        if entry.ended_at is None:
            line = tr("{time}  {label_set}: {label}, {author}")
        elif entry.is_opinion:
            line = tr("{time}  {label_set}: {label}, {author} (second opinion)")
        else:
            line = tr("{time}  {label_set}: {label}, {author} (no longer set)")
        made = when(entry.made_at)
        return line.format(time=made, label_set=entry.label_set, label=entry.label, author=author)

    def _location_lines(self, image: int) -> list[str]:
        images = self._context.session.images
        if self._sources is None:
            self._sources = {source.id: source.path for source in images.sources()}
        locations = images.locations(image)
        return [f"{self._sources.get(source, '?')}: {path}" for source, path in locations]


class FactPairs(QWidget):
    """Names and values in two columns; the values are elided in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[PlainLabel, FactLine]] = []

    def fill(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Show these pairs."""
        while len(self._rows) < len(pairs):
            name, value = PlainLabel(), FactLine()
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
                value.set_full_text(pairs[at][1])
