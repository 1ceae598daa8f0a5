"""The samples that are drawn of each domain before domains are compared."""

from collections import Counter

import pytest

from workbench.domain.errors import KnownError
from workbench.domain.relatedness import RelatednessRequest
from workbench.domain.runs import Sample
from workbench.learning.questions.relate import drawn_samples


def samples(*targets):
    return [Sample(image=n, hash="", path="", target=t) for n, t in enumerate(targets)]


def drawn(every, **keys):
    return drawn_samples(every, RelatednessRequest(domains=(), seed=keys.pop("seed", 1), **keys))


TARGET = samples(*[0] * 8, *[1] * 3, *[-1] * 5)
SOURCE = samples(*[0] * 20, *[1] * 20, *[-1] * 20)


def test_of_each_class_of_the_target_as_many_are_drawn_as_requested_or_there_are():
    target, _ = drawn([TARGET, SOURCE], per_class=4)
    assert Counter(one.target for one in target) == {0: 4, 1: 3}
    rows = [one.image for one in target]
    assert rows == sorted(set(rows))


def test_a_share_of_the_target_is_drawn_and_as_many_of_each_source():
    target, source, small = drawn([TARGET, SOURCE, samples(-1, 0, 1)], share=0.5)
    assert [len(target), len(source), len(small)] == [6, 6, 2]  # 0.5 of 11, rounded to even
    for found in (target, source, small):
        assert all(one.target >= 0 for one in found)
        rows = [one.image for one in found]
        assert rows == sorted(set(rows))


def test_the_class_with_number_0_counts():
    (target,) = drawn([samples(0, 0, -1, -1)], share=1.0)
    assert [one.image for one in target] == [0, 1]
    (target,) = drawn([samples(-1, 0, 0, 0)], per_class=3)
    assert [one.image for one in target] == [1, 2, 3]


def test_a_seed_draws_the_same_and_each_domain_its_own():
    every = [SOURCE, SOURCE]
    first, second = drawn(every, share=0.2, seed=3)
    assert (first, second) == tuple(drawn(every, share=0.2, seed=3))
    assert first != second
    assert first != drawn(every, share=0.2, seed=4)[0]


def test_a_target_without_labels_is_refused():
    with pytest.raises(KnownError, match="no labelled images"):
        drawn([samples(-1, -1), SOURCE])
