"""The middle of the Mouths page: the image with its mouth boxes, and its crops to select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from workbench.app.images.pixel_reader import PixelReader, PixelRequest
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageRow
from workbench.domain.labels import LabelSet
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, sized, text_on
from workbench.ui.pages.mouths.image_view import FaceMark, MouthImageView
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.tiles import badge

SIDE = 128  # pixels of a crop, as in the input of the networks
_EDGE = 4
_CAPTION = 20


class FaceTile(QAbstractButton):
    """A crop with its number, state and label; checked if it is the current one."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedSize(SIDE + 2 * _EDGE, SIDE + 2 * _EDGE + _CAPTION)
        self._image: QImage | None = None
        self._face: FaceMark | None = None
        self._text = ""

    def show_face(self, face: FaceMark, image: QImage | None, text: str) -> None:
        """Show a face with a caption; `image` is None while the image is being read."""
        self._face, self._image, self._text = face, image, text
        self.setAccessibleName(text)
        self.update()

    def show_image(self, image: QImage | None) -> None:
        """Show another image of the same face, as its box moves."""
        self._image = image
        self.update()

    @property
    def image(self) -> QImage | None:
        """The crop as shown, SIDE × SIDE pixels."""
        return self._image

    @property
    def face(self) -> FaceMark | None:
        """The face shown, or None."""
        return self._face

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(
                self.mapToGlobal(self.rect().bottomLeft()), plain_text(self._text), self
            )
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = Theme.of(self)
        box = QRectF(_EDGE, _EDGE, SIDE, SIDE)
        shape = QPainterPath()
        shape.addRoundedRect(box, RADIUS, RADIUS)
        painter.fillPath(shape, theme.hover)
        if self._image is not None:
            painter.save()
            painter.setClipPath(shape)
            dim = self._face is not None and self._face.state is CropState.REJECTED
            painter.setOpacity(0.35 if dim else 1.0)
            painter.drawImage(box, self._image)
            painter.restore()
        self._frame(painter, theme, box)
        self._caption(painter, theme)
        painter.end()

    def _frame(self, painter: QPainter, theme: Theme, box: QRectF) -> None:
        if self.isChecked() or self.hasFocus():
            painter.setPen(QPen(theme.accent if self.isChecked() else theme.text, 2))
            painter.drawRoundedRect(box.adjusted(-2, -2, 2, 2), RADIUS + 1, RADIUS + 1)
        elif self.underMouse():
            painter.setPen(QPen(theme.line, 1))
            painter.drawRoundedRect(box.adjusted(-1, -1, 1, 1), RADIUS, RADIUS)
        face = self._face
        if face is not None and face.letter and face.colour is not None:
            plate = QRectF(box.right() - 26, box.bottom() - 26, 20, 20)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(face.colour)
            painter.drawRoundedRect(plate, 4, 4)
            painter.setFont(sized(self.font(), 12, bold=True))
            painter.setPen(text_on(face.colour))
            painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, face.letter)

    def _caption(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        painter.setPen(theme.text if self.isChecked() else theme.muted)
        place = QRect(_EDGE, SIDE + 2 * _EDGE, SIDE, _CAPTION)
        text = self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, SIDE + 24)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)


