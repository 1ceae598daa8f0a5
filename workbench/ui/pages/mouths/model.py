"""The image on the Mouths page's desk and what a person does to its mouths, edit by edit."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from workbench.app.labels import labelling
from workbench.app.mouths import cropping
from workbench.app.mouths.mouth_queues import MouthQueues, first_shown
from workbench.domain.crops import Crop
from workbench.domain.geometry import Rect, moved, scaled
from workbench.domain.text import tr
from workbench.ui.page import Context

NUDGE = 0.03  # of the square's side


class MouthModel(QObject):
    """One image with its crops, their labels and the chosen one.

    `altered()` when what is shown must be drawn anew; `decided()` when a deed on the chosen mouths
    is done and the next one may come. Where several images are selected, a deed is for all of their
    mouths. What the world refuses is said through the context's `notify`.
    """

    altered = Signal()
    decided = Signal()

    def __init__(
        self, context: Context, book: MouthQueues, selected: Callable[[], list[int]]
    ) -> None:
        super().__init__()
        self._context, self._book, self._selected = context, book, selected
        self.image: int | None = None
        self.size = (0, 0)
        self.crops: list[Crop] = []
        self.labels: dict[int, tuple[str, ...]] = {}
        self.current: int | None = None
        self.editing = False  # whether the edit under way was begun here

    # what lies on it

    def put(self, image: int | None, size: tuple[int, int] = (0, 0)) -> None:
        """Lay another image on the desk (None: clear it)."""
        self.image, self.size, self.current = image, size, None
        self.read()

    def read(self) -> None:
        """Read the image's crops and labels anew; the chosen one stays chosen while it exists."""
        self.crops, self.labels = [], {}
        if self.image is not None:
            self.crops, self.labels = self._book.crops(self.image)
        if self.current not in [crop.id for crop in self.crops]:
            self.current = first_shown(self.crops, self.labels)
        self.altered.emit()

    def crop(self) -> Crop | None:
        """The chosen crop."""
        return next((crop for crop in self.crops if crop.id == self.current), None)

    def faces(self) -> list[int]:
        """Ids of the crops that have a square."""
        return [crop.id for crop in self.crops if crop.rect is not None and crop.id is not None]

    def choose(self, crop_id: int) -> None:
        """Make this crop the one that keys act on."""
        self.current = crop_id
        self.altered.emit()

    def step(self, by: int) -> None:
        """The next or the former face."""
        ids = self.faces()
        if ids:
            at = ids.index(self.current) if self.current in ids else -by
            self.choose(ids[(at + by) % len(ids)])

    # deeds

    def _edit(self, deed: Callable[[], object]) -> bool:
        self.editing = True
        try:
            with self._context.reporting_errors():
                deed()
                return True
            self.altered.emit()
        finally:
            self.editing = False
        return False

    def targets(self, usable: bool = True) -> list[int]:
        """The chosen crop, or every mouth of the selected images where several are selected."""
        selected = self._selected()
        if len(selected) > 1:
            return self._book.mouths(selected)
        chosen = self.crop()
        fits = chosen is not None and chosen.rect is not None and (chosen.usable or not usable)
        return [chosen.id] if fits and chosen is not None and chosen.id is not None else []

    def label(self, name: str | None) -> None:
        """Give the chosen mouth an expression (None: take it away)."""
        targets, label_set = self.targets(), self._book.label_set
        if not targets or label_set is None:
            say = tr("There is no mouth to label here: draw its square first (D).")
            self._context.notify(say, "warn")
            return
        session, set_name = self._context.session, label_set.name
        given = self._edit(lambda: labelling.assign_crops(session, targets, set_name, name))
        if given and name is not None:
            self.decided.emit()

    def accept(self) -> None:
        """Say that the chosen square is right."""
        targets = self.targets(usable=False)
        if targets and self._edit(lambda: cropping.accept(self._context.session, targets)):
            self.decided.emit()

    def reject(self) -> None:
        """Say that the chosen square is no mouth."""
        targets = self.targets()
        if targets and self._edit(lambda: cropping.reject(self._context.session, targets)):
            self.decided.emit()

    def keep_only(self) -> None:
        """Keep the chosen face and reject the others of the image."""
        chosen = self.crop()
        if chosen is not None and chosen.id is not None and chosen.rect is not None:
            crop_id = chosen.id
            self._edit(lambda: cropping.choose(self._context.session, crop_id))

    def adjust(self, crop_id: int, rect: Rect) -> None:
        """Put a crop's square elsewhere."""
        crop = next((crop for crop in self.crops if crop.id == crop_id), None)
        if crop is not None and rect != crop.rect:
            self._edit(lambda: cropping.adjust(self._context.session, crop, rect))

    def nudge(self, dx: int, dy: int) -> None:
        """Move the chosen square by a share of its side."""
        chosen = self.crop()
        if chosen is not None and chosen.rect is not None and chosen.usable:
            step = max(1, round(chosen.rect.width * NUDGE))
            rect = moved(chosen.rect, dx * step, dy * step, *self.size)
            self.adjust(chosen.id or 0, rect)

    def resize(self, factor: float) -> None:
        """Make the chosen square larger or smaller about its middle."""
        chosen = self.crop()
        if chosen is not None and chosen.rect is not None and chosen.usable:
            self.adjust(chosen.id or 0, scaled(chosen.rect, factor, *self.size))

    def draw(self, rect: Rect) -> None:
        """Add a mouth by hand and choose it."""
        image = self.image
        known = set(self.faces())
        if image is not None and self._edit(
            lambda: cropping.add_by_hand(self._context.session, image, rect)
        ):
            fresh = [crop_id for crop_id in self.faces() if crop_id not in known]
            if fresh:
                self.choose(fresh[0])
