"""Training methods by name: each owns its forward pass and its loss, so one loop serves all."""

from workbench.learning.methods import fine_tune as fine_tune
from workbench.learning.methods.base import METHODS, Batch, Method

__all__ = ["METHODS", "Batch", "Method"]
