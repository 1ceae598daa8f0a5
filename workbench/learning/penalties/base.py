"""Base class and registry of penalties."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.domain.errors import ValueRefused
from workbench.domain.methods import NO_PENALTY, Spec, Value, penalty_names
from workbench.domain.registry import Registry
from workbench.domain.text import Message
from workbench.learning.methods.base import Batch, InitialState, Setup
from workbench.learning.networks.models import Network

HEAD_INPUT = "features"  # key of the head's input in `Watched`
Watched = dict[str, Tensor]


class Penalty(ABC):
    """Base class of penalties on the weights or on intermediate outputs.

    A subclass lives in its own file in this package, defines a `spec` and is registered with
    `@PENALTIES.register`. `watched` names the modules (for `Network.get_submodule`), or HEAD_INPUT,
    whose outputs are passed to `value`: those of the method's first forward pass, on the unmodified
    batch.
    """

    spec: ClassVar[Spec]
    watched: tuple[str, ...] = ()

    def __init__(self, setup: Setup) -> None:
        self.options: dict[str, Value] = self.spec.options(setup.recipe.options)
        self.extra = nn.Module()  # saved in checkpoints only

    def begin(self, initial: InitialState) -> None:  # noqa: B027 - optional
        """Initialise from data. Called once before the first training step, not on resume."""

    def replaces_decay(self, network: Network) -> Collection[nn.Parameter]:
        """Parameters that this penalty pulls somewhere, so that weight decay must not pull them to
        zero."""
        return ()

    @abstractmethod
    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        """The penalty, a scalar."""

    def number(self, name: str) -> float:
        """Value of a numeric option."""
        value = self.options[name]
        assert isinstance(value, int | float)
        return float(value)


PENALTIES: Registry[type[Penalty]] = Registry("penalty", "spec.name", __package__)


def find_penalties(value: str) -> list[type[Penalty]]:
    """Penalties named by a recipe's `penalty`. Raises ValueRefused for an unknown one, listing the
    allowed names."""
    names = penalty_names(value)
    if unknown := [name for name in names if name not in PENALTIES]:
        names_known = ", ".join((NO_PENALTY, *PENALTIES))
        allowed = Message("{names}, or several joined by “+”", names=names_known)
        raise ValueRefused("penalty", unknown[0], allowed)
    return [PENALTIES[name] for name in names]


@contextmanager
def watching(
    network: Network, names: tuple[str, ...], first: bool = False
) -> Generator[Watched, None, None]:
    """Capture the last output of each named module inside the block; with `first`, the first output
    that has a gradient."""
    seen: Watched = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _module, _inputs, output: _put(seen, name, output, first)

    def before(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        _put(seen, HEAD_INPUT, inputs[0], first)

    hooks = []
    for name in names:
        if name == HEAD_INPUT:
            hooks.append(network.head.register_forward_pre_hook(before))
        else:
            hooks.append(network.get_submodule(name).register_forward_hook(keep(name)))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _put(seen: Watched, name: str, output: Tensor, first: bool) -> None:
    if not first:
        seen[name] = output
    elif torch.is_grad_enabled():
        seen.setdefault(name, output)


class Penalties:
    """Sum of a recipe's penalties; `extra` holds their modules."""

    def __init__(self, setup: Setup) -> None:
        self.each = [penalty(setup) for penalty in find_penalties(setup.recipe.penalty)]
        self.extra = nn.ModuleList([penalty.extra for penalty in self.each])
        self._watched = tuple(dict.fromkeys(name for p in self.each for name in p.watched))

    def replace_decay(self, network: Network) -> list[nn.Parameter]:
        """Parameters whose weight decay any penalty replaces."""
        return [found for penalty in self.each for found in penalty.replaces_decay(network)]

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
