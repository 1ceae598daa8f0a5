"""Images as shown by the pages, and their filters and sort orders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from workbench.domain.formats import Origin


@dataclass(frozen=True)
class FoundImage:
    """A readable image file found during an import, before it has an id.

    `path` is relative to its source, with forward slashes; width and height are as displayed, after
    applying the EXIF orientation. `labels` maps a label set's name to the label found for the file.
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
    """A file that could not be imported, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A folder or list file from which images were imported, with image and skipped-file counts.

    Image paths are relative to `base`.
    """

    id: int
    path: str
    kind: Origin
    images: int = 0
    skipped: int = 0

    @property
    def base(self) -> str:
        """The folder that image paths are relative to: the source itself or that of its list
        file."""
        return self.path if self.kind is Origin.FOLDER else str(PurePath(self.path).parent)


class ImageFile(NamedTuple):
    """An image's hash, absolute path ("" if it no longer has a file), width and height."""

    hash: str
    path: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageRow:
    """An image as shown in a grid.

    `path` is absolute; `labels` maps the name of each label set with labels of the image to them,
    in the set's order.
    """

    id: int
    hash: str
    path: str
    name: str
    width: int
    height: int
    labels: dict[str, tuple[str, ...]]
    part: str = ""


class Sort(StrEnum):
    """Sort orders of the grid. UNCERTAINTY and DISAGREEMENT need the predictions of a run."""

    NAME = "name"
    ADDED = "added"
    CATEGORY = "category"
    UNCERTAINTY = "uncertainty"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True)
class Similar:
    """Reference images of a similarity search.

    Also their description for the user, and the name of the network whose features are compared.
    """

    images: tuple[int, ...]
    name: str
    features: str


@dataclass(frozen=True)
class ImageFilter:
    """Filter of a grid; every given condition must hold.

    `labels` maps a label set to the required label; None selects images without a label of that
    set. `ids` restricts to exactly these images (a confusion cell). `text` matches the file's path.
    `disagreement` names a label set and selects images whose label differs from the newest
    prediction. `annotator` selects images that this person labelled. `similar` excludes nothing: it
    sorts the most similar first. `ids_name` is the description of `ids` for the user.
    """

    source: int | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    part: str | None = None
    text: str = ""
    ids: tuple[int, ...] | None = None
    disagreement: str | None = None
    similar: Similar | None = None
    ids_name: str = ""
    annotator: str = ""
