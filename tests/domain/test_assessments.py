"""Requests to score starts and layers, and their results: what they have where nothing is given."""

from tests.fixtures.defaults import defaults_of
from workbench.domain.assessments import (
    AssessmentRequest,
    LayersRequest,
    StartRequest,
    StartScores,
)
from workbench.domain.text import Message

START = StartRequest(start="none", backbone="simpleconv3")


def test_starts_are_scored_as_in_the_papers():
    assert defaults_of(AssessmentRequest, starts=(START,), held_out="test") == {
        "neighbours": 1,
        "gamma": 0.01,
        "most": 4000,
        "seed": 0,
    }


def test_layers_are_studied_on_at_most_2000_images():
    found = defaults_of(LayersRequest, start=START, held_out="test")
    assert found == {"most": 2000, "seed": 0}


def test_a_start_has_no_scores_before_it_is_scored():
    found = defaults_of(StartScores, start="none", backbone="simpleconv3")
    numbers = {"features", "source_classes", "source_images", "seconds"}
    assert {found.pop(name) for name in numbers} == {0}
    assert found.pop("unread") == Message("")
    assert set(found.values()) == {None}
