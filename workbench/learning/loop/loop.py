"""Training loop: epochs of steps that can be paused, stopped and resumed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import KnownError
from workbench.domain.recipes import Recipe
from workbench.domain.reports import Note, Report
from workbench.domain.runs import CHECKPOINT_FILE, ModelCard, RunLabels
from workbench.domain.text import Message
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.frozen_cache.cache import (
    CachedFeatures,
    CacheRequest,
    ScoredViews,
    find_or_compute,
)
from workbench.learning.frozen_cache.prefix import Split, split
from workbench.learning.frozen_cache.store import FeatureStore
from workbench.learning.images.augment import Augmenter
from workbench.learning.images.data import Images
from workbench.learning.loop.batches import Batches, mix_batch
from workbench.learning.loop.distributed import SINGLE_PROCESS, ProcessGroup, shared_loss
from workbench.learning.methods import Batch, Method
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network
from workbench.learning.optimizers import AdamWThenSGD, Average, rate_factor, set_rate
from workbench.learning.penalties import Penalties
from workbench.learning.precision import autocast


def backward(
    loss: Tensor,
    penalty: Tensor | None,
    parameters: Sequence[nn.Parameter],
    scaler: torch.amp.GradScaler,
    projection: bool,
) -> None:
    """Compute the scaled gradient of loss + penalty.

    With `projection`, if the penalty's gradient h opposes the loss gradient g over all parameters
    (h·g < 0), only its component orthogonal to g is used: h − (h·g / g·g) · g (Wan et al. 2019,
    "Towards making deep transfer learning never hurt").
    """
    if penalty is None or not projection:
        total = loss if penalty is None else loss + penalty
        scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        return
    own = _gradients(scaler.scale(loss), parameters, keep=True)
    other = _gradients(scaler.scale(penalty), parameters, keep=False)
    against = torch.stack([(g * h).sum() for g, h in zip(own, other, strict=True)]).sum()
    length = torch.stack([g.square().sum() for g in own]).sum()
    part = (against.clamp(max=0) / length.clamp(min=torch.finfo(length.dtype).tiny)).detach()
    for parameter, g, h in zip(parameters, own, other, strict=True):
        parameter.grad = g + h - part * g


def _gradients(total: Tensor, parameters: Sequence[nn.Parameter], keep: bool) -> list[Tensor]:
    if not total.requires_grad:
        return [torch.zeros_like(p) for p in parameters]
    found = torch.autograd.grad(total, parameters, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


@dataclass
class State:
    """Progress of a training; with the network and the optimizer, the contents of a checkpoint.

    `epoch` is the current epoch, counted from 1; `step` is its number of completed steps. `sums`
    are the epoch's loss × images, correct images and images so far. `seconds` is the time of the
    training, `epoch_seconds` that of the current epoch, both without pauses.
    """

    epoch: int = 1
    step: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    best_epoch: int = 0
    best_loss: float = math.inf
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    precision: str = "fp32"
    threads: int = 1


@dataclass(frozen=True)
class Learner:
    """Network, method, penalties and optimizer; `frozen` modules stay in evaluation mode."""

    network: Network
    method: Method
    penalties: Penalties
    optimizer: torch.optim.Optimizer
    frozen: list[torch.nn.Module]


class Loop:
    """Run optimizer steps; order and noise are determined by seed, epoch and step."""

    def __init__(
        self,
        recipe: Recipe,
        labels: RunLabels,
        images: Images,
        learner: Learner,
        augmenter: Augmenter,
        device: Device,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.recipe = recipe
        self.images = images
        self.network, self.method = learner.network, learner.method
        self.penalties = learner.penalties
        self.optimizer = learner.optimizer
        self.frozen = learner.frozen
        self.augmenter = augmenter
        self.device = device
        self.group = group
        self.loss = shared_loss(group, self.method, self.network, device, own=recipe.projection)
        self.learned = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.batches = Batches(recipe, labels, images, augmenter, device, group, self.method)
        self.rows, self.steps = self.batches.rows, self.batches.steps
        self.scaler = torch.amp.GradScaler("cuda", enabled=False)
        self.classes = len(labels.target.labels)
        self.average = Average(self.network, recipe.averaging, recipe.epochs * self.steps)
        self.cached: CachedFeatures | None = None
        self._pending: list[tuple[Tensor, Tensor, int]] = []

    def use_precision(self, precision: str) -> None:
        """Train in "fp32", "bf16" or "fp16"."""
        self.precision = precision
        self.scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")

    def cache_features(
        self,
        card: ModelCard,
        store: FeatureStore,
        report: Callable[[Report], None],
        interrupted: Callable[[], bool],
    ) -> None:
        """Load or compute the frozen-feature cache and train on it, if method and penalties
        allow."""
        cut = split(self.network, self.frozen)
        if cut is None or not self._can_use_cache(cut):
            text = Message("The frozen stages cannot be cached: every step computes them.")
            report(Note(text=text, warning=True))
            return
        validation = self.images.of_part("validation")
        request = CacheRequest(
            *(self.recipe, self.images, self.augmenter, card, self.device, self.precision),
            *(self.rows, validation),
        )
        maps = find_or_compute(request, cut, store, report, interrupted)
        self.cached = None if maps is None else CachedFeatures(request, maps, cut.tail)

    def scores_from_cache(
        self,
        rows: NDArray[np.int64],
        scorer: Scorer,
        store: FeatureStore,
        report: Callable[[Report], None],
        interrupted: Callable[[], bool],
    ) -> NDArray[np.float32] | None:
        """Probabilities of the images `rows` from cached features; None without a cache, without
        free space in the store, or if interrupted."""
        cut = split(self.network, self.frozen)
        if self.cached is None or cut is None:
            return None
        views = ScoredViews(self.images, rows, scorer.card, self.device, self.precision)
        maps = find_or_compute(views, cut, store, report, interrupted, spare_others=True)
        if maps is None:
            return None
        return views.scores(scorer, cut.tail, maps, 2 * self.recipe.batch)

    def _can_use_cache(self, cut: Split) -> bool:
        """Whether nothing needs the images or outputs before the split."""
        before = {module for _, unit in cut.steps for module in unit.modules()}
        plain = type(self.network) is Network and self.recipe.mix == "none"
        plain = plain and self.group.size == 1  # shards differ between steps
        return (
            plain
            and self.method.supports_cache
            and not self.penalties.watch_any(self.network, before)
        )

    def rate(self, epoch: int, step: int) -> float:
        """The body's learning rate in a step of an epoch."""
        at = (epoch - 1) * self.steps + step
        return self.recipe.learning_rate * rate_factor(self.recipe, at, self.steps)

    def steps_of(self, state: State) -> Iterator[tuple[int, float]]:
        """Take the remaining steps of the state's epoch. Yields the batch size and learning rate
        after each step."""
        self.network.train()
        for module in self.frozen:
            module.eval()
        for batch in self.batches.of_epoch(state.epoch, state.step, self.cached):
            rate = self.rate(state.epoch, state.step)
            self._step(batch, (state.epoch - 1) * self.steps + state.step, rate)
            state.step += 1
            yield len(batch.targets), rate

    def _step(self, batch: Batch, at: int, rate: float) -> None:
        seed_noise(self.device, self.recipe.seed * 1_000_003 + at + 7_368_787 * self.group.rank)
        set_rate(self.optimizer, rate)
        batch = mix_batch(batch, self.recipe)
        with (
            self.penalties.watching(self.network) as watched,
            autocast(self.device, self.precision),
        ):
            if self.cached:
                loss, scores = self.method.loss(self.cached.network, batch)
            else:
                loss, scores = self.loss(batch)
        penalty = self.penalties.value(self.network, batch, watched)
        self.optimizer.zero_grad(set_to_none=True)
        backward(loss, penalty, self.learned, self.scaler, self.recipe.projection)
        if self.recipe.projection:
            self.group.average_gradients(self.learned)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(at)
        right = batch.right(scores.detach()[:, : self.classes]).sum()
        self._pending.append((loss.detach(), right, len(batch.targets)))

    def settle(self, state: State) -> None:
        """Add the results of pending steps to the state's sums, in one device transfer. Raises
        KnownError if the loss is not finite."""
        if not self._pending:
            return
        losses, rights, counts = zip(*self._pending, strict=True)
        lost_of, right_of = torch.stack(losses).tolist(), torch.stack(rights).tolist()
        for lost, right, count in zip(lost_of, right_of, counts, strict=True):
            if not math.isfinite(lost):
                raise KnownError(
                    "The loss is not finite in epoch {epoch}: training diverged.",
                    "Lower the learning rate ({learning_rate:g}), freeze more stages or use fp32.",
                    epoch=state.epoch,
                    learning_rate=self.recipe.learning_rate,
                )
            for at, value in enumerate((lost * count, right, count)):
                state.sums[at] += value
        self._pending.clear()

    def watch(self, accuracy: float) -> bool:
        """Pass the epoch's accuracy to the optimizer; True if it switches algorithm."""
        optimizer = self.optimizer
        return isinstance(optimizer, AdamWThenSGD) and optimizer.watch(accuracy, self.network)

    def saved(self) -> dict[str, Any]:
        """State dicts for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.saved(),
            "method": self.method.extra.state_dict(),
            "penalties": self.penalties.extra.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore the state returned by `saved`. Raises KnownError if an earlier version of the
        program saved another state for the method or the penalties."""
        self.network.load_state_dict(saved["network"])
        self.average.restore(saved["average"])
        try:
            self.method.extra.load_state_dict(saved["method"])
            self.penalties.extra.load_state_dict(saved["penalties"])
        except RuntimeError as error:
            raise KnownError(
                "It was paused by an earlier version, whose {method} or {penalty} differs.",
                "Delete {file} in the run's folder to start it over.",
                method=self.recipe.method,
                penalty=self.recipe.penalty,
                file=CHECKPOINT_FILE,
            ) from error
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])


def seed_noise(device: Device, seed: int) -> None:
    """Seed the random generators for one step. Unlike `torch.manual_seed`, records no traceback for
    CUDA devices that are not initialised."""
    torch.default_generator.manual_seed(seed)
    if device.kind == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.kind == "mps":
        torch.mps.manual_seed(seed)
