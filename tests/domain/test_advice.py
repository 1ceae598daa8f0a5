"""The advice for every backbone and kind of data is a recipe that can be trained."""

from __future__ import annotations

import pytest

from workbench.domain.advice import DataFacts, advise, length_of
from workbench.domain.backbones import BACKBONES
from workbench.domain.recipes import complete, partial_recipe

FEW = DataFacts((50,) * 6, validation=60)
MANY = DataFacts((900,) * 6, validation=900)
MOUTHS = DataFacts((300, 40, 250, 200), validation=80, crops=True, shorter_side=60)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("facts", [FEW, MANY, MOUTHS])
def test_advice_completes_a_recipe_for_every_backbone(name: str, facts: DataFacts) -> None:
    advice = advise(facts, partial_recipe(backbone=name))
    recipe = complete({"target": "category", "backbone": name}, advice.values)
    assert recipe.backbone == name
    assert recipe.start == ("imagenet" if BACKBONES[name].weights else "none")
    keys = set(advice.reasons)
    assert keys <= set(advice.values)
    assert all(sentence.endswith(".") for sentence in advice.reasons.values())


def test_small_mouths_get_the_small_network_and_large_images_a_pretrained_one() -> None:
    assert advise(MOUTHS).values["backbone"] == "simpleconv3"
    assert advise(FEW).values["backbone"] == "squeezenet1_1"


def test_unbalanced_classes_are_weighted() -> None:
    assert advise(MOUTHS).values["class_weights"] == "balanced"
    assert "class_weights" not in advise(FEW).values


def test_many_images_unfreeze_the_early_stages() -> None:
    assert advise(FEW).values["frozen"] != "none"
    assert advise(MANY).values["frozen"] == "none"


def test_the_fewer_images_the_more_stages_stay_frozen() -> None:
    stages = ("none", *BACKBONES["squeezenet1_0"].stage_names)
    depths = [
        stages.index(str(advise(facts, partial_recipe(backbone="squeezenet1_0")).values["frozen"]))
        for facts in (DataFacts((100, 30)), DataFacts((100, 50)), DataFacts((900, 900)))
    ]
    assert depths == sorted(depths, reverse=True)
    assert len(set(depths)) == 3


def frozen_of(*class_counts: int) -> object:
    chosen = partial_recipe(backbone="squeezenet1_0")
    return advise(DataFacts(class_counts), chosen).values["frozen"]


def test_forty_images_of_the_rarest_class_and_four_hundred_per_class_are_the_limits() -> None:
    known = BACKBONES["squeezenet1_0"]
    assert frozen_of(100, 39) == known.frozen_with_few
    assert frozen_of(100, 40) == known.advised_frozen
    assert frozen_of(399, 399) == known.advised_frozen
    assert frozen_of(400, 400) == frozen_of(500, 300) == frozen_of(400) == "none"


@pytest.mark.parametrize(
    ("crops", "side", "backbone"),
    [(True, 64, "simpleconv3"), (True, 65, "squeezenet1_1"), (False, 10, "squeezenet1_1")],
)
def test_only_crops_of_up_to_64_pixels_get_the_small_network(
    crops: bool, side: int, backbone: str
) -> None:
    facts = DataFacts((100, 100), crops=crops, shorter_side=side)
    assert advise(facts).values["backbone"] == backbone


def test_the_image_size_is_set_where_the_network_s_is_not_the_usual_one() -> None:
    assert "image_size" not in advise(FEW, partial_recipe(backbone="resnet18")).values
    small = BACKBONES["lenet5"]
    assert small.input_size != 224
    assert advise(FEW, partial_recipe(backbone="lenet5")).values["image_size"] == small.input_size


def test_classes_are_weighted_from_a_ratio_of_four_unless_they_are_sampled_so() -> None:
    assert advise(DataFacts((399, 100))).values.get("class_weights") is None
    assert advise(DataFacts((400, 100))).values["class_weights"] == "balanced"
    sampled = partial_recipe(sampling="balanced")
    alone = advise(DataFacts((400, 100)), sampled)
    assert alone.values["class_weights"] == "none"
    assert "class_weights" not in alone.reasons
    twice = advise(DataFacts((400, 100)), sampled | partial_recipe(class_weights="balanced"))
    assert "count them twice" in twice.reasons["class_weights"]


def test_unknown_data_are_whole_images_of_the_usual_size_in_balance() -> None:
    facts = DataFacts(())
    assert (facts.validation, facts.crops, facts.shorter_side) == (0, False, 224)
    assert facts.imbalance == 1.0


@pytest.mark.parametrize(("cut", "wide"), [(0.0, False), (0.199, False), (0.2, True), (0.3, True)])
def test_images_whose_ends_would_be_lost_are_squeezed(cut: float, wide: bool) -> None:
    advice = advise(DataFacts((100, 100), cut=cut))
    assert advice.values.get("aspect") == ("squeeze" if wide else None)
    assert ("aspect" in advice.reasons) == wide
    assert not wide or f"{100 * cut:.0f} %" in str(advice.reasons["aspect"])


