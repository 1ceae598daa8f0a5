"""Oxford-IIIT Pets as published by Parkhi et al. (Oxford, 2012): breeds and species of pets.

`annotations/list.txt`, `trainval.txt` and `test.txt` have rows `Abyssinian_100 1 1 1`: the name of
an image without its extension, the number of its breed, its species (1 cat, 2 dog), and a number of
the breed within the species. The name begins with the breed. `annotations/xmls` has a box of the
head for most of the images, as Pascal VOC does.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from workbench.domain.datasets import MAIN_SET, Carry, Dataset, DeclaredSet, GivenLabel
from workbench.domain.splits import Part
from workbench.domain.text import Message, mark
from workbench.files import regular_bytes
from workbench.formats.base import FORMATS, DatasetFormat, Reading, ReadOptions
from workbench.formats.published import (
    ImageDraft,
    fields,
    finish,
    read_rows,
    read_voc_boxes,
    whole,
)

SPECIES = "species"  # label set beside that of breeds
NAMES = {"1": "cat", "2": "dog"}
LISTS = {"trainval.txt": Part.TRAIN, "test.txt": Part.TEST, "list.txt": None}
_BREED = re.compile(r"(.+)_\d+")
_ROW = re.compile(rb"\S+_\d+ \d+ [12] \d+\s*$", re.MULTILINE)


class Pets(DatasetFormat):
    """A folder with annotations/list.txt, trainval.txt, test.txt and xmls."""

    name = "pets"
    title = mark("Oxford-IIIT Pets")
    about = mark(
        "The folder of Oxford-IIIT Pets: breeds, the label set “species”, training and test images,"
        " and boxes of heads."
    )
    carries = frozenset({Carry.LABELS, Carry.LABEL_SETS, Carry.PARTS, Carry.BOXES})
    written = False  # the breed is part of the name of an image

    def recognises(self, path: Path) -> bool:
        for name in LISTS:
            with suppress(OSError, ValueError):
                if _ROW.search(regular_bytes(path / "annotations" / name, 4096)):
                    return True
        return False

    def read(self, path: Path, options: ReadOptions) -> Reading:
        dataset = Dataset(options.base or path, encoding=options.encoding)
        rows = _PetRows()
        folder = path / "annotations"
        for name, part in LISTS.items():
            rows.file, rows.part = name, part
            yield from read_rows(dataset, folder / name, rows.add)
        files = ((folder / "xmls" / f"{name}.xml", image) for name, image in rows.images.items())
        yield from read_voc_boxes(dataset, files, SPECIES)
        yield from finish(dataset, rows.images.values())
        breeds = tuple(dict.fromkeys(breed for _, breed in sorted(rows.breeds.items())))
        dataset.sets = {MAIN_SET: DeclaredSet(breeds), SPECIES: DeclaredSet(tuple(NAMES.values()))}
        return dataset


@dataclass
class _PetRows:
    """Images by name, and breeds by number. `file` is being read, whose images are in `part`."""

    images: dict[str, ImageDraft] = field(default_factory=dict)
    breeds: dict[int, str] = field(default_factory=dict)
    file: str = ""
    part: Part | None = None

    def add(self, line: int, text: str) -> None:
        """Add a row; comments are ignored. Raises ValueError if it is malformed."""
        if text.startswith("#"):
            return
        name, number, species, _ = fields(text, 4)
        breed = _BREED.fullmatch(name)
        if breed is None:
            raise ValueError(Message("“{text}” is not a breed with a number", text=name))
        if species not in NAMES:
            raise ValueError(Message("“{text}” is not the number of a species", text=species))
        self.breeds.setdefault(whole(number), breed[1])
        known = self.images.get(name)
        if known is None:
            labels = [GivenLabel(MAIN_SET, breed[1]), GivenLabel(SPECIES, NAMES[species])]
            self.images[name] = ImageDraft(f"images/{name}.jpg", self.file, line, labels, self.part)
        elif self.part is not None and known.part is not self.part:
            raise ValueError(Message("the image is in two parts of the split"))


FORMATS.register(Pets())
