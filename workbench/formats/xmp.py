"""Keywords in XMP sidecars, `owl.xmp` or `owl.jpg.xmp` beside an image.

Adobe's `dc:subject` lists keywords, Lightroom's `lr:hierarchicalSubject` keywords in levels
(`view|left`), and digiKam's `digiKam:TagsList` the same (`view/left`). The first of several levels
is a label set; keywords without levels belong to the main set. What else a sidecar contains stays
in it when it is written again.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element
from xml.parsers import expat
from xml.sax.saxutils import escape

from workbench.domain.datasets import (
    MAIN_SET,
    Carry,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
)
from workbench.domain.errors import KnownError
from workbench.domain.text import Message, counted, mark
from workbench.files import read_regular, regular_bytes, write_whole
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions, WriteOptions
from workbench.formats.image_paths import glimpsed
from workbench.formats.published import (
    MOST_XML,
    files_below,
    is_image,
    losses,
    reject,
    writable_images,
    xml_of,
)
from workbench.formats.xml_files import refuse_document_type

ENDING = ".xmp"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LEVELS = 2  # of folders that are looked at to recognise a dataset
_TRIED = 20  # sidecars that are looked at for that
_NEW = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{rdf}">\n'
    '  <rdf:Description rdf:about="">\n  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n'
)
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Property(NamedTuple):
    """A property of XMP that lists keywords: its namespace, prefix and name, the kind of its list,
    and what separates levels ("" if there are none)."""

    namespace: str
    prefix: str
    name: str
    container: str
    separator: str


SUBJECT = Property("http://purl.org/dc/elements/1.1/", "dc", "subject", "Bag", "")
HIERARCHY = Property("http://ns.adobe.com/lightroom/1.0/", "lr", "hierarchicalSubject", "Bag", "|")
TAGS = Property("http://www.digikam.org/ns/1.0/", "digiKam", "TagsList", "Seq", "/")
PROPERTIES = (SUBJECT, HIERARCHY, TAGS)
_LISTS = frozenset(f"{one.namespace} {one.name}" for one in PROPERTIES)


class XmpSidecars(DatasetFormat):
    """A folder of images with XMP sidecars."""

    name = "xmp"
    title = mark("XMP sidecars")
    about = mark(
        "Keywords in .xmp files beside the images, as Lightroom, digiKam and darktable write them;"
        " “view|left” is the label “left” of the label set “view”."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.SEVERAL})

    def recognises(self, path: Path) -> bool:
        with suppress(OSError, ValueError):
            return any(map(_has_xmp, islice(glimpsed(path, ENDING, LEVELS), _TRIED)))
        return False

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path)
        names = yield from files_below(path, dataset.rejected)
        beside = _ImagesBeside.of(names)
        for count, name in enumerate(name for name in names if _is_sidecar(name)):
            if count % 64 == 0:
                yield
            try:
                labels = keywords(xml_of(path / name))
                images = beside.described_by(name)
            except (KnownError, ValueError) as error:
                reject(dataset, name, 0, error)
            else:
                dataset.images += [ImageRecord(image, labels, file=name) for image in images]
        described = {image.path for image in dataset.images}
        others = (name for name in sorted(beside.names) if name not in described)
        dataset.images += map(ImageRecord, others)
        found: dict[str, dict[str, None]] = {}
        for image in dataset.images:
            for one in image.labels:
                found.setdefault(one.set, {})[one.label] = None
        dataset.sets = {name: DeclaredSet(tuple(some), False) for name, some in found.items()}
        return dataset

    def write(self, path: Path, dataset: Dataset, options: WriteOptions) -> list[Message]:
        messages: list[Message] = []
        images = writable_images(dataset, messages)
        sets = {one.set for image in images for one in image.labels} | dataset.sets.keys()
        stems = Counter(_stem(image.path) for image in images)
        unwritten = unchanged = 0
        for image in images:
            labels = [one for one in image.labels if _fits(one)]
            unwritten += len(image.labels) - len(labels)
            try:
                _write_sidecar(_sidecar(path, image.path, stems), labels, sets)
            except (KnownError, ValueError, expat.ExpatError):
                unchanged += 1
        return [*messages, *_unwritten(unwritten, unchanged), *losses(images, self.carries)]


def _has_xmp(file: Path) -> bool:
    with suppress(OSError, ValueError):
        return b":xmpmeta" in regular_bytes(file, 4096)
    return False


def _unwritten(labels: int, sidecars: int) -> Iterator[Message]:
    if labels:
        yield counted(
            labels,
            "{n:,} label is not written: a keyword cannot contain it.",
            "{n:,} labels are not written: keywords cannot contain them.",
        )
    if sidecars:
        yield counted(
            sidecars,
            "{n:,} sidecar is left as it is: it cannot be read.",
            "{n:,} sidecars are left as they are: they cannot be read.",
        )


# reading


def keywords(root: Element) -> tuple[GivenLabel, ...]:
    """The labels in a sidecar.

    Programs repeat the last level of a keyword in `dc:subject`; there it counts only if no level of
    another keyword is called so. Tags of digiKam count only without keywords of Lightroom, which it
    writes, too.
    """
    levels = [_split(text, HIERARCHY.separator) for text in _listed(root, HIERARCHY)]
    levels = levels or [_split(text, TAGS.separator) for text in _listed(root, TAGS)]
    labels = [
        GivenLabel(one[0], HIERARCHY.separator.join(one[1:]))
        if len(one) > 1
        else GivenLabel(MAIN_SET, one[0])
        for one in levels
        if one
    ]
    known = {part for one in levels for part in one} | {one.label for one in labels}
    subjects = [text for text in _listed(root, SUBJECT) if text not in known]
    return tuple(dict.fromkeys([*labels, *(GivenLabel(MAIN_SET, text) for text in subjects)]))


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _listed(root: Element, which: Property) -> list[str]:
    """The texts of a property's list, without blank ones."""
    items = (
        item
        for whole in root.iter(f"{{{RDF}}}RDF")
        for found in whole.findall(f"{{{RDF}}}Description/{{{which.namespace}}}{which.name}")
        for item in found.iter(f"{{{RDF}}}li")
    )
    return [text for item in items if (text := (item.text or "").strip())]


