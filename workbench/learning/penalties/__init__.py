"""Registry of penalties: terms added to the loss of any method."""

from workbench.learning.penalties.base import PENALTIES, Penalty, find_penalties, watching
from workbench.learning.penalties.together import Penalties

__all__ = ["PENALTIES", "Penalties", "Penalty", "find_penalties", "watching"]
