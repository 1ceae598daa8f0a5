"""Label files in JSON, CSV, TSV and Excel: earlier exports, malformed rows, and round trips."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fixtures.read_datasets import any_text, read, round_trips, written
from workbench.domain.datasets import Dataset, DeclaredSet, GivenLabel, ImageRecord, Region
from workbench.domain.errors import KnownError
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions, recognised
from workbench.formats.label_file import COLUMNS

LABELS = FORMATS["label-file"]
HEADER = "path,hash,set,label,author,confidence,part,left,top,right,bottom"


def rejected(dataset: Dataset) -> list[tuple[str, str]]:
    return [(str(one.path), str(one.reason)) for one in dataset.rejected]


EARLIER_CSV = f"""{HEADER}
/src/owl/鸟 0.png,aa11,category,owl,import,1.0,train,,,,
/src/owl/鸟 0.png,aa11,view,left,human,1.0,train,,,,
/src/duck/1.png,bb22,view,front,model,0.75,test,,,,
/src/owl/2.png,cc33,expression,smile,import,1.0,,10,10,60,61
""".replace("\n", "\r\n")
EARLIER_JSON = """{
  "labels": [
    {"path": "/src/owl/鸟 0.png", "hash": "aa11", "set": "category", "label": "owl",
     "part": "train"},
    {"path": "/src/owl/鸟 0.png", "hash": "aa11", "set": "view", "label": "left", "author": "human",
     "part": "train"},
    {"path": "/src/duck/1.png", "hash": "bb22", "set": "view", "label": "front", "author": "model",
     "confidence": 0.75, "part": "test"},
    {"path": "/src/owl/2.png", "hash": "cc33", "set": "expression", "label": "smile",
     "box": [10, 10, 60, 61]}
  ],
  "version": 1
}"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", EARLIER_CSV),
        ("l.tsv", EARLIER_CSV.replace(",", "\t")),
        ("l.json", EARLIER_JSON),
        ("l.json", "\ufeff" + EARLIER_JSON),
    ],
)
def test_exports_of_earlier_versions_are_read(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path, name, text)
    assert [one.name for one in recognised(path)][:1] == ["label-file"]
    found = read(path)
    start = 1 if name == "l.json" else 2
    unknown = "" if name == "l.json" else "import"  # the author that JSON left out
    owl, left = GivenLabel("category", "owl", unknown), GivenLabel("view", "left", "human")
    smile = Region((10, 10, 60, 61), (GivenLabel("expression", "smile", unknown),))
    front = GivenLabel("view", "front", "model", 0.75)
    assert found.images == [
        ImageRecord("/src/owl/鸟 0.png", (owl,), Part.TRAIN, (), start, hash="aa11"),
        ImageRecord("/src/owl/鸟 0.png", (left,), Part.TRAIN, (), start + 1, hash="aa11"),
        ImageRecord("/src/duck/1.png", (front,), Part.TEST, (), start + 2, hash="bb22"),
        ImageRecord("/src/owl/2.png", (), None, (smile,), start + 3, hash="cc33"),
    ]
    assert found.sets == {
        "category": DeclaredSet(("owl",)),
        "view": DeclaredSet(("left", "front")),
        "expression": DeclaredSet(("smile",)),
    }
    assert found.rejected == []


def test_tables_by_hand_need_few_columns(tmp_path: Path) -> None:
    text = "Label ;SET;filename\r\n back;view;src\\owl\\2.png\r\n"
    (image,) = read(written(tmp_path, "l.csv", text)).images
    assert image == ImageRecord("src/owl/2.png", (GivenLabel("view", " back"),), line=2)
    text = ",hash,set,label\n0,ab,view,left\n"
    (image,) = read(written(tmp_path, "l.csv", text)).images
    assert (image.path, image.hash) == ("", "ab")


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_labels_of_a_set_exclude_each_other_unless_an_image_has_several(
    tmp_path: Path, name: str
) -> None:
    images = [
        ImageRecord("a.png", (GivenLabel("traits", "x"), GivenLabel("view", "left"))),
        ImageRecord("a.png", (GivenLabel("traits", "y"), GivenLabel("view", "left"))),
        ImageRecord("a.png", regions=(Region((0, 0, 1, 1), (GivenLabel("view", "top"),)),)),
    ]
    LABELS.write(tmp_path / name, Dataset(tmp_path, images), WriteOptions())
    assert read(tmp_path / name).sets == {
        "traits": DeclaredSet(("x", "y"), exclusive=False),
        "view": DeclaredSet(("left", "top"), exclusive=True),
    }


