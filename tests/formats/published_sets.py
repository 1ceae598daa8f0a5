"""Datasets for round trips through the formats of published datasets."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st

from workbench.domain.datasets import Dataset, GivenLabel, ImageRecord, Region
from workbench.domain.splits import Part

# Few examples of each round trip in the suite, more if the variable is set.
thorough = settings(max_examples=int(os.environ.get("WORKBENCH_EXAMPLES", "15")))

ODD = ("null", "1", "-1", "1.0", "True", "a/b", "a\\b", "train", "val", "images", "100%", "%41")
ODD_LINES = (*ODD, "a, b", "a; b", '"q"', "it's", "#1", "# x", "- x", "a: b", "<b>", "&amp;", "🦉")

_signs = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
_word_signs = st.characters(categories=["L", "N", "P", "S"])
# Anything that a line of a file can hold, without spaces at the ends; words have no spaces.
line = st.one_of(
    st.sampled_from(ODD_LINES),
    st.text(_signs, min_size=1, max_size=12).map(str.strip).filter(bool),
)
word = st.one_of(st.sampled_from(ODD), st.text(_word_signs, min_size=1, max_size=12))
stem = line.filter(lambda text: not set(text) & set("/\\") and not text.startswith("."))
none = st.just(())
certain = st.just(1.0)


@st.composite
def paths(draw, names=stem, folders=2, endings=(".jpg", ".png")) -> str:
    """Relative path of an image."""
    above = draw(st.lists(names, max_size=folders))
    return "/".join([*above, draw(names) + draw(st.sampled_from(endings))])


@st.composite
def regions(draw, count=0, labels=none, whole=False) -> Region:
    """A region in pixels with `count` landmarks."""
    place = st.integers(0, 4000) if whole else st.integers(0, 16000).map(lambda n: n / 4)
    left, top, width, height = (draw(place) for _ in range(4))
    box = (float(left), float(top), left + width + 1.0, top + height + 1.0)
    point = st.tuples(place, place).map(lambda xy: (float(xy[0]), float(xy[1])))
    points = draw(st.lists(point, min_size=count, max_size=count))
    return Region(box, draw(labels), tuple(points))


@st.composite
def labels_of(draw, sets, texts=line, several=(), confidences=certain) -> tuple:
    """Labels of some of the sets: several of those in `several`, whose confidences are drawn."""
    found = []
    for name in sets:
        free = name in several
        chosen = draw(st.lists(texts, max_size=3 if free else 1, unique=True))
        found += [
            GivenLabel(name, text, confidence=draw(confidences) if free else 1.0) for text in chosen
        ]
    return tuple(found)


any_paths = paths()


@st.composite
def datasets(draw, labels, paths=any_paths, parts=tuple(Part), regions=none) -> Dataset:
    """A dataset of images with different paths; images may have no part."""
    part = st.sampled_from([None, *parts])
    found = [
        ImageRecord(path, draw(labels), draw(part), draw(regions))
        for path in draw(st.lists(paths, min_size=1, max_size=5, unique_by=str.casefold))
    ]
    return Dataset(Path("drawn"), found)
