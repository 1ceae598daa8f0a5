"""Splits are close to the wanted fractions, hang on nothing else, and divide no group."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.errors import ValueRefused
from workbench.domain.splits import DEFAULT_SPLIT, PARTS, Part, SplitPlan, stratified_split

fractions = st.tuples(*(st.integers(0, 20),) * 4).filter(lambda f: f[0] > 0)


@st.composite
def plans(draw, whole=False):
    train, validation, test, out = draw(fractions)
    total = train + validation + test + (0 if whole else out)
    return SplitPlan(train / total, validation / total, test / total, draw(st.integers(0, 9)))


strata = st.dictionaries(st.integers(1, 10_000), st.sampled_from(["", "a", "b", "c/left"]))


@given(plans(), strata)
def test_parts_are_close_to_the_wanted_fractions(plan, images):
    members = stratified_split(plan, images)
    assert set(members) <= set(images)
    for part in PARTS:
        given_part = sum(1 for found in members.values() if found is part)
        assert abs(given_part - getattr(plan, part) * len(images)) < 2 + 1e-6
    for stratum in set(images.values()):
        inside = [image for image in images if images[image] == stratum]
        for part in PARTS:
            wanted = getattr(plan, part) * len(inside)
            assert abs(sum(members.get(i) is part for i in inside) - wanted) < 3 + 1e-6


@given(plans(whole=True), strata)
def test_a_plan_that_sums_to_one_assigns_all_images(plan, images):
    members = stratified_split(plan, images)
    assert set(members) == set(images)
    for part in PARTS:
        if getattr(plan, part) == 0:
            assert part not in members.values()


@given(plans(), strata, st.randoms())
def test_a_split_depends_on_its_input_only(plan, images, random):
    shuffled = list(images.items())
    random.shuffle(shuffled)
    assert stratified_split(plan, dict(shuffled)) == stratified_split(plan, images)


@given(plans(whole=True), strata, st.data())
def test_a_group_is_never_divided(plan, images, data):
    keys = st.sampled_from(["g1", "g2", "g3"])
    groups = {i: data.draw(keys) for i in images if data.draw(st.booleans())}
    members = stratified_split(plan, images, groups)
    for key in set(groups.values()):
        assert len({members[i] for i in groups if groups[i] == key}) == 1


@pytest.mark.parametrize(
    ("fractions", "key"),
    [
        ((0.8, 0.3, 0.1), "train + validation + test"),
        ((1.2, 0.0, 0.0), "train"),
        ((0.5, -0.1, 0.1), "validation"),
        ((0.5, 0.1, 1.5), "test"),
        ((0.0, 0.5, 0.5), "train"),
    ],
)
def test_an_invalid_plan_is_refused(fractions, key):
    with pytest.raises(ValueRefused) as refused:
        SplitPlan(*fractions)
    assert refused.value.key == key


def test_strata_are_dealt_in_the_order_of_their_labels():
    assert stratified_split(SplitPlan(0.5, 0, 0.5), {1: "b", 2: "a"}) == {
        2: Part.TRAIN,
        1: Part.TEST,
    }


def test_an_image_goes_into_a_part_rather_than_out():
    assert stratified_split(SplitPlan(0.5, 0, 0), {1: "a"}) == {1: Part.TRAIN}


def test_fractions_are_shown_in_percent():
    plan = SplitPlan(0.6, 0.25, 0.15)
    assert plan.percentages == "60 / 25 / 15"
    assert plan.sentence == "60 % train, 25 % validation and 15 % test"


def test_the_bounds_of_a_plan_are_allowed():
    assert SplitPlan(1.0, 0.0, 0.0).train == 1
    assert SplitPlan(0.1, 0.2, 0.7).test == 0.7  # their sum is a little more than 1
    assert SplitPlan(0.7, 0.15, 0.15, 0) == DEFAULT_SPLIT


def test_rounding_is_made_up_for_in_the_next_stratum():
    plan = SplitPlan(0.5, 0.25, 0.25)
    strata = {image: "abcd"[image // 2] for image in range(8)}  # four labels of two images
    counts = Counter(stratified_split(plan, strata).values())
    assert counts == {Part.TRAIN: 4, Part.VALIDATION: 2, Part.TEST: 2}


def test_groups_count_with_all_their_images():
    plan = SplitPlan(0.5, 0.0, 0.5)
    groups = {image: "first" if image < 10 else "second" for image in range(20)}
    members = stratified_split(plan, dict.fromkeys(range(20), "a"), groups)
    assert Counter(members.values()) == {Part.TRAIN: 10, Part.TEST: 10}


def test_what_no_fraction_claims_is_left_out():
    plan = SplitPlan(0.25, 0.0, 0.25)
    members = stratified_split(plan, dict.fromkeys(range(40), "a"))
    assert Counter(members.values()) == {Part.TRAIN: 10, Part.TEST: 10}


def test_another_seed_gives_another_split():
    images = dict.fromkeys(range(40), "a")
    one, other = (stratified_split(SplitPlan(seed=seed), images) for seed in (0, 1))
    assert one != other
