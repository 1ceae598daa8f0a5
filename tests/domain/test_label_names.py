"""Which label a written name means, and how names are stored."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.errors import ValueRefused
from workbench.domain.label_names import LabelNames, checked_name, tidied

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))

spellings = st.sampled_from(
    ["owl", "Owl", "OWL", " owl", "owl ", "Straße", "STRASSE", COMPOSED, DECOMPOSED, "É"]
)
names = st.lists(spellings, unique=True)


@pytest.mark.parametrize(
    ("known", "written", "meant", "like"),
    [
        (("Owl", "owl", "OWL"), "owl", "owl", "Owl"),
        (("OWL", "duck"), "owl", "owl", "OWL"),
        (("OWL", "Owl"), " owl ", "owl", "OWL"),
        (("STRASSE",), "Straße", "Straße", "STRASSE"),
        ((DECOMPOSED, COMPOSED), DECOMPOSED, DECOMPOSED, COMPOSED),
        ((DECOMPOSED, "É"), COMPOSED, DECOMPOSED, DECOMPOSED),
        ((" owl", "OWL"), "owl", " owl", " owl"),
        ((" owl", "owl"), " owl", " owl", "owl"),
        ((), f" {DECOMPOSED}\t", COMPOSED, ""),
        (("blue jay",), "Blue  Jay", "Blue  Jay", "blue jay"),
        (("owl",), "o\u200bwl", "owl", "owl"),
    ],
)
def test_only_the_same_spelling_is_meant_and_others_are_named(known, written, meant, like):
    found = LabelNames(known)
    assert (found.equal_or_new(written), found.like(written)) == (meant, like)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("  padded ", "padded"),
        ("two\nlines", "two lines"),
        ("two\r\n\tlines", "two lines"),
        ("a\u2028b\u0085c", "a b c"),
        ("zero\u200bwidth", "zerowidth"),
        ("\ufeffowl\u202e", "owl"),
        ("soft\u00adhyphen", "softhyphen"),
        ("👩\u200d🌾", "👩\u200d🌾"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200dowl\u200c", "owl"),
        (DECOMPOSED, COMPOSED),
        ("a  b", "a  b"),
    ],
)
def test_names_are_stored_in_one_form(written, stored):
    assert tidied(written) == checked_name(written, "label") == stored


@pytest.mark.parametrize("written", ["", " ", "\t\n", "\u200b", "\u2066\u2069", "\u200d", "\x00"])
def test_a_name_without_a_visible_character_is_refused(written):
    assert tidied(written) == ""
    with pytest.raises(ValueRefused, match="visible character"):
        checked_name(written, "label")


@given(st.text())
def test_a_stored_name_stays_as_it_is(written):
    assert tidied(tidied(written)) == tidied(written)


@given(names, names)
def test_what_a_name_meant_once_it_means_again(known, written):
    before = LabelNames(known)
    meant = {name: before.equal_or_new(name) for name in written}
    after = LabelNames([*known, *meant.values()])
    assert {name: after.equal_or_new(name) for name in written} == meant
