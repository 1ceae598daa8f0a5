"""Recipes: all settings of a training, as strict TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, ParamSpec, get_args, get_origin, get_type_hints

import msgspec
import tomli_w
from msgspec import Meta

from workbench.domain.backbones import BACKBONES, DEFAULT_BACKBONE, backbone, modules_of
from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Value
from workbench.domain.protocols import CropChoice, TestResize, check_protocol
from workbench.domain.stage_rules import StageRule, check_rules, frozen_stages
from workbench.domain.text import Message
from workbench.domain.values import allowed_text, checked

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]

JOINT_SETS = ("category", "view")  # learned together by a joint head
JOINT = "+".join(JOINT_SETS)


def label_sets_of(target: str) -> tuple[str, ...]:
    """Names of the label sets of a target."""
    return JOINT_SETS if target == JOINT else (target,)


Aspect = Literal["centre", "squeeze", "pad"]
START_ASPECT: Aspect = "squeeze"  # of starts without a recipe: their features see all of an image
LARGEST_RATIO = 4 / 3  # of the sides of what is kept of an image with aspect "centre"
ADAMW_SHARE = 0.1  # of SGD's learning rate: AdamW's step size does not shrink with the gradient


class RecipeValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All recipe keys with their types, bounds and defaults.

    target: the name of a label set ("category", "view", …), or "category+view" (joint head). start:
    "imagenet", "file:PATH", "run:ID" or "none". frozen: "none", a stage's name (that and all
    earlier stages are frozen) or "all" (only the head is trained). stages: exceptions for single
    stages, as {stage: {start, frozen, rate, penalty}}. head: pools the backbone's feature maps.
    method: defines the forward pass and the loss. penalty: "none", or terms added to the loss,
    joined by "+". options: parameters of these three, as {name: {parameter: value}}. projection
    removes the component of the penalties' gradient that opposes that of the loss. learning_rate:
    of the backbone; the head's is head_factor times it. optimizer: "adamw-then-sgd" continues from
    the best weights with SGD when accuracy stops rising; its AdamW phase uses ADAMW_SHARE of the
    rate. sampling: "balanced" draws each class equally often in an epoch of the same length,
    "square-root" in proportion to the square root of its count. mix blends two images of a batch
    with a share drawn from Beta(mix_alpha, mix_alpha): "mixup" everywhere, "cutmix" as a pasted
    rectangle. crop_scale: smallest share of the area kept by the random crop. rotation in degrees.
    brightness and contrast: relative. test_mirror averages the scores of an image and its mirror
    image. aspect: how an image becomes a square: its "centre", cut to sides that differ by at most
    4:3 and squeezed; all of it, "squeeze"d; or all of it with a grey border ("pad"). test_resize:
    side of the square scored at test; 0: the image size, scored once. test_crops: crops of a larger
    square that are scored: its "centre", or the "five" of centre and corners; "+whole" adds the
    resized square itself; or "windows" of the whole image (see `domain.protocols`). averaging: the
    kept weights are a moving average over about this share of all steps; 0: the last weights. keep:
    "best" keeps the weights of the epoch with the lowest validation loss, or the last ones without
    a validation part. cache: augmentations per image, used in turn, whose frozen-stage outputs are
    cached on disk; 0: a new augmentation in each epoch. early_stopping: epochs without better
    validation loss; 0: off.
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
    options: dict[str, dict[str, Value]] = {}
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
    keep: Literal["best", "last"] = "best"
    seed: Annotated[int, Meta(ge=0)] = 0
    image_size: Annotated[int, Meta(ge=32, le=1024)] = 224
    aspect: Aspect = "centre"
    crop_scale: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.55
    flip: bool = True
    rotation: Annotated[float, Meta(ge=0.0, le=180.0)] = 0.0
    brightness: Fraction = 0.2
    contrast: Fraction = 0.0
    test_mirror: bool = True
    test_resize: TestResize = 0
    test_crops: CropChoice = "centre+whole"
    view_weight: NotNegative = 1.0
    tie: NotNegative = 0.0


class Recipe(RecipeValues, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A complete recipe of one training; `domain.advice` has the source of recommended values."""

    target: str

    @property
    def joint(self) -> bool:
        """Whether the head predicts category and view jointly."""
        return self.target == JOINT

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Parameter-name prefixes of the frozen stages."""
        known = backbone(self.backbone)
        return modules_of(known, frozen_stages(known, self.frozen, self.stages))

    @property
    def label_sets(self) -> tuple[str, ...]:
        """Names of the label sets that are learned; metrics are computed on the first."""
        return label_sets_of(self.target)


KEYS: tuple[str, ...] = Recipe.__struct_fields__
_TYPES = get_type_hints(
    RecipeValues, include_extras=True
)  # evaluated once: every field edit checks a key
_TABLES = ("options", "stages")
STARTS = Message("imagenet, none, file:PATH or run:ID")
_ALLOWED_TEXTS = {
    "target": Message('a label set such as "category", or "{joint}"', joint=JOINT),
    "start": STARTS,
}
_ALLOWED = {key: _ALLOWED_TEXTS.get(key) or allowed_text(kind) for key, kind in _TYPES.items()}
KeyValue = Value | Mapping[str, Mapping[str, Value]]  # of a key, as in TOML and JSON
RecipeValue = KeyValue | Mapping[str, StageRule]  # of a key, as in a recipe
UncheckedKeys = Mapping[str, RecipeValue]  # recipe keys from the user, from a file, or checked


@dataclass(frozen=True)
class PartialRecipe(Mapping[str, RecipeValue]):
    """Some keys of a recipe, each validated by itself; a mapping of only these keys.

    `with_defaults` has all keys, typed; those missing in `names` have their defaults. Create one
    with `partial_recipe`, or with `check_keys` from user or file input.
    """

    with_defaults: RecipeValues = field(default_factory=RecipeValues)
    names: frozenset[str] = frozenset()

    def __getitem__(self, key: str) -> RecipeValue:
        if key not in self.names:
            raise KeyError(key)
        return value_of(self.with_defaults, key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in KEYS if key in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __or__(self, other: PartialRecipe) -> PartialRecipe:
        """Merge two partial recipes; values of `other` win."""
        changed = msgspec.structs.replace(self.with_defaults, **other)
        return PartialRecipe(changed, self.names | other.names)

    def without(self, *keys: str) -> PartialRecipe:
        """A copy without `keys`."""
        return self.only(*self.names.difference(keys))

    def only(self, *keys: str) -> PartialRecipe:
        """A copy with only those keys that are in `keys`."""
        left: dict[str, Any] = {key: self[key] for key in self.names.intersection(keys)}
        return PartialRecipe(RecipeValues(**left), frozenset(left))

    def to_builtins(self) -> dict[str, KeyValue]:
        """The set keys as JSON or TOML types."""
        return {key: msgspec.to_builtins(value) for key, value in self.items()}


def value_of(recipe: RecipeValues, key: str) -> RecipeValue:
    """The value of a recipe's key."""
    value: RecipeValue = getattr(recipe, key)
    return value


