"""What a head makes of a backbone's output before it is scored, and the registry of heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from workbench.domain.methods import Spec, Value
from workbench.domain.registry import Registry


class Features(nn.Module):
    """A head without its classifier: the body's output -> N × `width` features, which a linear or
    joint classifier scores. A subclass has a file of its own in this package, a `spec` and
    `@HEADS.register`.

    With `takes_maps` the body ends in its last map, N × channels × h × w; otherwise in its pooled
    features, N × channels.
    """

    spec: ClassVar[Spec]
    takes_maps: ClassVar[bool] = True
    width: int

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        """`options` are the parameters that differ from their defaults. Raises ValueRefused for
        one that the spec does not allow."""
        super().__init__()
        self.channels = channels
        self.options = self.spec.options({self.spec.name: options})

    def for_channels(self, channels: int) -> Self:
        """A new one of the same kind and options for another number of channels."""
        return type(self)(channels, self.options)

    def begin(self, given: Iterable[Tensor]) -> None:
        """Called once before the first step of a training and never when it resumes; `given` yields
        the body's outputs for the train part, batch by batch. Keep what is found out in parameters
        and buffers."""

    def number(self, name: str) -> int:
        """The value of a whole-number option."""
        return int(self.options[name])


HEADS: Registry[type[Features]] = Registry("head", "spec.name", __package__)
LINEAR = "linear"
_OLD_NAMES = ("class", "joint")  # in model cards from when there was only the linear head


def find_head(name: str) -> type[Features]:
    """The head called `name`, which may be a model card's old name for the linear head. Raises
    ValueRefused, which lists the known names."""
    return HEADS.find(LINEAR if name in _OLD_NAMES else name)