def test_json_has_the_declarations_of_sets(tmp_path: Path) -> None:
    sets = {
        "category": DeclaredSet(("owl", "auk", "emu"), exclusive=True),
        "traits": DeclaredSet(("wet",), exclusive=False),
    }
    images = [ImageRecord("a.png", (GivenLabel("category", "auk"), GivenLabel("new", "x")))]
    path = tmp_path / "l.json"
    assert LABELS.write(path, Dataset(tmp_path, images, sets=sets), WriteOptions()) == []
    assert read(path).sets == {**sets, "new": DeclaredSet(("x",))}


def confidence_reason(text: str) -> str:
    return f"the confidence “{text}” is not a number from 0 to 1, such as 0.75"


WRONG_ROWS = [
    ("a.png,,view,back,,nan,,,,,", confidence_reason("nan")),
    ("a.png,,view,back,,7,,,,,", confidence_reason("7")),
    ("a.png,,view,back,,-0.5,,,,,", confidence_reason("-0.5")),
    ('a.png,,view,back,,"0,5",,,,,', confidence_reason("0,5")),
    ("a.png,,view,back,,much,,,,,", confidence_reason("much")),
    ("a.png,,view, ,,,,,,,", "the label is missing"),
    (",,view,back,,,,,,,", "the line has neither a path nor a hash"),
    ("a.png,,view,back,,,,3,,,", "a box needs four numbers: its sides, or a corner and its size"),
    ("a.png,,view,back,,,,3,4,3,9", "the box is empty"),
    ("a.png,,view,back,,,,,,,,x", "12 cells, but 11 columns"),
    ('a.png,,view,"back,,,,,,,', "the quotation marks do not match"),
]


@pytest.mark.parametrize(("row", "reason"), WRONG_ROWS)
def test_a_malformed_row_is_rejected_alone(tmp_path: Path, row: str, reason: str) -> None:
    text = f"{HEADER}\nb.png,,view,left,,0.5,,,,,\n{row}\nc.png,,view,right,,1e-3,,,,,\n"
    found = read(written(tmp_path, "l.csv", text))
    assert [(one.path, one.labels[0].confidence) for one in found.images] == [
        ("b.png", 0.5),
        ("c.png", 0.001),
    ]
    assert rejected(found) == [("l.csv, line 3", reason)]


WRONG_ENTRIES = [
    ('{"path": "a", "set": "v", "label": "b", "confidence": NaN}', confidence_reason("nan")),
    ('{"path": "a", "set": "v", "label": "b", "confidence": 7}', confidence_reason("7")),
    ('{"path": "a", "set": "v", "label": "b", "confidence": "0,5"}', confidence_reason("0,5")),
    ('{"path": "a", "set": "v", "label": " "}', "the label is missing"),
    ('{"set": "v", "label": "b"}', "the entry has neither a path nor a hash"),
    ('{"path": 3, "set": "v", "label": "b"}', "“path” is not a text"),
    ('{"path": "a", "set": "v", "label": "\\ud800"}', "“label” is not a text"),
    ('{"path": "a", "set": "v", "label": "b", "box": [1, 2]}',
     "a box needs four numbers: its sides, or a corner and its size"),
    ('{"path": "a", "set": "v", "label": "b", "box": [3, 2, 1, 4]}', "the box is empty"),
    ("[]", "the entry is not an object with a path and a label"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "reason"), WRONG_ENTRIES)
