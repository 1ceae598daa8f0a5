"""A project with a run that has really learned where a disc's colour is, trained in a second."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from workbench.app.open_project import OpenProject
from workbench.domain.images import FoundImage
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import JOINT, Recipe, to_toml
from workbench.domain.runs import (
    SAMPLES_FILE,
    LabelList,
    ModelCard,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    encode_samples,
)
from workbench.learning.device import choose_device
from workbench.learning.evaluate import Scorer
from workbench.learning.images.data import Images, load_images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.models import (
    Network,
    build_network,
    card_of,
    save_model,
    weights_of,
)
from workbench.learning.serving.trained import load_model

COLOURS = {"blue": (230, 60, 40), "green": (40, 220, 70), "red": (40, 50, 235)}  # BGR
SIZE = 60
_learned_before: dict[str, dict[str, torch.Tensor]] = {}  # by target


def draw_disc(path: Path, colour: str, left: bool, seed: int) -> None:
    """A disc of a colour in the left or right half of a noisy picture."""
    noise = np.random.default_rng(seed)
    pixels = noise.integers(60, 140, (SIZE, SIZE, 3), dtype=np.uint8)
    x = int(noise.integers(12, 24)) if left else int(noise.integers(36, 48))
    cv2.circle(pixels, (x, int(noise.integers(15, 45))), 10, COLOURS[colour], -1)
    cv2.imwrite(str(path), pixels)


def import_discs(op: OpenProject, folder: Path, count: int) -> list[int]:
    """Images of discs with their category (all) and view left or right (all but the last six)."""
    folder.mkdir(parents=True)
    found = []
    for i in range(count):
        colour, left = list(COLOURS)[i % 3], i // 3 % 2 == 0
        path = folder / f"disc{i:02d}-{colour}.png"
        draw_disc(path, colour, left, i)
        view = (("view", "left" if left else "right"),) if i < count - 6 else ()
        stat = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        labels = (("category", colour), *view)
        found.append(FoundImage(path.name, digest, SIZE, SIZE, stat.st_size, stat.st_mtime, labels))
    with op.edit("Import"):
        source = op.store.images.add_source(str(folder), "folder")
        return list(op.store.images.add(source, found))


@dataclass(frozen=True)
class Trained:
    """The run, and the images it was not shown (the last six)."""

    id: str
    images: Sequence[int]
    unseen: Sequence[int]


def train(op: OpenProject, images: Sequence[int], target: str = "category", name="run") -> Trained:
    """A Simpleconv3 trained by a plain loop on all images but the last six, whose run folder and
    stored predictions are like those of a training."""
    joint = target == JOINT
    views = LabelList("view", ("left", "right"), (1, 0))
    colours = LabelList("category", tuple(COLOURS), (0, 1, 2))
    labels = RunLabels(views if target == "view" else colours, views if joint else None)
    recipe = Recipe(target=target, backbone="simpleconv3", start="none", image_size=48)
    samples = _samples(op, images[:-6], labels)
    folder = op.store.runs_folder / name
    folder.mkdir(parents=True)
    (folder / SAMPLES_FILE).write_bytes(encode_samples(samples))
    kept = load_images(samples, 48, folder, lambda _: None, lambda: False)
    assert kept is not None
    network, card = _learned(recipe, labels, kept)
    save_model(folder, weights_of(network), card)
    network, card = load_model(folder)
    scores = Scorer(network, card, choose_device())(kept.squares).numpy()
    _store(op, name, target, recipe, labels, samples, scores)
    return Trained(name, images, images[-6:])


def _learned(recipe: Recipe, labels: RunLabels, kept: Images) -> tuple[Network, ModelCard]:
    """The network after thirty steps on all images; the same images give the same network."""
    torch.manual_seed(0)
    network = build_network("simpleconv3", labels)
    card = card_of(recipe, labels, network)
    if recipe.target in _learned_before:
        network.load_state_dict(_learned_before[recipe.target])
        return network, card
    inputs = normalised(kept.squares.permute(0, 3, 1, 2), card.mean, card.std)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    classes = len(labels.target.labels)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of a busy machine's cores
    for _ in range(30):
        outputs = network(inputs)
        loss = torch.nn.functional.cross_entropy(outputs[:, :classes], kept.targets)
        if labels.view is not None:
            loss = loss + torch.nn.functional.cross_entropy(outputs[:, classes:], kept.views)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.set_num_threads(threads)
    _learned_before[recipe.target] = network.state_dict()
    return network, card


def _samples(op: OpenProject, images: Sequence[int], labels: RunLabels) -> list[Sample]:
    made = []
    for at, row in enumerate(op.store.images.rows(images)):
        view = row.labels.get("view", "")
        made.append(
            Sample(
                image=row.id,
                hash=row.hash,
                path=row.path,
                target=labels.target.labels.index(row.labels[labels.target.name]),
                view=labels.view.labels.index(view) if labels.view is not None else -1,
                part="test" if at % 2 else "train",
                true_view=view,
            )
        )
    return made


def _store(op, name, target, recipe, labels, samples, scores) -> None:
    classes = len(labels.target.labels)
    op.store.runs.create(
        RunRecord(
            id=name,
            name=f"{target} {name}",
            status=RunStatus.FINISHED,
            target=target,
            recipe_toml=to_toml(recipe),
            labels=labels,
            created=1.7e9 + len(op.store.runs.all()),
            metrics={},
        )
    )
    op.store.runs.save_predictions(
        name,
        PredictionTable(
            images=np.array([s.image for s in samples], np.int64),
            crops=np.full(len(samples), -1, np.int64),
            parts=np.array([2 if s.part == "test" else 0 for s in samples], np.int64),
            truth=np.array([s.target for s in samples], np.int64),
            scores=scores[:, :classes],
            view_truth=np.array([s.view for s in samples], np.int64),
            view_scores=scores[:, classes:] if labels.view is not None else None,
            true_view=np.array([s.true_view for s in samples], np.str_),
        ),
    )
