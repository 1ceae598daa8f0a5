"""Dialog with near-duplicates in different parts of the split, shown as pairs of images."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.jobs import Outcome, Task
from workbench.app.training.leakage import (
    Leak,
    Moved,
    dismiss_leaks,
    leaks,
    leaks_note,
    move_task,
    report_again,
)
from workbench.app.training.near_duplicates import (
    DuplicateSearch,
    duplicates_task,
    known_search,
    search_notes,
)
from workbench.domain.changes import Changes
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context, column, row
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.job_line import JobLine

SIDE = 112  # pixels of an image
SHOWN = 500  # pairs in the list; all of them can be moved


class LeakageDialog(Dialog):
    """Pairs of near-duplicates with their parts; all or the selected ones move into one part."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Near-duplicates across parts"))
        self.resize(760, 620)
        self._context = context
        self.leaks: list[Leak] = []
        self.summary = PlainLabel()
        self.summary.setWordWrap(True)
        self.pairs = _PairList(context)
        self.target = QComboBox()
        self.target.addItem(tr("the part that most are in"), None)
        for part in PARTS:
            self.target.addItem(_PART_TEXTS[part](), part)
        self.move_all = QPushButton(tr("Move all"))
        self.move_all.setProperty("primary", True)
        self.move_selected = QPushButton(tr("Move selected"))
        self.dismiss = QPushButton()
        self.dismiss.setToolTip(tr("For this split; the Train page reports these pairs no more"))
        self.search = QPushButton()
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        self._arrange()
        self.line = JobLine(context, self._task, self._ended, self.search, self.status, self)
        context.session.changed.connect(self._changed)
        self.finished.connect(self.pairs.loader.close)
        self.refresh()

    def _arrange(self) -> None:
        self.move_all.clicked.connect(lambda: self._move(self._open()))
        self.move_selected.clicked.connect(lambda: self._move(self._selected()))
        self.dismiss.clicked.connect(self._dismiss)
        self.pairs.itemSelectionChanged.connect(self._enable)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        to = QLabel(tr("to", "move images to a part"))
        moving = row(self.move_all, self.move_selected, to, (self.target, 1), spacing=8)
        column(
            row((self.summary, 1), self.search, spacing=8),
            (self.pairs, 1),
            moving,
            row((self.status, 1), self.dismiss, buttons, spacing=8),
            on=self,
            margins=(16, 16, 16, 16),
            spacing=12,
        )

    def refresh(self) -> None:
        """Show the known near-duplicates in different parts of the current split."""
        session = self._context.session
        self.leaks = leaks(session)
        known = known_search(session)
        self.search.setText(tr("Search") if known is None else tr("Search again"))
        self.summary.setText(self._summary(known))
        self.pairs.show_pairs(self.leaks[:SHOWN])
        self._enable()

    def _summary(self, known: DuplicateSearch | None) -> str:
        session = self._context.session
        if session.splits.current() is None:
            return tr("There is no split yet.")
        if known is None:
            return tr(
                "Copies of an image in different parts make scores too high. Search finds copies "
                "that were scaled, compressed, made brighter, mirrored, rotated, framed or cropped."
            )
        texts = [tr("No near-duplicates are in different parts of the split.")]
        if opened := self._open():
            texts = [tr(leaks_note(opened))]
        if dismissed := len(self.leaks) - len(opened):
            texts.append(
                plural(dismissed, "{n:,} pair was dismissed.", "{n:,} pairs were dismissed.")
            )
        if len(self.leaks) > SHOWN:
            texts.append(tr("The {n:,} most similar ones are shown.").format(n=SHOWN))
        return " ".join([*texts, *map(tr, search_notes(session))])

    def _open(self) -> list[Leak]:
        return [leak for leak in self.leaks if not leak.dismissed]

    def _enable(self) -> None:
        chosen = self._selected()
        self.move_all.setEnabled(bool(self._open()))
        self.move_selected.setEnabled(bool(chosen))
        self.target.setEnabled(bool(self.leaks))
        if chosen and all(leak.dismissed for leak in chosen):
            self.dismiss.setText(tr("Report selected again"))
        else:
            self.dismiss.setText(tr("Dismiss selected") if chosen else tr("Dismiss all"))
        self.dismiss.setEnabled(bool(chosen or self._open()))

    def _dismiss(self) -> None:
        """Dismiss the selected pairs, or all; pairs that are dismissed are reported again."""
        chosen = self._selected()
        if chosen and all(leak.dismissed for leak in chosen):
            report_again(self._context.session, chosen)
        else:
            dismiss_leaks(self._context.session, chosen or self._open())

    def _selected(self) -> list[Leak]:
        chosen = {index.row() for index in self.pairs.selectedIndexes()}
        return [self.leaks[at] for at in sorted(chosen)]

    def _move(self, chosen: list[Leak]) -> None:
        given = self.target.currentData()  # plain text
        part = None if given is None else Part(given)
        task = move_task(self._context.session, chosen, part)
        self._context.session.start(task, done=self._show_moved)

    def _show_moved(self, moved: Moved) -> None:
        text = " ".join(map(tr, moved.notes()))
        self._context.notify(text, "warn" if moved.held else "info")

    def _changed(self, changes: Changes) -> None:
        if changes.split or changes.added or changes.removed:
            self.refresh()

    def _task(self) -> Task[DuplicateSearch]:
        self._context.session.check_writable()  # what is found is shown from the project
        return duplicates_task(self._context.session)

    def _ended(self, _: Outcome[DuplicateSearch]) -> None:
        self.status.setText("")
        self.refresh()


