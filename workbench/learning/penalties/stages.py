"""Stages that a penalty applies to, and channel ablation."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.recipes import Recipe
from workbench.learning.networks.models import BODY


def unfrozen_stages(recipe: Recipe) -> tuple[str, ...]:
    """Names, for `Network.get_submodule`, of the output module of each stage trained from its start
    weights."""
    known = backbone(recipe.backbone)
    frozen = set(recipe.frozen_modules)
    return tuple(
        BODY + stage.modules[-1]
        for stage in known.stages
        if not frozen.issuperset(stage.modules) and not is_new(recipe, stage.name)
    )


def is_new(recipe: Recipe, stage: str) -> bool:
    """Whether a stage is reinitialised instead of using the start weights."""
    return stage in recipe.stages and recipe.stages[stage].start == "new"


def new_modules(recipe: Recipe) -> tuple[str, ...]:
    """Module prefixes of the backbone's reinitialised stages."""
    stages = backbone(recipe.backbone).stages
    return tuple(m for stage in stages if is_new(recipe, stage.name) for m in stage.modules)


def stage_strengths(recipe: Recipe) -> dict[str, float]:
    """Penalty factors by module name, for the stages set in the recipe."""
    return {
        BODY + module: recipe.stages[stage.name].penalty
        for stage in backbone(recipe.backbone).stages
        for module in stage.modules
        if stage.name in recipe.stages
    }


@contextmanager
def switched_off(module: nn.Module, channel: int) -> Generator[None, None, None]:
    """Zero one channel of the module's output inside the block."""

    def off(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, channel] = 0
        return changed

    hook = module.register_forward_hook(off)
    try:
        yield
    finally:
        hook.remove()
