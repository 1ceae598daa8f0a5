"""Backbones: recommended stages and recipe keys exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workbench.domain.backbones import (
    BACKBONES,
    DEFAULT_BACKBONE,
    SMALL_CROP_BACKBONE,
    UNRANKED,
    WEIGHTS_ADDRESS,
    Backbone,
    Stage,
    backbone,
)
from workbench.domain.errors import ValueRefused
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


STAGES = tuple(Stage(name, (f"net.{name}", f"extra.{name}")) for name in "abcdefg")
SEVEN = replace(
    BACKBONES["vgg11"], name="seven", title="Seven", stages=STAGES, weights="", frozen=""
)


def test_the_address_and_digest_of_weights_come_from_the_name_of_the_file() -> None:
    known = replace(SEVEN, weights="net-a-0123abcd.pth")
    assert known.weights_address == f"{WEIGHTS_ADDRESS}net-a-0123abcd.pth"
    assert known.weights_digest == "0123abcd"
    assert (SEVEN.weights_address, SEVEN.weights_digest) == ("", "")


def test_frozen_modules_reach_up_to_the_named_stage() -> None:
    assert SEVEN.frozen_modules("none") == ()
    assert SEVEN.frozen_modules("b") == ("net.a", "extra.a", "net.b", "extra.b")
    assert SEVEN.frozen_modules("all")[-3:] == ("extra.f", "net.g", "extra.g")
    with pytest.raises(ValueRefused) as refused:
        SEVEN.frozen_modules("z")
    assert (refused.value.key, refused.value.allowed) == (
        "frozen",
        "none, a, b, c, d, e, f, g, all",
    )


def test_an_unknown_backbone_is_refused() -> None:
    assert backbone("resnet18").name == "resnet18"
    with pytest.raises(ValueRefused):
        backbone("resnet19")