@pytest.mark.parametrize(("image_size", "resized"), [(224, 256), (112, 128), (100, 114)])
def test_five_crops_are_of_an_image_larger_by_an_eighth_of_its_side(
    image_size: int, resized: int
) -> None:
    chosen = partial_recipe(test_crops="five", test_resize=image_size, image_size=image_size)
    assert advise(FEW, chosen).values["test_resize"] == resized
    larger = partial_recipe(test_crops="five", test_resize=225, image_size=224)
    assert "test_resize" not in advise(FEW, larger).values


def test_without_start_weights_nothing_is_frozen() -> None:
    values = advise(FEW, partial_recipe(backbone="resnet18", start="none")).values
    assert values["frozen"] == "none"
    assert complete({"target": "view", "backbone": "resnet18", "start": "none"}, values)


def test_advice_needs_no_facts() -> None:
    assert advise(DataFacts(())).values["backbone"] == "squeezenet1_1"


def test_small_pretrained_networks_get_a_second_order_head() -> None:
    assert (
        advise(FEW, partial_recipe(backbone="squeezenet1_0")).values["head"] == "compact-bilinear"
    )
    assert "head" not in advise(FEW, partial_recipe(backbone="resnet18")).values
    assert "head" not in advise(FEW, partial_recipe(start="none")).values


@pytest.mark.parametrize("count", [1, 3, 10, 40, 90])
@pytest.mark.parametrize("chosen", [{}, {"batch": 32}, {"batch": 4}])
def test_few_images_are_seen_in_as_many_steps_as_many(count: int, chosen: dict[str, int]) -> None:
    values = {
        **advise(DataFacts((count,) * 6), partial_recipe(backbone="resnet18", **chosen)).values,
        **chosen,
    }
    batch, epochs = values["batch"], values["epochs"]
    assert isinstance(batch, int)
    assert isinstance(epochs, int)
    assert epochs * -(-6 * count // batch) >= 180
    assert epochs >= 20


@pytest.mark.parametrize(
    ("count", "chosen", "share"),
    [(5, {}, 1 / 4), (15, {}, 1 / 2), (50, {}, 1), (5, {"batch": 4}, 1 / 8), (5, {"batch": 64}, 1)],
)
def test_the_rate_falls_with_the_batch_where_there_is_batch_normalisation(
    count: int, chosen: dict[str, int], share: float
) -> None:
    usual = advise(FEW, partial_recipe(backbone="mobilenet_v2")).values.with_defaults.learning_rate
    advice = advise(DataFacts((count,) * 6), partial_recipe(backbone="mobilenet_v2", **chosen))
    assert advice.values["learning_rate"] == pytest.approx(usual * share)
    assert ("learning_rate" in advice.reasons) == (share < 1)
    for name in (name for name, known in BACKBONES.items() if not known.batch_norm):
        own = partial_recipe(backbone=name, head="linear")
        steady = advise(DataFacts((count,) * 6), own | partial_recipe(**chosen)).values
        assert steady["learning_rate"] == advise(FEW, own).values["learning_rate"]


def test_many_images_and_unknown_ones_are_trained_for_the_usual_time() -> None:
    for facts in (FEW, MANY, DataFacts(())):
        advice = advise(facts, partial_recipe(backbone="resnet18"))
        assert (advice.values["epochs"], advice.values["batch"]) == (20, 32)
        assert "epochs" not in advice.reasons


def test_a_head_of_the_second_order_needs_no_more_epochs() -> None:
    few = DataFacts((3,) * 6)
    assert advise(few, partial_recipe(backbone="squeezenet1_0")).values["epochs"] == 20
    assert advise(few, partial_recipe(backbone="resnet18", head="fusion")).values["epochs"] == 20
    linear = advise(few, partial_recipe(backbone="squeezenet1_0", head="linear"))
    assert linear.values["epochs"] == 60
    assert "epochs" in linear.reasons


def test_adamw_gets_a_tenth_of_the_rate_whatever_the_network() -> None:
    for name in BACKBONES:
        sgd, adamw = (
            advise(FEW, partial_recipe(backbone=name, optimizer=which))
            for which in ("sgd", "adamw")
        )
        tenth = sgd.values.with_defaults.learning_rate / 10
        assert adamw.values["learning_rate"] == pytest.approx(tenth)
        assert "AdamW" in adamw.reasons["learning_rate"]
    both = advise(
        FEW, partial_recipe(optimizer="adamw-then-sgd")
    )  # whose AdamW takes its share itself
    assert both.values["learning_rate"] == advise(FEW).values["learning_rate"]


def test_a_sum_of_two_losses_gets_half_the_rate() -> None:
    plain = advise(FEW, partial_recipe(backbone="inception_v3"))
    twice = advise(FEW, partial_recipe(backbone="inception_v3", method="at-cnn"))
    assert twice.values["learning_rate"] == plain.values.with_defaults.learning_rate / 2
    assert "learning_rate" in twice.reasons


@pytest.mark.parametrize(
    ("images", "batch"), [(63, 8), (64, 16), (127, 16), (128, 32), (10_000, 32)]
)
def test_batches_are_smaller_below_64_and_128_images(images: int, batch: int) -> None:
    known = BACKBONES["resnet18"]
    assert length_of(known, images)[1] == batch


def test_a_batch_larger_than_usual_does_not_raise_the_rate() -> None:
    assert length_of(BACKBONES["mobilenet_v2"], 1000, 64)[2] == 1.0
    assert length_of(BACKBONES["squeezenet1_1"], 1000, 8)[2] == 1.0
