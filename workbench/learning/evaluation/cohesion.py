"""The cohesion domain: a Siamese micro network compares all domains by their embeddings."""

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
    """Two MLPconv blocks and global average pooling: N × 3 × H × W -> N × FEATURES, none below 0.

    A block is a k × k convolution and two of 1 × 1, a ReLU after each (Lin, Chen and Yan 2014,
    "Network in network"); a max pooling halves the map between the blocks. Both images of a pair go
    through the same weights (Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro
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
    """E(X_S, X_T) = ‖G(X_S) − G(X_T)‖ of N pairs of embeddings; its gradient at 0 is 0."""
    squared = (one - two).square().sum(dim=1)
    return torch.where(squared > 0, squared, 1.0).sqrt() * (squared > 0)


def pair_loss(energies: Tensor, different: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean of L_P = E² over pairs of the same kind (`different` 0) and of L_N = max(0, margin − E)²
    over the others (1): the first rises with the energy, the second falls, so that
    E(positive) + e < E(negative) is what is learned."""
    alike = energies.square()
    apart = (margin - energies).clamp(min=0).square()
    return torch.where(different.bool(), apart, alike).mean()


RATE = 1e-3
CHUNK = 128
Array = NDArray[np.float64]


@dataclass(frozen=True)
class DomainImages:
    """N × side × side × 3 bytes of a domain, with the names of each image's class and view ("" for
    an unknown view)."""

    name: str
    squares: Tensor
    classes: tuple[str, ...]
    views: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """Embeddings of all images (N × d), and the mean energies of the last pairs of each kind."""

    embeddings: Array
    same: float
    different: float


def compare(
    domains: Sequence[DomainImages], order: RelatednessRequest, beat: Callable[[int, int], bool]
) -> Relatedness | None:
    """Compare the first domain with the others; None when `beat(done, total)` says stop.

    Views take part where every domain has images of at least two of them.
    """
    began = time.monotonic()
    where = np.repeat(np.arange(len(domains)), [len(domain.classes) for domain in domains])
    pixels = _pixels(torch.cat([domain.squares for domain in domains]))
    kinds = [_numbered([name for domain in domains for name in domain.classes])]
    if all(len({*domain.views} - {""}) > 1 for domain in domains):
        kinds.append(_numbered([name for domain in domains for name in domain.views]))
    learned: list[Learned] = []
    trainings = [(repeat, at) for repeat in range(order.networks) for at in range(len(kinds))]
    for repeat, at in trainings:
        for done in _learn(pixels, kinds[at], where, order, [order.seed, repeat, at]):
            if isinstance(done, Learned):
                learned.append(done)
            elif beat(len(learned) * order.steps + done, len(trainings) * order.steps):
                return None
    every = []
    for start in range(0, len(learned), len(kinds)):
        embeddings = [found.embeddings for found in learned[start : start + len(kinds)]]
        every.append(list(_sources(domains, embeddings, where, order)))
    sources = [_together(found) for found in zip(*every, strict=True)]
    return Relatedness(
        sources=tuple(sorted(sources, key=lambda one: (-one.doa, -one.similarity))),
        target=domains[0].name,
        target_images=len(domains[0].classes),
        views=len(kinds) > 1,
        same_energy=_mean([found.same for found in learned[:: len(kinds)]]),
        different_energy=_mean([found.different for found in learned[:: len(kinds)]]),
        seconds=time.monotonic() - began,
    )


def _together(found: Sequence[SourceRelatedness]) -> SourceRelatedness:
    """What several networks say of one source: the mean degree, and all other figures of the
    network whose degree is in the middle."""
    middle = sorted(found, key=lambda one: one.doa)[len(found) // 2]
    degrees = tuple(one.doa for one in found)
    return msgspec.structs.replace(middle, doa=_mean(degrees), doas=degrees)


def _pixels(squares: Tensor) -> Tensor:
    """Bytes as floats from −2 to 2."""
    floats = squares.permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)
    return floats.contiguous(memory_format=torch.channels_last)


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each name, the same in all domains whatever its case, -1 for ""."""
    known = {name: at for at, name in enumerate(sorted({n.casefold() for n in names} - {""}))}
    return np.array([known.get(name.casefold(), -1) for name in names], dtype=np.int64)


def _learn(
    pixels: Tensor,
    kinds: NDArray[np.int64],
    where: NDArray[np.int64],
    order: RelatednessRequest,
    seed: list[int],
) -> Iterator[int | Learned]:
    """Train a micro network on pairs; the number of steps done after each, then what it learned."""
    random = np.random.default_rng(seed)
    torch.manual_seed(int(random.integers(2**31)))
    network = MicroNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    same, different = [0.0], [0.0]
    for step in range(order.steps):
        pairs = draw_pairs(kinds, where, order.batch, random)
        both = network(pixels[torch.from_numpy(np.concatenate((pairs.first, pairs.second)))])
        energies = energy(*both.chunk(2))
        loss = pair_loss(energies, torch.from_numpy(pairs.different))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step >= 0.9 * order.steps:
            found = energies.detach().numpy()
            same += found[pairs.different == 0].tolist()
            different += found[pairs.different == 1].tolist()
        yield step + 1
    with torch.inference_mode():
        embedded = (
            torch.cat([network(chunk) for chunk in torch.split(pixels, CHUNK)]).double().numpy()
        )
    yield Learned(embedded, _mean(same[1:]), _mean(different[1:]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _sources(
    domains: Sequence[DomainImages],
    embeddings: Sequence[Array],
    where: NDArray[np.int64],
    order: RelatednessRequest,
) -> Iterator[SourceRelatedness]:
    centres: list[list[Centroids]] = []
    means = []
    for embedded in embeddings:
        of_domains = [embedded[where == at] for at in range(len(domains))]
        centres.append([three_means(own, order.seed) for own in of_domains])
        # every domain counts the same in the mean, however many images of it were drawn
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
        agree = agreeing(alike[0], alike[1] if len(alike) > 1 else None, order.threshold)
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
