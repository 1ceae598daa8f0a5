"""Study plans and result tables, compared with worked examples."""

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from workbench.domain.errors import ValueRefused
from workbench.domain.splits import Part
from workbench.domain.studies import (
    ClassPlan,
    Plan,
    SplitFractions,
    Study,
    compare,
    draw_per_class,
    interval,
    paired_p,
    parse_plan,
)

PLAN = {
    "seeds": [0, 1, 2, 3],
    "base": {"target": "category", "epochs": 2},
    "variants": {"plain": {}, "heavy": {"epochs": 4}},
}


def test_every_cell_has_its_recipe_and_the_seeds_go_together():
    plan = parse_plan(PLAN, "methods")
    assert plan.name == "methods"
    assert plan.cells[:3] == [("plain", 0), ("heavy", 0), ("plain", 1)]
    assert plan.keys("heavy", 3) == {"target": "category", "epochs": 4, "seed": 3}
    assert plan.split is None
    drawn = parse_plan({**PLAN, "split": {}}, "methods").split
    assert (drawn.train, drawn.validation, drawn.test) == (0.7, 0.15, 0.15)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variants": {"one": {}}}, "two or more"),
        ({"seeds": [1, 1]}, "different"),
        ({"seeds": ["a"]}, "seeds"),
        ({"sedes": [1]}, "sedes"),
        ({"split": {"trian": 0.5}}, "trian"),
        ({"split": {}, "folds": "5"}, "nothing beside folds"),
        ({"per_class": 5, "published": "official"}, "nothing beside published"),
        ({"per_class": 0}, "per_class"),
        ({"protocol": "thirds"}, r"“thirds”.*half/half, K folds, C per class, or published NAME"),
        ({"protocol": 5}, "half/half"),
        ({"protocol": "1 folds"}, "at least 2 folds"),
        ({"protocol": "0 per class"}, "at least 1 image per class"),
        ({"protocol": "published "}, "published NAME"),
        ({"protocol": "half/half", "folds": "5"}, "nothing beside folds"),
    ],
)
def test_an_invalid_plan_is_refused_with_a_message(change, words):
    with pytest.raises(ValueRefused, match=words):
        parse_plan({**PLAN, **change}, "methods")


@pytest.mark.parametrize(
    ("text", "keys", "words"),
    [
        ("half/half", {"split": SplitFractions(0.5, 0.0, 0.5)}, "half for training"),
        ("10 folds", {"folds": "10"}, "each fold of 10"),
        ("30 per class", {"per_class": 30}, "30 training images per class"),
        (" published  CUB official", {"published": "CUB official"}, "split CUB official"),
    ],
)
def test_a_protocol_is_named(text, keys, words):
    plan = parse_plan({**PLAN, "protocol": text}, "methods")
    for key in ("split", "folds", "per_class", "published"):
        assert getattr(plan, key) == keys.get(key, DEFAULTS[key])
    assert words in plan.protocol
    decoded = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert decoded == plan


DEFAULTS = {"split": None, "folds": "", "per_class": None, "published": ""}


def test_a_number_of_images_of_each_class_is_drawn_by_the_seed():
    classes = {at: ("owl", "puffin", "")[at % 3] for at in range(30)}
    parts = draw_per_class(ClassPlan(seed=1, per_class=4), classes)
    assert set(parts) == {image for image, name in classes.items() if name}
    for name in ("owl", "puffin"):
        own = [parts[image] for image in sorted(parts) if classes[image] == name]
        assert own.count(Part.TRAIN) == 4
        assert own.count(Part.TEST) == 6
    assert draw_per_class(ClassPlan(seed=1, per_class=4), classes) == parts
    assert draw_per_class(ClassPlan(seed=2, per_class=4), classes) != parts
    more = draw_per_class(ClassPlan(seed=1, per_class=9), classes)
    assert list(more.values()).count(Part.TEST) == 2
    trained = {image for image, part in parts.items() if part is Part.TRAIN}
    assert all(more[image] is Part.TRAIN for image in trained)  # fewer are some of more
    with pytest.raises(ValueRefused, match=r"“10”.*per_class.*less than 10.*“owl”"):
        draw_per_class(ClassPlan(seed=1, per_class=10), classes)


def test_intervals_and_the_paired_test_are_student_s():
    draw = np.random.default_rng(0)
    first, second = draw.normal(0.9, 0.02, 7), draw.normal(0.91, 0.02, 7)
    low, high = stats.t.interval(0.95, 6, loc=first.mean(), scale=stats.sem(first))
    found = interval(first.tolist())
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert paired_p((second - first).tolist()) == pytest.approx(stats.ttest_rel(second, first)[1])
    assert math.isnan(interval([0.5]).half)
    assert math.isnan(paired_p([0.1]))
    assert paired_p([0.1, 0.2]) == pytest.approx(stats.ttest_1samp([0.1, 0.2], 0).pvalue)
    assert interval([0.5, 0.7]).half == pytest.approx(
        stats.t.interval(0.95, 1, loc=0, scale=stats.sem([0.5, 0.7]))[1]
    )
    assert paired_p([0.0, 0.0]) == 1.0
    assert paired_p([0.1, 0.1]) == 0.0


def test_only_the_same_seeds_are_compared():
    plan = parse_plan(PLAN, "methods")
    values = {
        ("plain", 0): 0.5,
        ("plain", 1): 0.6,
        ("plain", 2): 0.7,
        ("heavy", 1): 0.7,
        ("heavy", 2): 0.9,
        ("heavy", 3): 0.1,
    }
    plain, heavy = compare(plan, values, {("heavy", 1): 10.0, ("heavy", 2): 20.0})
    assert plain.accuracy.mean == pytest.approx(0.6)
    assert math.isnan(plain.difference.mean)
    assert heavy.difference.mean == pytest.approx(0.15)
    assert heavy.seconds == 15.0
    assert heavy.p == pytest.approx(stats.ttest_rel([0.7, 0.9], [0.6, 0.7])[1])
    empty = compare(plan, {})
    assert math.isnan(empty[0].accuracy.mean)


def test_a_cell_s_run_is_replaced_by_a_newer_one():
    study = Study(id="s", created=0.0, plan=parse_plan(PLAN, "methods"))
    study = study.with_run("plain", 0, "a").with_run("heavy", 0, "b").with_run("plain", 0, "c")
    assert study.run_of("plain", 0) == "c"
    assert study.run_of("heavy", 0) == "b"
    assert study.run_of("heavy", 1) == ""
    assert len(study.runs) == 2