_Parameters = ParamSpec("_Parameters")


def _with_parameters_of(
    keys: Callable[_Parameters, RecipeValues],
) -> Callable[_Parameters, PartialRecipe]:
    """Return a function that takes the fields of RecipeValues as keyword arguments.

    It lets mypy check names and types without a second list of the fields.
    """

    def make(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> PartialRecipe:
        return PartialRecipe(keys(*args, **kwargs), frozenset(kwargs))

    return make


partial_recipe = _with_parameters_of(RecipeValues)
NO_KEYS = PartialRecipe()


def check_keys(given: UncheckedKeys) -> PartialRecipe:
    """Validate and convert each key by itself.

    Raises ValueRefused for the first unknown key or invalid value.
    """
    if isinstance(given, PartialRecipe):
        return given
    found = {key: check_key(key, value) for key, value in given.items()}
    return PartialRecipe(RecipeValues(**found), frozenset(found))


def check_key(key: str, value: RecipeValue) -> Any:
    """Validate the value of one key and convert it to the key's type.

    Raises ValueRefused with the allowed values.
    """
    if key not in _TYPES:
        sentence = Message("There is no recipe key {key}.", key=key)
        raise ValueRefused(key, value, ", ".join(KEYS), sentence)
    typed = checked(key, value, _TYPES[key], allowed(key))
    if not _possible(key, typed):
        raise ValueRefused(key, value, allowed(key))
    return typed


def _possible(key: str, value: Any) -> bool:
    """Check conditions on a value of the right type that its type cannot express."""
    if key == "target":
        return bool(value)
    if key == "backbone":
        return value in BACKBONES
    if key == "start":
        kind, _, rest = value.partition(":")
        return value in ("imagenet", "none") or (kind in ("file", "run") and bool(rest))
    return True


def allowed(key: str) -> str:
    """Description of the allowed values of a recipe key."""
    return ", ".join(BACKBONES) if key == "backbone" else _ALLOWED[key]


def choices(key: str) -> tuple[str, ...]:
    """Values of a key with a fixed list of choices, in order; else an empty tuple."""
    return get_args(_TYPES[key]) if get_origin(_TYPES[key]) is Literal else ()


def type_of(key: str) -> type:
    """Type of a key's value without its bounds: bool, int, float, str or dict."""
    return type(getattr(NO_KEYS.with_defaults, key))


def complete(given: UncheckedKeys, advised: UncheckedKeys = NO_KEYS) -> Recipe:
    """Build a recipe from the user's keys; missing keys get the advised values, then the defaults.

    Raises ValueRefused with the key, the value and the allowed values.
    """
    chosen = check_keys(given)
    return whole(check_keys(advised) | chosen)


def whole(partial: PartialRecipe) -> Recipe:
    """Fill `partial` with defaults and validate it as a whole.

    Raises ValueRefused for a missing target and for keys that contradict each other.
    """
    target_of(partial)
    values: dict[str, Any] = dict(partial)  # each was checked
    recipe = Recipe(**values)
    known = backbone(recipe.backbone)
    known.frozen_modules(recipe.frozen)
    check_rules(known, recipe.frozen, recipe.stages)
    if recipe.image_size < known.least:
        least = Message(
            "a whole number ≥ {least} ({backbone})", least=known.least, backbone=known.title
        )
        raise ValueRefused("image_size", recipe.image_size, least)
    check_protocol(recipe, recipe.image_size)
    if recipe.start == "imagenet" and not known.weights:
        raise ValueRefused(
            "start",
            "imagenet",
            Message(
                "none, file:PATH or run:ID, as {backbone} has no ImageNet weights",
                backbone=known.title,
            ),
        )
    return recipe


def target_of(partial: PartialRecipe) -> str:
    """The target of a partial recipe. Raises ValueRefused if it is not set."""
    if "target" not in partial:
        raise ValueRefused("target", "", allowed("target"))
    return partial.with_defaults.target


def parse_recipe(text: str, name: str) -> PartialRecipe:
    """Read a recipe file. Raises ValueRefused as `parse_toml` and `check_keys`."""
    return check_keys(parse_toml(text, name))


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML; `name` is used in the error if the text is not TOML.

    Any value may be in a file, so this is the one place with untyped keys: callers convert them at
    once.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        first = text.splitlines()[0] if text else ""
        sentence = Message("{name} is not valid TOML: {error}.", name=name, error=error)
        raise ValueRefused(name, first, Message("key = value lines"), sentence) from error


@dataclass(frozen=True)
class StoredRecipe:
    """Values of a stored run's recipe, unchecked: "" or None for keys that it lacks.

    Runs of other versions may lack keys, have unknown ones, or name a backbone or start that this
    version does not know; they are listed and compared all the same. `values` has all keys, those
    of tables dotted, and `effective` names those that affect the training. Use `complete` for a
    recipe to train with.
    """

    backbone: str = ""
    start: str = ""
    frozen: str = ""
    seed: int | None = None
    head: str = ""
    method: str = ""
    penalty: str = ""
    image_size: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    effective: frozenset[str] = frozenset()


@lru_cache(maxsize=1024)
def stored_recipe(text: str, name: str) -> StoredRecipe:
    """Read a run's recipe from its TOML. Raises ValueRefused, with `name`, if it is not TOML."""
    found = parse_toml(text, name)

    def number(key: str) -> int | None:
        return value if isinstance(value := found.get(key), int) else None

    return StoredRecipe(
        backbone=str(found.get("backbone", "")),
        start=str(found.get("start", "")),
        frozen=str(found.get("frozen", "")),
        seed=number("seed"),
        head=str(found.get("head", "")),
        method=str(found.get("method", "")),
        penalty=str(found.get("penalty", "")),
        image_size=number("image_size"),
        values=_dotted(found),
        effective=frozenset(key for key in _dotted(found) if _has_effect(key, found)),
    )


_EFFECTIVE: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "focal_gamma": lambda recipe: recipe.get("loss") == "focal",
    "mix_alpha": lambda recipe: recipe.get("mix") != "none",
    "step_epochs": lambda recipe: recipe.get("schedule") == "step",
    "step_factor": lambda recipe: recipe.get("schedule") == "step",
    "momentum": lambda recipe: recipe.get("optimizer") != "adamw",
    "projection": lambda recipe: recipe.get("penalty") != "none",
    "view_weight": lambda recipe: recipe.get("target") == JOINT,
    "tie": lambda recipe: recipe.get("target") == JOINT,
}  # when a key has an effect; keys that are not listed always have one


