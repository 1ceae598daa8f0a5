"""Rows of the transfer advice: when each applies, and its values."""

import dataclasses

import pytest

from workbench.domain.advice import DataFacts, TransferFacts, advise, advise_transfer
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
