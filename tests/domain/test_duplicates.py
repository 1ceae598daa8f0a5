"""Similar hashes are found, whether all pairs are compared or keys are looked up."""

import numpy as np
import pytest

from workbench.domain import duplicates
from workbench.domain.duplicates import similar_features, similar_hashes


def pairs_of(hashes, near=12):
    found = {}
    for pairs, apart in similar_hashes(hashes, near):
        for pair, bits in zip(pairs.tolist(), apart.tolist(), strict=True):
            found[tuple(pair)] = min(bits, found.get(tuple(pair), 64))
    return found


@pytest.fixture
def hashes():
    return np.random.default_rng(3).integers(1, 2**63, (400, 3), dtype=np.uint64)


@pytest.mark.parametrize("whole", [1500, 10])
def test_hashes_that_differ_in_few_bits_are_pairs(hashes, monkeypatch, whole):
    monkeypatch.setattr(duplicates, "_WHOLE", whole)
    hashes[7, 0] = hashes[3, 0] ^ np.uint64(0b101)  # two bits
    hashes[9, 2] = hashes[5, 0] ^ np.uint64(1 << 40)  # a window of 9 is the whole of 5
    hashes[11, 0] = hashes[13, 0]
    assert pairs_of(hashes) == {(3, 7): 2, (5, 9): 1, (11, 13): 0}


@pytest.mark.parametrize("whole", [1500, 10])
def test_many_equal_hashes_are_linked_and_empty_ones_are_not(hashes, monkeypatch, whole):
    monkeypatch.setattr(duplicates, "_WHOLE", whole)
    hashes[:300] = hashes[0]
    hashes[350:360] = 0
    groups = duplicates.linked(pairs_of(hashes))
    assert groups == dict.fromkeys(range(300), 0)


def test_the_limit_is_part_of_it(hashes):
    hashes[1, 0] = hashes[0, 0] ^ np.uint64(0b1111)
    assert pairs_of(hashes, 4) == {(0, 1): 4}
    assert pairs_of(hashes, 3) == {}


def test_features_are_compared_across_blocks(monkeypatch):
    monkeypatch.setattr(duplicates, "_ROWS", 3)
    angles = np.array([0.0, 1.0, 2.0, 0.05, 3.0, 1.02, 4.5])
    rows = np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float16)
    found = [tuple(pair) for some in similar_features(rows, 0.99) for pair in some.tolist()]
    assert sorted(found) == [(0, 3), (1, 5)]
    assert list(similar_features(rows[:0], 0.99)) == []
