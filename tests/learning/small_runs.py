"""Small run folders: rendered images of two or three kinds, and recipes that train in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from workbench.domain.recipes import complete, to_toml
from workbench.domain.reports import AnyReport, Report, decode_report
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    SAMPLES_FILE,
    LabelList,
    RunLabels,
    Sample,
    decode_samples,
    encode_samples,
)
from workbench.learning.loop.training import Training
from workbench.learning.reporting import Control, Reporter, Wish

CATEGORY = LabelList("category", ("disc", "bar", "cross"), (0, 1, 2))
VIEW = LabelList("view", ("front", "left", "right"), (0, 2, 1))
TINY = {
    "target": "category",
    "backbone": "simpleconv3",
    "start": "none",
    "image_size": 32,
    "epochs": 3,
    "batch": 8,
    "learning_rate": 0.05,
    "head_factor": 1.0,
    "precision": "fp32",
    "rotation": 10.0,
}


def draw(kind: int, seed: int, side: int = 40) -> Image.Image:
    """A disc, a bar or a cross somewhere on noise."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 90, (side, side, 3), dtype=np.uint8)
    y, x = np.mgrid[:side, :side] - random.integers(side // 3, 2 * side // 3, 2)[:, None, None]
    r = side // 5
    inside = (
        x**2 + y**2 < r**2,
        (abs(y) < r // 2) & (abs(x) < 2 * r),
        ((abs(x) < r // 3) | (abs(y) < r // 3)) & (abs(x) < r) & (abs(y) < r),
    )[kind]
    pixels[inside] = random.integers(160, 255, 3)
    return Image.fromarray(pixels)


def make_run(
    folder: Path,
    parts: Sequence[tuple[str, int]] = (("train", 24), ("validation", 6), ("test", 6)),
    views: bool = False,
    **recipe: object,
) -> Path:
    """A run folder with images of three classes (and views) beside it."""
    pictures = folder.parent / f"{folder.name}-images"
    pictures.mkdir(parents=True)
    folder.mkdir()
    samples = []
    for part, count in parts:
        for _ in range(count):
            at = len(samples)
            path = pictures / f"{at:03}.png"
            draw(at % 3, at).save(path)
            view = (at // 3) % 3 if views else -1
            samples.append(
                Sample(image=at + 1, hash="", path=str(path), target=at % 3, view=view, part=part)
            )
    write_samples(folder, samples)
    labels = RunLabels(CATEGORY, VIEW if views else None)
    (folder / LABELS_FILE).write_bytes(msgspec.json.encode(labels))
    if views:
        recipe = {"target": "category+view", **recipe}
    (folder / RECIPE_FILE).write_text(to_toml(complete({**TINY, **recipe}, {})))
    return folder


def write_samples(folder: Path, samples: Sequence[Sample]) -> None:
    (folder / SAMPLES_FILE).write_bytes(encode_samples(list(samples)))


def add_unlabelled(folder: Path, count: int) -> None:
    """More images for a run, without labels and in no part."""
    samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
    for at in range(len(samples), len(samples) + count):
        path = folder.parent / f"{folder.name}-images" / f"{at:03}.png"
        draw(at % 3, at).save(path)
        samples.append(Sample(image=at + 1, hash="", path=str(path)))
    write_samples(folder, samples)


class Chances(Control):
    """Asks for something when the training has looked so many times whether anybody does."""

    def __init__(self, wish: Wish, chances: int) -> None:
        super().__init__()
        self._then, self._left = wish, chances

    @property
    def wish(self) -> Wish | None:
        self._left -= 1
        return self._then if self._left < 0 else None

    @wish.setter
    def wish(self, wish: Wish | None) -> None:
        pass


def train(folder: Path, control: Control | None = None) -> list[AnyReport]:
    """Train in this process; what this call reported."""
    before = len(reports_of(folder))
    reporter = Reporter(folder, stdout=False)
    try:
        Training(folder, reporter, control or Control()).run()
    finally:
        reporter.close()
    return reports_of(folder)[before:]


def reports_of(folder: Path) -> list[AnyReport]:
    path = folder / REPORTS_FILE
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [decode_report(line) for line in lines]


def collect_into(found: list[Report]) -> Callable[[Report], None]:
    return found.append
