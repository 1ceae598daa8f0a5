"""Recipes: everything that determines a training, as strict TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from workbench.domain.backbones import (
    BACKBONES,
    DEFAULT_BACKBONE,
    StageRule,
    backbone,
    check_rules,
    frozen_stages,
    modules_of,
)
from workbench.domain.errors import ValueRefused

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]

JOINT = "category+view"


ADAMW_SHARE = 0.1  # of SGD's learning rate: AdamW's steps do not shrink with the gradient


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training, fully determined; `domain.advice` says where defaults come from.

    target: the name of a label set ("category", "view", …), or "category+view" (joint head).
    start: "imagenet", "file:PATH", "run:ID" or "none". frozen: "none", a stage's name (it and all
    below stay as they are) or "all" (only the head learns). stages: what differs in single stages,
    as {stage: {start, frozen, rate, penalty}}. head: what makes features of the backbone's maps or
    features before they are scored. method: who owns the forward pass and the loss.
    penalty: "none", or terms added to the loss, several joined by "+". options: what these three
    are set to, as {name: {parameter: value}}. projection drops the part of the penalty's gradient
    that opposes the loss's. learning_rate is that of the backbone, the head's is head_factor times
    it. optimizer "adamw-then-sgd" goes on from the best weights with SGD when accuracy stops
    rising; its AdamW takes ADAMW_SHARE of the rate. sampling "balanced" shows as many images of
    every class in an epoch of the same length, "square-root" as many as the roots of their sizes
    say. mix blends two images of a batch by a share drawn from Beta(mix_alpha, mix_alpha): "mixup"
    all over, "cutmix" as a pasted rectangle.
    crop_scale is the smallest share of the area kept by the random crop; rotation in degrees;
    brightness and contrast relative.
    test_mirror averages the scores of an image and its mirror. test_resize: side of the square that
    is scored at test; 0 = the image size, and one look. test_crops: what is looked at of a larger
    one, its "centre", the "five" of centre and corners, with "+whole" all of it, reduced, too.
    averaging: the weights kept are a running mean over about this share of all steps, 0 = the last
    ones. cache: augmentations per image, shown in turn, of which the frozen stages' maps are kept
    on the disk; 0 = a new one each epoch. early_stopping: epochs without better validation loss,
    0 = off.
    """

    target: str
    backbone: str = DEFAULT_BACKBONE
    start: str = "imagenet"
    frozen: str = "none"
    stages: dict[str, StageRule] = {}
    head: str = "linear"
    method: str = "fine-tune"
    penalty: str = "none"
    projection: bool = False
    options: dict[str, dict[str, bool | int | float | str]] = {}
    epochs: Count = 20
    batch: Count = 32
    learning_rate: Positive = 0.005
    head_factor: Positive = 10.0
    optimizer: Literal["sgd", "adamw", "adamw-then-sgd"] = "sgd"
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 1e-4
    schedule: Literal["one-cycle", "cosine", "step", "constant"] = "one-cycle"
    step_epochs: Count = 10
    step_factor: Fraction = 0.1
    sampling: Literal["plain", "balanced", "square-root"] = "plain"
    class_weights: Literal["none", "balanced"] = "none"
    loss: Literal["cross-entropy", "focal"] = "cross-entropy"
    focal_gamma: NotNegative = 2.0
    mix: Literal["none", "mixup", "cutmix"] = "none"
    mix_alpha: Positive = 0.4
    label_smoothing: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    averaging: Fraction = 0.0
    cache: Annotated[int, Meta(ge=0)] = 0
    early_stopping: Annotated[int, Meta(ge=0)] = 0
    keep: Literal["best", "last"] = "last"
    seed: Annotated[int, Meta(ge=0)] = 0
    image_size: Annotated[int, Meta(ge=32, le=1024)] = 224
    crop_scale: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.55
    flip: bool = True
    rotation: Annotated[float, Meta(ge=0.0, le=180.0)] = 0.0
    brightness: Fraction = 0.2
    contrast: Fraction = 0.0
    test_mirror: bool = True
    test_resize: Annotated[int, Meta(ge=0)] = 0
    test_crops: Literal["centre", "centre+whole", "five", "five+whole"] = "centre+whole"
    view_weight: NotNegative = 1.0
    tie: NotNegative = 0.0

    @property
    def joint(self) -> bool:
        """Whether the head predicts category and view together."""
        return self.target == JOINT

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Parameter-name prefixes of the stages that stay as they are."""
        known = backbone(self.backbone)
        return modules_of(known, frozen_stages(known, self.frozen, self.stages))

    @property
    def label_sets(self) -> tuple[str, ...]:
        """Names of the label sets whose labels are learned; the first one is what is scored."""
        return ("category", "view") if self.joint else (self.target,)


KEYS: tuple[str, ...] = Recipe.__struct_fields__
_TABLES = ("options", "stages")
STARTS = "imagenet, none, file:PATH or run:ID"


def complete(partial: Mapping[str, object], advised: Mapping[str, object]) -> Recipe:
    """A whole recipe from the keys a person set, the advised values filling the rest.

    Raises ValueRefused naming the key, the value and what is allowed.
    """
    for key in partial:
        if key not in KEYS:
            raise ValueRefused(key, partial[key], "the keys " + ", ".join(KEYS))
    if "target" not in partial:
        raise ValueRefused("target", "", 'a label set such as "category", or "category+view"')
    merged = {**advised, **partial}
    for key, value in merged.items():
        _check(key, value)
    recipe = msgspec.convert(merged, Recipe)
    known = backbone(recipe.backbone)
    known.frozen_modules(recipe.frozen)
    check_rules(known, recipe.frozen, recipe.stages)
    if recipe.image_size < known.least:
        raise ValueRefused(
            "image_size", recipe.image_size, f"a whole number ≥ {known.least} ({known.title})"
        )
    _check_test_crops(recipe)
    if recipe.start == "imagenet" and not known.weights:
        raise ValueRefused(
            "start",
            "imagenet",
            f"none, file:PATH or run:ID ({known.title} has no ImageNet weights)",
        )
    return recipe


def _check_test_crops(recipe: Recipe) -> None:
    if "five" in recipe.test_crops and recipe.test_resize <= recipe.image_size:
        least = recipe.image_size + 1
        raise ValueRefused(
            "test_crops", recipe.test_crops, f"centre, unless test_resize is {least} or more"
        )


def _check(key: str, value: object) -> None:
    if key == "start":
        kind, _, rest = str(value).partition(":")
        if not (value in ("imagenet", "none") or (kind in ("file", "run") and rest)):
            raise ValueRefused(key, value, STARTS)
    annotation = get_type_hints(Recipe, include_extras=True)[key]
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        raise ValueRefused(key, value, allowed(key)) from error


def allowed(key: str) -> str:
    """What a recipe key takes, in words for a person."""
    if key == "backbone":
        return ", ".join(BACKBONES)
    if key == "start":
        return STARTS
    annotation = get_type_hints(Recipe, include_extras=True)[key]
    args = get_args(annotation)
    meta = next((a for a in args if isinstance(a, Meta)), None)
    base = args[0] if meta is not None else annotation
    if get_origin(annotation) is dict:
        return "a table { NAME = { PARAMETER = value } }"
    if get_args(base):
        return ", ".join(str(choice) for choice in get_args(base))
    word = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[base]
    return word + _bounds(meta)


def _bounds(meta: Meta | None) -> str:
    if meta is None:
        return ""
    pairs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt))
    said = " and ".join(f"{sign} {bound:g}" for sign, bound in pairs if bound is not None)
    return f" {said}" if said else ""


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The keys of a recipe file; `name` is used in the error when the text is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueRefused(name, text.splitlines()[0] if text else "", f"TOML ({error})") from error


def parse_setting(text: str) -> tuple[str, object]:
    """One `key=value` of the command line; the value is TOML, or text where it is not."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ValueRefused("--set", text, "key=value")
    try:
        return key.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def put_setting(partial: dict[str, object], text: str) -> None:
    """Add one `key=value` of the command line to the keys a person set.

    A dotted key, `options.NAME.PARAMETER` or short `NAME.PARAMETER`, sets a parameter of a method,
    penalty or head, and `stages.STAGE.KEY` what differs in a stage. Raises ValueRefused where it is
    no setting.
    """
    key, value = parse_setting(text)
    path = key.split(".")
    if len(path) == 1:
        partial[key] = value
        return
    table, *rest = path if path[0] in _TABLES else ("options", *path)
    if len(rest) != 2 or not all(rest):
        raise ValueRefused("--set", text, "key=value, or options.NAME.PARAMETER=value")
    given = partial.get(table)
    known = given if isinstance(given, dict) else {}
    chosen = {name: dict(own) for name, own in known.items()}
    chosen.setdefault(rest[0], {})[rest[1]] = value
    partial[table] = chosen


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML, every key written out."""
    return "".join(f"{key} = {_toml(getattr(recipe, key))}\n" for key in KEYS)


def _toml(value: object) -> str:
    """A value in TOML, whose strings, numbers and booleans are written as in JSON."""
    if isinstance(value, StageRule):
        value = msgspec.to_builtins(value)
    if isinstance(value, dict):
        inside = ", ".join(f"{_toml(str(key))} = {_toml(own)}" for key, own in value.items())
        return "{" + (f" {inside} " if inside else "") + "}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
