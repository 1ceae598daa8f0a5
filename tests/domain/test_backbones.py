"""Backbones: recommended stages and recipe keys exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workbench.domain.backbones import (
    BACKBONES,
    DEFAULT_BACKBONE,
    SMALL_CROP_BACKBONE,
    UNRANKED,
    Backbone,
    Stage,
)
from workbench.domain.recipes import KEYS


@pytest.mark.parametrize("known", BACKBONES.values(), ids=list(BACKBONES))
def test_an_entry_names_existing_stages_and_keys(known: Backbone) -> None:
    stages = ("none", *known.stage_names)
    assert known.advised_frozen in stages
    assert known.frozen_with_few in ("", *stages)
    if known.frozen_with_few:
        assert stages.index(known.frozen_with_few) > stages.index(known.advised_frozen)
    assert set(known.recipe) <= set(KEYS)
    assert {key for key, _ in known.reasons} <= {*known.recipe, "backbone"}
    assert len(set(known.stage_names)) == len(known.stages)


def test_the_lower_third_is_frozen_without_a_measurement() -> None:
    stages = tuple(Stage(name, (name,)) for name in "abcdef")
    plain = replace(BACKBONES["vgg11"], stages=stages, frozen="")
    assert plain.advised_frozen == "c"
    assert plain.frozen_modules(plain.advised_frozen) == ("a", "b", "c")
    assert {BACKBONES[name].advised_frozen for name in ("vgg11", "efficientnet_b0")} == {"block3"}


@pytest.mark.parametrize("what", ["source", "builder"])
def test_an_entry_without_source_or_builder_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=f"'vgg11' has no {what}"):
        replace(BACKBONES["vgg11"], **{what: ""})


def test_default_backbones_are_among_them() -> None:
    assert {DEFAULT_BACKBONE, SMALL_CROP_BACKBONE} <= set(BACKBONES)


def test_ranks_for_comparing_images_have_an_order() -> None:
    ranked = [known for known in BACKBONES.values() if known.feature_rank != UNRANKED]
    assert sorted(known.feature_rank for known in ranked) == list(range(1, len(ranked) + 1))
    assert all(known.weights for known in ranked)
