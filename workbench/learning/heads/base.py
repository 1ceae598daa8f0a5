"""What a head makes of a backbone's features before they are scored, and the registry of heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Spec, Value


class Features(nn.Module):
    """A head's own part: what the body gives -> N × `width` features, which a linear or joint
    classifier scores. A subclass is one file with a `spec`, registered by `@register`.

    With `takes_maps` the body ends in its last map, N × channels × h × w; otherwise in its pooled
    features, N × channels.
    """

    spec: ClassVar[Spec]
    takes_maps: ClassVar[bool] = True
    width: int

    def __init__(self, channels: int, options: Mapping[str, Value]) -> None:
        """`options` are the parameters that differ from their defaults. Raises ValueRefused for
        those that the spec does not allow."""
        super().__init__()
        self.channels = channels
        self.options = self.spec.options({self.spec.name: options})

    def for_channels(self, channels: int) -> Self:
        """A fresh one of the same kind and options for another number of channels."""
        return type(self)(channels, self.options)

    def begin(self, given: Iterable[Tensor]) -> None:
        """Called once before the first step of a training, never when it is gone on with; `given`
        is what the body gives for the train part, in batches made when they are asked for. What is
        found out belongs in parameters and buffers."""

    def number(self, name: str) -> int:
        """The value of a whole-number option."""
        return int(self.options[name])


HEADS: dict[str, type[Features]] = {}
LINEAR = "linear"
_BEFORE_NAMES = ("class", "joint")  # what model cards said while there was only the linear head


def register(head: type[Features]) -> type[Features]:
    """Make a head known under the name in its spec."""
    HEADS[head.spec.name] = head
    return head


def find_head(name: str) -> type[Features]:
    """The head called `name`; raises ValueRefused naming those there are."""
    name = LINEAR if name in _BEFORE_NAMES else name
    if name not in HEADS:
        raise ValueRefused("head", name, ", ".join(sorted(HEADS)))
    return HEADS[name]
