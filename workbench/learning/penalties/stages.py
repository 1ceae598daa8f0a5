"""Stages that a penalty applies to."""

from __future__ import annotations

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


def modules_up_to(recipe: Recipe, name: str) -> tuple[str, ...]:
    """Module prefixes of the backbone's stages up to the one whose output module is `name`, without
    reinitialised stages."""
    found: list[str] = []
    for stage in backbone(recipe.backbone).stages:
        found += stage.modules if not is_new(recipe, stage.name) else ()
        if BODY + stage.modules[-1] == name:
            break
    return tuple(found)


def stage_strengths(recipe: Recipe) -> dict[str, float]:
    """Penalty factors by module name, for the stages set in the recipe."""
    return {
        BODY + module: recipe.stages[stage.name].penalty
        for stage in backbone(recipe.backbone).stages
        for module in stage.modules
        if stage.name in recipe.stages
    }
