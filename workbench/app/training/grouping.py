"""Groups of images that a split does not divide: by label, folder, name, time, or likeness."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import numpy as np
from PySide6.QtCore import QRegularExpression

from workbench.app.jobs import Steps
from workbench.app.training.near_duplicates import duplicate_steps
from workbench.domain.duplicates import linked
from workbench.domain.errors import ValueRefused
from workbench.domain.reports import Note, Progress
from workbench.domain.splits import GroupBy, Grouping
from workbench.domain.text import Message, counted
from workbench.storage.project import Project
from workbench.vision.headers import capture_time

_AT_ONCE = 64  # files read between two chances to stop


def group_steps(store: Project, grouping: Grouping) -> Steps[dict[int, str]]:
    """The group of each image that has one, as the rule `grouping` forms them, yielding progress.

    An image in several places joins their groups. Raises ValueRefused for an unknown label set, a
    pattern that is wrong, without a group or too slow, a level below all folders, and a negative
    number.
    """
    if grouping.number < 0:
        raise ValueRefused("group", grouping.number, Message("a whole number of at least 0"))
    yield None
    if grouping.by is GroupBy.LABELS:
        return _by_label(store, grouping.value)
    if grouping.by is GroupBy.FOLDER:
        level = grouping.number
        yield from _check_level(store, level)
        return _by_place(store, lambda path: _folder(path, level))
    if grouping.by is GroupBy.PATTERN:
        return _by_place(store, Pattern(grouping.value).group_of, across=True)
    if grouping.by is GroupBy.TIME:
        return (yield from _by_time(store, timedelta(minutes=grouping.number)))
    search = yield from duplicate_steps(store)
    groups = linked((first, second) for first, second, _ in search.pairs)
    return {image: str(group) for image, group in groups.items()}


def _by_label(store: Project, label_set: str) -> dict[int, str]:
    store.labels.get(label_set)
    ids = store.images.ids()
    labels = store.labels.of_images(ids, label_set)
    return {image: "\n".join(names) for image, names in labels.items()}


class Pattern:
    """A regular expression whose first group, found in the path of an image, names its group.

    Qt's engine gives up on a path that takes too long, where Python's would block the program.
    Raises ValueRefused for a wrong pattern or one without a group, and when the engine gives up.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._expression = QRegularExpression(pattern)
        if not self._expression.isValid():
            reason = self._expression.errorString()
            at = self._expression.patternErrorOffset() + 1
            self._refuse(Message("{reason} at character {at}.", reason=reason.capitalize(), at=at))
        if self._expression.captureCount() < 1:
            self._refuse(Message("The pattern has no group in parentheses."))

    def _refuse(self, reason: Message) -> None:
        allowed = Message(
            "a regular expression with a group, such as {example}", example=r"^(\d+)_"
        )
        raise ValueRefused(Message("pattern"), self._pattern, allowed, reason)

    def group_of(self, path: str) -> str | None:
        """The text of the first group in `path`; None if the pattern does not match."""
        found = self._expression.match(path)
        if not found.isValid():
            self._refuse(Message("It takes too long on {path}.", path=path))
        return found.captured(1) if found.hasCaptured(1) else None


def _check_level(store: Project, level: int) -> Iterator[Note]:
    """Refuse a level that no image has a folder at, and warn of images that have none there."""
    depths = [len(PurePosixPath(path).parts) - 1 for _, _, path in store.images.places()]
    deepest = max(depths, default=0)
    if level > deepest:
        allowed = Message("1 to {deepest}", deepest=deepest)
        none = Message("no folder level: the images are in no folders below their source")
        reason = counted(
            deepest,
            "There is no folder level {level}: the images are in at most {n:,} folder.",
            "There is no folder level {level}: the images are in at most {n:,} folders.",
            level=level,
        )
        raise ValueRefused(Message("folder level"), level, allowed if deepest else none, reason)
    if shallow := sum(depth < level for depth in depths):
        text = counted(
            shallow,
            "{n:,} image lies in fewer folders; its innermost one is its group.",
            "{n:,} images lie in fewer folders; the innermost one of each is its group.",
        )
        yield Note(text=text, warning=True)


def _folder(path: str, level: int) -> str | None:
    """The folder of a path at a level (0: that of the image); the deepest if there are fewer."""
    folders = PurePosixPath(path).parts[:-1]
    return "/".join(folders[:level] if level else folders)


def _by_place(
    store: Project, group_of: Callable[[str], str | None], across: bool = False
) -> dict[int, str]:
    """Groups by path, of each source by itself unless `across`; images in several places join
    their groups."""
    first: dict[tuple[int, str], int] = {}
    pairs = []
    for image, source, path in store.images.places():
        group = group_of(path)
        if group is not None:
            pairs.append((image, first.setdefault((0 if across else source, group), image)))
    return {image: str(group) for image, group in linked(pairs).items()}


def _by_time(store: Project, most: timedelta) -> Steps[dict[int, str]]:
    """Groups of images taken at most `most` after the previous one of the group."""
    files = store.images.files(np.sort(store.images.ids()))
    taken: dict[int, datetime | None] = {}
    every = list(files.items())
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            times = pool.map(lambda item: capture_time(Path(item[1].path)), some)
            taken.update(zip((image for image, _ in some), times, strict=True))
            text = counted(len(every), "Reading {n:,} capture time", "Reading {n:,} capture times")
            yield Progress(done=start, total=len(every), text=text)
    return _in_time({image: time for image, time in taken.items() if time is not None}, most)


def _in_time(taken: Mapping[int, datetime], most: timedelta) -> dict[int, str]:
    groups: dict[int, str] = {}
    group, last = "", datetime.min
    for image, time in sorted(taken.items(), key=lambda item: (item[1], item[0])):
        if not group or time - last > most:
            group = str(image)
        groups[image], last = group, time
    return groups
