"""Labelling without seeing the label: second looks at images of others, and hidden repeats."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

import numpy as np

from workbench.app.labels.annotators import give_opinion
from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.metrics import IntArray

RECENT = 10  # images labelled last, which a person still remembers and which are not repeated


class SecondLook:
    """Which images the present annotator labels without seeing their label, in one label set.

    `active`: all listed images are those of others. `repeat`: an image that the person labelled
    before and is shown again, or None. The current labels never change by it.
    """

    def __init__(self, session: Session, label_set: str) -> None:
        self._session = session
        self._label_set = label_set
        self._own: set[int] | None = None
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._repeated: set[int] = set()
        self._due = 0
        self._giving = False
        self._random = random.Random()
        self.active = False
        self.repeat: int | None = None

    def hides(self, image: int) -> bool:
        """Whether the label of an image is not to be shown."""
        return self.active or image == self.repeat

    def own(self) -> set[int]:
        """Images that the present annotator labelled."""
        if self._own is None:
            opinions = self._session.store.annotators.opinions(self._label_set)
            person = self._session.store.annotators.id_of(self._session.annotator) or 0
            self._own = set(opinions.images[opinions.annotators == person].tolist())
        return self._own

    def possible(self) -> bool:
        """Whether there is a name, and the labels of the set exclude each other."""
        return bool(self._session.annotator) and self._session.labels.get(self._label_set).exclusive

    def of_others(self) -> tuple[int, ...]:
        """Images that have a label but none of the present annotator, by name."""
        ids = self._session.images.ids()
        labelled = ids[self._session.labels.label_ids(ids, self._label_set) >= 0]
        return tuple(image for image in labelled.tolist() if image not in self.own())

    def next_open(self, ids: IntArray, after: int) -> int | None:
        """The next of `ids` without a label of the annotator, after position `after` and then from
        the start; None if there is none."""
        order = [*ids[after + 1 :].tolist(), *ids[: after + 1].tolist()]
        return next((image for image in order if image not in self.own()), None)

    def seen(self, ids: IntArray) -> int:
        """Number of `ids` that the annotator labelled."""
        return int(np.isin(ids, list(self.own())).sum())

    def give(self, images: Iterable[int], label: str) -> None:
        """Store the label as the annotator's opinion of the images; ends a repeat.

        Raises KnownError without a name, ValueRefused for an unknown label.
        """
        given = list(images)
        self._giving = True
        self.own().update(given)  # before the edit is announced
        try:
            give_opinion(self._session, given, self._label_set, label)
        except KnownError:
            self._own = None
            raise
        finally:
            self._giving = False
        self._repeated.update(given)

    def labelled(self, images: Iterable[int], ids: IntArray) -> int | None:
        """Register images labelled as usual; return one of `ids` to repeat if one is due.

        With a share of p percent, one is due after every 100 / p labels, drawn from those that the
        annotator labelled before the last RECENT ones and that were not repeated yet.
        """
        given = list(images)
        share = self._session.repeat_share if self.possible() else 0
        if not share:
            return None
        self.own().update(given)
        self._recent.extend(given)
        self._due += share * len(given)
        if self._due < 100:
            return None
        usable = self.own() - self._repeated - set(self._recent)
        listed = ids[np.isin(ids, list(usable))]
        still = listed[self._session.labels.label_ids(listed, self._label_set) >= 0].tolist()
        if not still:
            return None
        self._due %= 100
        return int(self._random.choice(still))

    def update(self, changes: Changes) -> None:
        """Follow an edit: what was undone, imported or removed is read again when needed."""
        if changes and not self._giving and (self.active or changes.removed or changes.label_sets):
            self._own = None
