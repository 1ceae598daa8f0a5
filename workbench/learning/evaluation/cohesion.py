"""Cohesion domain: compare domains by embeddings of a Siamese micro network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.relatedness import Relatedness, RelatednessRequest, SourceRelatedness
from workbench.learning.eager import Adam
from workbench.learning.evaluation.domain_numbers import (
    Centroids,
    agreeing,
    cosines,
    coverage,
    degree_of_association,
    matched_cosine,
    pair_numbers,
    similarity,
    three_means,
)
from workbench.learning.evaluation.domain_samples import draw_pairs

FEATURES = 64
MARGIN = 1.0
_WIDTHS = ((3, 48, 32, 32), (32, 64, 64, FEATURES))


class MicroNetwork(nn.Module):
    """Two MLPconv blocks with global average pooling: N × 3 × H × W -> N × FEATURES, all ≥ 0.

    A block is a k × k convolution followed by two 1 × 1 convolutions, each with a ReLU (Lin, Chen
    and Yan 2014, "Network in network"); max pooling between the blocks halves the map. Both images
    of a pair share the weights (Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro
    datasets").
    """

    def __init__(self, kernel: int = 5) -> None:
        super().__init__()
        blocks = [_mlpconv(widths, kernel) for widths in _WIDTHS]
        self.layers = nn.Sequential(blocks[0], nn.MaxPool2d(3, 2, 1), blocks[1])

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.layers(images).mean(dim=(2, 3)))


def _mlpconv(widths: tuple[int, int, int, int], kernel: int) -> nn.Sequential:
    given, wide, middle, out = widths
    layers = (
        nn.Conv2d(given, wide, kernel, stride=2, padding=kernel // 2),
        nn.Conv2d(wide, middle, 1),
        nn.Conv2d(middle, out, 1),
    )
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, layer.bias))
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


def energy(one: Tensor, two: Tensor) -> Tensor:
    """E(X_S, X_T) = ‖G(X_S) − G(X_T)‖ for N pairs of embeddings. The gradient at 0 is 0."""
    squared = (one - two).square().sum(dim=1)
    return torch.where(squared > 0, squared, 1.0).sqrt() * (squared > 0)


def pair_loss(energies: Tensor, different: Tensor, margin: float = MARGIN) -> Tensor:
    """Contrastive loss: mean of L_P = E² over pairs of the same kind (`different` = 0) and L_N =
    max(0, margin − E)² over all others (1), which teaches E(positive) + e < E(negative)."""
    alike = energies.square()
    apart = (margin - energies).clamp(min=0).square()
    return torch.where(different.bool(), apart, alike).mean()


RATE = 1e-3
CHUNK = 128
Array = NDArray[np.float64]


@dataclass(frozen=True)
class DomainImages:
    """Images of a domain: N × side × side × 3 bytes, with the class and view name of each image (""
    for an unknown view)."""

    name: str
    pixels: Tensor
    classes: tuple[str, ...]
    views: tuple[str, ...]


@dataclass(frozen=True)
class TrainedEmbeddings:
    """Embeddings of all images (N × d), and the mean energies of the last pairs of each kind."""

    embeddings: Array
    same: float
    different: float


def compare(
    domains: Sequence[DomainImages],
    request: RelatednessRequest,
    progress: Callable[[int, int], bool],
) -> Relatedness | None:
    """Compare the first domain with the others. Returns None when `progress(done, total)` returns
    True (cancel).

    Views are used only if every domain has images of at least two views.
    """
    began = time.monotonic()
    where = np.repeat(np.arange(len(domains)), [len(domain.classes) for domain in domains])
    pixels = _pixels(torch.cat([domain.pixels for domain in domains]))
    kinds = [_numbered([name for domain in domains for name in domain.classes])]
    if all(len({*domain.views} - {""}) > 1 for domain in domains):
        kinds.append(_numbered([name for domain in domains for name in domain.views]))
    learned: list[TrainedEmbeddings] = []
    trainings = [(repeat, at) for repeat in range(request.networks) for at in range(len(kinds))]
    for repeat, at in trainings:
        for done in _learn(pixels, kinds[at], where, request, [request.seed, repeat, at]):
            if isinstance(done, TrainedEmbeddings):
                learned.append(done)
            elif progress(len(learned) * request.steps + done, len(trainings) * request.steps):
                return None
    every = []
    for start in range(0, len(learned), len(kinds)):
        embeddings = [found.embeddings for found in learned[start : start + len(kinds)]]
        every.append(list(_sources(domains, embeddings, where, request)))
    sources = [_combined(found) for found in zip(*every, strict=True)]
    return Relatedness(
        sources=tuple(sorted(sources, key=lambda one: (-one.doa, -one.similarity))),
        target=domains[0].name,
        target_images=len(domains[0].classes),
        views=len(kinds) > 1,
        same_energy=_mean([found.same for found in learned[:: len(kinds)]]),
        different_energy=_mean([found.different for found in learned[:: len(kinds)]]),
        seconds=time.monotonic() - began,
    )


def _combined(found: Sequence[SourceRelatedness]) -> SourceRelatedness:
    """Combine the results of several networks for one source: the mean degree, and all other
    figures of the network with the median degree."""
    middle = sorted(found, key=lambda one: one.doa)[len(found) // 2]
    degrees = tuple(one.doa for one in found)
    return msgspec.structs.replace(middle, doa=_mean(degrees), doas=degrees)


def _pixels(pixels: Tensor) -> Tensor:
    """Scale bytes to floats in [−2, 2]."""
    floats = pixels.permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)
    return floats.contiguous(memory_format=torch.channels_last)


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """Map names to numbers, case-insensitively and consistently across domains; −1 for ""."""
    known = {name: at for at, name in enumerate(sorted({n.casefold() for n in names} - {""}))}
    return np.array([known.get(name.casefold(), -1) for name in names], dtype=np.int64)


def _learn(
    pixels: Tensor,
    kinds: NDArray[np.int64],
    where: NDArray[np.int64],
    request: RelatednessRequest,
    seed: list[int],
) -> Iterator[int | TrainedEmbeddings]:
    """Train a micro network on pairs. Yields the step count after each step, then the
    embeddings."""
    random = np.random.default_rng(seed)
    torch.manual_seed(int(random.integers(2**31)))
    network = MicroNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = Adam(network.parameters(), lr=RATE)
    same, different = [0.0], [0.0]
    for step in range(request.steps):
        pairs = draw_pairs(kinds, where, request.batch, random)
        both = network(pixels[torch.from_numpy(np.concatenate((pairs.first, pairs.second)))])
        energies = energy(*both.chunk(2))
        loss = pair_loss(energies, torch.from_numpy(pairs.different))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step >= 0.9 * request.steps:
            found = energies.detach().numpy()
            same += found[pairs.different == 0].tolist()
            different += found[pairs.different == 1].tolist()
        yield step + 1
    with torch.inference_mode():
        embedded = (
            torch.cat([network(chunk) for chunk in torch.split(pixels, CHUNK)]).double().numpy()
        )
    yield TrainedEmbeddings(embedded, _mean(same[1:]), _mean(different[1:]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _sources(
    domains: Sequence[DomainImages],
    embeddings: Sequence[Array],
    where: NDArray[np.int64],
    request: RelatednessRequest,
) -> Iterator[SourceRelatedness]:
    centres: list[list[Centroids]] = []
    means = []
    for embedded in embeddings:
        of_domains = [embedded[where == at] for at in range(len(domains))]
        centres.append([three_means(own, request.seed) for own in of_domains])
        # each domain has equal weight, whatever its number of images
        means.append(np.mean([own.mean(axis=0) for own in of_domains], axis=0))
    for at, domain in enumerate(domains[1:], start=1):
        pairs = [(kind[at], kind[0]) for kind in centres]
        alike = [
            cosines(source.points - mean, target.points - mean)
            for (source, target), mean in zip(pairs, means, strict=True)
        ]
        matched = [matched_cosine(table) for table in alike]
        view = pairs[1] if len(pairs) > 1 else (None, None)
        numbers = pair_numbers(*pairs[0], *view)
        cov = coverage(numbers)
        agree = agreeing(alike[0], alike[1] if len(alike) > 1 else None, request.threshold)
        yield SourceRelatedness(
            name=domain.name,
            doa=degree_of_association(agree, cov),
            doas=(),
            similarity=similarity(matched[0], matched[1] if len(matched) > 1 else None),
            coverage=cov,
            agreeing=int(agree.sum()),
            pairs=agree.size,
            numbers=tuple(float(number) for number in numbers),
            images=len(domain.classes),
        )
