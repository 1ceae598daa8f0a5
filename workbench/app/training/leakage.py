"""Near-duplicates in different parts of the split: reported, dismissed, or moved into one part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.session import Session
from workbench.app.training.grouping import group_steps
from workbench.app.training.near_duplicates import known_duplicates
from workbench.app.training.splitting import is_fold, labels_by_image
from workbench.domain.changes import Changes
from workbench.domain.duplicates import Duplicates, linked
from workbench.domain.splits import PARTS, Classes, GroupBy, Part, StoredSplit
from workbench.domain.text import Message, counted
from workbench.storage.project import Project

_DISMISSED = "leakage_dismissed"  # key of the project's settings: pairs by the id of their split


@dataclass(frozen=True)
class Leak:
    """Near-duplicates in different parts of the current split."""

    pair: Duplicates
    first: Part
    second: Part
    dismissed: bool = False


def leaks(project: Session | Project, split: StoredSplit | None = None) -> list[Leak]:
    """Known near-duplicates in different parts of a split (None: the current one): those that were
    not dismissed first, the most similar first."""
    pairs = known_duplicates(project)
    current = split or project.splits.current()
    if current is None or not pairs:
        return []
    parts = project.splits.parts(current.id)
    settled = set(_dismissed(project).get(str(current.id), []))
    found = [
        Leak(pair, parts[pair.first], parts[pair.second], (pair.first, pair.second) in settled)
        for pair in pairs
        if pair.first in parts and pair.second in parts
    ]
    divided = [leak for leak in found if leak.first is not leak.second]
    return sorted(divided, key=lambda leak: leak.dismissed)


def open_leaks(project: Session | Project, split: StoredSplit | None = None) -> list[Leak]:
    """As `leaks`, without those that were dismissed for the split."""
    return [leak for leak in leaks(project, split) if not leak.dismissed]


def leaks_note(found: Sequence[Leak]) -> Message:
    """A warning that names the number of leaks."""
    return counted(
        len(found),
        "{n:,} pair of near-duplicates is in different parts of the split.",
        "{n:,} pairs of near-duplicates are in different parts of the split.",
    )


def leak_counts(found: Sequence[Leak]) -> dict[tuple[Part, Part], int]:
    """Number of pairs between each two parts, in the order of the parts."""
    pairs = Counter(tuple(sorted((leak.first, leak.second), key=PARTS.index)) for leak in found)
    return {(one, other): n for (one, other), n in sorted(pairs.items())}


def dismiss_leaks(session: Session, chosen: Iterable[Leak]) -> None:
    """Report these pairs no more for the current split."""
    _settle(session, {_ids(leak) for leak in chosen}, set())


def report_again(session: Session, chosen: Iterable[Leak]) -> None:
    """Report pairs again that were dismissed."""
    _settle(session, set(), {_ids(leak) for leak in chosen})


Pair = tuple[int, int]


def _settle(session: Session, added: set[Pair], removed: set[Pair]) -> None:
    current = session.splits.current()
    if current is not None:
        known = _dismissed(session)
        pairs = (set(known.get(str(current.id), [])) | added) - removed
        session.remember(_DISMISSED, known | {str(current.id): sorted(pairs)})
        session.announce(Changes(split=True))


def _dismissed(project: Session | Project) -> dict[str, list[Pair]]:
    stored = project.settings.get(_DISMISSED, {})
    if not isinstance(stored, dict):  # of an earlier version: the ids of splits
        return {}
    return {split: [(one, other) for one, other in pairs] for split, pairs in stored.items()}


def _ids(leak: Leak) -> Pair:
    return leak.pair.first, leak.pair.second


@dataclass(frozen=True)
class Moved:
    """Result of a move: the number of moved images, and of pairs that stay divided because a part
    would have no image left, or a label no training image. `splits` are the changed splits with
    the part of each image."""

    images: int
    held: int
    splits: tuple[tuple[StoredSplit, dict[int, Part]], ...] = ()

    def notes(self) -> list[Message]:
        """The result, one sentence each."""
        moved = counted(self.images, "{n:,} near-duplicate moved.", "{n:,} near-duplicates moved.")
        held = counted(
            self.held,
            "{n:,} pair stays divided: a part would have no image left, or a label no training "
            "image.",
            "{n:,} pairs stay divided: a part would have no image left, or a label no training "
            "image.",
        )
        return [moved, held] if self.held else [moved]


def move_task(session: Session, chosen: Iterable[Leak], part: Part | None = None) -> Task[Moved]:
    """A job that moves near-duplicates into one part, as one edit, and ends Done(Moved).

    Each group of linked images moves, with the images that the plan of the split keeps together
    with them, to `part`; None: to the part that most of them are in, and to the train part before
    the validation part before the test part if several are. No part is emptied, and no label loses
    its last training image; without `part`, another part is tried then. The split keeps its name.
    A fold changes with the other folds, so that each image stays in one test part.
    """
    pairs = [_ids(leak) for leak in chosen]
    folder = session.store.folder

    def work() -> Steps[Moved]:
        with Project.reading(folder) as store:
            current = store.splits.current()
            if current is None or not pairs:
                return Moved(0, 0)
            groups = yield from _groups(store, current, pairs)
            return _Move.of(store, current, part).moved(groups, pairs)

    def keep(found: Moved) -> None:
        _store(session, found)

    return Task(Message("Move near-duplicates"), work, finish=when_done(keep), kind="split")


def _store(session: Session, found: Moved) -> None:
    """Replace the changed splits; pairs that were dismissed stay so."""
    text = counted(found.images, "Move {n:,} near-duplicate", "Move {n:,} near-duplicates")
    if not found.images:
        return
    dismissed = _dismissed(session)
    with session.edit(text):
        for split, members in found.splits:
            made = session.store.splits.make(split.plan, members, split.name, use=split.current)
            if str(split.id) in dismissed:
                dismissed[str(made)] = dismissed[str(split.id)]
        session.remember(_DISMISSED, dismissed)


def _groups(store: Project, split: StoredSplit, pairs: Sequence[Pair]) -> Steps[list[list[int]]]:
    """The groups that contain one of these pairs: linked by near-duplicates that were not
    dismissed, and by the plan of the split."""
    settled = set(_dismissed(store).get(str(split.id), []))
    known = [(pair.first, pair.second) for pair in known_duplicates(store)]
    links = [*pairs, *(pair for pair in known if pair not in settled)]
    grouping = split.plan.grouping if split.plan is not None else None
    if grouping is not None and grouping.by is not GroupBy.DUPLICATES:
        first: dict[str, int] = {}
        for image, kept in (yield from group_steps(store, grouping)).items():
            links.append((first.setdefault(kept, image), image))
    group_of = linked(links)
    wanted = {group_of[one] for one, _ in pairs}
    found: dict[int, list[int]] = defaultdict(list)
    for image, group in group_of.items():
        if group in wanted:
            found[group].append(image)
    return [sorted(found[group]) for group in sorted(found)]


@dataclass
class _Move:
    """A move within a split, and within its other folds if it is one of several."""

    split: StoredSplit
    folds: list[StoredSplit]
    parts: dict[int, dict[int, Part]]  # split id → image id → part
    classes: Classes
    to: Part | None
    images: int = 0

    @classmethod
    def of(cls, store: Project, split: StoredSplit, to: Part | None) -> _Move:
        """Read the split and its labels."""
        every = [one for one in store.splits.all() if one.id != split.id and is_fold(one, split)]
        parts = {one.id: store.splits.parts(one.id) for one in (split, *every)}
        return cls(split, every, parts, labels_by_image(store), to)

    def moved(self, groups: Iterable[list[int]], pairs: Iterable[Pair]) -> Moved:
        """Move each group that can be moved."""
        held = set()
        for group in groups:
            if not self._move(group):
                held.update(group)
        left = sum(one in held for one, _ in pairs)
        # the first fold is made last, and listed first
        changed = sorted((self.split, *self.folds), key=lambda one: one.id)
        return Moved(self.images, left, tuple((one, self.parts[one.id]) for one in changed))

    def _move(self, group: Sequence[int]) -> bool:
        parts = self.parts[self.split.id]
        inside = [image for image in group if image in parts]
        counts = Counter(parts[image] for image in inside)
        usual = sorted(PARTS, key=lambda part: -counts[part])
        for to in (self.to,) if self.to is not None else usual:
            moving = [image for image in inside if parts[image] is not to]
            if self._allowed(moving):
                self._put(inside, to)
                self.images += len(moving)
                return True
        return False

    def _allowed(self, moving: Sequence[int]) -> bool:
        """Whether all parts keep images, and all labels training images, without these."""
        parts = self.parts[self.split.id]
        left = Counter(parts.values())
        left.subtract(parts[image] for image in moving)
        if any(left[parts[image]] <= 0 for image in moving):
            return False
        leaving = {image for image in moving if parts[image] is Part.TRAIN}
        lost = {name for image in leaving for name in self.classes.get(image, ())}
        if not lost:
            return True
        kept = {
            name
            for image, part in parts.items()
            if part is Part.TRAIN and image not in leaving
            for name in self.classes.get(image, ())
        }
        return lost <= kept

    def _put(self, group: Sequence[int], to: Part) -> None:
        """Put a group into a part, and into one test part of all folds."""
        own = self.split.id
        if self.folds:
            tested = own if to is Part.TEST else self._tested(group)
            for fold in self.folds:
                members = self.parts[fold.id]
                learned = [members[i] for i in group if members.get(i) in _LEARNED]
                usual = max(_LEARNED, key=learned.count)
                members.update(dict.fromkeys(group, Part.TEST if fold.id == tested else usual))
        self.parts[own].update(dict.fromkeys(group, to))

    def _tested(self, group: Sequence[int]) -> int:
        """The other fold that tests most images of a group."""
        counts = {
            fold.id: sum(self.parts[fold.id].get(image) is Part.TEST for image in group)
            for fold in self.folds
        }
        return max(counts, key=lambda fold: counts[fold])


_LEARNED = (Part.TRAIN, Part.VALIDATION)
