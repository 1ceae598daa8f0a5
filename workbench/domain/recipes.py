"""Recipes: everything that determines a training, as strict TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, ParamSpec, get_args, get_origin, get_type_hints

import msgspec
import tomli_w
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
from workbench.domain.values import allowed_words, checked

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]

JOINT = "category+view"


ADAMW_SHARE = 0.1  # of SGD's learning rate: AdamW's steps do not shrink with the gradient


class RecipeValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key of a recipe with its type, bounds and default: the only list of them.

    target: the name of a label set ("category", "view", …), or "category+view" (joint head).
    start: "imagenet", "file:PATH", "run:ID" or "none". frozen: "none", a stage's name (that stage
    and all below keep their weights) or "all" (only the head learns). stages: exceptions for single
    stages, as {stage: {start, frozen, rate, penalty}}. head: makes features of the backbone's maps
    or pooled features. method: owns the forward pass and the loss. penalty: "none", or terms added
    to the loss, several joined by "+". options: parameters of these three, as
    {name: {parameter: value}}. projection drops the part of the penalty's gradient that opposes the
    loss's. learning_rate: of the backbone; the head's is head_factor times it. optimizer
    "adamw-then-sgd" continues from the best weights with SGD when accuracy stops rising; its AdamW
    uses ADAMW_SHARE of the rate. sampling: "balanced" draws as many images of every class in an
    epoch of the same length, "square-root" in proportion to the square roots of their counts.
    mix blends two images of a batch by a share drawn from Beta(mix_alpha, mix_alpha): "mixup"
    everywhere, "cutmix" as a pasted rectangle.
    crop_scale: smallest share of the area that the random crop keeps. rotation in degrees.
    brightness and contrast: relative.
    test_mirror averages the scores of an image and its mirror. test_resize: side of the square that
    is scored at test; 0 = the image size, scored once. test_crops: crops scored of a larger square:
    its "centre", or the "five" of centre and corners; "+whole" adds the square itself, reduced.
    averaging: the weights kept are a running mean over about this share of all steps; 0 = the last
    weights. cache: augmentations per image, shown in turn, whose frozen-stage maps are kept on the
    disk; 0 = a new one in each epoch. early_stopping: epochs without better validation loss;
    0 = off.
    """

    target: str = ""
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