def _has_effect(key: str, recipe: Mapping[str, Any]) -> bool:
    """Whether a dotted key affects the training: no other key switches it off, and options belong
    to the method, the head or a penalty of the recipe."""
    table, _, rest = key.partition(".")
    if table == "options":
        used = {recipe.get("method"), recipe.get("head")}
        return rest.partition(".")[0] in used.union(str(recipe.get("penalty", "")).split("+"))
    return key not in _EFFECTIVE or _EFFECTIVE[key](recipe)


def _dotted(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The keys of a recipe as in TOML, with those of tables dotted: `options.delta.images`."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        inner = isinstance(value, Mapping)
        found |= _dotted(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


class _Setting(msgspec.Struct, forbid_unknown_fields=True):
    """The value of a setting of the command line, as TOML."""

    v: KeyValue


def parse_setting(text: str) -> tuple[str, KeyValue]:
    """Parse one `key=value` of the command line; the value is TOML of a recipe's types, or else
    plain text."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ValueRefused("--set", text, "key=value")
    try:
        return key.strip(), msgspec.toml.decode(f"v = {value}", type=_Setting).v
    except (tomllib.TOMLDecodeError, msgspec.DecodeError):
        return key.strip(), value.strip()


def with_setting(given: Mapping[str, KeyValue], text: str) -> dict[str, KeyValue]:
    """Add one `key=value` of the command line to the user's keys.

    A dotted key, `options.NAME.PARAMETER` or short `NAME.PARAMETER`, sets a parameter of a method,
    penalty or head; `stages.STAGE.KEY` sets an exception for a stage. Raises ValueRefused if `text`
    is not a setting.
    """
    key, value = parse_setting(text)
    path = key.split(".")
    if len(path) == 1:
        return {**given, key: value}
    table, *rest = path if path[0] in _TABLES else ("options", *path)
    if len(rest) != 2 or not all(rest) or isinstance(value, Mapping):
        raise ValueRefused("--set", text, "key=value, or options.NAME.PARAMETER=value")
    name, parameter = rest
    before = given.get(table)
    tables = before if isinstance(before, Mapping) else {}
    return {**given, table: {**tables, name: {**tables.get(name, {}), parameter: value}}}


def to_toml(recipe: Recipe) -> str:
    """Write the recipe as TOML with all keys except empty tables."""
    values = msgspec.to_builtins(recipe)
    return tomli_w.dumps({key: values[key] for key in KEYS if values[key] != {}})
