"""A running average of a network's weights: what a training at a high rate has in common."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor

from workbench.learning.networks.models import Network

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