def test_a_malformed_entry_is_rejected_alone(tmp_path: Path, entry: str, reason: str) -> None:
    good = '{"path": "b", "set": "v", "label": "x", "confidence": 0.5}'
    path = written(tmp_path, "l.json", f'{{"labels": [{good}, {entry}, {good}], "version": 1}}')
    found = read(path)
    assert [(one.line, one.labels) for one in found.images] == [
        (1, (GivenLabel("v", "x", confidence=0.5),)),
        (3, (GivenLabel("v", "x", confidence=0.5),)),
    ]
    assert rejected(found) == [("l.json, entry 2", reason)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("l.csv", "path,label\na.png,x\n", r"l\.csv has no column set\. Expected columns: path, h"),
        ("l.csv", "path,set\na.png,x\n", "no column label"),
        ("l.csv", "where,set,label\na.png,x,y\n", "no column path"),
        ("l.csv", "", r"l\.csv is empty"),
        ("l.json", "{", r"l\.json is not a label file: line 1 is no valid JSON"),
        ("l.json", '{\n"labels": [\n}', "not a label file: line 3 is no valid JSON"),
        ("l.json", "[]", "not a label file: it has no list “labels”"),
        ("l.json", '{"labels": {}}', "not a label file: it has no list “labels”"),
        ("l.json", "[" * 100_000, "not a label file: its JSON is nested too deeply"),
        ("l.json", '{"labels": [], "version": 9}', "was written by a newer version"),
        ("l.json", '{"labels": [3], "version": 9}', "was written by a newer version"),
        ("l.json", '{"labels": [{"path": 3}]}', "not a label file: “path” is not a text"),
        ("l.json", "\0", "is not a text file"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(KnownError, match=words):
        read(written(tmp_path, name, content), format=LABELS)


@pytest.mark.parametrize(
    "text",
    [
        '{"images": [], "annotations": [], "categories": []}',
        '[{"path": "a", "set": "v", "label": "b"}]',
        '{"type": "FeatureCollection", "labels": []}',
        "",
    ],
)
def test_other_json_is_not_recognised(tmp_path: Path, text: str) -> None:
    assert not LABELS.recognises(written(tmp_path, "x.json", text))


def test_unknown_words_are_ignored_with_a_remark(tmp_path: Path) -> None:
    text = "path,set,label,part,author\na.png,view,left,extra,Ann\nb.png,view,left,extra,HUMAN\n"
    found = read(written(tmp_path, "l.csv", text))
    assert [(one.part, one.labels[0].author) for one in found.images] == [
        (None, ""),
        (None, "human"),
    ]
    assert [str(one) for one in found.remarks] == [
        "“extra” is not a part of a split; it is ignored."
    ]


PERSON = GivenLabel("view", "left", "human", 1.0, "Ann Müller")
FULL = [
    ImageRecord("a.png", (GivenLabel("", "x"),), Part.VALIDATION, hash="ab", line=1),
    ImageRecord("b.png", (GivenLabel("view", "front", "model", 0.123456789),), line=2),
    ImageRecord("c.png", (PERSON,), line=3),
    ImageRecord("d.png", (), None, (Region((1, 2, 3.5, 4), (PERSON,)),), line=4),
    ImageRecord("e.png", (), Part.TEST, line=5),
    ImageRecord("f.png", (), Part.TEST, (Region((1, 2, 3, 4)),), line=6),
]


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "json"])
def test_everything_comes_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"l.{ending}"
    assert LABELS.write(path, Dataset(tmp_path, FULL), WriteOptions()) == []
    assert [one.name for one in recognised(path)][:1] == ["label-file"]
    found = read(path)
    first = {one.path: one for one in found.images}
    assert first == {
        one.path: ImageRecord(
            one.path, one.labels, one.part, one.regions, first[one.path].line, hash=one.hash
        )
        for one in FULL
    }
    assert found.rejected == []


def test_what_the_files_look_like(tmp_path: Path) -> None:
    part = tmp_path / "l.csv.part"  # as while a file is replaced
    LABELS.write(part, Dataset(tmp_path, FULL[:2] + FULL[5:]), WriteOptions())
    assert part.read_bytes().decode().split("\r\n") == [
        HEADER,
        "a.png,ab,,x,,1.0,validation,,,,",
        "b.png,,view,front,model,0.123456789,,,,,",
        "f.png,,,,,1.0,test,1,2,3,4",
        "",
    ]
    assert HEADER.startswith(",".join(COLUMNS))
    LABELS.write(tmp_path / "l.json", Dataset(tmp_path, FULL[1:]), WriteOptions())
    content = json.loads((tmp_path / "l.json").read_text("utf-8"))
    assert content["version"] == 1
    assert content["labels"][0] == {
        "path": "b.png", "set": "view", "label": "front", "author": "model",
        "confidence": 0.123456789,
    }  # fmt: skip
    assert content["images"] == [
        {"path": "e.png", "part": "test", "confidence": 1.0},
        {"path": "f.png", "part": "test", "confidence": 1.0, "box": [1.0, 2.0, 3.0, 4.0]},
    ]