_PART_TEXTS = {
    Part.TRAIN: lambda: tr("the train part"),
    Part.VALIDATION: lambda: tr("the validation part"),
    Part.TEST: lambda: tr("the test part"),
}


class _PairList(QTreeWidget):
    """A row for each pair: the two images with the names of their files and their parts."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._places: dict[int, list[tuple[QTreeWidgetItem, int]]] = {}
        self.loader = ThumbnailLoader(context.session, self)
        self.loader.ready.connect(lambda image, _: self._show_thumbnail(image))
        self.setHeaderLabels([tr("Image"), tr("Near-duplicate"), tr("Similarity")])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.header()
        header.setStretchLastSection(False)
        for at in (0, 1):
            header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)

    def show_pairs(self, found: list[Leak]) -> None:
        """Show these pairs; their thumbnails follow."""
        self.clear()
        self._places.clear()
        ids = [image for leak in found for image in (leak.pair.first, leak.pair.second)]
        rows = self._context.session.images.rows(sorted(set(ids)))
        names = {one.id: one.path.replace("\\", "/").rsplit("/", 1)[-1] for one in rows}
        paths = {one.id: one.path for one in rows}
        for leak in found:
            sides = ((leak.pair.first, leak.first), (leak.pair.second, leak.second))
            texts = [f"{names.get(image, '')}\n{tr(part)}" for image, part in sides]
            similarity = f"{leak.pair.similarity:.2f}"
            if leak.dismissed:
                similarity += "\n" + tr("dismissed", "pair of near-duplicates")
            item = QTreeWidgetItem([*texts, similarity])
            for at, (image, _) in enumerate(sides):
                item.setIcon(at, QIcon(_blank()))
                item.setToolTip(at, plain_text(paths.get(image, "")))
                self._places.setdefault(image, []).append((item, at))
            self.addTopLevelItem(item)
        for image in self._places:
            self._show_thumbnail(image)
        self.loader.request(dict.fromkeys(ids))

    def _show_thumbnail(self, image: int) -> None:
        array = self.loader.get(image)
        if array is None:
            return
        whole = QPixmap.fromImage(to_qimage(array))
        icon = QIcon(whole.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio))
        for item, at in self._places.get(image, ()):
            item.setIcon(at, icon)


def _blank() -> QPixmap:
    pixmap = QPixmap(SIDE, SIDE)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap
