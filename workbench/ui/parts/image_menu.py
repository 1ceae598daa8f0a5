"""The menu of a right click on images: label, clear, look elsewhere, take out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from workbench.app.labels.labelling import assign
from workbench.domain.images import ImageFilter
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.text import tr
from workbench.ui.look.theme import CAPTION_PIXELS, sized, text_on
from workbench.ui.page import Context, Page
from workbench.ui.parts.tiles import badge

_ICON = 16
_LISTED = 40  # labels of a set shown in the menu


def label_icon(label_set: LabelSet, name: str) -> QIcon:
    """The letter of a label on its colour, as on the tiles."""
    letter, colour = badge(label_set, name)
    pixmap = QPixmap(_ICON * 2, _ICON * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    room = QRectF(0, 0, _ICON, _ICON)
    painter.drawRoundedRect(room, 3, 3)
    painter.setFont(sized(QApplication.font(), CAPTION_PIXELS, bold=True))
    painter.setPen(text_on(colour))
    painter.drawText(room, Qt.AlignmentFlag.AlignCenter, letter)
    painter.end()
    return QIcon(pixmap)


def show_in_folder(context: Context, image: int) -> None:
    """Open the folder an image lies in."""
    path = Path(context.session.images.row(image).path)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def image_menu(context: Context, parent: QWidget, ids: NDArray[np.int64], first_set: str) -> QMenu:
    """The menu over `ids`, the labels of `first_set` on top."""
    menu = QMenu(parent)
    sets = [s for s in context.session.labels.sets().values() if s.subject is Subject.IMAGE]
    for label_set in sorted(sets, key=lambda s: s.name != first_set):
        title = tr("Label {0}").format(label_set.name)
        _fill_labels(context, menu.addMenu(title), label_set, ids)
    menu.addSeparator()
    images = tuple(ids.tolist())
    if isinstance(parent, Page):
        like = tr("Find similar") if len(images) == 1 else tr("Find similar to these")
        menu.addAction(like, lambda: context.go(parent.name, similar=images))
    menu.addAction(tr("Find in Views"), lambda: _in_views(context, images))
    menu.addAction(tr("Explain"), lambda: context.go("explain", ids=images))
    menu.addAction(tr("Show in folder"), lambda: show_in_folder(context, images[0])).setEnabled(
        len(images) == 1
    )
    menu.addSeparator()
    title = (
        tr("Take out of the project")
        if len(images) == 1
        else tr("Take {0:,} images out of the project").format(len(images))
    )
    menu.addAction(title, lambda: remove_images(context, ids))
    return menu


def pop_up(
    context: Context, parent: QWidget, at: QPoint, ids: NDArray[np.int64], name: str
) -> None:
    """Show the menu at a global position; it goes away by itself."""
    menu = image_menu(context, parent, ids, name)
    menu.aboutToHide.connect(menu.deleteLater)
    menu.popup(at)


def _fill_labels(
    context: Context, menu: QMenu, label_set: LabelSet, ids: NDArray[np.int64]
) -> None:
    chosen = ids.tolist()
    for name in label_set.names[:_LISTED]:
        menu.addAction(
            label_icon(label_set, name),
            name,
            partial(assign, context.session, chosen, label_set.name, name),
        )
    menu.addSeparator()
    menu.addAction(tr("No label"), lambda: assign(context.session, chosen, label_set.name, None))


def _in_views(context: Context, images: tuple[int, ...]) -> None:
    """One image is found among all; several are shown alone."""
    if len(images) == 1:
        context.go("views", image=images[0])
    else:
        context.go("views", filter=ImageFilter(ids=images))


def remove_images(context: Context, ids: NDArray[np.int64]) -> None:
    """Take images out of the project (never the files), as one edit that can be undone."""
    context.session.remove_images(ids.tolist())
    words = tr("{0:,} taken out of the project. Undo brings them back.")
    context.notify(words.format(len(ids)), "info")
