"""Which stages of a backbone a penalty looks at, and a channel that is switched off."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.recipes import Recipe
from workbench.learning.models import BODY


def unfrozen_stages(recipe: Recipe) -> tuple[str, ...]:
    """Module names, for `Network.get_submodule`, of what each stage that learns gives."""
    known = backbone(recipe.backbone)
    frozen = set(known.frozen_modules(recipe.frozen))
    return tuple(
        BODY + stage.modules[-1] for stage in known.stages if not frozen.issuperset(stage.modules)
    )


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
