"""L2 and L2-SP: distance of the weights from zero, or from the start weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import Batch, InitialState, Setup, remember
from workbench.learning.networks.models import BODY, Network
from workbench.learning.penalties.base import PENALTIES, Penalty, Watched
from workbench.learning.penalties.stages import new_modules, stage_strengths

SOURCE = (
    "Li, Grandvalet and Davoine 2018, Explicit inductive bias for transfer learning with "
    "convolutional networks"
)


@PENALTIES.register
class L2(Penalty):
    """α/2 · Σ w² over all trained weights except biases and normalisation."""

    spec = Spec(
        name="l2",
        kind="penalty",
        title=mark("L2"),
        description=mark(
            "Pulls every weight towards zero, like weight decay but as part of the loss."
        ),
        source="Krogh and Hertz 1991, A simple weight decay can improve generalization",
        parameters=(Parameter(name="alpha", default=1e-3, low=0.0, description=mark("strength")),),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._strengths = stage_strengths(setup.recipe)

    def replaces_decay(self, network: Network) -> list[nn.Parameter]:
        return list(network.parameters())

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        return (
            self.number("alpha")
            / 2
            * sum_of_squares((p, factor_of(name, self._strengths)) for name, p in learned(network))
        )


@PENALTIES.register
class L2SP(Penalty):
    """α/2 · ‖w_shared − w⁰‖² + β/2 · ‖w_new‖²: w_shared are the backbone's trained weights, w⁰
    their start weights, w_new the head's.

    With `up_to` naming a stage, the backbone's weights above it are pulled towards zero with β
    instead, as are reinitialised stages. The recipe's stages scale α and β.
    """

    spec = Spec(
        name="l2-sp",
        kind="penalty",
        title=mark("L2-SP"),
        description=mark("Pulls the backbone towards its start weights instead of towards zero."),
        source=SOURCE,
        parameters=(
            Parameter(
                name="alpha", default=0.01, low=0.0, description=mark("pull to the start weights")
            ),
            Parameter(
                name="beta", default=0.01, low=0.0, description=mark("pull of new weights to zero")
            ),
            Parameter(
                name="up_to",
                default="all",
                description=mark("last stage pulled to the start weights"),
            ),
        ),
        needs=("start",),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        shared = shared_modules(setup.recipe.backbone, str(self.options["up_to"]))
        fresh = new_modules(setup.recipe)
        self._shared = {
            name
            for name, _ in learned(setup.network)
            if name.startswith(BODY)
            and inside(name.removeprefix(BODY), shared)
            and not inside(name.removeprefix(BODY), fresh)
        }
        self._strengths = stage_strengths(setup.recipe)
        self._keep(setup.network)

    def replaces_decay(self, network: Network) -> list[nn.Parameter]:
        return list(network.parameters())

    def begin(self, initial: InitialState) -> None:
        self._keep(initial.network)

    def _keep(self, network: Network) -> None:
        for name, parameter in learned(network):
            if name in self._shared:
                remember(self.extra, _buffer(name), parameter)

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        kept = dict(self.extra.named_buffers())
        shared, new = [], []
        for name, parameter in learned(network):
            factor = factor_of(name, self._strengths)
            if name in self._shared:
                shared.append((parameter - kept[_buffer(name)], factor))
            else:
                new.append((parameter, factor))
        alpha, beta = self.number("alpha"), self.number("beta")
        return alpha / 2 * sum_of_squares(shared) + beta / 2 * sum_of_squares(new)


def learned(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Trained weights by name, except biases and normalisation (vectors)."""
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            yield name, parameter


def sum_of_squares(tensors: Iterable[tuple[Tensor, float]]) -> Tensor:
    """Σ factor · ‖tensor‖²; 0 without tensors."""
    sums = [factor * tensor.float().square().sum() for tensor, factor in tensors]
    return torch.stack(sums).sum() if sums else torch.zeros(())


def shared_modules(name: str, up_to: str) -> tuple[str, ...] | None:
    """Module prefixes up to a stage, None for "all". Raises ValueRefused for an unknown stage."""
    return None if up_to == "all" else backbone(name).frozen_modules(up_to)


def factor_of(name: str, strengths: dict[str, float]) -> float:
    """Factor of a parameter's stage; 1 by default."""
    found = [factor for prefix, factor in strengths.items() if name.startswith(prefix + ".")]
    return found[0] if found else 1.0


def inside(name: str, prefixes: tuple[str, ...] | None) -> bool:
    """Whether a parameter is in one of the modules `prefixes` (None: any)."""
    return prefixes is None or any(name.startswith(prefix + ".") for prefix in prefixes)


def _buffer(name: str) -> str:
    """Buffer name without dots."""
    return name.replace(".", "/")
