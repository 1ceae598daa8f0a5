"""Recipes and partial recipes: validation by key, merging, and TOML round trips."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.backbones import BACKBONES, modules_of
from workbench.domain.errors import ValueRefused
from workbench.domain.methods import join_penalties, penalty_names
from workbench.domain.recipes import (
    ADAMW_SHARE,
    JOINT,
    KEYS,
    NO_KEYS,
    Recipe,
    RecipeValues,
    StoredRecipe,
    allowed,
    check_keys,
    choices,
    complete,
    parse_setting,
    parse_toml,
    partial_recipe,
    stored_recipe,
    to_toml,
    type_of,
    with_setting,
)
from workbench.domain.stage_rules import StageRule

STORED = """\
target = "category"
backbone = "squeezenet1_1"
start = "file:/data/\u00e9 \\"quoted\\".safetensors"
frozen = "fire5"
stages = { "fire4" = { "frozen" = false, "rate" = 0.5 }, "fire9" = { "start" = "new" } }
head = "compact-bilinear"
method = "fine-tune"
penalty = "l2-sp+bss"
projection = false
options = { "l2-sp" = { "alpha" = 0.1, "up_to" = "fire4" }, "bss" = { "k" = 2 } }
epochs = 20
batch = 32
learning_rate = 5e-05
head_factor = 10.0
optimizer = "adamw-then-sgd"
momentum = 0.9
weight_decay = 0.0001
schedule = "one-cycle"
step_epochs = 10
step_factor = 0.1
sampling = "plain"
class_weights = "balanced"
loss = "cross-entropy"
focal_gamma = 2.0
mix = "none"
mix_alpha = 0.4
label_smoothing = 0.1
precision = "auto"
averaging = 0.0
cache = 0
early_stopping = 0
keep = "best"
seed = 0
image_size = 224
crop_scale = 0.55
flip = true
rotation = 0.0
brightness = 0.2
contrast = 0.0
test_mirror = true
test_resize = 0
test_crops = "centre+whole"
view_weight = 1.0
tie = 0.0
"""
"""A recipe as stored by versions that wrote tables inline."""
LATER = {"aspect": "centre"}  # keys that were added since, with the values of before


def test_a_stored_recipe_is_read_unchanged() -> None:
    assert complete(parse_toml(STORED, "recipe.toml")) == Recipe(
        target="category",
        start='file:/data/é "quoted".safetensors',
        frozen="fire5",
        stages={"fire4": StageRule(frozen=False, rate=0.5), "fire9": StageRule(start="new")},
        head="compact-bilinear",
        penalty="l2-sp+bss",
        options={"l2-sp": {"alpha": 0.1, "up_to": "fire4"}, "bss": {"k": 2}},
        learning_rate=5e-5,
        optimizer="adamw-then-sgd",
        class_weights="balanced",
    )


def test_a_recipe_is_written_with_the_values_it_was_always_written_with() -> None:
    stored = parse_toml(STORED, "recipe.toml")
    again = parse_toml(to_toml(complete(stored)), "recipe.toml")
    assert again == {**stored, **LATER}
    plain = parse_toml(to_toml(Recipe(target="view")), "recipe.toml")
    assert plain.keys() == set(KEYS) - {"stages", "options"}, "every key but empty tables"


@given(
    st.text(min_size=1),
    st.floats(1e-12, 1e3),
    st.integers(1, 9999),
    st.booleans(),
    st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), st.text() | st.booleans())),
)
def test_a_recipe_survives_its_text(path, rate, epochs, flip, options) -> None:
    recipe = Recipe(
        target="category",
        start="file:" + path,
        learning_rate=rate,
        epochs=epochs,
        flip=flip,
        options=options,
    )
    assert complete(parse_toml(to_toml(recipe), "recipe.toml")) == recipe


def test_a_partial_recipe_has_the_keys_that_are_set_and_reads_defaults_for_the_rest() -> None:
    some = partial_recipe(epochs=3, start="none")
    assert dict(some) == {"start": "none", "epochs": 3}
    assert "batch" not in some
    with pytest.raises(KeyError):
        some["batch"]
    assert (some.with_defaults.epochs, some.with_defaults.batch) == (3, RecipeValues().batch)
    assert dict(NO_KEYS) == {}


def test_partial_recipes_merge_and_the_later_wins() -> None:
    both = partial_recipe(epochs=3, batch=4) | partial_recipe(epochs=5, seed=1)
    assert dict(both) == {"epochs": 5, "batch": 4, "seed": 1}
    assert dict(both.without("batch", "tie")) == {"epochs": 5, "seed": 1}
    assert both.without("batch").with_defaults.batch == 32
    assert dict(both.only("seed", "tie")) == {"seed": 1}
    default = partial_recipe(epochs=3) | partial_recipe(epochs=20)
    assert dict(default) == {"epochs": 20}, "also where it is the default"


def test_checked_keys_have_their_types_and_are_json_again() -> None:
    given = {"learning_rate": 1, "stages": {"fire9": {"start": "new"}}}
    checked = check_keys(given)
    assert isinstance(checked.with_defaults.learning_rate, float)
    assert checked.with_defaults.stages == {"fire9": StageRule(start="new")}
    assert checked.to_builtins() == given
    assert check_keys(checked) is checked


@pytest.mark.parametrize("value", [["resnet18"], {}, 5, None, "", "resnet19"])
def test_an_unknown_backbone_is_refused(value: object) -> None:
    with pytest.raises(ValueRefused, match="squeezenet1_1") as caught:
        check_keys({"backbone": value})
    assert (caught.value.key, caught.value.value) == ("backbone", value)


def test_choices_keep_the_order_in_which_they_are_explained() -> None:
    assert choices("optimizer") == ("sgd", "adamw", "adamw-then-sgd")
    assert choices("epochs") == ()
    assert [type_of(key) for key in ("epochs", "tie", "flip", "mix")] == [int, float, bool, str]


def test_known_keys_of_a_stored_recipe_of_another_version_are_read() -> None:
    older = stored_recipe('backbone = "squeezenet1_1"\n', "Older")
    known = {"values": {"backbone": "squeezenet1_1"}, "effective": frozenset({"backbone"})}
    assert older == StoredRecipe(backbone="squeezenet1_1", **known)
    assert (older.start, older.frozen, older.seed) == ("", "", None)
    newer = (
        'backbone = "other"\nstart = "web"\nfrozen = "s1"\nseed = 7\nnew_key = 1\nepochs = "many"'
    )
    found = stored_recipe(newer, "Newer")
    assert (found.backbone, found.start, found.frozen, found.seed) == ("other", "web", "s1", 7)
    assert found.values["epochs"] == "many"


def test_a_stored_recipe_that_is_no_toml_is_refused_with_the_name_of_its_run() -> None:
    with pytest.raises(ValueRefused) as refusal:
        stored_recipe("backbone", "First run")
    assert refusal.value.key == "First run"


@pytest.mark.parametrize(
    ("value", "names"), [("none", ()), ("bss", ("bss",)), ("l2-sp+bss", ("l2-sp", "bss"))]
)
def test_penalties_are_written_as_they_are_read(value: str, names: tuple[str, ...]) -> None:
    assert penalty_names(value) == names
    assert join_penalties(names) == value


@pytest.mark.parametrize(
    "text",
    [
        "options..alpha=1",
        "options.l2-sp.=1",
        ".alpha=1",
        "l2-sp.=1",
        "options.l2-sp=1",
        "a.b.c.d=1",
        "options.l2-sp.alpha={a.b=1}",
    ],
)
def test_a_setting_without_a_name_or_a_parameter_is_refused(text):
    with pytest.raises(ValueRefused):
        with_setting({}, text)


def test_a_setting_joins_those_before_it():
    keys = with_setting({"epochs": 3}, "l2-sp.alpha=0.5")
    keys = with_setting(keys, "options.l2-sp.up_to=fire4")
    keys = with_setting(keys, "bss.k=2")
    options = {"l2-sp": {"alpha": 0.5, "up_to": "fire4"}, "bss": {"k": 2}}
    assert keys == {"epochs": 3, "options": options}


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("epochs", 0, "a whole number ≥ 1"),
        ("epochs", "ten", "a whole number ≥ 1"),
        ("epochs", 1.5, "a whole number"),
        ("learning_rate", -0.1, "a number > 0"),
        ("momentum", 1.5, "≥ 0 and ≤ 1"),
        ("backbone", "resnet19", "squeezenet1_1"),
        ("start", "file:", "imagenet, none, file:PATH or run:ID"),
        ("frozen", "fire99", "fire5"),
        ("optimizer", "adam", "sgd, adamw"),
        ("flip", "yes", "true or false"),
        ("colour", 1, "learning_rate"),
    ],
)
def test_a_recipe_error_names_key_value_and_what_is_allowed(key, value, reported):
    with pytest.raises(ValueRefused) as caught:
        complete({"target": "view", key: value}, {})
    assert caught.value.key == key
    assert caught.value.value == value
    assert key in caught.value.sentence
    assert reported in caught.value.remedy


def test_every_key_describes_its_allowed_values():
    for key in KEYS:
        assert allowed(key)
    with pytest.raises(ValueRefused, match="target"):
        complete({}, {})
    with pytest.raises(ValueRefused, match="has no ImageNet weights"):
        complete({"target": "view", "backbone": "simpleconv3"}, {})


@given(st.sampled_from(sorted(BACKBONES)), st.integers(1, 99), st.floats(1e-6, 10))
def test_user_values_override_advice(name, epochs, rate):
    asked = {"target": "category", "backbone": name, "start": "none", "epochs": epochs}
    recipe = complete(asked, {"epochs": 1000, "learning_rate": rate})
    assert (recipe.epochs, recipe.learning_rate, recipe.backbone) == (epochs, rate, name)
    assert complete(parse_toml(to_toml(recipe), "recipe.toml")) == recipe


@pytest.mark.parametrize("text", ["epochs", "=3", " = 3"])
def test_a_setting_without_key_or_sign_is_refused(text):
    with pytest.raises(ValueRefused, match="key=value"):
        parse_setting(text)


def test_a_setting_is_toml_or_text():
    assert parse_setting("epochs=3") == ("epochs", 3)
    assert parse_setting("flip = false") == ("flip", False)
    assert parse_setting("start=run:20260101") == ("start", "run:20260101")
    for value in ("[1, 2]", "2026-01-01"):  # TOML, but of no type that a recipe has
        assert parse_setting(f"epochs={value}") == ("epochs", value)


def test_what_a_recipe_derives_from_its_keys():
    joint = Recipe(target=JOINT, backbone="squeezenet1_1", frozen="fire2")
    assert (joint.joint, joint.label_sets) == (True, ("category", "view"))
    alone = msgspec.structs.replace(joint, target="view", frozen="none")
    assert (alone.joint, alone.label_sets) == (False, ("view",))
    assert alone.frozen_modules == ()
    assert joint.frozen_modules == modules_of(BACKBONES["squeezenet1_1"], ("conv1", "fire2"))
    assert (alone.learning_rate, ADAMW_SHARE) == (0.005, 0.1)