class FaceStrip(QScrollArea):
    """All faces of the image in a row; `chosen(crop id)` is emitted when one is clicked."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        inner = QWidget()
        self._row = QHBoxLayout(inner)
        self._row.setContentsMargins(4, 0, 4, 0)
        self._row.setSpacing(4)
        self.note = PlainLabel()
        self.note.setProperty("role", "muted")
        self.note.setWordWrap(True)
        self._row.addWidget(self.note, 1)
        self._row.addStretch(0)
        self.setWidget(inner)
        self.setFixedHeight(SIDE + 2 * _EDGE + _CAPTION + 12)
        self._tiles: list[FaceTile] = []
        self._image: QImage | None = None
        self._size = (0, 0)

    def sizeHint(self) -> QSize:
        return QSize(3 * SIDE, self.height())

    def set_image(self, image: QImage | None, size: tuple[int, int]) -> None:
        """Set the image that crops are cut from, perhaps scaled down; `size` is its full width and
        height in pixels. Crops are cut by the next `set_faces`."""
        self._image, self._size = image, size

    def set_faces(
        self, faces: Sequence[FaceMark], current: int | None, texts: Sequence[str]
    ) -> None:
        """Show faces with their captions `texts`; `current` is the id of the current one."""
        while len(self._tiles) < len(faces):
            tile = FaceTile(self)
            tile.clicked.connect(lambda _=False, tile=tile: self._clicked(tile))
            self._tiles.append(tile)
            self._row.insertWidget(len(self._tiles) - 1, tile)
        for i, tile in enumerate(self._tiles):
            tile.setVisible(i < len(faces))
            if i < len(faces):
                tile.show_face(faces[i], self.cut(faces[i].rect), texts[i])
                tile.setChecked(faces[i].id == current)
                if tile.isChecked():
                    self.ensureWidgetVisible(tile, 8, 0)

    def preview(self, rect: Rect) -> None:
        """Show the crop of the current face as its box moves to `rect`."""
        for tile in self.tiles():
            if tile.isChecked():
                tile.show_image(self.cut(rect))

    def tiles(self) -> list[FaceTile]:
        """The tiles in use."""
        return [tile for tile in self._tiles if not tile.isHidden()]

    def cut(self, rect: Rect) -> QImage | None:
        """The image inside `rect` (full-size pixels), scaled to SIDE × SIDE pixels."""
        if self._image is None or not self._size[0]:
            return None
        scale = self._image.width() / self._size[0]
        left, top = round(rect.left * scale), round(rect.top * scale)
        side = max(1, round(rect.width * scale))
        part = self._image.copy(left, top, side, max(1, round(rect.height * scale)))
        return part.scaled(
            SIDE,
            SIDE,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )

    def _clicked(self, tile: FaceTile) -> None:
        if tile.face is not None:
            tile.setChecked(True)
            self.chosen.emit(tile.face.id)


LONGEST = 2048  # pixels of the copy on the screen; boxes are in full-size pixels
CACHED = 6  # images


class MouthStage(QWidget):
    """One image with its mouth boxes and crops; the signals are those of `view` and `strip`."""

    chosen = Signal(int)
    adjusted = Signal(int, object)
    drawn = Signal(object)
    drawing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row: ImageRow | None = None
        self._reader = PixelReader(CACHED, self)
        self._reader.ready.connect(self._show_read)
        self._reader.failed.connect(self._show_failure)
        self.view = MouthImageView()
        self.strip = FaceStrip()
        self.empty = EmptyState("smiley", "")
        self._name = PlainLabel()
        self._state = ElidedLabel(
            mode=Qt.TextElideMode.ElideRight
        )  # the reason of a failure is long
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._faces: list[FaceMark] = []
        self._texts: list[str] = []
        self._current: int | None = None
        self._searched = False
        self._lay_out()
        self.view.chosen.connect(self.chosen)
        self.view.adjusted.connect(self.adjusted)
        self.view.drawn.connect(self.drawn)
        self.view.previewed.connect(self._preview)
        self.view.drawing_changed.connect(self.drawing_changed)
        self.strip.chosen.connect(self.chosen)

    def _lay_out(self) -> None:
        self._name.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._state.setProperty("role", "muted")
        line = QHBoxLayout()
        line.setContentsMargins(4, 0, 4, 0)
        line.setSpacing(12)
        line.addWidget(self._name)
        line.addWidget(self._state, 1)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.view, 1)
        column.addLayout(line)
        column.addWidget(self.strip)
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(whole)
        self._stack.addWidget(self.empty)

    def close_reader(self) -> None:
        """End the thread that decodes images."""
        self._reader.close()

    def show_empty(self, sentence: str, button: str = "") -> None:
        """Show a sentence and a button ("": none) in place of an image."""
        self._row = None
        self.empty.set_text(sentence, button)
        self._stack.setCurrentIndex(1)

    def show_image(self, row: ImageRow, ahead: Sequence[ImageRow]) -> None:
        """Show an image and read those `ahead`."""
        self._stack.setCurrentIndex(0)
        self.view.set_drawing(False)
        self._row = row
        self._name.setText(
            self.view.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideMiddle, 320)
        )
        self._name.setToolTip(plain_text(row.path))
        array = self._reader.get(row.id)
        if array is None:
            self.view.show_placeholder(row.width, row.height)
            self.strip.set_image(None, (0, 0))
        else:
            self._show_pixels(array)
        self._reader.request([PixelRequest(r.id, Path(r.path), LONGEST) for r in (row, *ahead)])

    def show_faces(
        self,
        crops: Sequence[Crop],
        labels: Mapping[int, tuple[str, ...]],
        label_set: LabelSet | None,
        current: int | None,
    ) -> None:
        """Show the faces of the image; `current` is the id of the current crop."""
        self._faces = faces_of(crops, labels, label_set)
        self._texts = [self._describe(face, labels.get(face.id, ())) for face in self._faces]
        self._current = current
        self._searched = bool(crops)
        self._state.setText(self._state_text(crops))
        self._show_faces()

    def toggle_drawing(self) -> None:
        """Start or stop drawing a box by hand."""
        self.view.set_drawing(self._row is not None and not self.view.drawing)
        self.drawing_changed.emit(self.view.drawing)

    def _show_faces(self) -> None:
        self.strip.note.setText("" if self._faces else self._hint())
        self.strip.note.setVisible(not self._faces)
        self.view.set_faces(self._faces, self._current)
        self.strip.set_faces(self._faces, self._current, self._texts)

    def _hint(self) -> str:
        if self._searched:
            return tr("No mouth found. Choose “Draw” and drag a box over it.")
        return tr("Not searched yet. Find mouths, or choose “Draw” and drag a box.")

    def _state_text(self, crops: Sequence[Crop]) -> str:
        current = next((crop for crop in crops if crop.id == self._current), None)
        if current is not None and current.rect is not None:
            parts = [state_text(current.state)]
            if current.detector and current.state is CropState.FOUND:
                parts[0] = self._found_by(current.detector)
            if current.reviewed and current.state is CropState.FOUND:
                parts.append(tr("accepted"))
            parts.append(f"{current.rect.width} × {current.rect.height} px")
            if current.reason:
                parts.append(tr(current.reason))
            return " · ".join(parts)
        missed = next((crop for crop in crops if crop.state is CropState.MISSED), None)
        if missed is not None:
            return tr("missed: {reason}").format(reason=tr(missed.reason) or tr("no face"))
        return tr("not searched yet")

    def _found_by(self, detector: str) -> str:
        """Text for the detector "cascade" or "hog", each perhaps followed by ", border"."""
        name, _, border = detector.partition(", ")
        text = (
            tr("found by {detector}, with a border added") if border else tr("found by {detector}")
        )
        return text.format(detector={"hog": "HOG"}.get(name, name))

    def _describe(self, face: FaceMark, labels: tuple[str, ...]) -> str:
        state = state_text(face.state)
        if face.reviewed and face.state is CropState.FOUND:
            state = tr("accepted")
        parts = [str(face.number)] if len(self._faces) > 1 else []
        return " · ".join([*parts, ", ".join(labels) or state])

    def _preview(self, rect: Any) -> None:
        if not self.view.drawing:
            self.strip.preview(rect)

    def _show_read(self, key: int, array: Any) -> None:
        if self._row is not None and key == self._row.id:
            self._show_pixels(array)
            self._show_faces()

    def _show_pixels(self, array: Any) -> None:
        assert self._row is not None
        size = (self._row.width, self._row.height)
        self.view.show_array(array, size)
        self.strip.set_image(to_qimage(array), size)

    def _show_failure(self, key: int, reason: str) -> None:
        if self._row is not None and key == self._row.id:
            self._state.setText(tr(reason))


def faces_of(
    crops: Sequence[Crop], labels: Mapping[int, tuple[str, ...]], label_set: LabelSet | None
) -> list[FaceMark]:
    """The crops that have a box as face marks, numbered from 1."""
    made: list[FaceMark] = []
    for crop in crops:
        if crop.rect is None or crop.id is None:
            continue
        letter, colour = _first_badge(labels.get(crop.id, ()), label_set)
        made.append(
            FaceMark(
                crop.id,
                len(made) + 1,
                crop.state,
                crop.rect,
                crop.landmarks,
                letter,
                colour,
                crop.reviewed,
            )
        )
    return made


def _first_badge(names: tuple[str, ...], label_set: LabelSet | None) -> tuple[str, QColor | None]:
    """Letter and colour of the first label that the set knows."""
    known = [name for name in names if label_set is not None and name in label_set.names]
    return badge(label_set, known[0]) if label_set is not None and known else ("", None)


def state_text(state: CropState) -> str:
    """The state of a crop as shown."""
    return {
        CropState.FOUND: tr("found"),
        CropState.ADJUSTED: tr("adjusted"),
        CropState.REJECTED: tr("rejected"),
        CropState.MISSED: tr("missed"),
    }[state]
