"""Linear probe: logistic regression on fixed features."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.learning.eager import LBFGS
from workbench.learning.networks.models import Network

ITERATIONS = 100


def linear_probe(
    features: Tensor,
    labels: Tensor,
    classes: int,
    decay: float = 1e-3,
    scale: bool = True,
    check: Callable[[], object] = lambda: None,
) -> nn.Linear:
    """Fit a multinomial logistic regression of N labels (−1 is ignored) on N × D features.

    Features are scaled to unit deviation for the fit, with a penalty of `decay` × ‖W‖² on the
    scaled weights; the returned layer takes unscaled features. Without `scale`, features are used
    as they are. The fit is deterministic: it starts at zero and uses L-BFGS. `check` is called
    before each evaluation and may raise.
    """
    known = labels >= 0
    x, y = features[known].float(), labels[known]
    layer = nn.Linear(features.shape[1], classes, device=features.device)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    if not len(y):
        return layer.requires_grad_(False)
    centre = x.mean(0) if scale else torch.zeros_like(x[0])
    spread = x.std(0, unbiased=False).clamp(min=1e-6) if scale else torch.ones_like(x[0])
    scaled = (x - centre) / spread
    optimizer = LBFGS(layer.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        check()
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(scaled), y) + decay * layer.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.div_(spread)
        layer.bias.sub_(layer.weight @ centre)
    return layer.requires_grad_(False)


def pooled(features: Tensor) -> Tensor:
    """Average-pool B × D × H × W maps to B × D; vectors are unchanged."""
    return features.mean(dim=(2, 3)) if features.ndim == 4 else features


@torch.no_grad()
def feature_count(network: Network, size: int) -> int:
    """Number of pooled features of the backbone for images of `size` × `size`."""
    mode = network.training
    network.eval()
    device = next(network.parameters()).device
    count = pooled(network.body(torch.zeros(1, 3, size, size, device=device))).shape[1]
    network.train(mode)
    return count