def _is_sidecar(name: str) -> bool:
    return name.lower().endswith(ENDING)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


@dataclass(frozen=True)
class _ImagesBeside:
    """The images of a folder, by name and by name without extension."""

    names: frozenset[str]
    by_stem: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, files: Iterable[str]) -> _ImagesBeside:
        """The images among the files."""
        names = [name for name in files if is_image(name)]
        by_stem: dict[str, list[str]] = {}
        for name in names:
            by_stem.setdefault(_stem(name), []).append(name)
        return cls(frozenset(names), by_stem)

    def described_by(self, sidecar: str) -> Sequence[str]:
        """The images that a sidecar lies beside. Raises ValueError if there is none."""
        stem = _stem(sidecar)
        if stem in self.names or is_image(stem):
            return [stem]
        if stem not in self.by_stem:
            raise ValueError(Message("there is no image beside it"))
        return self.by_stem[stem]


# writing


def _entry(one: GivenLabel, which: Property) -> str:
    """A label as a keyword of a property."""
    if one.set == MAIN_SET or not which.separator:
        return one.label
    return f"{one.set}{which.separator}{one.label}"


def _fits(one: GivenLabel) -> bool:
    """Whether a label is the same when it is read again."""
    text = _entry(one, HIERARCHY)
    levels = _split(text, HIERARCHY.separator)
    first = [] if one.set == MAIN_SET else [one.set]
    again = [*levels[: len(first)], HIERARCHY.separator.join(levels[len(first) :])]
    single = len(levels) == 1 if one.set == MAIN_SET else len(levels) > 1
    return single and again == [*first, one.label] and not _NOT_IN_XML.search(text)


def _sidecar(folder: Path, image: str, stems: Mapping[str, int]) -> Path:
    """The sidecar of an image: the one that there is, else a new one that names the whole file,
    since images may differ in their extension only."""
    own, short = folder / f"{image}{ENDING}", folder / f"{_stem(image)}{ENDING}"
    return short if stems[_stem(image)] == 1 and short.is_file() and not own.is_file() else own


