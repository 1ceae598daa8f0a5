"""Optimisers and learning-rate schedules, each a pure function of how far the training is."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from workbench.domain.backbones import backbone
from workbench.domain.recipes import Recipe
from workbench.learning.two_phases import AdamWThenSGD

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
