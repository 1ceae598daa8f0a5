"""Training methods by name: each owns its forward pass and its loss, so one loop serves all."""

import importlib
import pkgutil

from workbench.learning.methods.base import (
    METHODS,
    Batch,
    Beginning,
    Method,
    Setup,
    Unlabelled,
    find_method,
    register,
)

__all__ = [
    "METHODS",
    "Batch",
    "Beginning",
    "Method",
    "Setup",
    "Unlabelled",
    "find_method",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
