"""Accuracy of each head on the same fixed feature maps of six bird species.

Run `python -m tests.bench.head_features [HEAD …] [--seeds N] [--data FOLDER]`. SqueezeNet 1.0 with
ImageNet weights computes its last feature maps of 224 × 224 images once. Heads are trained on half
of them without augmentation, with the recommended rate and schedule for heads, and tested on the
rest. Heads that take pooled features get the mean of the same maps.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor

from workbench.domain.backbones import IMAGENET_MEAN, IMAGENET_STD
from workbench.learning.heads import HEADS, ClassHead, find_head
from workbench.learning.images.pixels import decode_image
from workbench.learning.networks.backbones import build_body

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RATE, EPOCHS, BATCHES = 0.05, 20, 10


def maps_of(data: Path) -> tuple[Tensor, Tensor]:
    """N × 512 × 13 × 13 feature maps, and the N labels."""
    body, _ = build_body("squeezenet1_0", maps=True)
    weights = load_file(data / "weights" / "squeezenet1_0.safetensors")
    body.load_state_dict({key: weights[key] for key in body.state_dict()})
    body.eval()
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    maps, labels = [], []
    kinds = [folder for folder in sorted((data / "birds6").iterdir()) if folder.is_dir()]
    for label, folder in enumerate(kinds):
        for path in sorted(folder.iterdir()):
            square = decode_image(path, None, 224).permute(2, 0, 1) / 255
            with torch.no_grad():
                maps.append(body(((square - mean) / std)[None])[0])
            labels.append(label)
    return torch.stack(maps), torch.tensor(labels)


def accuracy(name: str, maps: Tensor, labels: Tensor, seed: int) -> float:
    """Top-1 accuracy on the other half, in %."""
    draw = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels.numpy() == c) for c in range(int(labels.max()) + 1)]
    train = np.concatenate([draw.permutation(rows)[: len(rows) // 2] for rows in of_class])
    test = np.setdiff1d(np.arange(len(labels)), train)
    torch.manual_seed(seed)
    kind = find_head(name)
    head = ClassHead(kind(maps.shape[1], {}), len(of_class))
    inputs = maps if kind.needs_maps else maps.mean((2, 3))
    head.begin(lambda *_: [inputs[train]])
    optimizer = torch.optim.SGD(
        head.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * BATCHES)
    for _ in range(EPOCHS):
        for rows in np.array_split(draw.permutation(train), BATCHES):
            optimizer.zero_grad()
            F.cross_entropy(head(inputs[rows]), labels[rows], label_smoothing=0.1).backward()
            optimizer.step()
            schedule.step()
    head.eval()
    with torch.no_grad():
        found = torch.cat([head(inputs[rows]).argmax(1) for rows in np.array_split(test, 8)])
    return 100 * float((found == labels[test]).float().mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heads", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There are no real images at {options.data}; give --data FOLDER.")
        return 1
    maps, labels = maps_of(options.data)
    for name in options.heads or HEADS:
        began = time.monotonic()
        each = [accuracy(name, maps, labels, seed) for seed in range(options.seeds)]
        seconds = (time.monotonic() - began) / len(each)
        listed = ", ".join(f"{value:.2f}" for value in each)
        print(f"{name:>17}: {listed}: mean {np.mean(each):.2f} %, {seconds:.0f} s each", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
