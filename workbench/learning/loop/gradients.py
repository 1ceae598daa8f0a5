"""Gradients of a loss and a penalty, added as they are or without their conflict."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def backward(
    loss: Tensor,
    penalty: Tensor | None,
    parameters: Sequence[nn.Parameter],
    scaler: torch.amp.GradScaler,
    projection: bool,
) -> None:
    """Leave the gradient of loss + penalty, scaled, in the parameters.

    With `projection`, where the penalty's gradient h opposes the loss's g over all parameters
    together (h·g < 0), only its part at right angles to g is kept, h − (h·g / g·g) · g (Wan et al.
    2019, "Towards making deep transfer learning never hurt").
    """
    if penalty is None or not projection:
        total = loss if penalty is None else loss + penalty
        scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        return
    own = _gradients(scaler.scale(loss), parameters, keep=True)
    other = _gradients(scaler.scale(penalty), parameters, keep=False)
    against = torch.stack([(g * h).sum() for g, h in zip(own, other, strict=True)]).sum()
    length = torch.stack([g.square().sum() for g in own]).sum()
    part = (against.clamp(max=0) / length.clamp(min=torch.finfo(length.dtype).tiny)).detach()
    for parameter, g, h in zip(parameters, own, other, strict=True):
        parameter.grad = g + h - part * g


def _gradients(total: Tensor, parameters: Sequence[nn.Parameter], keep: bool) -> list[Tensor]:
    if not total.requires_grad:
        return [torch.zeros_like(p) for p in parameters]
    found = torch.autograd.grad(total, parameters, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
