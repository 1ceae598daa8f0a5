"""Registry of penalties: terms added to the loss of any method."""

from workbench.learning.penalties.base import (
    PENALTIES,
    Penalties,
    Penalty,
    find_penalties,
    watching,
)

__all__ = ["PENALTIES", "Penalties", "Penalty", "find_penalties", "watching"]
