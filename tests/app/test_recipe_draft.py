"""A draft shows recommended values until they are overridden, and reports what is wrong."""

import pytest

from workbench.app.training.recipe_draft import Draft
from workbench.domain.advice import DataFacts, advise
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import partial_recipe

FACTS = DataFacts(class_counts=(50,) * 6, validation=60)


def draft(**chosen):
    made = Draft().with_values({"target": "category", **chosen})
    return made.advised_by(advise(FACTS, made.sound))


def test_recommended_values_hold_until_overridden_and_return_on_reset():
    plain = draft()
    assert plain.value("frozen") == "fire5"
    assert not plain.overridden("frozen")
    changed = plain.with_value("frozen", "fire2")
    assert changed.value("frozen") == "fire2"
    assert changed.overridden("frozen")
    assert changed.without("frozen").value("frozen") == "fire5"
    assert plain.value("frozen") == "fire5", "drafts are values"


def test_reasons_explain_current_values_and_warn_of_chosen_ones():
    assert {"frozen", "head"} <= set(draft().reasons)
    assert not {"frozen", "head"} & set(draft(frozen="fire2", head="linear").reasons)
    twice = draft(sampling="balanced", class_weights="balanced").reasons
    assert "twice" in twice["class_weights"]


def test_choosing_what_is_advised_is_no_override():
    assert not draft(epochs=20).overridden("epochs")


def test_keys_without_advice_fall_back_to_the_recipe():
    assert draft().value("momentum") == 0.9
    assert draft().suggested("weight_decay") == 1e-4


def test_every_wrong_key_is_named_with_what_is_allowed():
    errors = draft(epochs="many", batch=0, backbone="squeezenet1_0", frozen="fire5").errors
    assert set(errors) == {"epochs", "batch"}
    assert errors["batch"].allowed == "a whole number ≥ 1"
    assert "many" in errors["epochs"].sentence
    assert draft().errors == {}


def test_changing_the_backbone_drops_stages_it_does_not_have():
    assert "frozen" not in draft(frozen="fire3").with_value("backbone", "resnet18").chosen
    assert draft(frozen="all").with_value("backbone", "resnet18").chosen["frozen"] == "all"
    kept = draft(frozen="fire3").with_value("backbone", "squeezenet1_0")
    assert kept.chosen["frozen"] == "fire3"


def test_a_refused_value_is_kept_until_it_is_replaced_and_gives_no_advice():
    wrong = draft(batch="many", epochs=3)
    assert (wrong.value("batch"), wrong.recipe.batch) == ("many", 32)
    assert wrong.overridden("batch")
    assert set(wrong.sound) == {"target", "epochs"}
    assert wrong.stored() == {"target": "category", "epochs": 3, "batch": "many"}
    with pytest.raises(ValueRefused, match="batch"):
        wrong.partial()
    assert Draft().with_values(wrong.stored()).refused.keys() == {"batch"}, "also from settings"
    assert wrong.without("batch").partial() == partial_recipe(target="category", epochs=3)
    right = wrong.with_value("batch", 8)
    assert right.errors == {}
    assert right.recipe.batch == 8


def test_keys_that_do_not_go_together_give_no_advice_either():
    wrong = draft(backbone="simpleconv3", start="imagenet")
    assert wrong.value("start") == "imagenet"
    assert set(wrong.sound) == {"target", "backbone"}


def test_start_weights_a_backbone_does_not_have_are_refused():
    assert "start" in draft(backbone="simpleconv3", start="imagenet").errors


def test_a_target_is_needed():
    assert "target" in Draft().errors
