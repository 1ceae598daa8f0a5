"""The faces of one photo as the network sees them: 128 × 128 crops to choose among."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from workbench.domain.crops import CropState
from workbench.domain.geometry import Rect
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, sized, text_on
from workbench.ui.mouths.marks import Face

SIDE = 128  # pixels of a crop as the networks take it
_EDGE = 4
_CAPTION = 20


class FaceTile(QAbstractButton):
    """One crop, its number, state and label; checked when it is the chosen face."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedSize(SIDE + 2 * _EDGE, SIDE + 2 * _EDGE + _CAPTION)
        self._picture: QImage | None = None
        self._face: Face | None = None
        self._words = ""

    def show_face(self, face: Face, picture: QImage | None, words: str) -> None:
        """Show a face; `picture` None where the photo is still being read."""
        self._face, self._picture, self._words = face, picture, words
        self.setAccessibleName(words)
        self.update()

    def show_picture(self, picture: QImage | None) -> None:
        """Another picture of the same face, as its square moves."""
        self._picture = picture
        self.update()

    @property
    def picture(self) -> QImage | None:
        """What is shown: 128 × 128 pixels."""
        return self._picture

    @property
    def face(self) -> Face | None:
        return self._face

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip:
            QToolTip.showText(self.mapToGlobal(self.rect().bottomLeft()), self._words, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        theme = Theme.of(self)
        box = QRectF(_EDGE, _EDGE, SIDE, SIDE)
        shape = QPainterPath()
        shape.addRoundedRect(box, RADIUS, RADIUS)
        painter.fillPath(shape, theme.hover)
        if self._picture is not None:
            painter.save()
            painter.setClipPath(shape)
            dim = self._face is not None and self._face.state is CropState.REJECTED
            painter.setOpacity(0.35 if dim else 1.0)
            painter.drawImage(box, self._picture)
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
        text = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, SIDE + 24)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)


class FaceStrip(QScrollArea):
    """All faces of the photo in a row; `chosen(crop id)` when another one is clicked."""

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
        self.note = QLabel()
        self.note.setProperty("role", "muted")
        self.note.setWordWrap(True)
        self._row.addWidget(self.note, 1)
        self._row.addStretch(0)
        self.setWidget(inner)
        self.setFixedHeight(SIDE + 2 * _EDGE + _CAPTION + 12)
        self._tiles: list[FaceTile] = []
        self._photo: QImage | None = None
        self._size = (0, 0)

    def sizeHint(self) -> QSize:
        return QSize(3 * SIDE, self.height())

    def set_photo(self, photo: QImage | None, size: tuple[int, int]) -> None:
        """The photo the crops are cut from, perhaps reduced; `size` is its full width and height.
        The crops follow with the next `set_faces`."""
        self._photo, self._size = photo, size

    def set_faces(self, faces: Sequence[Face], current: int | None, words: Sequence[str]) -> None:
        """Show `faces`, each with its `words`; the one with the id `current` is chosen."""
        while len(self._tiles) < len(faces):
            tile = FaceTile(self)
            tile.clicked.connect(lambda _=False, tile=tile: self._clicked(tile))
            self._tiles.append(tile)
            self._row.insertWidget(len(self._tiles) - 1, tile)
        for i, tile in enumerate(self._tiles):
            tile.setVisible(i < len(faces))
            if i < len(faces):
                tile.show_face(faces[i], self.cut(faces[i].rect), words[i])
                tile.setChecked(faces[i].id == current)
                if tile.isChecked():
                    self.ensureWidgetVisible(tile, 8, 0)

    def preview(self, rect: Rect) -> None:
        """The chosen face's crop as its square moves to `rect`."""
        for tile in self.tiles():
            if tile.isChecked():
                tile.show_picture(self.cut(rect))

    def tiles(self) -> list[FaceTile]:
        """The tiles in use."""
        return [tile for tile in self._tiles if not tile.isHidden()]

    def cut(self, rect: Rect) -> QImage | None:
        """The photo inside `rect` as 128 × 128 pixels."""
        if self._photo is None or not self._size[0]:
            return None
        scale = self._photo.width() / self._size[0]
        left, top = round(rect.left * scale), round(rect.top * scale)
        side = max(1, round(rect.width * scale))
        part = self._photo.copy(left, top, side, max(1, round(rect.height * scale)))
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
