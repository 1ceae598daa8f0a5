"""CUB-200-2011 as published: its labels and split are imported, trained on, and exported again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.cli.command import run

SPECIES = ("001.Black_footed_Albatross", "002.Laysan_Albatross")
FILES = (
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "bounding_boxes.txt",
)


@pytest.fixture
def cub(tmp_path: Path) -> Path:
    """Twelve drawn images with the files of the dataset; every third one is for testing."""
    root = tmp_path / "CUB_200_2011"
    draw = np.random.default_rng(0)
    names = []
    for at in range(12):
        species = SPECIES[at % 2]
        name = f"{species}/{species[4:]}_{at:04}_{796111 + at}.jpg"
        pixels = draw.integers(0, 255, (40, 60, 3), np.uint8)
        pixels[..., at % 2] //= 4
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / "images" / name)
        names.append(name)
    lines = {
        "images.txt": [f"{at} {name}" for at, name in enumerate(names, 1)],
        "classes.txt": [f"{at} {name}" for at, name in enumerate(SPECIES, 1)],
        "image_class_labels.txt": [f"{at} {1 + (at - 1) % 2}" for at in range(1, 13)],
        "train_test_split.txt": [f"{at} {int(at % 3 > 0)}" for at in range(1, 13)],
        "bounding_boxes.txt": [f"{at} {at}.0 2.0 30.0 20.0" for at in range(1, 13)],
    }
    for file, content in lines.items():
        (root / file).write_text("\n".join(content) + "\n")
    return root


def test_the_published_split_is_trained_on_and_comes_out_as_it_came_in(
    qapp, cub: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> dict:
        capsys.readouterr()
        assert run([*words, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    command("new", "Birds")
    report = command("import", "Birds", str(cub))
    assert (report["added"], report["labelled"], report["conflicts"]) == (12, 12, [])
    assert report["parts"] == {"train": 8, "test": 4}
    tiny = ("backbone=simpleconv3", "start=none", "image_size=32", "epochs=1", "batch=4")
    settings = [word for one in ("target=category", *tiny) for word in ("--set", one)]
    command("train", "Birds", *settings)
    (made,) = command("runs", "Birds")["runs"]
    assert (made["split"], made["status"]) == ("CUB_200_2011", "finished")
    command("labels", "export", "Birds", "again", "--format", "cub", "--set", "category")
    for file in FILES:
        assert (tmp_path / "again" / file).read_bytes() == (cub / file).read_bytes(), file
    again = command("import", "Birds", str(cub))
    assert (again["added"], again["known"], again["new_labels"]) == (0, 12, [])
