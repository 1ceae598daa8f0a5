"""Splits are close to the wanted fractions, hang on nothing else, and divide no group."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.errors import ValueRefused
from workbench.domain.part_words import part_in_name, part_named, without_part
from workbench.domain.splits import (
    DEFAULT_SPLIT,
    PARTS,
    Part,
    SplitPlan,
    k_folds,
    report_split,
    shares,
    stratified_split,
)

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
    forced = len(set(images.values()))  # images that may have moved so that a label has one
    for part in PARTS:
        given_part = sum(1 for found in members.values() if found is part)
        assert abs(given_part - getattr(plan, part) * len(images)) < 2 + forced + 1e-6
    for stratum in set(images.values()):
        inside = [image for image in images if images[image] == stratum]
        for part in PARTS:
            wanted = getattr(plan, part) * len(inside)
            assert abs(sum(members.get(i) is part for i in inside) - wanted) < 3 + forced + 1e-6


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
    assert stratified_split(SplitPlan(0.5, 0, 0.5), {1: "b", 2: "a"}, classes={}) == {
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


@pytest.mark.parametrize(
    ("seed", "validation", "test"),
    [(0, [2, 9, 20], [5, 7, 8]), (1, [3, 14, 18], [13, 19, 20]), (7, [8, 11, 12], [3, 14, 17])],
)
def test_seeds_give_the_splits_that_earlier_versions_gave(seed, validation, test):
    strata = {image: "ab"[image % 2] for image in range(1, 21)}
    members = stratified_split(SplitPlan(seed=seed), strata)
    assert sorted(i for i in members if members[i] is Part.VALIDATION) == validation
    assert sorted(i for i in members if members[i] is Part.TEST) == test


@given(plans(), strata)
def test_every_class_keeps_a_training_image(plan, images):
    members = stratified_split(plan, images)
    trained = {images[image] for image, part in members.items() if part is Part.TRAIN}
    assert trained >= set(images.values()) - {""}


def test_classes_of_one_image_are_all_trained_in_exchange_for_others():
    """Ten classes of one image, and four of twenty that can spare images for the other parts."""
    strata = {i: f"c{i}" for i in range(10)} | {i: "wxyz"[i % 4] for i in range(10, 90)}
    for seed in range(5):
        members = stratified_split(SplitPlan(seed=seed), strata)
        assert all(members[i] is Part.TRAIN for i in range(10))
        assert abs(Counter(members.values())[Part.TRAIN] - 63) < 2
        for name in "wxyz":
            assert 10 <= sum(members[i] is Part.TRAIN for i in strata if strata[i] == name) <= 15


def test_a_class_across_strata_keeps_a_training_image():
    """Class a is in two strata of one image each, both of which may go to the test part."""
    strata = {1: "a/left", 2: "a/right"} | {i: "b/left" for i in range(3, 23)}
    classes = {image: [("category", name[0])] for image, name in strata.items()}
    for seed in range(9):
        members = stratified_split(SplitPlan(0.5, 0, 0.5, seed), strata, classes=classes)
        assert Part.TRAIN in (members[1], members[2])


def test_omitted_shares_divide_the_rest():
    half = {Part.TRAIN: 0.5, Part.TEST: 0.5}
    assert shares(half) == half | {Part.VALIDATION: 0.0}
    assert shares({Part.TRAIN: 0.7, Part.TEST: 0.1})[Part.VALIDATION] == pytest.approx(0.2)
    assert shares({Part.TRAIN: 0.8}) == pytest.approx(
        {Part.TRAIN: 0.8, Part.VALIDATION: 0.1, Part.TEST: 0.1}
    )
    assert shares({}) == pytest.approx({part: getattr(DEFAULT_SPLIT, part) for part in PARTS})
    all_given = {Part.TRAIN: 0.5, Part.VALIDATION: 0.1, Part.TEST: 0.1}
    assert shares(all_given) == all_given


@given(strata, st.integers(2, 5), st.sampled_from([0.0, 0.2]), st.data())
def test_folds_test_every_image_once_and_divide_no_group(images, folds, validation, data):
    keys = st.sampled_from(["g1", "g2", "g3"])
    groups = {i: data.draw(keys) for i in images if data.draw(st.booleans())}
    plan = SplitPlan(1 - validation, validation, 0.0, folds=folds)
    if (number := len({groups.get(i, i) for i in images})) < folds:
        with pytest.raises(ValueRefused, match=f"only {number} "):
            k_folds(plan, images, groups)
        return
    made = k_folds(plan, images, groups)
    assert len(made) == folds
    assert all(Part.TEST in fold.values() for fold in made)
    tested = [{i for i, part in fold.items() if part is Part.TEST} for fold in made]
    assert set().union(*tested) == set(images)
    assert not any(one & other for one, other in combinations(tested, 2))
    for fold in made:
        assert set(fold) == set(images)
        for key in set(groups.values()):
            assert len({fold[i] for i in groups if groups[i] == key}) == 1


@given(strata, st.integers(2, 10))
def test_folds_differ_by_one_image_of_a_label_and_in_all(images, folds):
    if len(images) < folds:
        return
    made = k_folds(SplitPlan(1.0, 0.0, 0.0, folds=folds), images, classes={})
    tested = [[images[i] for i, part in fold.items() if part is Part.TEST] for fold in made]
    for count in (len, *(lambda some, n=name: some.count(n) for name in set(images.values()))):
        numbers = list(map(count, tested))
        assert max(numbers) - min(numbers) <= 1


def test_folds_are_stratified_and_train_what_they_can():
    strata = {i: "ab"[i % 2] for i in range(40)} | {100: "c", 101: "c", 102: "d"}
    for fold in k_folds(SplitPlan(0.75, 0.25, 0.0, folds=4), strata):
        for name in "ab":
            inside = Counter(fold[i] for i in fold if strata[i] == name)
            assert abs(inside[Part.TEST] - 5) <= 1
            assert abs(inside[Part.VALIDATION] - 5) <= 1
        assert Part.TRAIN in (fold[100], fold[101])
        assert fold[102] is not Part.VALIDATION


@pytest.mark.parametrize(("folds", "validation"), [(1, 0.0), (-2, 0.0), (2, 0.5), (4, 0.75)])
def test_impossible_folds_are_refused(folds, validation):
    with pytest.raises(ValueRefused):
        SplitPlan(1 - validation, validation, 0.0, folds=folds)


def test_a_report_names_what_a_split_does_not_hold():
    members = {i: Part.TRAIN for i in range(10)} | {10: Part.TEST, 11: Part.TEST}
    classes = {i: [("category", "a" if i < 9 or i > 10 else "b")] for i in range(13)}
    report = report_split(SplitPlan(0.5, 0.0, 0.5), members, classes, range(13), {0: "g", 1: "g"})
    assert report.counts == {Part.TRAIN: 10, Part.VALIDATION: 0, Part.TEST: 2}
    assert (report.outside, report.groups, report.largest) == (1, 1, 2)
    assert report.without == {Part.TRAIN: {}, Part.TEST: {}}
    classes[10] = [("view", "left")]
    report = report_split(None, members, classes, range(13))
    assert report.without[Part.TEST] == {"category": ("b",)}
    assert report.without[Part.TRAIN] == {"view": ("left",)}
    assert [str(remark) for remark in report.remarks()] == [
        "Labels of view without training images: left.",
        "Labels of category without test images: b.",
        "1 image is in no part of the split.",
    ]


def test_a_report_shows_fractions_that_groups_do_not_allow():
    strata = dict.fromkeys(range(10), "a")
    plan = SplitPlan(0.5, 0.0, 0.5)
    members = stratified_split(plan, strata, {i: "g" for i in range(8)})
    (first, second) = report_split(plan, members, {}, strata).remarks()
    assert first == "The train part has 80.0 % of the images instead of 50.0 %."
    assert second == "The test part has 20.0 % of the images instead of 50.0 %."


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Part.TRAIN, ("train", "Training", " TRAIN ")),
        (Part.VALIDATION, ("val", "VALID", "validation", "Dev")),
        (Part.TEST, ("test", "Testing")),
        (None, ("", "0", "1", "trains", "extra", "all")),
    ],
)
def test_words_name_parts_in_any_case(part, words):
    assert [part_named(word) for word in words] == [part] * len(words)


@pytest.mark.parametrize(
    ("stem", "part", "rest"),
    [
        ("train", Part.TRAIN, ""),
        ("CUB_Train", Part.TRAIN, "cub"),
        ("instances_val2017", Part.VALIDATION, "instances_2017"),
        ("testing-set", Part.TEST, "set"),
        ("train_test_split", None, "split"),
        ("trainval", None, "trainval"),
        ("labels", None, "labels"),
    ],
)
def test_the_name_of_a_file_may_name_a_part(stem, part, rest):
    assert part_in_name(stem) is part
    assert without_part(stem) == rest
