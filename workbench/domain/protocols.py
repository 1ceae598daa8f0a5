"""Test protocols: how a trained network scores an image. Another one needs no training."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Protocol, get_type_hints

import msgspec
from msgspec import Meta

from workbench.domain.errors import ValueRefused
from workbench.domain.splits import Part
from workbench.domain.text import Message
from workbench.domain.values import allowed_text, checked

LARGEST_SIDE = 2048  # pixels of a resized test image: twice the largest network input
TestResize = Annotated[int, Meta(ge=0, le=LARGEST_SIDE)]
CropChoice = Literal["centre", "centre+whole", "five", "five+whole", "windows"]
WINDOW_CROPS: CropChoice = "windows"
WINDOW_SCALES = (1.0, 1.5, 2.0, 3.0)  # shorter side of the image / window side


ProtocolValue = bool | int | str  # of a key


class ScoringKeys(Protocol):
    """Values with the keys of a test protocol, such as a recipe or a model card."""

    @property
    def test_resize(self) -> int:
        """Side of the resized image in pixels; 0: that of the network input."""

    @property
    def test_crops(self) -> CropChoice:
        """What is scored of it."""

    @property
    def test_mirror(self) -> bool:
        """Whether mirror images are scored too."""


class ScoringProtocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parts of an image that are scored, and how their scores become one.

    Crops of a square of `test_resize` pixels (0: the network input) are averaged; of windows of the
    scales WINDOW_SCALES, which cover the whole image and overlap by half, each class gets its
    highest score (Oquab, Bottou, Laptev and Sivic 2014). `test_mirror` averages the scores of each
    crop or window and its mirror image.
    """

    test_resize: TestResize = 0
    test_crops: CropChoice = "centre+whole"
    test_mirror: bool = True

    @property
    def by_windows(self) -> bool:
        """Whether an image's scores are the highest of its windows."""
        return self.test_crops == WINDOW_CROPS

    @property
    def text(self) -> str:
        """The protocol as `parse_protocol` reads it."""
        return ",".join(f"{key}={_written(getattr(self, key))}" for key in PROTOCOL_KEYS)

    def as_scored(self, image_size: int) -> ScoringProtocol:
        """The protocol without what makes no difference: equal ones give the same scores with an
        input of `image_size` pixels."""
        if self.by_windows or self.test_resize > image_size:
            return self
        return msgspec.structs.replace(self, test_resize=0, test_crops="centre")


PROTOCOL_KEYS = ScoringProtocol.__struct_fields__
_TYPES = get_type_hints(ScoringProtocol, include_extras=True)
_FORM = Message("KEY=VALUE,… with the keys {keys}", keys=", ".join(PROTOCOL_KEYS))


def protocol_of(values: ScoringKeys) -> ScoringProtocol:
    """The test protocol of a recipe or a model card."""
    return ScoringProtocol(
        test_resize=values.test_resize,
        test_crops=values.test_crops,
        test_mirror=values.test_mirror,
    )


def check_protocol(values: ScoringKeys, image_size: int) -> None:
    """Raise ValueRefused for keys that contradict each other, with an input of `image_size`
    pixels."""
    if values.test_crops == WINDOW_CROPS and values.test_resize:
        allowed = Message("0 with test_crops=windows, which have scales of their own")
        raise ValueRefused("test_resize", values.test_resize, allowed)
    if "five" in values.test_crops and values.test_resize <= image_size:
        least = image_size + 1
        allowed = Message("centre, unless test_resize is {least} or more", least=least)
        raise ValueRefused("test_crops", values.test_crops, allowed)


def parse_protocol(text: str, own: ScoringProtocol, image_size: int) -> ScoringProtocol:
    """Read a protocol for a network with an input of `image_size` pixels.

    Keys that `text` lacks are those of `own`; windows need no resized image, so that of `own` is
    dropped. Raises ValueRefused, naming the key, for anything else.
    """
    values: dict[str, ProtocolValue] = {}
    for item in re.split(r"[,\s]+", text.strip(", \t\n")):
        key, sign, value = (part.strip() for part in item.partition("="))
        if not sign or not value:
            raise ValueRefused("protocol", text, _FORM)
        if key in values:
            raise ValueRefused("protocol", text, Message("{key} only once", key=key))
        values[key] = _value(key, value)
    if values.get("test_crops") == WINDOW_CROPS:
        values.setdefault("test_resize", 0)
    return replaced(own, values, image_size)


def replaced(
    own: ScoringProtocol, values: dict[str, ProtocolValue], image_size: int
) -> ScoringProtocol:
    """A copy of `own` with other values. Raises ValueRefused as `parse_protocol`."""
    found = {
        key: checked(key, value, _TYPES[key], allowed_text(_TYPES[key]))
        for key, value in values.items()
    }
    made = msgspec.structs.replace(own, **found)
    if 0 < made.test_resize < image_size:
        allowed = Message("0, or at least {side}, the side of the network input", side=image_size)
        raise ValueRefused("test_resize", made.test_resize, allowed)
    check_protocol(made, image_size)
    return made


def _value(key: str, text: str) -> ProtocolValue:
    """A value as its key needs it; text that is none is returned, to be refused."""
    if key not in PROTOCOL_KEYS:
        sentence = Message("There is no protocol key {key}.", key=key)
        raise ValueRefused(key, text, ", ".join(PROTOCOL_KEYS), sentence)
    if key == "test_resize" and text.isascii() and text.isdigit():
        return int(text)
    return {"true": True, "false": False}.get(text, text) if key == "test_mirror" else text


def _written(value: ProtocolValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class ProtocolScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well a run predicts the images of one part with one protocol.

    `top1` is the accuracy in [0, 1] (of several labels, the share of images whose highest score is
    that of one of their labels), `mean_ap` the mean average precision of several labels;
    `images_per_second` includes the reading of `images` files; `unread` could not be read.
    `weights` is the digest of the weights that were scored, `own` whether this is the protocol of
    the run's recipe.
    """

    protocol: ScoringProtocol
    part: Part
    top1: float
    images: int
    images_per_second: float | None
    mean_ap: float | None = None
    unread: int = 0
    weights: str = ""
    own: bool = False
