"""Which stages of a backbone a penalty looks at, and a channel that is switched off."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.recipes import Recipe
from workbench.learning.networks.models import BODY


def unfrozen_stages(recipe: Recipe) -> tuple[str, ...]:
    """Module names, for `Network.get_submodule`, of what each stage that goes on learning from its
    start weights gives."""
    known = backbone(recipe.backbone)
    frozen = set(recipe.frozen_modules)
    return tuple(
        BODY + stage.modules[-1]
        for stage in known.stages
        if not frozen.issuperset(stage.modules) and not is_new(recipe, stage.name)
    )


def is_new(recipe: Recipe, stage: str) -> bool:
    """Whether a stage begins anew rather than from the start weights."""
    return stage in recipe.stages and recipe.stages[stage].start == "new"


def new_modules(recipe: Recipe) -> tuple[str, ...]:
    """Module prefixes of the backbone's stages that begin anew."""
    stages = backbone(recipe.backbone).stages
    return tuple(m for stage in stages if is_new(recipe, stage.name) for m in stage.modules)


def stage_strengths(recipe: Recipe) -> dict[str, float]:
    """What a penalty's strength is multiplied with, by the module names of the stages that the
    recipe singles out."""
    return {
        BODY + module: recipe.stages[stage.name].penalty
        for stage in backbone(recipe.backbone).stages
        for module in stage.modules
        if stage.name in recipe.stages
    }


@contextmanager
def switched_off(module: nn.Module, channel: int) -> Generator[None, None, None]:
    """Within the block one channel of what the module gives is 0."""

    def off(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, channel] = 0
        return changed

    hook = module.register_forward_hook(off)
    try:
        yield
    finally:
        hook.remove()
