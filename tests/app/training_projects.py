"""Small projects to train: rendered images imported with their labels into a real store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blake3 import blake3

from tests.learning.small_runs import draw
from workbench.app.open_project import OpenProject
from workbench.domain.images import FoundImage
from workbench.storage.project import Project

FAST = {
    "target": "category",
    "backbone": "simpleconv3",
    "image_size": 32,
    "test_resize": 0,
    "epochs": 2,
    "batch": 8,
}
KINDS = ("disc", "bar", "cross")


def small_project(
    folder: Path, count: int = 36, label_sets: Sequence[str] = ("category",)
) -> OpenProject:
    """A project of `count` images of three kinds; sets other than category are labelled by turns
    with the labels they have."""
    op = OpenProject(Project.create(folder / "Small"))
    pictures = folder / "pictures"
    pictures.mkdir()
    found = []
    sets = op.store.labels.sets()
    for at in range(count):
        path = pictures / f"{at:03}.png"
        draw(at % 3, at).save(path)
        data = path.read_bytes()
        labels = []
        for name in label_sets:
            names = KINDS if name == "category" else sets[name].names
            turn = at % 3 if name == "category" else (at // 3) % len(names)
            labels.append((name, names[turn]))
        found.append(
            FoundImage(
                path=path.name,
                hash=blake3(data).hexdigest(),
                width=40,
                height=40,
                size=len(data),
                mtime=path.stat().st_mtime,
                labels=tuple(labels),
            )
        )
    with op.edit("Import"):
        source = op.store.images.add_source(str(pictures), "folder")
        op.store.images.add(source, found)
    return op
