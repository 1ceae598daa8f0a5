"""Optimizers, learning-rate schedules as functions of progress, and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from workbench.domain.backbones import backbone
from workbench.domain.recipes import ADAMW_SHARE, Recipe
from workbench.learning.networks.models import Network

PATIENCE = 2  # epochs without a rise after which accuracy has stopped rising


class AdamWThenSGD(Optimizer):
    """Steps of AdamW until `watch` has seen the accuracy stop rising; then the network goes back to
    its best weights and SGD goes on, for good (AT-CNN, with Adam). `param_groups` have
    the rates of SGD, of which AdamW takes a share."""

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
        """The one whose steps are taken now."""
        return self._sgd if self.switched else self._adamw

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        share = 1.0 if self.switched else ADAMW_SHARE
        for mine, its in zip(self.param_groups, self.active.param_groups, strict=True):
            its["lr"] = share * mine["lr"]
        self.active.step(closure)

    @torch.no_grad()
    def watch(self, accuracy: float, network: nn.Module) -> bool:
        """Take note of the accuracy after an epoch; True where this is the moment of the switch."""
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
        """Both optimisers, and how far the watch has come."""
        return {
            "adamw": self._adamw.state_dict(),
            "sgd": self._sgd.state_dict(),
            "switched": self.switched,
            "best": self._best,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to what `state_dict` gave."""
        self._adamw.load_state_dict(state_dict["adamw"])
        self._sgd.load_state_dict(state_dict["sgd"])
        self.switched = bool(state_dict["switched"])
        self._best = float(state_dict["best"])
        self._waited = int(state_dict["waited"])
        self._weights = dict(state_dict["weights"])


WARM_UP = 0.3  # share of a one-cycle training that rises (Smith and Topin 2018)
FIRST = 1 / 25  # and where it starts and ends, relative to its peak
LAST = 1e-5


Rates = list[tuple[nn.Module, float]]  # modules and what the learning rate is multiplied with


def make_optimizer(rates: Rates, recipe: Recipe, device: torch.device) -> Optimizer:
    """Every module at its factor times the recipe's rate, a parameter of two at that of the first;
    no decay of biases and norms."""
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    taken: set[int] = set()
    for module, factor in rates:
        for parameter in module.parameters():
            if parameter.requires_grad and id(parameter) not in taken:
                taken.add(id(parameter))
                decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
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
    """A backbone's modules with the factors that the recipe's stages have, 1 for the rest."""
    known = dict(body.named_modules())
    rates: Rates = [
        (known[name], recipe.stages[stage.name].rate)
        for stage in backbone(recipe.backbone).stages
        for name in stage.modules
        if stage.name in recipe.stages and name in known
    ]
    return [*rates, (body, 1.0)]


def rate_factor(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied with at a step counted from 0 over the whole run."""
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
    """Half a cosine from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def freeze(body: nn.Module, modules: tuple[str, ...]) -> list[nn.Module]:
    """Stop the parameters of a body's `modules` (name prefixes) from learning; those are left out
    that the body has not, since it ends in maps.

    Gives the modules, whose normalisation and dropout must stay in evaluation mode.
    """
    known = dict(body.named_modules())
    frozen = [known[name] for name in modules if name in known]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


EVERY = 4  # steps between two looks at the weights; each then counts for as many


class Average:
    """An exponential mean of what is learned, with a time constant of `share` of all steps (Polyak
    averaging; Tarvainen and Valpola 2017, "Mean teachers"). The first looks weigh more, so that the
    random beginning is soon forgotten. `share` 0: no average is kept."""

    def __init__(self, network: Network, share: float, steps: int) -> None:
        learned = [p for p in network.parameters() if p.requires_grad]
        counted = [b for b in network.buffers() if b.is_floating_point()]
        self._live = [tensor.detach() for tensor in (*learned, *counted)] if share > 0 else []
        self._mean = [tensor.clone() for tensor in self._live]
        self._keep = max(0.0, 1 - 1 / max(1.0, share * steps))

    def look(self, step: int) -> None:
        """Take in the weights after a step, counted from 0 over the whole run."""
        if not self._live or step % EVERY:
            return
        keep = min(self._keep, (1 + step) / (10 + step)) ** EVERY
        torch._foreach_lerp_(self._mean, self._live, 1 - keep)

    @contextmanager
    def shown(self) -> Generator[None, None, None]:
        """Within the block the network holds the average; nothing may be learned meanwhile."""
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
        return self._mean

    def restore(self, saved: list[Tensor]) -> None:
        for mean, value in zip(self._mean, saved, strict=True):
            mean.copy_(value)