class Recipe(RecipeValues, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training, fully determined; `domain.advice` has where advised values come from."""

    target: str

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
_TYPES = get_type_hints(RecipeValues, include_extras=True)  # read once: a field edit checks a key
_TABLES = ("options", "stages")
STARTS = "imagenet, none, file:PATH or run:ID"
_WORDS = {
    "target": f'a label set such as "category", or "{JOINT}"',
    "start": STARTS,
}
_ALLOWED = {key: _WORDS.get(key) or allowed_words(kind) for key, kind in _TYPES.items()}
UncheckedKeys = Mapping[str, object]  # recipe keys as a person or a file gave them


@dataclass(frozen=True)
class PartialRecipe(Mapping[str, object]):
    """Some keys of a recipe, each checked by itself; as a mapping it has these keys only.

    `with_defaults` has every key, typed: where `names` lacks one, the recipe's default. Make one
    with `partial_recipe`, or with `check_keys` from what a person or a file gave.
    """

    with_defaults: RecipeValues = field(default_factory=RecipeValues)
    names: frozenset[str] = frozenset()

    def __getitem__(self, key: str) -> object:
        if key not in self.names:
            raise KeyError(key)
        return getattr(self.with_defaults, key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in KEYS if key in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __or__(self, other: PartialRecipe) -> PartialRecipe:
        """Both together; where both set a key, the value of `other`."""
        changed = msgspec.structs.replace(self.with_defaults, **other)
        return PartialRecipe(changed, self.names | other.names)

    def without(self, *keys: str) -> PartialRecipe:
        """All of these keys but `keys`."""
        return self.only(*self.names.difference(keys))

    def only(self, *keys: str) -> PartialRecipe:
        """Those of these keys that are among `keys`."""
        left: dict[str, Any] = {key: self[key] for key in self.names.intersection(keys)}
        return PartialRecipe(RecipeValues(**left), frozenset(left))

    def to_builtins(self) -> dict[str, Any]:
        """The keys that are set, as JSON or TOML can hold them."""
        return {key: msgspec.to_builtins(value) for key, value in self.items()}


_Parameters = ParamSpec("_Parameters")


def _with_parameters_of(
    keys: Callable[_Parameters, RecipeValues],
) -> Callable[_Parameters, PartialRecipe]:
    """A function that takes the fields of RecipeValues, so that mypy checks their names and types
    without a second list of them."""

    def make(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> PartialRecipe:
        return PartialRecipe(keys(*args, **kwargs), frozenset(kwargs))

    return make


partial_recipe = _with_parameters_of(RecipeValues)
NO_KEYS = PartialRecipe()


def check_keys(given: UncheckedKeys) -> PartialRecipe:
    """`given` with its types, each key checked by itself. Raises ValueRefused for the first that is
    unknown or refused."""
    if isinstance(given, PartialRecipe):
        return given
    found = {key: check_key(key, value) for key, value in given.items()}
    return PartialRecipe(RecipeValues(**found), frozenset(found))


def check_key(key: str, value: object) -> Any:
    """The value of one key in its type. Raises ValueRefused naming what is allowed."""
    if key not in _TYPES:
        raise ValueRefused(key, value, "the keys " + ", ".join(KEYS))
    typed = checked(key, value, _TYPES[key], allowed(key))
    if not _possible(key, typed):
        raise ValueRefused(key, value, allowed(key))
    return typed


def _possible(key: str, value: Any) -> bool:
    """Whether a value that has the type of `key` is one of those which the type cannot list."""
    if key == "target":
        return bool(value)
    if key == "backbone":
        return value in BACKBONES
    if key == "start":
        kind, _, rest = value.partition(":")
        return value in ("imagenet", "none") or (kind in ("file", "run") and bool(rest))
    return True


def allowed(key: str) -> str:
    """What a recipe key takes, in words for a person."""
    return ", ".join(BACKBONES) if key == "backbone" else _ALLOWED[key]


def choices(key: str) -> tuple[str, ...]:
    """The only values of a key that has a fixed list of them, in their order; else none."""
    return get_args(_TYPES[key]) if get_origin(_TYPES[key]) is Literal else ()


def type_of(key: str) -> type:
    """The type of a key's value without its bounds: bool, int, float, str or dict."""
    return type(getattr(NO_KEYS.with_defaults, key))


def complete(given: UncheckedKeys, advised: UncheckedKeys = NO_KEYS) -> Recipe:
    """A whole recipe from the keys a person set, the advised values filling the rest.

    Raises ValueRefused naming the key, the value and what is allowed.
    """
    chosen = check_keys(given)
    return whole(check_keys(advised) | chosen)


def whole(partial: PartialRecipe) -> Recipe:
    """`partial` with the recipe's defaults, checked as a whole. Raises ValueRefused for keys that
    do not go together, and without a target."""
    target_of(partial)
    values: dict[str, Any] = dict(partial)  # each was checked
    recipe = Recipe(**values)
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


def target_of(partial: PartialRecipe) -> str:
    """What is to be learned. Raises ValueRefused where it is not set."""
    if "target" not in partial:
        raise ValueRefused("target", "", allowed("target"))
    return partial.with_defaults.target


def _check_test_crops(recipe: Recipe) -> None:
    if "five" in recipe.test_crops and recipe.test_resize <= recipe.image_size:
        least = recipe.image_size + 1
        raise ValueRefused(
            "test_crops", recipe.test_crops, f"centre, unless test_resize is {least} or more"
        )


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


def with_setting(given: UncheckedKeys, text: str) -> dict[str, object]:
    """The keys a person set and one `key=value` of the command line.

    A dotted key, `options.NAME.PARAMETER` or short `NAME.PARAMETER`, sets a parameter of a method,
    penalty or head, and `stages.STAGE.KEY` an exception for a stage. Raises ValueRefused where it
    is no setting.
    """
    key, value = parse_setting(text)
    path = key.split(".")
    if len(path) == 1:
        return {**given, key: value}
    table, *rest = path if path[0] in _TABLES else ("options", *path)
    if len(rest) != 2 or not all(rest):
        raise ValueRefused("--set", text, "key=value, or options.NAME.PARAMETER=value")
    name, parameter = rest
    before = given.get(table)
    tables = before if isinstance(before, dict) else {}
    return {**given, table: {**tables, name: {**tables.get(name, {}), parameter: value}}}


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML, every key written out but tables that are empty."""
    values = msgspec.to_builtins(recipe)
    return tomli_w.dumps({key: values[key] for key in KEYS if values[key] != {}})
