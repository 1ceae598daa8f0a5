"""Training methods by name. A method owns its forward pass and its loss, so that one loop serves
all."""

from workbench.learning.methods.base import METHODS, Batch, Beginning, Method, Setup, Unlabelled

__all__ = ["METHODS", "Batch", "Beginning", "Method", "Setup", "Unlabelled"]
