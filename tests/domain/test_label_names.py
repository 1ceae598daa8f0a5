"""Which label a written name means, over any names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.label_names import LabelNames, current_spelling, sets_and_labels, tidied

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))

spellings = st.sampled_from(
    ["owl", "Owl", "OWL", " owl", "owl ", "Straße", "STRASSE", COMPOSED, DECOMPOSED, "É"]
)
names = st.lists(spellings, unique=True)


@pytest.mark.parametrize(
    ("known", "written", "meant"),
    [
        (("Owl", "owl", "OWL"), "owl", "owl"),
        (("OWL", "duck"), "owl", "OWL"),
        (("OWL", "Owl"), "owl", "owl"),
        (("OWL", "Owl"), " owl ", "owl"),
        (("STRASSE",), "Straße", "STRASSE"),
        (("Straße", "STRASSE"), "Straße", "Straße"),
        ((DECOMPOSED, COMPOSED), DECOMPOSED, DECOMPOSED),
        ((DECOMPOSED, "É"), COMPOSED, DECOMPOSED),
        (("É",), DECOMPOSED, "É"),
        ((" owl", "OWL"), "owl", " owl"),
        ((" owl", "owl"), " owl", " owl"),
        ((), f" {DECOMPOSED}\t", COMPOSED),
    ],
)
def test_the_nearest_spelling_is_meant(known, written, meant):
    assert LabelNames(known).found_or_new(written) == meant


def test_equal_names_are_no_twins_of_themselves():
    assert LabelNames(["owl", "duck", "OWL", "Duckling"]).twins() == ("owl", "OWL")
    assert LabelNames(iter(["owl", "Owl"])).equal("Owl") == "Owl"
    assert LabelNames(["Owl"]).equal("owl") is None


def test_a_label_takes_the_spelling_of_a_current_one():
    assert current_spelling("owl", ["duck", "Owl"]) == "Owl"
    assert current_spelling("owl", ["Owl", "owl"]) == "owl"
    assert current_spelling("owl", ["duck"]) == "owl"


def test_a_text_that_reports_names_apart_never_joins_them():
    assert LabelNames(["Owl", "Duck"]).all_apart(["owl", "Owl", "duck", "owl"]) == {
        "owl": "owl",
        "Owl": "Owl",
        "duck": "Duck",
    }
    assert LabelNames(["Owl"]).all_apart(["owl", " owl"]) == {"owl": "Owl", " owl": "Owl"}


def test_sets_are_reported_apart_by_case_and_their_labels_within_each():
    known = {"view": ("left",), COMPOSED: ("Owl",)}
    written = [("View", "Left"), ("view", "LEFT"), (DECOMPOSED, "owl"), (COMPOSED, "OWL")]
    assert sets_and_labels(known, written) == [
        ("View", "Left"),
        ("view", "left"),
        (COMPOSED, "owl"),
        (COMPOSED, "OWL"),
    ]


@given(names, names)
def test_what_a_name_meant_once_it_means_again(known, written):
    before = LabelNames(known)
    meant = {name: before.found_or_new(name) for name in written}
    after = LabelNames([*known, *meant.values()])
    assert {name: after.found_or_new(name) for name in written} == meant
    apart = before.all_apart(written)
    assert LabelNames([*known, *apart.values()]).all_apart(written) == apart
    assert len({tidied(name) for name in written}) == len(set(map(tidied, apart.values())))
