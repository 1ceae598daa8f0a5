"""Base class and registry of heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from workbench.domain.methods import Spec, Value
from workbench.domain.registry import Registry
from workbench.domain.text import Message

# The body's outputs for at most so many images of the train part (0: all), batch by batch, evenly
# spread; their progress is shown as the message.
Outputs = Callable[[Message, int], Iterable[Tensor]]


class Features(nn.Module):
    """A head without its classifier: body output -> N × `width` features for a linear or joint
    classifier.

    A subclass lives in its own file in this package, defines a `spec` and is registered with
    `@HEADS.register`. With `needs_maps` the body returns its last feature map, N × channels × h ×
    w; otherwise its pooled features, N × channels.
    """

    spec: ClassVar[Spec]
    needs_maps: ClassVar[bool] = True
    width: int

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        """`options` are the parameters that differ from their defaults. Raises ValueRefused for an
        option that the spec does not allow."""
        super().__init__()
        self.channels = channels
        self.options = self.spec.options({self.spec.name: options})

    def for_channels(self, channels: int) -> Self:
        """Create a head of the same kind and options for another number of channels."""
        return type(self)(channels, self.options)

    def begin(self, given: Outputs) -> None:
        """Initialise from the body's outputs for the train part. Called once before the first
        training step, not on resume. Store results in parameters and buffers."""

    def number(self, name: str) -> int:
        """Value of an integer option."""
        return int(self.options[name])


HEADS: Registry[type[Features]] = Registry("head", "spec.name", __package__)
LINEAR = "linear"
_OLD_NAMES = ("class", "joint")  # used in old model cards


def find_head(name: str) -> type[Features]:
    """Find a head by name; old model-card names of the linear head are accepted. Raises
    ValueRefused, listing the known names."""
    return HEADS.find(LINEAR if name in _OLD_NAMES else name)
