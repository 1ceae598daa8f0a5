"""Camtrap DP 1.0, the exchange format of camera traps by TDWG: `datapackage.json` with tables.

`media.csv` has a row for each image or video, `observations.csv` what was seen: in one image
(`mediaID`), perhaps in a box of it in fractions of its size, or in all images of a deployment from
`eventStart` to `eventEnd`. It is only read: it requires the places and times of the cameras, which
labels do not have.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import Carry, Dataset, GivenLabel, Region, declared
from workbench.domain.errors import parsing
from workbench.domain.labels import Author
from workbench.domain.text import Message, counted, mark
from workbench.files import read_regular, regular_bytes
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions
from workbench.formats.csv_rows import read_table
from workbench.formats.published import (
    Box,
    Heartbeats,
    ImageDraft,
    Unlisted,
    box_of,
    finish,
    number,
    writable,
)

PACKAGE = "datapackage.json"
MEDIA, OBSERVATIONS = "media", "observations"
SETS = ("scientificName", "observationType", "lifeStage", "sex", "behavior")  # of what is seen
DEPLOYMENT, EVENT = "deploymentID", "eventID"  # further label sets: place and sequence
MOST_PACKAGE = 1 << 26  # bytes of datapackage.json, which may contain tables itself
BOX = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
AUTHORS = {"human": Author.HUMAN, "machine": Author.MODEL}


class CamtrapDp(DatasetFormat):
    """Folders with datapackage.json, media.csv and observations.csv."""

    name = "camtrap"
    title = mark("Camtrap DP")
    about = mark(
        "Data packages of camera traps. The label sets are “scientificName”, “observationType”,"
        " “lifeStage”, “sex” and “behavior”, and “deploymentID” and “eventID”."
    )
    carries = frozenset(
        {Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL, Carry.BOXES, Carry.CONFIDENCE}
    )
    written = False

    def recognises(self, path: Path) -> bool:
        try:
            head = regular_bytes(path / PACKAGE, 1 << 16)
        except (OSError, ValueError):
            return False
        return b"camtrap-dp" in head or (path / "observations.csv").is_file()

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        tables = _CameraTables()
        places = _resources(path)
        tables.file = places.get(MEDIA, f"{MEDIA}.csv")
        yield from read_table(dataset, path / tables.file, tables.add_medium)
        observations = path / places.get(OBSERVATIONS, f"{OBSERVATIONS}.csv")
        if observations.exists():
            yield from read_table(dataset, observations, tables.add_observation)
        yield from tables.apply_events()
        if tables.others:
            dataset.remarks.append(
                counted(
                    len(tables.others),
                    "{n:,} video or sound is ignored.",
                    "{n:,} videos and sounds are ignored.",
                )
            )
        yield from finish(dataset, tables.media.values())
        dataset.sets = declared(dataset.images, tables.sets)
        return dataset


@dataclass(frozen=True)
class _Event:
    """What was seen in all images of a deployment from one time to another."""

    deployment: str
    start: datetime
    end: datetime
    labels: tuple[GivenLabel, ...]


@dataclass
class _CameraTables:
    """Images by identifier, `others` that are none, and the times of the images of deployments."""

    media: dict[str, ImageDraft] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    sets: dict[str, None] = field(default_factory=dict)
    file: str = ""
    _times: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    _events: list[_Event] = field(default_factory=list)

    def add_medium(self, line: int, row: Mapping[str, str]) -> None:
        """Add a row of media.csv. Raises ValueError if it is malformed."""
        key, path = _needed(row, "mediaID"), _needed(row, "filePath")
        if key in self.media or key in self.others:
            raise ValueError(Message("“{text}” is listed twice", text=key))
        kind = row.get("fileMediatype", "").strip()
        if kind and not kind.startswith("image/"):
            self.others.add(key)
            return
        if "://" in path:
            raise ValueError(Message("the image is not in the package, but at an address"))
        time = _time(text) if (text := row.get("timestamp", "").strip()) else None
        deployment = row.get(DEPLOYMENT, "").strip()
        labels = [GivenLabel(DEPLOYMENT, deployment)] if deployment else []
        self.media[key] = ImageDraft(path.replace("\\", "/"), self.file, line, labels)
        if time:
            self._times.setdefault(deployment, []).append((time, key))

    def add_observation(self, _line: int, row: Mapping[str, str]) -> None:
        """Add a row of observations.csv. Raises ValueError if it is malformed."""
        self.sets.update(dict.fromkeys(name for name in SETS if name in row))
        labels, key = _labels(row), row.get("mediaID", "").strip()
        event = [GivenLabel(EVENT, name)] if (name := row.get("eventID", "").strip()) else []
        if not key:
            start, end = (_time(_needed(row, name)) for name in ("eventStart", "eventEnd"))
            deployment = _needed(row, DEPLOYMENT)
            self._events.append(_Event(deployment, start, end, (*event, *labels)))
        elif key not in self.others:
            if (image := self.media.get(key)) is None:
                raise Unlisted
            box = _box(row)
            image.regions += [Region(box, tuple(labels), relative=True)] if box else []
            _extend(image, [*event, *(() if box else labels)])

    def apply_events(self) -> Heartbeats:
        """Give the images of events their labels, unless something was seen in the very image."""
        for times in self._times.values():
            times.sort()
        seen = {key for key, image in self.media.items() if _has_seen(image)}
        for event in self._events:
            yield
            times = self._times.get(event.deployment, [])
            start = bisect.bisect_left(times, event.start, key=lambda one: one[0])
            end = bisect.bisect_right(times, event.end, key=lambda one: one[0])
            for _, key in times[start:end]:
                if key not in seen:
                    _extend(self.media[key], event.labels)


def _has_seen(image: ImageDraft) -> bool:
    return bool(image.regions) or any(one.set in SETS for one in image.labels)


def _extend(image: ImageDraft, labels: Sequence[GivenLabel]) -> None:
    """Add labels that the image does not have."""
    known = {(one.set, one.label) for one in image.labels}
    image.labels += [one for one in labels if (one.set, one.label) not in known]


def _labels(row: Mapping[str, str]) -> list[GivenLabel]:
    """What was seen, and by whom. Raises ValueError for a probability that is none."""
    author = AUTHORS.get(row.get("classificationMethod", "").strip(), "")
    confidence = 1.0
    if text := row.get("classificationProbability", "").strip():
        confidence = number(text)
        if not 0 <= confidence <= 1:
            raise ValueError(Message("“{text}” is not a probability", text=text))
    annotator = row.get("classifiedBy", "").strip()
    return [
        GivenLabel(name, label, author, confidence, annotator)
        for name in SETS
        if (label := row.get(name, "").strip())
    ]


def _box(row: Mapping[str, str]) -> Box | None:
    """The box of an observation, in fractions; None if it has none. Raises ValueError."""
    if not any(row.get(name, "").strip() for name in BOX):
        return None
    left, top, width, height = (number(_needed(row, name)) for name in BOX)
    box = box_of(left, top, left + width, top + height)
    if min(box) < 0 or max(box) > 1 + 1e-6:
        raise ValueError(Message("the box is not inside of the image"))
    return box


def _needed(row: Mapping[str, str], column: str) -> str:
    """The text of a cell. Raises ValueError if it is blank."""
    text = row.get(column, "").strip()
    if not text:
        raise ValueError(Message("the row has no {column}", column=column))
    return text


def _time(text: str) -> datetime:
    """A time; without a zone, as if in UTC. Raises ValueError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(Message("“{text}” is not a time", text=text)) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _resources(path: Path) -> dict[str, str]:
    """Paths of the tables in a package, by name. Raises KnownError if it cannot be read."""
    data = read_regular(path / PACKAGE, most=MOST_PACKAGE)
    with parsing(path / PACKAGE):
        package: Any = msgspec.json.decode(data)
        listed = package.get("resources", [])
        found = {str(one.get("name")): one.get("path") for one in listed}
    return {name: path for name, path in found.items() if isinstance(path, str) and writable(path)}


FORMATS.register(CamtrapDp())
