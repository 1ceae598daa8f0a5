"""Registry of training methods. A method owns its forward pass and its loss; one loop serves
all."""

from workbench.learning.methods.base import METHODS, Batch, InitialState, Method, Setup, Unlabelled

__all__ = ["METHODS", "Batch", "InitialState", "Method", "Setup", "Unlabelled"]
