"""Penalties by name, each a term added to the loss of whatever method trains."""

import importlib
import pkgutil

from workbench.learning.penalties.base import (
    PENALTIES,
    Penalty,
    find_penalties,
    register,
    watching,
)
from workbench.learning.penalties.together import Penalties

__all__ = ["PENALTIES", "Penalties", "Penalty", "find_penalties", "register", "watching"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
