"""Other programs read what is written, with the same boxes; skipped without them (extra `interop`).

Run them with `pip install .[interop]` in an environment of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.formats.strategies import by_path, given_pairs, read_dataset
from workbench.domain.datasets import (
    MAIN_SET,
    Dataset,
    DeclaredSet,
    GivenLabel,
    ImageRecord,
    Region,
)
from workbench.domain.splits import Part
from workbench.formats import FORMATS, WriteOptions

pytestmark = pytest.mark.filterwarnings("default")  # of other programs
# All of them take the pixels of Pascal VOC as they are, though the first one is 1.
LABELS = ("unused", "cat", "dog")
CAT = Region((10, 20, 30, 60), (GivenLabel(MAIN_SET, "cat"),))
DOG = Region((1, 2, 100, 80), (GivenLabel(MAIN_SET, "dog"),))
BOXES = {("a", "cat", 10, 20, 30, 60), ("a", "dog", 1, 2, 100, 80), ("b", "cat", 10, 20, 30, 60)}
IMAGES = [
    ImageRecord("a.png", (), Part.TRAIN, (CAT, DOG), width=100, height=80),
    ImageRecord("b.png", (), Part.TRAIN, (CAT,), width=100, height=80),
    ImageRecord("c.png", (), Part.VALIDATION, width=100, height=80),
]


def written(folder: Path, name: str) -> Path:
    """A dataset of three images in a format, with its images."""
    format = FORMATS[name]
    folder.mkdir()
    path = folder if format.is_folder else folder / f"annotations{format.endings[0]}"
    dataset = Dataset(folder, IMAGES, sets={MAIN_SET: DeclaredSet(LABELS)})
    format.write(path, dataset, WriteOptions())
    for image in IMAGES:
        copy = folder / format.place(image)
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (image.width, image.height)).save(copy)
    return path


def test_pycocotools_reads_coco(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    read = coco.COCO(str(written(tmp_path / "new", "coco")))
    names = {one["id"]: one["name"] for one in read.loadCats(read.getCatIds())}
    assert tuple(names.values()) == LABELS
    boxes = set()
    for number, image in read.imgs.items():
        for one in read.loadAnns(read.getAnnIds(imgIds=[number])):
            left, top, width, height = one["bbox"]
            stem = Path(image["file_name"]).stem
            boxes.add((stem, names[one["category_id"]], left, top, left + width, top + height))
    assert boxes == BOXES


@pytest.mark.parametrize("name", ["coco", "voc", "yolo", "cvat"])
def test_labelformat_reads_boxes(tmp_path, name):
    formats = pytest.importorskip("labelformat.formats")
    path = written(tmp_path / "new", name)
    if name == "coco":
        read = formats.COCOObjectDetectionInput(path)
    elif name == "voc":
        read = formats.PascalVOCObjectDetectionInput(path / "Annotations", ",".join(LABELS))
    elif name == "yolo":
        read = formats.YOLOv8ObjectDetectionInput(path / "data.yaml", "train")
    else:
        # It reads no files with a declaration, which CVAT writes.
        path.write_text(path.read_text().partition("?>")[2].strip())
        read = formats.CVATObjectDetectionInput(path)
    first = int(name == "voc")
    boxes = {
        (Path(one.image.filename).stem, found.category.name,
         round(found.box.xmin) - first, round(found.box.ymin) - first,
         round(found.box.xmax), round(found.box.ymax))
        for one in read.get_labels() for found in one.objects
    }  # fmt: skip
    assert boxes == BOXES


DATUMARO = {"coco-folder": "coco_instances", "voc": "voc_detection", "yolo": "yolo", "cvat": "cvat"}


def datumaro_boxes(read: Any, first: int) -> set[tuple[Any, ...]]:
    names = [one.name for one in read.categories()[_label_type()]]
    shift = (first, first, 0, 0)
    return {
        (item.id.rpartition("/")[2], names[one.label],
         *(round(value) - less for value, less in zip(one.points, shift, strict=True)))
        for item in read
        for one in item.annotations
        if one.type.name == "bbox"
    }  # fmt: skip


def _label_type() -> Any:
    return pytest.importorskip("datumaro").AnnotationType.label


@pytest.mark.parametrize("name", DATUMARO)
def test_datumaro_reads_boxes_and_labels(tmp_path, name):
    datumaro = pytest.importorskip("datumaro")
    path = written(tmp_path / "new", name)
    read = datumaro.Dataset.import_from(str(path if path.is_dir() else path.parent), DATUMARO[name])
    assert datumaro_boxes(read, int(name == "voc")) == BOXES
    assert {one.name for one in read.categories()[_label_type()]} >= set(LABELS)


EXPORTED = {
    "coco_instances": "coco-folder",
    "voc_detection": "voc",
    "yolo_ultralytics": "yolo",
    "cvat": "cvat",
}


@pytest.mark.parametrize("name", EXPORTED)
def test_what_datumaro_exports_is_read(tmp_path, name):
    datumaro = pytest.importorskip("datumaro")
    source = written(tmp_path / "new", "coco-folder")
    dataset = datumaro.Dataset.import_from(str(source), "coco_instances")
    dataset.export(str(tmp_path / "out"), name, save_media=True)
    format = FORMATS[EXPORTED[name]]
    paths = [tmp_path / "out"] if format.is_folder else sorted((tmp_path / "out").rglob("*.xml"))
    read = [read_dataset(format.name, one) for one in paths if format.recognises(one)]
    assert [one.rejected for one in read] == [[]] * len(read)
    shift = (1, 1, 0, 0) if name == "voc_detection" else (0, 0, 0, 0)
    boxes = {
        (Path(image.path).stem, given_pairs(one.labels)[0][1],
         *(round(value) + more
           for value, more in zip(one.in_pixels(100, 80).box, shift, strict=True)))
        for one_read in read for image in by_path(one_read).values() for one in image.regions
    }  # fmt: skip
    assert boxes == BOXES
    if name != "voc_detection":
        assert set(read[0].sets[MAIN_SET].labels) >= set(LABELS)


def test_datumaro_reads_labels_of_images(tmp_path):
    datumaro = pytest.importorskip("datumaro")
    images = [
        ImageRecord("a.png", (GivenLabel(MAIN_SET, "cat"),), Part.TRAIN),
        ImageRecord("b.png", (GivenLabel(MAIN_SET, "dog"),), Part.TRAIN),
    ]
    format = FORMATS["yolo-classes"]
    format.write(
        tmp_path,
        Dataset(tmp_path, images, sets={MAIN_SET: DeclaredSet(("cat", "dog"))}),
        WriteOptions(),
    )
    for image in images:
        Image.new("RGB", (8, 8)).save(tmp_path / format.place(image))
    # It refuses data.yaml, and empty folders.
    read = datumaro.Dataset.import_from(str(tmp_path / "train"), "imagenet")
    names = [one.name for one in read.categories()[_label_type()]]
    found = {item.id: names[item.annotations[0].label] for item in read}
    assert found == {"cat:a": "cat", "dog:b": "dog"}
