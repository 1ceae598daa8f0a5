"""Relative majority over images: the winner and ties."""

import msgspec
import pytest

from tests.fixtures.defaults import defaults_of
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.transfers import (
    CandidateRun,
    Transfer,
    TransferRequest,
    elect,
    frozen_stage,
    negative_transfer_gap,
    tuning_gap,
)


def messages(**labels):
    """Candidates' labels of images 0, 1, 2, …, a letter each."""
    return {name: dict(enumerate(text)) for name, text in labels.items()}


def test_the_candidate_that_agrees_most_often_with_the_majority_wins():
    # image:    0 1 2 3   elected a b c d
    found = elect(messages(fire4="abcx", fire5="abcd", fire6="yzcd"), seed=0)
    assert [(c.name, c.votes) for c in found.candidates] == [
        ("fire4", 3),
        ("fire5", 4),
        ("fire6", 2),
    ]
    assert (found.winner, found.drawn, found.images) == ("fire5", False, 4)
    assert [(b.image, b.elected, b.drawn) for b in found.disputed] == [
        (0, "a", False),
        (1, "b", False),
        (3, "d", False),
    ]


def test_an_image_on_which_all_differ_is_drawn_and_counts_for_one():
    found = elect(messages(one="a", two="b", three="c"), seed=5)
    (ballot,) = found.disputed
    assert ballot.drawn
    (kept,) = [c for c in found.candidates if c.votes]
    assert (kept.alone, kept.name, found.drawn) == (1, found.winner, False)
    winners = {elect(messages(one="a", two="b", three="c"), seed).winner for seed in range(30)}
    assert winners == {"one", "two", "three"}


def test_equal_candidates_are_drawn_among_and_the_seed_decides():
    equal = messages(one="aab", two="aab", three="abb")
    found = {seed: elect(equal, seed) for seed in range(30)}
    assert {election.winner for election in found.values()} == {"one", "two"}
    assert all(election.drawn for election in found.values())
    assert all(elect(equal, seed) == election for seed, election in found.items())


def test_two_labels_with_as_many_votes_are_drawn_in_no_order_of_candidates_or_images():
    tied = messages(one="a", two="b")
    found = {seed: elect(tied, seed).disputed[0] for seed in range(30)}
    assert {ballot.elected for ballot in found.values()} == {"a", "b"}
    assert all(ballot.drawn for ballot in found.values())
    turned = messages(one="b", two="a")
    assert {seed: elect(turned, seed).disputed[0].elected for seed in found} == {
        seed: ballot.elected for seed, ballot in found.items()
    }
    for seed in range(30):
        labels = dict(zip((64, 33, 1, 20), "abba", strict=True))
        other = {image: "ba"["ab".index(label)] for image, label in labels.items()}
        images = [ballot.image for ballot in elect({"x": labels, "y": other}, seed).disputed]
        assert images == sorted(labels)


def test_a_vote_that_one_candidate_alone_has_is_counted_apart():
    found = elect(messages(one="abc", two="abd", three="aed"), seed=0)
    assert {c.name: (c.votes, c.alone) for c in found.candidates} == {
        "one": (2, 0),
        "two": (3, 0),
        "three": (2, 0),
    }
    drawn = elect(messages(one="ab", two="ac", three="ad"), seed=1)
    assert sorted(c.alone for c in drawn.candidates) == [0, 0, 1]


def test_images_missing_for_a_candidate_are_ignored():
    found = elect({"one": {1: "a", 2: "b"}, "two": {2: "b", 3: "c"}}, seed=0)
    assert (found.images, found.disputed) == (1, ())
    assert [c.votes for c in found.candidates] == [1, 1]


def test_without_a_candidate_there_is_no_election():
    with pytest.raises(ValueRefused, match="candidates"):
        elect({}, seed=0)


@pytest.mark.parametrize(
    ("before", "after", "gap"), [(0.5, 0.7, 0.2), (0.7, 0.5, -0.2), (1.0, 0.0, -1.0)]
)
def test_fine_tuning_adds_and_a_start_that_does_harm_has_a_gap_above_0(before, after, gap):
    assert tuning_gap(before, after) == pytest.approx(gap)
    assert negative_transfer_gap(before, after) == pytest.approx(gap)


def test_the_first_layers_reach_the_stage_of_their_number():
    stages = backbone("squeezenet1_1").stage_names
    found = [frozen_stage("squeezenet1_1", layers) for layers in range(1, len(stages))]
    assert found == list(stages[:-1])
    with pytest.raises(KnownError):
        frozen_stage("squeezenet1_1", len(stages))


def test_a_transfer_is_stored_with_the_names_of_earlier_versions():
    transfer = Transfer(
        request=TransferRequest(label_set="view", sources=("Cars",), start="imagenet"), made=1.0
    )
    stored = msgspec.to_builtins(transfer)
    assert stored["asked"]["label_set"] == "view"
    assert msgspec.convert(stored, Transfer) == transfer


def test_the_winner_s_run_is_that_of_its_candidate():
    request = TransferRequest(label_set="category", sources=(), start="imagenet")
    candidates = tuple(
        CandidateRun(layers=n, frozen=f"fire{n}", run=run) for n, run in ((4, "a"), (5, "b"))
    )
    voted = Transfer(request=request, made=1.0, candidates=candidates, winner="fire5")
    assert voted.winner_run == "b"
    assert Transfer(request=request, made=1.0, candidates=candidates).winner_run == ""


def test_a_transfer_uses_views_and_has_no_results_before_it_ran():
    request = TransferRequest(label_set="category", sources=(), start="imagenet")
    assert defaults_of(TransferRequest, label_set="category", sources=(), start="imagenet") == {
        "settings": {},
        "source_settings": {},
        "views": True,
        "compare_views": False,
        "seed": 0,
    }
    assert not any(defaults_of(Transfer, request=request, made=1.0).values())
    found = defaults_of(CandidateRun, layers=1, frozen="conv1", run="r")
    assert found == {"votes": None, "alone": 0}
