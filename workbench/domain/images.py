"""Images as the pages see them, and how they are filtered and sorted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from workbench.domain.formats import Origin


@dataclass(frozen=True)
class FoundImage:
    """A readable image file met during an import, before it has an id.

    `path` is relative to its source, with forward slashes; width and height are as displayed, after
    the EXIF orientation. `labels` maps a label set's name to a label found beside the file.
    """

    path: str
    hash: str
    width: int
    height: int
    size: int
    mtime: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SkippedFile:
    """A file that could not be taken in, and the reason in a person's words."""

    path: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A folder or list file images were imported from, with how many it holds and skipped.

    Paths of images are relative to `base`.
    """

    id: int
    path: str
    kind: Origin
    images: int = 0
    skipped: int = 0

    @property
    def base(self) -> str:
        """The folder the images' paths start from: the source's own, or its list file's."""
        return self.path if self.kind is Origin.FOLDER else str(PurePath(self.path).parent)


class ImageFile(NamedTuple):
    """An image's hash, absolute path ("" where it has no file any more), width and height."""

    hash: str
    path: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageRow:
    """One image as a grid shows it. `path` is absolute; `labels` maps the name of each
    label set that labels the image to its labels, in the set's order."""

    id: int
    hash: str
    path: str
    name: str
    width: int
    height: int
    labels: dict[str, tuple[str, ...]]
    part: str = ""


class Sort(StrEnum):
    """Orders of the grid. UNCERTAINTY and DISAGREEMENT need a run's predictions."""

    NAME = "name"
    ADDED = "added"
    CATEGORY = "category"
    UNCERTAINTY = "uncertainty"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True)
class Similar:
    """Images to which others are to be similar, how a person calls them, and the network (by name)
    whose features say what is similar."""

    images: tuple[int, ...]
    name: str
    features: str


@dataclass(frozen=True)
class ImageFilter:
    """What a grid shows: every given condition must hold.

    `labels` maps a label set to the label wanted; None wants images without any label of that set.
    `ids` restricts to exactly these images (a confusion cell). `text` matches the file's path.
    `disagreement` names a label set: only images whose label differs from the newest prediction.
    `similar` leaves none out: it puts the most similar first. `said` is how a person calls `ids`.
    """

    source: int | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    part: str | None = None
    text: str = ""
    ids: tuple[int, ...] | None = None
    disagreement: str | None = None
    similar: Similar | None = None
    said: str = ""
