"""The context menu of images: label, clear the label, show elsewhere, remove from project."""

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
from workbench.domain.text import plural, tr
from workbench.ui.look.theme import CAPTION_PIXELS, sized, text_on
from workbench.ui.page import Context, Page
from workbench.ui.parts.tiles import badge

_ICON = 16
_LISTED = 40  # labels of a set shown in the menu


def label_icon(label_set: LabelSet, name: str) -> QIcon:
    """The letter of a label on its colour, as on tiles."""
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
    """Open the folder of an image in the file manager."""
    path = Path(context.session.images.row(image).path)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def image_menu(context: Context, parent: QWidget, ids: NDArray[np.int64], first_set: str) -> QMenu:
    """The menu for the images `ids`, with the labels of `first_set` first."""
    menu = QMenu(parent)
    sets = [s for s in context.session.labels.sets().values() if s.subject is Subject.IMAGE]
    for label_set in sorted(sets, key=lambda s: s.name != first_set):
        title = tr("Label {name}").format(name=label_set.name)
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
    title = plural(len(images), "Remove from project", "Remove {n:,} images from project")
    menu.addAction(title, lambda: remove_images(context, ids))
    return menu


def pop_up(
    context: Context, parent: QWidget, at: QPoint, ids: NDArray[np.int64], name: str
) -> None:
    """Show the menu at the global position `at`; it is deleted when it closes."""
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
    menu.addAction(tr("Clear label"), lambda: assign(context.session, chosen, label_set.name, None))


def _in_views(context: Context, images: tuple[int, ...]) -> None:
    """Select a single image among all images; show several images alone."""
    if len(images) == 1:
        context.go("views", image=images[0])
    else:
        context.go("views", filter=ImageFilter(ids=images))


def remove_images(context: Context, ids: NDArray[np.int64]) -> None:
    """Remove images from the project (not their files), as one edit that can be undone."""
    context.session.remove_images(ids.tolist())
    text = plural(
        len(ids),
        "{n:,} image removed from the project. Undo to restore it.",
        "{n:,} images removed from the project. Undo to restore them.",
    )
    context.notify(text, "info")
