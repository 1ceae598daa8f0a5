"""The model of the Mouths page: the image shown and the edits of its mouths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.app.labels import labelling
from workbench.app.mouths import cropping
from workbench.app.mouths.crop_files import save_crops_task
from workbench.app.mouths.mouth_queues import MouthQueues, first_shown
from workbench.domain.crops import Crop
from workbench.domain.geometry import Rect, moved, scaled
from workbench.domain.text import plural, tr
from workbench.ui.page import Context

NUDGE = 0.03  # of the box's side


class MouthModel(QObject):
    """One image with its crops, their labels and the current crop.

    `changed()` is emitted when the image or its mouths must be redrawn, `decided()` when the
    current mouth was labelled, accepted or rejected, so that the next one can be shown. While
    several images are selected, labelling, accepting and rejecting apply to all of their mouths.
    Known errors are reported through `notify` of the context.
    """

    changed = Signal()
    decided = Signal()

    def __init__(
        self, context: Context, queues: MouthQueues, selected: Callable[[], list[int]]
    ) -> None:
        super().__init__()
        self._context, self._queues, self._selected = context, queues, selected
        self.image: int | None = None
        self.size = (0, 0)
        self.crops: list[Crop] = []
        self.labels: dict[int, tuple[str, ...]] = {}
        self.current: int | None = None
        self.editing = False  # whether the running edit was started here

    # the image and its crops

    def set_image(self, image: int | None, size: tuple[int, int] = (0, 0)) -> None:
        """Show another image of `size` width × height pixels (None: no image)."""
        self.image, self.size, self.current = image, size, None
        self.reload()

    def reload(self) -> None:
        """Read crops and labels of the image again; the current crop stays while it exists."""
        self.crops, self.labels = [], {}
        if self.image is not None:
            self.crops, self.labels = self._queues.crops(self.image)
        if self.current not in [crop.id for crop in self.crops]:
            self.current = first_shown(self.crops, self.labels)
        self.changed.emit()

    def crop(self) -> Crop | None:
        """The current crop."""
        return next((crop for crop in self.crops if crop.id == self.current), None)

    def faces(self) -> list[int]:
        """Ids of the crops that have a box."""
        return [crop.id for crop in self.crops if crop.rect is not None and crop.id is not None]

    def choose(self, crop_id: int) -> None:
        """Make a crop the current one."""
        self.current = crop_id
        self.changed.emit()

    def step(self, by: int) -> None:
        """Go to the next (1) or the previous (-1) face, around the ends."""
        ids = self.faces()
        if ids:
            at = ids.index(self.current) if self.current in ids else -by
            self.choose(ids[(at + by) % len(ids)])

    # edits

    def _edit(self, action: Callable[[], object]) -> bool:
        """Run an edit; False, with the error reported, if it failed."""
        self.editing = True
        try:
            with self._context.reporting_errors():
                action()
                return True
            self.changed.emit()
        finally:
            self.editing = False
        return False

    def targets(self, usable: bool = True) -> list[int]:
        """Ids of the crops an edit applies to: the current one, or all mouths of several selected
        images. A current crop that is not `usable` is left out unless that is False."""
        selected = self._selected()
        if len(selected) > 1:
            return self._queues.mouths(selected)
        crop = self.crop()
        fits = crop is not None and crop.rect is not None and (crop.usable or not usable)
        return [crop.id] if fits and crop is not None and crop.id is not None else []

    def label(self, name: str | None) -> None:
        """Label the current mouth with an expression; None clears its label."""
        targets, label_set = self.targets(), self._queues.label_set
        if not targets or label_set is None:
            self._context.notify(tr("No mouth to label here. Draw its box first."), "warn")
            return
        session, set_name = self._context.session, label_set.name
        labelled = self._edit(lambda: labelling.assign_crops(session, targets, set_name, name))
        if labelled and name is not None:
            self.decided.emit()

    def accept(self) -> None:
        """Accept the current mouth: its box is correct."""
        targets = self.targets(usable=False)
        if targets and self._edit(lambda: cropping.accept(self._context.session, targets)):
            self.decided.emit()

    def reject(self) -> None:
        """Reject the current mouth: its box is not a mouth."""
        targets = self.targets()
        if targets and self._edit(lambda: cropping.reject(self._context.session, targets)):
            self.decided.emit()

    def keep_only(self) -> None:
        """Keep the current face and reject the others of the image."""
        crop = self.crop()
        if crop is not None and crop.id is not None and crop.rect is not None:
            crop_id = crop.id
            self._edit(lambda: cropping.choose(self._context.session, crop_id))

    def adjust(self, crop_id: int, rect: Rect) -> None:
        """Move or resize the box of a crop to `rect`."""
        crop = next((crop for crop in self.crops if crop.id == crop_id), None)
        if crop is not None and rect != crop.rect:
            self._edit(lambda: cropping.adjust(self._context.session, crop, rect))

    def nudge(self, dx: int, dy: int) -> None:
        """Move the current box by `dx`, `dy` steps of NUDGE of its side."""
        crop = self.crop()
        if crop is not None and crop.rect is not None and crop.usable:
            step = max(1, round(crop.rect.width * NUDGE))
            rect = moved(crop.rect, dx * step, dy * step, *self.size)
            self.adjust(crop.id or 0, rect)

    def resize(self, factor: float) -> None:
        """Scale the current box by `factor` about its centre."""
        crop = self.crop()
        if crop is not None and crop.rect is not None and crop.usable:
            self.adjust(crop.id or 0, scaled(crop.rect, factor, *self.size))

    def draw(self, rect: Rect) -> None:
        """Add a mouth with the box `rect` and make it the current one."""
        image = self.image
        known = set(self.faces())
        if image is not None and self._edit(
            lambda: cropping.add_by_hand(self._context.session, image, rect)
        ):
            added = [crop_id for crop_id in self.faces() if crop_id not in known]
            if added:
                self.choose(added[0])

    def save_crops(self, parent: QWidget) -> None:
        """Choose a folder, and save all usable mouths there as images of 128 × 128 pixels."""
        title = tr("Choose a folder for the mouth crops")
        folder = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
        if not folder:
            return

        def show(saved: int) -> None:
            text = plural(
                saved,
                "{n:,} mouth crop saved in {folder}.",
                "{n:,} mouth crops saved in {folder}.",
                folder=folder,
            )
            self._context.notify(text, "info")

        with self._context.reporting_errors():
            task = save_crops_task(self._context.session, Path(folder))
            self._context.session.start(task, done=show)
