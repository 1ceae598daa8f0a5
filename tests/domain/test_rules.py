"""The rules of splits, crops, boxes, labels, recipes and scores, over any input."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.domain.backbones import BACKBONES
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropState, merge_detection
from workbench.domain.errors import ValueRefused
from workbench.domain.geometry import Rect, mouth_box_of
from workbench.domain.labels import VIEW_PRESETS, Label, LabelSet, with_paired_mirrors
from workbench.domain.metrics import (
    class_scores,
    confusion_matrix,
    top_k_accuracy,
)
from workbench.domain.recipes import KEYS, allowed, complete, parse_setting, parse_toml, to_toml
from workbench.domain.splits import PARTS, Part, SplitPlan, stratified_split

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
        ((0.8, 0.3, 0.1), r"train \+ validation \+ test"),
        ((1.2, 0.0, 0.0), "train"),
        ((0.5, -0.1, 0.1), "validation"),
        ((0.0, 0.5, 0.5), "train"),
    ],
)
def test_an_invalid_plan_is_refused(fractions, key):
    with pytest.raises(ValueRefused, match=key):
        SplitPlan(*fractions)


sides = st.integers(1, 200)


@st.composite
def rects(draw):
    left, top = draw(st.integers(-50, 150)), draw(st.integers(-50, 150))
    return Rect(left, top, left + draw(sides), top + draw(sides))


@st.composite
def crops(draw, stored):
    state = draw(st.sampled_from(CropState))
    missed = state is CropState.MISSED
    rect = None if missed else draw(rects())
    reviewed = stored and draw(st.booleans())
    return Crop(None, 1, draw(st.integers(0, 3)), state, rect, reviewed=reviewed)


@given(st.lists(crops(stored=True), max_size=5), st.lists(crops(False), max_size=5), st.data())
def test_a_new_detection_keeps_manual_work(existing, detected, data):
    existing = [
        Crop(i, c.image, c.face, c.state, c.rect, reviewed=c.reviewed)
        for i, c in enumerate(existing, start=1)
    ]
    labelled = frozenset(c.id for c in existing if data.draw(st.booleans()))
    update = merge_detection(existing, detected, labelled)
    reviewed = {c.id for c in existing if c.reviewed}
    assert not set(update.remove) & (labelled | reviewed)
    written = [c.id for c in update.write if c.id is not None]
    assert not set(written) & reviewed  # a reviewed box is not even moved
    assert not set(written) & set(update.remove)
    assert len(written) == len(set(written))
    assert set(written) | set(update.remove) <= {c.id for c in existing}
    assert all(c.image == 1 for c in update.write)


@given(st.lists(crops(False), max_size=5))
def test_the_same_detection_twice_adds_nothing(detected):
    distinct = [c for c in detected if c.rect is not None]
    assume(all(a.rect.iou(b.rect) < 0.3 for a in distinct for b in distinct if a is not b))
    stored = [Crop(i, 1, c.face, c.state, c.rect) for i, c in enumerate(distinct, start=1)]
    update = merge_detection(stored, distinct, frozenset())
    assert sorted(c.id for c in update.write) == [c.id for c in stored]
    assert update.remove == ()


coordinates = st.floats(-500, 1500, allow_nan=False)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=68, max_size=68), sides, sides)
def test_a_mouth_box_is_inside_its_image(landmarks, width, height):
    rect, fits = mouth_box_of(landmarks, width, height)
    assert 0 <= rect.left < rect.right <= width
    assert 0 <= rect.top < rect.bottom <= height
    if fits:
        assert rect.width == rect.height
        mouth = landmarks[48:68]
        longest = max(max(v) - min(v) for v in zip(*mouth, strict=True))
        assert rect.width == max(2, round(1.5 * longest))


@given(rects(), rects())
def test_overlap_is_symmetric_and_a_share(one, other):
    assert one.iou(other) == other.iou(one)
    assert 0 <= one.iou(other) <= 1
    assert one.iou(one) == 1
    cells = {(x, y) for x in range(one.left, one.right) for y in range(one.top, one.bottom)}
    if len(cells) < 400:
        others = {
            (x, y) for x in range(other.left, other.right) for y in range(other.top, other.bottom)
        }
        assert one.iou(other) == pytest.approx(len(cells & others) / len(cells | others))


@st.composite
def mirrored_sets(draw):
    names = draw(st.lists(st.text("abc", min_size=1), min_size=1, max_size=8, unique=True))
    partner = {}
    free = list(names)
    while free:
        one = free.pop()
        other = free.pop() if free and draw(st.booleans()) else one
        partner[one], partner[other] = other, one
    return LabelSet(
        "view", tuple(Label(n, "", partner[n] if partner[n] != n else "") for n in names)
    )


@given(mirrored_sets())
def test_flipping_twice_changes_nothing(label_set):
    flip = label_set.mirror_permutation()
    assert [flip[flip[i]] for i in range(len(flip))] == list(range(len(flip)))


@pytest.mark.parametrize("name", VIEW_PRESETS)
def test_the_views_at_hand_swap_left_and_right_alone(name):
    views = VIEW_PRESETS[name]
    flip = views.mirror_permutation()
    moved = {views.names[i]: views.names[at] for i, at in enumerate(flip) if at != i}
    assert moved == {"left": "right", "right": "left"}
    for label in views.labels:
        assert views.label_for_key(label.key.lower()) == label
    assert views.label_for_key("1") == views.labels[0]
    assert views.label_for_key("9") is None


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ((Label("a"), Label("a")), "two labels “a”"),
        ((Label("a", "k"), Label("b", "K")), "“K” is the key of two labels"),
        ((Label("a", mirror="c"), Label("b")), "“c” cannot be the mirror of “a”.*Allowed: b"),
        ((Label("a", mirror="a"), Label("b")), "“a” cannot be the mirror of “a”.*Allowed: b"),
        ((Label("a", mirror="a"),), "“a” cannot be the mirror of “a”.*Allowed: no mirror"),
        ((Label("a", mirror="b"), Label("b")), "“b” needs a mirror.*Allowed: a"),
        (
            (Label("a", mirror="b"), Label("b", mirror="c"), Label("c", mirror="b")),
            "“c” cannot be the mirror of “b”.*Allowed: a",
        ),
    ],
)
def test_a_set_that_contradicts_itself_is_refused(labels, what):
    with pytest.raises(ValueRefused, match=what):
        LabelSet("x", labels)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ({"a": "b", "b": "a", "c": ""}, {"a": "b", "b": "a", "c": ""}),
        ({"a": "b", "b": "", "c": ""}, {"a": "b", "b": "a", "c": ""}),
        ({"a": "b", "b": "b", "c": "gone"}, {"a": "b", "b": "a", "c": ""}),
        ({"a": "gone", "b": "a", "c": ""}, {"a": "b", "b": "a", "c": ""}),
        ({"a": "b", "b": "c", "c": "b"}, {"a": "", "b": "c", "c": "b"}),
        ({"a": "b", "b": "c", "c": ""}, {"a": "", "b": "c", "c": "b"}),
        ({"a": "c", "b": "c", "c": ""}, {"a": "c", "b": "", "c": "a"}),
        ({"a": "b", "b": "c", "c": "a"}, {"a": "", "b": "", "c": ""}),
    ],
)
def test_one_sided_mirrors_are_paired_where_the_other_side_is_free_else_dropped(stored, read):
    labels = with_paired_mirrors(Label(name, "", mirror) for name, mirror in stored.items())
    assert {label.name: label.mirror for label in labels} == read
    assert LabelSet("x", labels).names == ("a", "b", "c")


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"]), min_size=4, max_size=4))
def test_any_stored_mirrors_are_read_as_a_set(mirrors):
    labels = with_paired_mirrors(map(Label, "abcd", [""] * 4, mirrors))
    LabelSet("x", labels)  # refuses what is not paired
    assert with_paired_mirrors(labels) == labels


@pytest.mark.parametrize(
    ("key", "value", "reported"),
    [
        ("epochs", 0, "a whole number ≥ 1"),
        ("epochs", "ten", "a whole number ≥ 1"),
        ("epochs", 1.5, "a whole number"),
        ("learning_rate", -0.1, "a number > 0"),
        ("momentum", 1.5, "≥ 0 and ≤ 1"),
        ("backbone", "resnet19", "squeezenet1_1"),
        ("start", "file:", "imagenet, none, file:PATH or run:ID"),
        ("frozen", "fire99", "fire5"),
        ("optimizer", "adam", "sgd, adamw"),
        ("flip", "yes", "true or false"),
        ("colour", 1, "learning_rate"),
    ],
)
def test_a_recipe_error_names_key_value_and_what_is_allowed(key, value, reported):
    with pytest.raises(ValueRefused) as caught:
        complete({"target": "view", key: value}, {})
    assert caught.value.key == key
    assert caught.value.value == value
    assert key in caught.value.sentence
    assert reported in caught.value.remedy


def test_every_key_describes_its_allowed_values():
    for key in KEYS:
        assert allowed(key)
    with pytest.raises(ValueRefused, match="target"):
        complete({}, {})
    with pytest.raises(ValueRefused, match="has no ImageNet weights"):
        complete({"target": "view", "backbone": "simpleconv3"}, {})


@given(st.sampled_from(sorted(BACKBONES)), st.integers(1, 99), st.floats(1e-6, 10))
def test_user_values_override_advice(name, epochs, rate):
    asked = {"target": "category", "backbone": name, "start": "none", "epochs": epochs}
    recipe = complete(asked, {"epochs": 1000, "learning_rate": rate})
    assert (recipe.epochs, recipe.learning_rate, recipe.backbone) == (epochs, rate, name)
    assert complete(parse_toml(to_toml(recipe), "recipe.toml")) == recipe


@pytest.mark.parametrize("text", ["epochs", "=3", " = 3"])
def test_a_setting_without_key_or_sign_is_refused(text):
    with pytest.raises(ValueRefused, match="key=value"):
        parse_setting(text)


def test_a_setting_is_toml_or_text():
    assert parse_setting("epochs=3") == ("epochs", 3)
    assert parse_setting("flip = false") == ("flip", False)
    assert parse_setting("start=run:20260101") == ("start", "run:20260101")
    for value in ("[1, 2]", "2026-01-01"):  # TOML, but of no type that a recipe has
        assert parse_setting(f"epochs={value}") == ("epochs", value)


@st.composite
def predictions(draw):
    classes = draw(st.integers(2, 5))
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    scores = random.random((count, classes))
    scores /= scores.sum(axis=1, keepdims=True)
    return random.integers(-1, classes, count), scores


@given(predictions())
def test_scores_agree_with_counting_by_hand(case):
    truth, scores = case
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    pairs = [(t, p) for t, p in zip(truth.tolist(), predicted.tolist(), strict=True) if t >= 0]
    assume(pairs)
    counts = Counter(pairs)
    matrix = confusion_matrix(truth, predicted, classes)
    assert matrix.tolist() == [[counts[t, p] for p in range(classes)] for t in range(classes)]
    for c, score in enumerate(class_scores(matrix)):
        hits = counts[c, c]
        messages = [t for t, p in pairs if p == c]
        meant = [p for t, p in pairs if t == c]
        assert score.support == len(meant)
        assert score.precision == pytest.approx(hits / len(messages) if messages else 0)
        assert score.recall == pytest.approx(hits / len(meant) if meant else 0)
        assert score.f1 == pytest.approx(2 * hits / max(1, len(messages) + len(meant)))
    known = truth >= 0
    for k in range(1, classes + 1):
        best = np.argsort(-scores[known], axis=1)[:, :k]
        expected = np.mean([t in row for t, row in zip(truth[known], best, strict=True)])
        assert top_k_accuracy(truth, scores, k) == pytest.approx(expected)
    assert top_k_accuracy(truth, scores, classes) == 1


def test_a_nan_score_is_never_right():
    scores = np.array([[math.nan, math.nan, math.nan], [0.2, math.nan, 0.1], [0.1, 0.2, math.nan]])
    assert top_k_accuracy(np.array([0, 0, 1]), scores, 1) == 0
    assert top_k_accuracy(np.array([0, 0, 1]), scores, 2) == pytest.approx(2 / 3)


def test_scores_without_images_are_nan():
    truth, scores = np.array([-1, -1]), np.ones((2, 3)) / 3
    assert math.isnan(top_k_accuracy(truth, scores, 1))


sets_of_ids = st.frozensets(st.integers(1, 5))
changes = st.builds(
    Changes, sets_of_ids, sets_of_ids, sets_of_ids, sets_of_ids, sources=st.booleans()
)


@given(changes, changes)
def test_changes_add_up(one, other):
    both = one | other
    assert both == other | one
    assert both.added == one.added | other.added
    assert both | one == both
    assert bool(both) == (bool(one) or bool(other))
    assert not Changes()
    assert Part.TRAIN == "train"