def test_relative_boxes_need_the_size_of_the_image(tmp_path: Path) -> None:
    half = Region((0, 0, 0.5, 1), (GivenLabel("view", "left"),), ((0.25, 0.5),), relative=True)
    sized = ImageRecord("b.png", regions=(half,), width=80, height=60)
    images = [ImageRecord("a.png", regions=(half,)), sized]
    lost = "1 box is not written: the size of its image is unknown."
    landmarks = "Landmarks are not written; label files in JSON have them."
    placed = Region((0, 0, 40, 60), half.labels, ((20, 30),))
    messages = LABELS.write(tmp_path / "l.json", Dataset(tmp_path, images), WriteOptions())
    assert list(map(str, messages)) == [lost]
    assert [one.regions for one in read(tmp_path / "l.json").images] == [(placed,)]
    messages = LABELS.write(tmp_path / "l.csv", Dataset(tmp_path, images), WriteOptions())
    assert list(map(str, messages)) == [lost, landmarks]
    (image,) = read(tmp_path / "l.csv").images
    assert image.regions == (Region((0, 0, 40, 60), half.labels),)


def test_formulas_are_counted(tmp_path: Path) -> None:
    images = [ImageRecord("-a.png", (GivenLabel("view", "=1"), GivenLabel("view", "'+1")))]
    (message,) = LABELS.write(tmp_path / "l.csv", Dataset(tmp_path, images), WriteOptions())
    assert str(message).startswith("4 cells begin as formulas do.")
    found = read(tmp_path / "l.csv")
    assert [one.path for one in found.images] == ["-a.png"] * 2
    assert [one.labels[0].label for one in found.images] == ["=1", "'+1"]
    assert LABELS.write(tmp_path / "l.json", Dataset(tmp_path, images), WriteOptions()) == []


GIVEN = st.builds(
    GivenLabel,
    set=st.sampled_from(["view", "a, b", "=x", "'", ""]),
    label=any_text.filter(str.strip),
    author=st.sampled_from(["", "human", "model", "import"]),
    confidence=st.floats(0, 1),
    annotator=any_text,
)
SIDE = st.integers(0, 4000) | st.floats(0, 4000)
BOX = st.tuples(SIDE, SIDE, st.floats(1, 100), st.floats(1, 100)).map(
    lambda it: (it[0], it[1], it[0] + it[2], it[1] + it[3])
)
IMAGE = st.builds(
    ImageRecord,
    path=st.sampled_from(["a.png", "鸟 1.png", "-x, y.png", "'a.png"]),
    labels=st.lists(GIVEN, max_size=2).map(tuple),
    part=st.sampled_from([None, *Part]),
    regions=st.lists(
        st.builds(Region, BOX, st.lists(GIVEN, max_size=2).map(tuple)), max_size=1
    ).map(tuple),
    hash=st.sampled_from(["", "ab" * 32]),
)


def rows_of(images: list[ImageRecord]) -> list[tuple[object, ...]]:
    """A row for each label, as in a file, and for each image and box without one."""
    rows: list[tuple[object, ...]] = []
    for image in images:
        own = (image.path, image.hash, image.part)
        places = [(None, image.labels)] * bool(image.labels or not image.regions)
        for box, labels in [*places, *((one.box, one.labels) for one in image.regions)]:
            rows += [(*own, box, label) for label in labels or (None,)]
    return rows


@round_trips
@hypothesis.given(
    st.lists(IMAGE, min_size=1, max_size=4), st.sampled_from(["csv", "tsv", "xlsx", "json"])
)
def test_any_dataset_comes_back(tmp_path_factory, images: list[ImageRecord], ending: str) -> None:
    path = tmp_path_factory.mktemp("t") / f"l.{ending}"
    LABELS.write(path, Dataset(path.parent, images), WriteOptions())
    found = read(path, format=LABELS)
    assert found.rejected == []
    wanted, got = rows_of(images), rows_of(found.images)
    if ending == "json":  # images without labels are listed last
        wanted.sort(key=lambda row: row[-1] is None)
    assert got == wanted
