"""Label sets: mirrors come in pairs, keys and names are unique."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.errors import ValueRefused
from workbench.domain.labels import VIEW_PRESETS, Label, LabelSet, with_paired_mirrors


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


def pairs(label_set):
    return {label.name: (label.key, label.mirror) for label in label_set.labels}


@pytest.mark.parametrize(
    ("labels", "merged"),
    [
        ({"a": "K", "b": "L"}, {"a": ("K", "")}),
        ({"a": "", "b": "L", "c": "M"}, {"a": ("L", ""), "c": ("M", "")}),
        ({"a": ("", "b"), "b": ("L", "a")}, {"a": ("L", "")}),
        ({"a": "", "b": ("", "c"), "c": ("", "b")}, {"a": ("", "c"), "c": ("", "a")}),
        (
            {"a": ("", "d"), "b": ("", "c"), "c": ("", "b"), "d": ("", "a")},
            {"a": ("", "d"), "c": ("", ""), "d": ("", "a")},
        ),
    ],
)
def test_a_merged_label_leaves_its_key_and_mirror_where_there_was_none(labels, merged):
    made = (Label(n, *(v if isinstance(v, tuple) else (v,))) for n, v in labels.items())
    assert pairs(LabelSet("x", tuple(made)).merged("b", "a")) == merged


def test_a_renamed_label_stays_the_mirror_of_its_mirror():
    found = VIEW_PRESETS["cars"].with_renamed("left", "port")
    assert pairs(found)["right"] == ("R", "port")
    assert pairs(found)["port"] == ("L", "right")
    with pytest.raises(ValueRefused, match="two labels “right”"):
        VIEW_PRESETS["cars"].with_renamed("left", "right")
