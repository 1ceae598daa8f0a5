"""DELTA: keep the last feature maps close to the start's, weighted by importance."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import Message, mark
from workbench.learning.frozen_cache.prefix import units
from workbench.learning.methods.base import Batch, InitialState, Setup, remember
from workbench.learning.networks.models import BODY, Network
from workbench.learning.networks.probe import linear_probe, pooled
from workbench.learning.penalties.base import (
    HEAD_INPUT,
    PENALTIES,
    Penalty,
    Watched,
    watching,
)
from workbench.learning.penalties.distance import inside
from workbench.learning.penalties.stages import modules_up_to, stage_strengths, unfrozen_stages
from workbench.learning.protocol.reporting import Preparation

SOURCE = (
    "Li et al. 2019, DELTA: deep learning transfer using feature map with attention for "
    "convolutional networks"
)


@PENALTIES.register
class Delta(Penalty):
    """α/2 · Σ_j C·W_j · ‖FM_j(w, x) − FM_j(w⁰, x)‖² / (H·W), mean over the batch.

    FM_j is channel j of the backbone's last feature maps, B × C × H × W, w⁰ the start weights;
    without effect where these are frozen. W is a softmax over the C channels of the loss increase
    when channel j of the source network is switched off, on `images` training images, with a linear
    head fitted to the source features. Only what follows the maps is computed again for a channel.
    Increases are divided by their standard deviation and by `temperature`: a few channels are
    strong outliers, and at 1 a single one would get nearly all of the weight, which makes training
    diverge. "gradient" approximates the increase to first order, −FM_j · ∂loss/∂FM_j summed over
    the map.

    The weights up to the maps have no weight decay: they are drawn to the start, not to zero.
    """

    spec = Spec(
        name="delta",
        kind="penalty",
        title=mark("DELTA"),
        description=mark("Keeps feature maps that matter for these labels close to the start."),
        source=SOURCE,
        parameters=(
            Parameter(name="alpha", default=0.01, low=0.0, description=mark("strength")),
            Parameter(
                name="images",
                default=64,
                low=1,
                description=mark("images used to weight the channels"),
            ),
            Parameter(
                name="importance",
                default="ablation",
                choices=("ablation", "gradient", "equal"),
                description=mark("measure of channel importance"),
            ),
            Parameter(
                name="temperature",
                default=5.0,
                low=0.01,
                description=mark("temperature of channel importance; higher is more even"),
            ),
        ),
        needs=("start", "one label"),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.source = copy.deepcopy(setup.network).requires_grad_(False).eval()
        self.extra.source = self.source
        self._recipe, self._strengths = setup.recipe, stage_strengths(setup.recipe)
        name, channels = self._last_maps(setup)
        self.watched = (name,) if name else ()
        if name:
            remember(self.extra, _buffer(name), torch.full((channels,), 1 / channels))

    def replaces_decay(self, network: Network) -> list[nn.Parameter]:
        prefixes = tuple(m for name in self.watched for m in modules_up_to(self._recipe, name))
        return [
            parameter
            for name, parameter in network.named_parameters()
            if name.startswith(BODY) and inside(name.removeprefix(BODY), prefixes)
        ]

    def begin(self, initial: InitialState) -> None:
        self.source.load_state_dict(initial.network.state_dict())
        if self.options["importance"] == "equal" or not self.watched:
            return
        (name,), source, work = self.watched, self.source, initial.work
        text = Message("Reading feature maps of the start weights")
        maps, features, labels = [], [], []
        with torch.no_grad(), watching(source, (name, HEAD_INPUT)) as seen:
            for batch in initial.batches(text, int(self.number("images"))):
                source(batch.images)
                known = batch.targets >= 0
                maps.append(seen[name][known].float())
                features.append(pooled(seen[HEAD_INPUT][known]).float())
                labels.append(batch.targets[known])
        if not any(map(len, labels)):
            return
        after = tail_after(source.body, name.removeprefix(BODY), self._recipe.image_size)
        data = Maps(torch.cat(maps), torch.cat(features), torch.cat(labels), after)
        by_ablation = self.options["importance"] == "ablation"
        rise = data.ablated(work) if by_ablation else data.by_gradient(work)
        scale = rise.std().clamp(min=1e-12) * self.number("temperature")
        remember(self.extra, _buffer(name), (rise / scale).softmax(0))

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        if not self.watched:
            return batch.images.new_zeros(())
        (name,), device = self.watched, batch.images.device.type
        half = watched[name].dtype
        with (
            torch.no_grad(),
            torch.autocast(device, half, enabled=half != torch.float32),
            watching(self.source, self.watched) as before,
        ):
            self.source(batch.images)
        change = (watched[name].float() - before[name].float()).square()
        per_channel = change.flatten(2).mean(2) if change.ndim == 4 else change
        weights = getattr(self.extra, _buffer(name))
        strength = len(weights) * self._strengths.get(name, 1.0)
        total: Tensor = strength * (per_channel.mean(0) * weights).sum()
        return self.number("alpha") / 2 * total

    @torch.no_grad()
    def _last_maps(self, setup: Setup) -> tuple[str, int]:
        """Name and channels of the last trained stage whose output is a map, or else of the last
        trained stage; "" and 0 if none is trained."""
        known = dict(self.source.named_modules())  # map-based bodies lack the last stages
        names = tuple(name for name in unfrozen_stages(setup.recipe) if name in known)
        size, device = setup.recipe.image_size, next(self.source.parameters()).device
        with watching(self.source, names) as seen:
            self.source(torch.zeros(1, 3, size, size, device=device))
        maps = [name for name in names if seen[name].ndim == 4] or list(names)
        return (maps[-1], seen[maps[-1]].shape[1]) if maps else ("", 0)


@dataclass(frozen=True)
class Maps:
    """Feature maps of N images, N × C × H × W, the head's inputs N × D that `after` computes from
    them, and N labels."""

    maps: Tensor
    features: Tensor
    labels: Tensor
    after: nn.Module

    def ablated(self, work: Preparation) -> Tensor:
        """Increase of the loss when each channel is switched off, C. Raises Interrupted."""
        loss, given = self._loss(work), self._given()
        with torch.no_grad():
            base = loss(given, self.labels)
            rise = torch.zeros(given.shape[1], device=given.device)
            text = Message("Weighing feature channels")
            for channel in work.each(range(len(rise)), len(rise), text):
                for maps, labels in self._pieces(given):
                    kept = maps[:, channel].clone()
                    maps[:, channel] = 0
                    rise[channel] += loss(maps, labels)
                    maps[:, channel] = kept
                    work.check()
        return rise - base

    def by_gradient(self, work: Preparation) -> Tensor:
        """First order of `ablated`: −FM · ∂loss/∂FM, summed over the map."""
        loss, given = self._loss(work), self._given()
        rise = torch.zeros(given.shape[1], device=given.device)
        for piece, labels in self._pieces(given):
            maps = piece.detach().requires_grad_()
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(loss(maps, labels), maps)
            rise -= (piece * slope).sum(dim=[0, *range(2, piece.ndim)])
            work.check()
        return rise

    def _is_pooling(self) -> bool:
        """Whether nothing but pooling follows, so that pooled maps give the same result."""
        ours = pooled(self.maps)
        return ours.shape == self.features.shape and torch.allclose(
            ours, self.features, rtol=1e-3, atol=1e-5
        )

    def _given(self) -> Tensor:
        return pooled(self.maps) if self._is_pooling() else self.maps

    def _loss(self, work: Preparation) -> Callable[[Tensor, Tensor], Tensor]:
        """Sum of the losses of a linear head on the source features."""
        classes = int(self.labels.max().clamp(min=0)) + 1
        head = linear_probe(self.features, self.labels, classes, check=work.check)
        pooling = self._is_pooling()

        def loss(maps: Tensor, labels: Tensor) -> Tensor:
            # a copy, since activations may work in place
            features = maps if pooling else self.after(maps.clone())
            return F.cross_entropy(head(pooled(features)), labels, reduction="sum")

        return loss

    def _pieces(self, given: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Parts of few images, where their computation is long."""
        convolves = any(isinstance(module, nn.Conv2d) for module in self.after.modules())
        count = 4 if convolves else 64
        return zip(torch.split(given, count), torch.split(self.labels, count), strict=True)


def tail_after(body: nn.Module, name: str, size: int) -> nn.Module:
    """What a body runs after its module `name`, applied to that module's output. `size` is the side
    of the body's images."""
    row = list(units(body))
    inside = [at for at, (path, _) in enumerate(row) if f"{path}.".startswith(f"{name}.")]
    if not inside:
        return _Resumed(body, name, size)
    return nn.Sequential(*(module for _, module in row[inside[-1] + 1 :]))


class _Resumed(nn.Module):
    """A body that is no sequence, continued from given outputs of its module `name`."""

    def __init__(self, body: nn.Module, name: str, size: int) -> None:
        super().__init__()
        self.body, self._name, self._size = body, name, size

    def forward(self, maps: Tensor) -> Tensor:
        module = self.body.get_submodule(self._name)
        hook = module.register_forward_hook(lambda *_: maps)
        try:
            images = torch.zeros(len(maps), 3, self._size, self._size, device=maps.device)
            found: Tensor = self.body(images)
        finally:
            hook.remove()
        return found


def _buffer(name: str) -> str:
    """Buffer name without dots."""
    return name.replace(".", "/")
