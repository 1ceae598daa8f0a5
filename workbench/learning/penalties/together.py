"""All penalties of a recipe as one term."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from workbench.learning.methods.base import Batch, InitialState, Setup
from workbench.learning.networks.models import Network
from workbench.learning.penalties.base import HEAD_INPUT, Watched, find_penalties, watching


class Penalties:
    """Sum of a recipe's penalties; `extra` holds their modules."""

    def __init__(self, setup: Setup) -> None:
        self.each = [penalty(setup) for penalty in find_penalties(setup.recipe.penalty)]
        self.extra = nn.ModuleList([penalty.extra for penalty in self.each])
        self._watched = tuple(dict.fromkeys(name for p in self.each for name in p.watched))

    @property
    def replace_decay(self) -> bool:
        """Whether any penalty replaces the optimizer's weight decay."""
        return any(penalty.replaces_decay for penalty in self.each)

    def begin(self, initial: InitialState) -> None:
        """Initialise all penalties from the start network."""
        for penalty in self.each:
            penalty.begin(initial)

    def watching(self, network: Network) -> AbstractContextManager[Watched]:
        """Capture the watched outputs of the first forward pass with a gradient."""
        return watching(network, self._watched, first=True)

    def watch_any(self, network: Network, modules: set[nn.Module]) -> bool:
        """Whether any of these modules is watched."""
        names = [name for name in self._watched if name != HEAD_INPUT]
        return any(network.get_submodule(name) in modules for name in names)

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor | None:
        """The sum, a scalar; None without penalties."""
        if not self.each:
            return None
        return torch.stack([p.value(network, batch, watched).float() for p in self.each]).sum()
