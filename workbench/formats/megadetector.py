"""MegaDetector and Timelapse: JSON with animals, persons and vehicles that a detector found.

As in the output format of MegaDetector (github.com/agentmorris/MegaDetector), version 1.0 to 1.4:
boxes in fractions of the image, each with a confidence, and the species that a classifier found.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.images import SkippedFile
from workbench.domain.labels import Author
from workbench.domain.text import Message, counted, mark
from workbench.formats.annotations import (
    HEARTBEAT,
    Gathering,
    ImageNotes,
    Limits,
    Prepared,
    box_of,
    labels_in,
    prepared,
)
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.json_files import (
    decoded_entries,
    opening_keys,
    plain_reason,
    read_json,
    write_json,
)

TITLE = "MegaDetector"
DETECTION = "detection"  # the label set of what was detected
DETECTED = ("animal", "person", "vehicle")
WHOLE = [0.0, 0.0, 1.0, 1.0]  # the box of labels of the whole image
_UNKNOWN = ("0", "object")  # category of boxes of which nobody knows what was detected
_WRITER = "Vantage Workbench"
_SIGNS = frozenset({"detection_categories", "images[].detections", "images[].max_detection_conf"})
_UNSURE = 0.2  # typical threshold of MegaDetector 5; there are many boxes below


class _DetectorInfo(msgspec.Struct):
    detector: str | None = None


class _DetectorFile(msgspec.Struct):
    images: list[msgspec.Raw]
    detection_categories: dict[str, str]
    classification_categories: dict[str, str] | None = None
    info: msgspec.Raw = msgspec.Raw()


class _DetectorImage(msgspec.Struct):
    file: str
    detections: list[msgspec.Raw] | None = None
    failure: str | None = None
    width: float | None = None
    height: float | None = None


class _Detected(msgspec.Struct):
    category: str | int
    bbox: tuple[float, float, float, float]
    conf: float | None = None
    classifications: list[tuple[str | int, float]] | None = None
    whole_image: bool = False  # our own: labels of the image instead of a box


class MegaDetector(DatasetFormat):
    """MegaDetector and Timelapse."""

    name = "megadetector"
    title = mark("MegaDetector or Timelapse")
    about = mark(
        "JSON of MegaDetector, which Timelapse opens: boxes with confidences and species. What was"
        " detected is the label set “detection”."
    )
    endings = (".json",)
    carries = frozenset({Carry.LABELS, Carry.BOXES, Carry.CONFIDENCE})

    def recognises(self, path: Path) -> bool:
        """Whether the first keys of a JSON file are those of MegaDetector."""
        return path.suffix.lower() == ".json" and bool(_SIGNS & opening_keys(path))

    def read(self, path: Path, options: ReadOptions) -> Reading:
        """Read a file; its images are below its folder."""
        gathering = Gathering(options.base or path.parent)
        file = read_json(path, _DetectorFile, TITLE, gathering.dataset, options.encoding)
        yield
        reader = _DetectionReader(file, path.name, gathering)
        yield from reader.read(file.images)
        return (yield from reader.finished(fixed=options.base is not None))

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        """Write labels as classifications; those of images with a box of the whole image."""
        limits = Limits(self.carries, relative=True, bare_boxes=True, also=frozenset({DETECTION}))
        ready = prepared(dataset, options.label_set, limits)
        write_json(path, _as_file(ready), indent=1)
        return ready.messages


# reading


class _DetectionReader:
    """Collects the images of a file."""

    def __init__(self, file: _DetectorFile, name: str, gathering: Gathering) -> None:
        self._name = name
        self._gathering = gathering
        self._drafts: list[ImageNotes] = []
        self._unsure = 0
        self._author = "" if _writer_of(file.info) == _WRITER else Author.MODEL.value
        self._detected = file.detection_categories
        self._species = file.classification_categories or {}
        self._gathering.declare(MAIN_SET, self._species.values())
        known = (name for name in self._detected.items() if name != _UNKNOWN)
        self._gathering.declare(DETECTION, (label for _, label in known))

    def read(self, entries: Sequence[msgspec.Raw]) -> Generator[None, None, None]:
        """Read all images; those that the detector could not read are rejected."""
        reject = self._gathering.rejecting(self._name, "images")
        for number, image in decoded_entries(entries, _DetectorImage, reject):
            if number % HEARTBEAT == 0:
                yield
            try:
                draft = ImageNotes(self._gathering.path(image.file), line=number)
            except ValueError as error:
                reject(number, plain_reason(error))
                continue
            if image.failure:
                reason = Message("the detector could not read it: {reason}", reason=image.failure)
                self._gathering.dataset.rejected.append(SkippedFile(draft.path, reason))
                continue
            draft.width, draft.height = int(image.width or 0), int(image.height or 0)
            self._read_detections(draft, image.detections or [])
            self._drafts.append(draft)

    def _read_detections(self, draft: ImageNotes, entries: Sequence[msgspec.Raw]) -> None:
        reject = self._gathering.rejecting(draft.path, "detections")
        for entry, one in decoded_entries(entries, _Detected, reject):
            try:
                labels = tuple(self._labels(one))
                if one.whole_image:
                    draft.labels += labels
                else:
                    left, top, width, height = one.bbox
                    box = box_of(left, top, left + width, top + height)
                    draft.regions.append(Region(box, labels, relative=True))
            except ValueError as error:
                reject(entry, plain_reason(error))

    def _labels(self, one: _Detected) -> Iterator[GivenLabel]:
        """What was detected, and the surest of the species. Raises ValueError."""
        category = str(one.category)
        if category not in self._detected:
            raise ValueError(Message("no category has the id {id}", id=category))
        label = self._detected[category]
        confidence = _confidence(1.0 if one.conf is None else one.conf)
        self._unsure += confidence < _UNSURE
        if (category, label) != _UNKNOWN:
            yield GivenLabel(DETECTION, label, self._author, confidence)
        found = one.classifications or []
        most = max((sure for _, sure in found), default=0.0)
        for number, sure in found:
            if sure == most:
                if str(number) not in self._species:
                    raise ValueError(Message("no category has the id {id}", id=number))
                species = self._species[str(number)]
                yield GivenLabel(MAIN_SET, species, self._author, _confidence(sure))

    def finished(self, fixed: bool) -> Reading:
        """The dataset, with a remark on boxes that are probably wrong."""
        dataset = yield from self._gathering.finished(self._drafts, fixed=fixed)
        if self._unsure:
            dataset.remarks.append(
                counted(
                    self._unsure,
                    "{n:,} box has a confidence below {limit:g}.",
                    "{n:,} boxes have a confidence below {limit:g}.",
                    limit=_UNSURE,
                )
            )
        return dataset


def _writer_of(info: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(info, type=_DetectorInfo).detector or ""
    except msgspec.DecodeError:
        return ""


def _confidence(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(Message("the confidence is not between 0 and 1"))
    return value


# writing


def _as_file(ready: Prepared) -> dict[str, Any]:
    detected = ready.sets[DETECTION].labels if DETECTION in ready.sets else ()
    ids = dict(zip(DETECTED, ("1", "2", "3"), strict=True))
    others = (label for label in detected if label not in ids)
    ids |= {label: str(number) for number, label in enumerate(others, start=len(DETECTED) + 1)}
    species = {label: str(number) for number, label in enumerate(ready.labels)}
    images = [_entry(image, ids, species) for image in ready.images]
    return {
        "info": {"format_version": "1.4", "detector": _WRITER, "classifier": _WRITER},
        "detection_categories": {ids[label]: label for label in detected} | dict([_UNKNOWN]),
        "classification_categories": {number: label for label, number in species.items()},
        "images": images,
    }


def _entry(
    image: ImageRecord, ids: Mapping[str, str], species: Mapping[str, str]
) -> dict[str, Any]:  # fmt: skip
    detections = []
    if image.labels:
        whole = _detection(WHOLE, image.labels, ids, species)
        detections.append(whole | {"whole_image": True})
    for region in image.regions:
        left, top, right, bottom = region.box
        box = [left, top, right - left, bottom - top]
        detections.append(_detection(box, region.labels, ids, species))
    entry: dict[str, Any] = {"file": image.path, "detections": detections}
    if image.width and image.height:
        entry |= {"width": image.width, "height": image.height}
    return entry


def _detection(
    box: Sequence[float],
    labels: Iterable[GivenLabel],
    ids: Mapping[str, str],
    species: Mapping[str, str],
) -> dict[str, Any]:
    found = next(iter(labels_in(labels, DETECTION)), None)
    return {
        "category": ids[found.label] if found else _UNKNOWN[0],
        "conf": found.confidence if found else 1.0,
        "bbox": list(box),
        "classifications": [[species[one.label], one.confidence] for one in labels_in(labels)],
    }


FORMATS.register(MegaDetector())
