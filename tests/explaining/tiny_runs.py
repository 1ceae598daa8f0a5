"""Run folders with small networks, and small images, for what explains and predicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from workbench.domain.recipes import Recipe
from workbench.domain.runs import LabelList, RunLabels
from workbench.learning.networks.models import build_network, card_of, save_model, weights_of

CATEGORY = LabelList("category", ("boat", "car", "plane"), (0, 1, 2))
VIEW = LabelList("view", ("left", "right"), (1, 0))


def save_run(folder: Path, backbone: str = "simpleconv3", joint: bool = False, **keys) -> Path:
    """A run folder holding an untrained network; the same one each time."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    labels = RunLabels(CATEGORY, VIEW if joint else None)
    size = 48 if backbone == "simpleconv3" else 64
    recipe = Recipe(
        target="category+view" if joint else "category",
        backbone=backbone,
        start="none",
        **{"image_size": size, **keys},
    )
    network = build_network(backbone, labels, recipe.head, recipe.options)
    save_model(folder, weights_of(network), card_of(recipe, labels, network))
    return folder


def draw_images(folder: Path, count: int, size: tuple[int, int] = (80, 60)) -> Sequence[Path]:
    """Small JPEGs, each with a bright disc at another place."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(5)
    paths = []
    for index in range(count):
        pixels = noise.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
        centre = (15 + 45 * index // max(1, count - 1), 20 + 7 * (index % 4))
        cv2.circle(pixels, centre, 12, (230, 200 - 40 * (index % 3), 90), -1)
        path = folder / f"image{index:02d}.jpg"
        cv2.imwrite(str(path), pixels)
        paths.append(path)
    return paths
