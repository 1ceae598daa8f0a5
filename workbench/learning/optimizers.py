"""Optimizers, learning-rate schedules and weight averaging."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.recipes import ADAMW_SHARE, Recipe
from workbench.learning.eager import SGD, AdamW, Optimizer
from workbench.learning.networks.models import Network

PATIENCE = 2  # epochs without improvement before switching


class AdamWThenSGD(Optimizer):
    """AdamW until the accuracy stops rising (see `watch`), then SGD from the best weights (AT-CNN,
    which uses Adam). `param_groups` hold SGD's learning rates; AdamW uses a fixed share of them."""

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, momentum: float, fused: bool
    ) -> None:
        super().__init__([dict(group) for group in groups], {"lr": lr})
        self._adamw = AdamW([dict(group) for group in groups], lr=lr, fused=fused)
        self._sgd = SGD(
            [dict(group) for group in groups],
            lr=lr,
            momentum=momentum,
            nesterov=momentum > 0,
            fused=fused,
        )
        self.switched = False
        self._best = -1.0
        self._waited = 0
        self._weights: dict[str, Tensor] = {}

    @property
    def active(self) -> Optimizer:
        """The optimizer in use."""
        return self._sgd if self.switched else self._adamw

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the weights with the active optimizer, at its share of the learning rates."""
        share = 1.0 if self.switched else ADAMW_SHARE
        for mine, its in zip(self.param_groups, self.active.param_groups, strict=True):
            its["lr"] = share * mine["lr"]
        self.active.step(closure)

    @torch.no_grad()
    def watch(self, accuracy: float, network: nn.Module) -> bool:
        """Record the accuracy after an epoch; True when switching to SGD."""
        if self.switched:
            return False
        if accuracy > self._best:
            self._best, self._waited = accuracy, 0
            self._weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
            return False
        self._waited += 1
        if self._waited < PATIENCE:
            return False
        network.load_state_dict(self._weights)
        self.switched, self._weights = True, {}
        return True

    def state_dict(self) -> dict[str, Any]:
        """States of both optimizers and of the switch."""
        return {
            "adamw": self._adamw.state_dict(),
            "sgd": self._sgd.state_dict(),
            "switched": self.switched,
            "best": self._best,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the result of `state_dict`."""
        self._adamw.load_state_dict(state_dict["adamw"])
        self._sgd.load_state_dict(state_dict["sgd"])
        self.switched = bool(state_dict["switched"])
        self._best = float(state_dict["best"])
        self._waited = int(state_dict["waited"])
        self._weights = dict(state_dict["weights"])


WARM_UP = 0.3  # share of rising rates in one-cycle (Smith and Topin 2018)
FIRST = 1 / 25  # initial rate, relative to the peak
LAST = 1e-5


Rates = list[tuple[nn.Module, float]]  # modules with their learning-rate factors


def make_optimizer(
    rates: Rates,
    recipe: Recipe,
    device: torch.device,
    undecayed: Collection[nn.Parameter] = (),
) -> Optimizer:
    """Build the optimizer. Each module learns at rate × factor; a shared parameter uses its first
    module's factor; biases, norms and `undecayed` parameters get no weight decay."""
    spared = {id(parameter) for parameter in undecayed}
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    taken: set[int] = set()
    for module, factor in rates:
        for parameter in module.parameters():
            if parameter.requires_grad and id(parameter) not in taken:
                taken.add(id(parameter))
                decays = parameter.ndim > 1 and id(parameter) not in spared
                decay = recipe.weight_decay if decays else 0.0
                found.setdefault((factor, decay), []).append(parameter)
    groups = [
        {"params": chosen, "weight_decay": decay, "factor": factor}
        for (factor, decay), chosen in found.items()
    ]
    fused = device.type in ("cpu", "cuda")
    if recipe.optimizer == "adamw":
        return AdamW(groups, lr=recipe.learning_rate, fused=fused)
    if recipe.optimizer == "adamw-then-sgd":
        return AdamWThenSGD(groups, recipe.learning_rate, recipe.momentum, fused)
    nesterov = recipe.momentum > 0
    return SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused
    )


def stage_rates(body: nn.Module, recipe: Recipe) -> Rates:
    """Modules of a backbone with the learning-rate factors of the recipe's stages, 1 for the
    rest."""
    known = dict(body.named_modules())
    rates: Rates = [
        (known[name], recipe.stages[stage.name].rate)
        for stage in backbone(recipe.backbone).stages
        for name in stage.modules
        if stage.name in recipe.stages and name in known
    ]
    return [*rates, (body, 1.0)]


def rate_factor(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Learning-rate factor at a step, counted from 0 over the whole run."""
    total = max(1, recipe.epochs * steps_per_epoch)
    if recipe.schedule == "constant":
        return 1.0
    if recipe.schedule == "step":
        return float(recipe.step_factor ** (step // steps_per_epoch // recipe.step_epochs))
    if recipe.schedule == "cosine":
        return _between(1.0, 0.0, step / total)
    peak = WARM_UP * total
    if step < peak:
        return _between(FIRST, 1.0, step / peak)
    return _between(1.0, LAST, (step - peak) / max(1.0, total - 1 - peak))


def _between(start: float, end: float, share: float) -> float:
    """Cosine interpolation from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to `rate` × its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def freeze(body: nn.Module, modules: tuple[str, ...]) -> list[nn.Module]:
    """Freeze the parameters of a body's `modules` (name prefixes); missing modules are skipped,
    since map-based bodies lack the last ones.

    Returns the frozen modules, whose normalisation and dropout must stay in evaluation mode.
    """
    known = dict(body.named_modules())
    frozen = [known[name] for name in modules if name in known]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


UPDATE_INTERVAL = 4  # steps between updates of the average


class Average:
    """Exponential moving average of the weights, with a time constant of `share` of all steps
    (Polyak averaging; Tarvainen and Valpola 2017, "Mean teachers"). Early updates have more weight,
    so the initial values fade quickly. `share` 0 disables it."""

    def __init__(self, network: Network, share: float, steps: int) -> None:
        learned = [p for p in network.parameters() if p.requires_grad]
        statistics = [b for b in network.buffers() if b.is_floating_point()]
        self._live = [tensor.detach() for tensor in (*learned, *statistics)] if share > 0 else []
        self._mean = [tensor.clone() for tensor in self._live]
        self._keep = max(0.0, 1 - 1 / max(1.0, share * steps))

    def update(self, step: int) -> None:
        """Update the average after a step, counted from 0 over the whole run."""
        if not self._live or step % UPDATE_INTERVAL:
            return
        keep = min(self._keep, (1 + step) / (10 + step)) ** UPDATE_INTERVAL
        torch._foreach_lerp_(self._mean, self._live, 1 - keep)

    @contextmanager
    def applied(self) -> Generator[None, None, None]:
        """Swap the average into the network inside the block; do not train meanwhile."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for live, mean in zip(self._live, self._mean, strict=True):
            kept = live.clone()
            live.copy_(mean)
            mean.copy_(kept)

    def saved(self) -> list[Tensor]:
        """The averages, for a checkpoint: one tensor per averaged weight, not copied."""
        return self._mean

    def restore(self, saved: list[Tensor]) -> None:
        """Continue with the averages of a checkpoint."""
        for mean, value in zip(self._mean, saved, strict=True):
            mean.copy_(value)
