"""AdamW first, then SGD from the best weights: fast to a good place, slow to a better one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from workbench.domain.recipes import ADAMW_SHARE

PATIENCE = 2  # epochs without a rise after which accuracy has stopped rising


class AdamWThenSGD(Optimizer):
    """Steps of AdamW until `watch` has seen the accuracy stop rising; then the network goes back to
    its best weights and SGD goes on, for good (AT-CNN, with Adam). `param_groups` have
    the rates of SGD, of which AdamW takes a share."""

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, momentum: float, fused: bool
    ) -> None:
        super().__init__([dict(group) for group in groups], {"lr": lr})
        self._adamw = AdamW([dict(group) for group in groups], lr=lr, fused=fused)
        self._sgd = SGD(
            [dict(group) for group in groups],
            lr=lr,
            momentum=momentum,
            nesterov=momentum > 0,
            fused=fused,
        )
        self.switched = False
        self._best = -1.0
        self._waited = 0
        self._weights: dict[str, Tensor] = {}

    @property
    def active(self) -> Optimizer:
        """The one whose steps are taken now."""
        return self._sgd if self.switched else self._adamw

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        share = 1.0 if self.switched else ADAMW_SHARE
        for mine, its in zip(self.param_groups, self.active.param_groups, strict=True):
            its["lr"] = share * mine["lr"]
        self.active.step(closure)

    @torch.no_grad()
    def watch(self, accuracy: float, network: nn.Module) -> bool:
        """Take note of the accuracy after an epoch; True where this is the moment of the switch."""
        if self.switched:
            return False
        if accuracy > self._best:
            self._best, self._waited = accuracy, 0
            self._weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
            return False
        self._waited += 1
        if self._waited < PATIENCE:
            return False
        network.load_state_dict(self._weights)
        self.switched, self._weights = True, {}
        return True

    def state_dict(self) -> dict[str, Any]:
        """Both optimisers, and how far the watch has come."""
        return {
            "adamw": self._adamw.state_dict(),
            "sgd": self._sgd.state_dict(),
            "switched": self.switched,
            "best": self._best,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to what `state_dict` gave."""
        self._adamw.load_state_dict(state_dict["adamw"])
        self._sgd.load_state_dict(state_dict["sgd"])
        self.switched = bool(state_dict["switched"])
        self._best = float(state_dict["best"])
        self._waited = int(state_dict["waited"])
        self._weights = dict(state_dict["weights"])