def _write_sidecar(file: Path, labels: Sequence[GivenLabel], sets: Collection[str]) -> None:
    """Replace the labels of `sets` in a sidecar, and leave everything else in it.

    Nothing is written if there is neither a sidecar nor a label. Raises OSError; KnownError,
    ValueError or ExpatError if the sidecar cannot be read.
    """
    if file.exists():
        others = (one for one in keywords(xml_of(file)) if one.set not in sets)
        labels = list(dict.fromkeys([*others, *labels]))
        data = read_regular(file, most=MOST_XML)
    elif labels:
        data = _NEW.format(rdf=RDF).encode()
        file.parent.mkdir(parents=True, exist_ok=True)
    else:
        return
    lists = "".join(_list_of(labels, which) for which in PROPERTIES) if labels else ""
    write_whole(file, _Sidecar(data).with_lists(lists))


def _list_of(labels: Sequence[GivenLabel], which: Property) -> str:
    """A property with its list, as XML that needs no declarations around it."""
    texts = dict.fromkeys(_entry(one, which) for one in labels)
    items = "".join(f"\n     <rdf:li>{escape(text)}</rdf:li>" for text in texts)
    name = f"{which.prefix}:{which.name}"
    spaces = f'xmlns:{which.prefix}="{which.namespace}" xmlns:rdf="{RDF}"'
    listed = f"<rdf:{which.container}>{items}\n    </rdf:{which.container}>"
    return f"\n   <{name} {spaces}>\n    {listed}\n   </{name}>"


@dataclass
class _Place:
    """An element in the bytes of a document. `content_end` is where its closing tag begins, or -1
    for an element that is only one tag."""

    name: str
    start: int
    end: int
    has_content: bool = False
    content_end: int = -1


class _Sidecar:
    """The bytes of a sidecar, and where its keywords are. Only these bytes are replaced, so that
    everything else stays as another program wrote it."""

    def __init__(self, data: bytes) -> None:
        """Find the places. Raises ValueError or ExpatError for bytes that are no XMP in UTF-8."""
        data.decode()
        self._data = data
        self._open: list[_Place] = []
        self._lists: list[_Place] = []
        self._description: _Place | None = None
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = refuse_document_type
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        parser.DefaultHandler = self._content
        parser.Parse(data, True)
        if self._description is None:
            raise ValueError(Message("it has no description of an image"))

    def with_lists(self, lists: str) -> bytes:
        """The document with the XML `lists` in place of its keywords."""
        assert self._description is not None
        edits = [(self._before(one.start), one.end, b"") for one in self._lists]
        place = self._description
        if place.content_end < 0:
            tag = re.split(rb"[\s/>]", self._data[place.start + 1 :], maxsplit=1)[0]
            added = b">" + lists.encode() + b"\n  </" + tag + b">"
            edits.append((place.end - 2, place.end, added))
        else:
            at = self._before(place.content_end)
            edits.append((at, at, lists.encode()))
        data = self._data
        for start, end, added in sorted(edits, reverse=True):
            data = data[:start] + added + data[end:]
        return data

    def _before(self, at: int) -> int:
        """Where the white space before a place begins."""
        return len(self._data[:at].rstrip())

    def _begin(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._content("")
        at = self._parser.CurrentByteIndex
        self._open.append(_Place(name, at, at))

    def _finish(self, name: str) -> None:
        place = self._open.pop()
        place.end = at = self._parser.CurrentByteIndex
        if place.has_content or self._data[at - 2 : at] != b"/>":
            place.content_end = at
            place.end = self._data.index(b">", at) + 1
        inside = [one.name for one in self._open]
        # Descriptions further inside are about other images, of which this one was made.
        if name in _LISTS and inside[-2:] == [f"{RDF} RDF", f"{RDF} Description"]:
            self._lists.append(place)
        if name == f"{RDF} Description" and inside[-1:] == [f"{RDF} RDF"]:
            self._description = self._description or place

    def _content(self, _text: str) -> None:
        if self._open:
            self._open[-1].has_content = True


FORMATS.register(XmpSidecars())
