"""DELTA: keep feature maps of the unfrozen stages close to the start, weighted by importance."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import Batch, InitialState, Setup, remember
from workbench.learning.networks.models import Network
from workbench.learning.networks.probe import linear_probe, pooled
from workbench.learning.penalties.base import (
    HEAD_INPUT,
    PENALTIES,
    Penalty,
    Watched,
    watching,
)
from workbench.learning.penalties.stages import stage_strengths, switched_off, unfrozen_stages

SOURCE = (
    "Li et al. 2019, DELTA: deep learning transfer using feature map with attention for "
    "convolutional networks"
)


@PENALTIES.register
class Delta(Penalty):
    """α/2 · Σ_layers Σ_j C·W_j · ‖FM_j(w, x) − FM_j(w⁰, x)‖² / (H·W), mean over the batch.

    FM_j is channel j of a stage's B × C × H × W output, w⁰ the start weights; frozen stages are
    skipped. W is a softmax over the C channels of the loss increase when channel j of the source
    network is ablated, on `images` training images, with a linear head fitted to the source
    features. Increases are divided by their standard deviation and by `temperature`: a few channels
    are strong outliers, and at 1 a single one would get nearly all of the weight, which makes
    training diverge. "gradient" approximates the increase to first order, −FM_j · ∂loss/∂FM_j
    summed over the map, in one backward pass; "ablation" ablates every channel in turn, with one
    forward pass per channel.
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
                default="gradient",
                choices=("gradient", "ablation", "equal"),
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
        known = dict(setup.network.named_modules())  # map-based bodies lack the last stages
        self.watched = tuple(name for name in unfrozen_stages(setup.recipe) if name in known)
        self._strengths = stage_strengths(setup.recipe)
        self.source = copy.deepcopy(setup.network).requires_grad_(False).eval()
        self.extra.source = self.source
        for name, channels in self._channels(setup).items():
            remember(self.extra, _buffer(name), torch.full((channels,), 1 / channels))

    def begin(self, initial: InitialState) -> None:
        self.source.load_state_dict(initial.network.state_dict())
        if self.options["importance"] == "equal" or not self.watched:
            return
        batches, seen = [], 0
        for batch in initial.train():
            batches.append(batch)
            seen += len(batch.targets)
            if seen >= self.number("images"):
                break
        self._fit_head(batches)
        by_ablation = self.options["importance"] == "ablation"
        rises = self._ablated(batches) if by_ablation else self._by_gradient(batches)
        for name, rise in rises.items():
            scale = rise.std().clamp(min=1e-12) * self.number("temperature")
            remember(self.extra, _buffer(name), (rise / scale).softmax(0))

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        source = self.source
        half = next(iter(watched.values())).dtype if watched else torch.float32
        device = batch.images.device.type
        with (
            torch.no_grad(),
            torch.autocast(device, half, enabled=half != torch.float32),
            watching(source, self.watched) as before,
        ):
            source(batch.images)
        total = batch.images.new_zeros(())
        for name in self.watched:
            change = (watched[name].float() - before[name].float()).square()
            per_channel = change.flatten(2).mean(2) if change.ndim == 4 else change
            weights = getattr(self.extra, _buffer(name))
            strength = len(weights) * self._strengths.get(name, 1.0)
            total = total + strength * (per_channel.mean(0) * weights).sum()
        return self.number("alpha") / 2 * total

    @torch.no_grad()
    def _channels(self, setup: Setup) -> dict[str, int]:
        """Number of channels of each watched stage."""
        source = self.source
        size, device = setup.recipe.image_size, next(source.parameters()).device
        with watching(source, self.watched) as seen:
            source(torch.zeros(1, 3, size, size, device=device))
        return {name: seen[name].shape[1] for name in self.watched}

    def _fit_head(self, batches: list[Batch]) -> None:
        """Fit a linear head on the source features, for their loss."""
        source = self.source
        features = []
        with torch.no_grad(), watching(source, (HEAD_INPUT,)) as seen:
            for batch in batches:
                source(batch.images)
                features.append(pooled(seen[HEAD_INPUT]).float())
        labels = torch.cat([batch.targets for batch in batches])
        self._head = linear_probe(torch.cat(features), labels, int(labels.max().clamp(min=0)) + 1)

    def _loss(self, batch: Batch) -> Tensor:
        source = self.source
        known = batch.targets >= 0
        with watching(source, (HEAD_INPUT,)) as seen:
            source(batch.images)
        features = pooled(seen[HEAD_INPUT]).float()[known]
        return F.cross_entropy(self._head(features), batch.targets[known], reduction="sum")

    def _by_gradient(self, batches: list[Batch]) -> dict[str, Tensor]:
        source = self.source
        rises: dict[str, Tensor] = {}
        for batch in batches:
            images = batch.images.detach().requires_grad_()
            with watching(source, self.watched) as seen:
                loss = self._loss(Batch(images, batch.targets, batch.views))
            maps = [seen[name] for name in self.watched]
            for name, fm, slope in zip(
                self.watched, maps, torch.autograd.grad(loss, maps), strict=True
            ):
                rise = -(fm * slope).detach().float().sum(dim=[0, *range(2, fm.ndim)])
                rises[name] = rises.get(name, torch.zeros_like(rise)) + rise
        return rises

    @torch.no_grad()
    def _ablated(self, batches: list[Batch]) -> dict[str, Tensor]:
        source = self.source
        base = torch.stack([self._loss(batch) for batch in batches]).sum()
        rises = {}
        for name in self.watched:
            weights = getattr(self.extra, _buffer(name))
            rise = torch.zeros_like(weights)
            for channel in range(len(weights)):
                with switched_off(source.get_submodule(name), channel):
                    rise[channel] = torch.stack([self._loss(b) for b in batches]).sum() - base
            rises[name] = rise
        return rises


def _buffer(name: str) -> str:
    """Buffer name without dots."""
    return name.replace(".", "/")
