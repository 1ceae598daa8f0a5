"""Rules of single stages: frozen or new, presets, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workbench.domain.backbones import BACKBONES, Stage, modules_of
from workbench.domain.errors import ValueRefused
from workbench.domain.stage_rules import (
    PLAIN,
    StageRule,
    check_rules,
    frozen_stages,
    preset,
)

STAGES = tuple(Stage(name, (f"net.{name}", f"extra.{name}")) for name in "abcdefg")
SEVEN = replace(
    BACKBONES["vgg11"], name="seven", title="Seven", stages=STAGES, weights="", frozen=""
)
ONE = replace(SEVEN, name="one", title="One", stages=STAGES[:1])


def test_modules_of_stages_keep_the_order_of_the_backbone() -> None:
    assert modules_of(SEVEN, ("c", "a")) == ("net.a", "extra.a", "net.c", "extra.c")
    assert modules_of(SEVEN, ()) == ()


def test_each_stage_of_slower_below_learns_at_seven_tenths_of_the_one_above() -> None:
    rates = {name: rule.rate for name, rule in preset(SEVEN, "slower-below").items()}
    assert rates == {"a": 0.118, "b": 0.168, "c": 0.24, "d": 0.343, "e": 0.49, "f": 0.7}


def test_held_below_goes_evenly_from_twice_the_penalty_to_none() -> None:
    penalties = {name: rule.penalty for name, rule in preset(SEVEN, "held-below").items()}
    assert penalties == {"a": 2, "b": 1.67, "c": 1.33, "d": 1, "e": 0.67, "f": 0.33, "g": 0}
    assert {rule.penalty for rule in preset(ONE, "held-below").values()} == {0}


def test_new_top_starts_the_last_third_from_random_weights_and_unfrozen() -> None:
    fresh = StageRule(start="new", frozen=False)
    assert preset(SEVEN, "new-top") == {"f": fresh, "g": fresh}
    assert preset(ONE, "new-top") == {"a": fresh}
    assert (preset(SEVEN, "plain"), preset(ONE, "slower-below")) == ({}, {})


def test_a_stage_follows_its_own_rule_before_the_depth() -> None:
    rules = {"a": StageRule(frozen=False), "f": StageRule(frozen=True)}
    assert frozen_stages(SEVEN, "c", rules) == ("b", "c", "f")
    assert frozen_stages(SEVEN, "c", {}) == ("a", "b", "c")


def test_rules_name_known_stages_and_no_frozen_stage_is_new() -> None:
    check_rules(SEVEN, "a", {"b": StageRule(start="new")})
    with pytest.raises(ValueRefused, match="Seven has no stage “z”") as unknown:
        check_rules(SEVEN, "none", {"z": StageRule()})
    assert (unknown.value.key, unknown.value.allowed) == ("stages.z", "a, b, c, d, e, f, g")
    with pytest.raises(ValueRefused) as refused:
        check_rules(SEVEN, "b", {"b": StageRule(start="new")})
    assert (refused.value.key, refused.value.value) == ("stages.b.start", "new")


def test_a_rule_without_settings_changes_nothing() -> None:
    assert (PLAIN.frozen, PLAIN.rate, PLAIN.penalty) == (None, 1, 1)
    assert StageRule() == PLAIN
