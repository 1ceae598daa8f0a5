"""Optimizers of torch that do not load its compiler.

Torch decorates methods of optimizers for `torch.compile`, and the decorators import the compiler,
with sympy and torch.distributed: 1.5 s of CPU and 70 MB in every training. Nothing is compiled
here, so that the functions inside the decorators do the same.
"""

from __future__ import annotations

import inspect

import torch
from torch.optim import LBFGS as _LBFGS
from torch.optim import SGD as _SGD
from torch.optim import Adam as _Adam
from torch.optim import AdamW as _AdamW
from torch.optim import Optimizer as _Optimizer


class Optimizer(_Optimizer):
    """Base class of optimizers."""

    add_param_group = inspect.unwrap(_Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(_Optimizer.load_state_dict)
    state_dict = inspect.unwrap(_Optimizer.state_dict)
    zero_grad = inspect.unwrap(_Optimizer.zero_grad)


class SGD(Optimizer, _SGD):
    """Stochastic gradient descent."""

    step = torch.no_grad()(inspect.unwrap(_SGD.step))


class Adam(Optimizer, _Adam):
    """Adam."""

    step = torch.no_grad()(inspect.unwrap(_Adam.step))


class AdamW(Optimizer, _AdamW):
    """Adam with weight decay apart from the gradient."""

    step = torch.no_grad()(inspect.unwrap(_AdamW.step))


class LBFGS(Optimizer, _LBFGS):
    """L-BFGS, a quasi-Newton method."""
