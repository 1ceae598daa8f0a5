"""Rows of the transfer advice: when each applies, and its values."""

import dataclasses

import pytest

from workbench.domain.advice import (
    CLOSE_GAP,
    CLOSE_SHARE,
    DataFacts,
    TransferFacts,
    advise,
    advise_transfer,
)
from workbench.domain.backbones import BACKBONES
from workbench.domain.recipes import complete, partial_recipe
from workbench.domain.stage_rules import StageRule

SMALL = TransferFacts("squeezenet1_1", 300, 6, frozen_top1=0.95, chance=0.2)
LARGE = dataclasses.replace(SMALL, train_images=6000)
NEW = StageRule(start="new")


def far(facts):
    return dataclasses.replace(facts, frozen_top1=0.5)


def test_the_rows_match_the_survey():
    near_small, far_small = advise_transfer(SMALL).values, advise_transfer(far(SMALL)).values
    near_large, far_large = advise_transfer(LARGE).values, advise_transfer(far(LARGE)).values
    for near, away in ((near_small, far_small), (near_large, far_large)):
        assert near["learning_rate"] < away["learning_rate"]
        assert near["momentum"] < away["momentum"]
    assert near_large["frozen"] == far_large["frozen"] == "none"
    assert near_large["penalty"] == far_large["penalty"] == "none"
    assert near_small["penalty"] == "l2-sp+bss"
    assert far_small["options"] == {"l2-sp": {"up_to": "fire4"}}
    assert far_large["stages"] == {"fire8": NEW, "fire9": NEW}
    assert far_small["step_epochs"] < far_large["step_epochs"]  # decays sooner


def test_a_fine_tuned_run_overrides_frozen_features():
    low = far(SMALL)
    assert not low.similar
    assert dataclasses.replace(low, fine_tuned_top1=0.54).similar
    assert not dataclasses.replace(SMALL, fine_tuned_top1=1.0, frozen_top1=0.94).similar
    assert SMALL.reached == pytest.approx(0.75 / 0.8)
    reasons = advise_transfer(dataclasses.replace(low, fine_tuned_top1=0.54)).reasons
    (name, text), *_ = reasons.items()
    assert name == "row"
    assert "small target (50 images per class), similar" in text
    assert "adds 4.0% to the 50.0%" in text
    worse = advise_transfer(dataclasses.replace(SMALL, fine_tuned_top1=0.94)).reasons
    assert "takes 1.0% from the 95.0%" in worse["row"]


def test_few_images_get_the_epochs_and_the_rate_of_their_small_batches():
    few = TransferFacts("resnet18", 30, 6, frozen_top1=0.95, chance=0.2)
    usual = dataclasses.replace(few, train_images=300)
    for one, many in ((few, usual), (far(few), far(usual))):
        rate = advise_transfer(many).values["learning_rate"]
        assert advise_transfer(one).values["learning_rate"] == pytest.approx(rate / 4)
    plain = advise(DataFacts((5,) * 6), partial_recipe(backbone="resnet18")).values
    assert advise_transfer(far(few)).values["epochs"] == plain["epochs"] == 45
    assert advise_transfer(far(usual)).values["epochs"] == 20


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("facts", [SMALL, LARGE, far(SMALL), far(LARGE)])
def test_every_advice_is_a_recipe_and_has_its_reasons(name, facts):
    advice = advise_transfer(dataclasses.replace(facts, backbone=name))
    start = "imagenet" if BACKBONES[name].weights else "file:w.pth"
    given = {"target": "category", "backbone": name, "start": start, "optimizer": "adamw"}
    recipe = complete({**given, **advice.values}, {})
    assert recipe.optimizer == "sgd", "its rates and momenta are of SGD, whatever was chosen"
    assert recipe.learning_rate == advice.values["learning_rate"]
    reported = set(advice.reasons)
    assert {"row", "learning_rate", "penalty"} <= reported
    assert reported - {"row", "source"} <= set(advice.values)


def test_the_numbers_of_each_row():
    far_large, near_large = advise_transfer(far(LARGE)).values, advise_transfer(LARGE).values
    assert (far_large["step_epochs"], far_large["epochs"]) == (20, 30)
    assert (near_large["learning_rate"], far_large["learning_rate"]) == (0.002, 0.02)
    usual = dataclasses.replace(SMALL, backbone="resnet18", train_images=1200)
    near, away = advise_transfer(usual).values, advise_transfer(far(usual)).values
    assert (near["learning_rate"], away["learning_rate"]) == (0.002, 0.01)
    assert (away["epochs"], away["step_epochs"]) == (20, 5)


def test_a_target_is_large_from_four_hundred_images_per_class():
    def images(count, classes=6):
        return dataclasses.replace(SMALL, train_images=count, classes=classes)

    assert (images(2400).large, images(2399).large) == (True, False)
    assert (images(399, 1).per_class, images(10, 0).per_class) == (399, 10)


def test_starts_are_similar_up_to_a_gap_and_from_a_share_of_the_way():
    half = dataclasses.replace(SMALL, frozen_top1=0.0, chance=0.0)
    assert dataclasses.replace(half, fine_tuned_top1=CLOSE_GAP).similar
    assert not dataclasses.replace(half, fine_tuned_top1=CLOSE_GAP + 0.01).similar
    assert (CLOSE_GAP, CLOSE_SHARE) == (0.05, 0.75)
    assert dataclasses.replace(half, frozen_top1=CLOSE_SHARE).similar
    assert not dataclasses.replace(half, frozen_top1=CLOSE_SHARE - 0.01).similar


@pytest.mark.parametrize(
    ("tuned", "text"), [(0.95, "adds 0.0% to the 95.0%"), (0.94, "takes 1.0% from the 95.0%")]
)
def test_no_gain_is_no_loss(tuned, text):
    facts = dataclasses.replace(SMALL, fine_tuned_top1=tuned)
    assert text in advise_transfer(facts).reasons["row"]
