"""What a training says of itself when it begins or goes on."""

from __future__ import annotations

from workbench.domain.reports import Started
from workbench.learning.loop.loop import Loop, State


def started(loop: Loop, state: State) -> Started:
    """Where it runs, how large it is, and at which epoch and step it takes up its work."""
    parameters = list(loop.network.parameters())
    return Started(
        device=loop.device.words,
        precision=state.precision,
        batch=loop.recipe.batch,
        parameters=sum(p.numel() for p in parameters),
        trained_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        images=loop.images.counts(),
        epoch=state.epoch,
        step=state.step,
    )
