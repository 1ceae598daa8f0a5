"""Cohesion domain: formulas, and similarity of toy domains."""

import itertools

import numpy as np
import pytest
import torch

from workbench.demo.toys import BODIES, VIEWS, render_toy
from workbench.domain.relatedness import RelatednessRequest, interpretation, number_names
from workbench.learning.evaluation.cohesion import (
    DomainImages,
    MicroNetwork,
    compare,
    energy,
    pair_loss,
)
from workbench.learning.evaluation.domain_numbers import (
    Centroids,
    agreeing,
    cosines,
    coverage,
    degree_of_association,
    matched_cosine,
    matched_distances,
    pair_numbers,
    similarity,
    three_means,
)
from workbench.learning.evaluation.domain_samples import (
    draw_pairs,
    draw_per_class,
    share_count,
    source_counts,
    target_counts,
)

SIDE = 32


def test_the_micro_network_is_two_blocks_and_a_global_mean():
    torch.manual_seed(0)
    network = MicroNetwork(kernel=3).eval()
    images = torch.randn(2, 3, 16, 16)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.kernel_size for c in convolutions] == [(3, 3), (1, 1), (1, 1)] * 2
    assert network.layers[0](images).shape == (2, 32, 8, 8)  # half the map, whatever the kernel
    assert MicroNetwork(kernel=5).layers[0](images).shape == (2, 32, 8, 8)
    x = images
    for at, layer in enumerate(convolutions):
        x = torch.relu(layer(x))
        if at == 2:
            x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
    embedded = network(images)
    assert torch.allclose(embedded, x.flatten(2).mean(dim=2), atol=1e-6)
    assert embedded.min() >= 0


def test_energy_is_the_distance_and_does_not_break_at_zero():
    one = torch.tensor([[1.0, 2.0], [5.0, 5.0]], requires_grad=True)
    two = torch.tensor([[4.0, 6.0], [5.0, 5.0]])
    found = energy(one, two)
    assert found.tolist() == [5.0, 0.0]
    found.sum().backward()
    assert torch.allclose(one.grad, torch.tensor([[-0.6, -0.8], [0.0, 0.0]]))


def test_pair_loss_worked_by_hand():
    energies = torch.tensor([0.5, 0.4, 3.0])
    different = torch.tensor([0, 1, 1])
    # same: 0.5²; different: (2 − 0.4)², and nothing beyond the margin
    assert pair_loss(energies, different, margin=2.0).item() == pytest.approx((0.25 + 2.56) / 3)


def test_the_source_is_sampled_in_proportion_to_its_class_sizes():
    # targets of 100 images a class on average: half of a class of 50, 5 of a class of 10
    assert source_counts(50, [200, 50, 10, 1], [80, 120]) == [100, 25, 5, 1]
    assert source_counts(50, [30], [20]) == [30]  # never more than there are
    assert target_counts(50, [80, 20]) == [50, 20]
    assert share_count(1000) == 50
    labels = np.array([0, 1, 1, -1, 0, 1, 0])
    rows = draw_per_class(labels, [2, 3], np.random.default_rng(0))
    assert sorted(labels[rows].tolist()) == [0, 0, 1, 1, 1]
    assert len(set(rows.tolist())) == 5


def test_pairs_are_half_alike_and_their_others_are_from_everywhere():
    kinds = np.array([0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 + [-1])
    domains = np.array([0] * 10 + [1] * 11)
    pairs = draw_pairs(kinds, domains, 2000, np.random.default_rng(0))
    assert (pairs.different == (kinds[pairs.first] != kinds[pairs.second])).all()
    assert 0.45 < pairs.different.mean() < 0.55
    assert (kinds[pairs.first] >= 0).all()
    assert (kinds[pairs.second] >= 0).all()
    assert (pairs.first != pairs.second).all()
    unlike = pairs.different == 1
    across = domains[pairs.first] != domains[pairs.second]
    assert 0.4 < across[unlike].mean() < 0.6
    assert not across[~unlike].any()  # no label is in both domains
    shared = draw_pairs(
        np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 100, np.random.default_rng(0)
    )
    met = {(int(a), int(b)) for a, b in zip(shared.first, shared.second, strict=True)}
    assert {(0, 2), (1, 3)} <= met


def test_three_means_finds_what_trying_every_division_finds():
    points = np.random.default_rng(3).normal(size=(8, 2))

    def inertia(own):
        parts = [points[np.array(own) == at] for at in range(3)]
        return sum(((part - part.mean(axis=0)) ** 2).sum() for part in parts)

    best = min((o for o in itertools.product(range(3), repeat=8) if len({*o}) == 3), key=inertia)
    wanted = sorted(points[np.array(best) == at].mean(axis=0).tolist() for at in range(3))
    found = three_means(points, seed=0)
    assert np.allclose(found.points, wanted)
    own = [points[np.array(best) == at] for at in range(3)]
    within = {round(np.linalg.norm(p - p.mean(axis=0), axis=1).mean(), 9) for p in own}
    assert {round(value, 9) for value in found.within} == within


def test_three_means_of_equal_points_has_no_spread():
    assert three_means(np.ones((5, 4)), seed=0).within.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="three"):
        three_means(np.ones((2, 4)), seed=0)


def test_cosines_and_matched_pairs():
    one, two = np.random.default_rng(4).uniform(size=(2, 3, 5))
    wanted = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in two] for a in one]
    assert np.allclose(cosines(one, two), wanted)
    assert cosines(np.zeros((1, 5)), two).tolist() == [[0.0, 0.0, 0.0]]
    ways = list(itertools.permutations(range(3)))
    sums = {p: sum(np.linalg.norm(one[i] - two[j]) for i, j in enumerate(p)) for p in ways}
    assert matched_distances(one, two).sum() == pytest.approx(min(sums.values()))
    best = max(sum(wanted[i][j] for i, j in enumerate(p)) for p in ways)
    assert matched_cosine(np.array(wanted)) == pytest.approx(best / 3)


def test_the_numbers_are_36_with_views_and_18_without_each_with_its_name():
    random = np.random.default_rng(5)
    made = [Centroids(random.uniform(size=(3, 4)), random.uniform(size=3)) for _ in range(4)]
    numbers = pair_numbers(*made)
    assert len(numbers) == len(number_names(True)) == 36
    assert np.allclose(numbers[:12], np.concatenate([one.within for one in made]))
    assert np.allclose(numbers[12:21], cosines(made[0].points, made[1].points).ravel())
    assert np.allclose(numbers[33:], matched_distances(made[2].points, made[3].points))
    assert len(pair_numbers(*made[:2], None, None)) == len(number_names(False)) == 18
    assert "source centre 2 and target centre 3" in number_names(True)[17]


def test_similarity_coverage_and_degree_worked_by_hand():
    assert similarity(0.8, 0.4, mu=0.75, rho=0.25) == pytest.approx(0.7)
    assert similarity(0.8, None) == pytest.approx(0.8)
    numbers = np.array([0.0, np.log(3)])  # σ: 1/2 and 3/4
    assert coverage(numbers) == pytest.approx(5 / 8)
    assert coverage(numbers, alpha=0.0, beta=np.log(4)) == pytest.approx(4 / 5)
    fine = np.array([[0.9, 0.2], [0.6, 0.7]])
    view = np.array([[0.9, 0.9], [0.1, 0.6]])
    assert agreeing(fine, view, 0.5).tolist() == [[True, False], [False, True]]
    assert agreeing(fine, None, 0.5).tolist() == [[True, False], [True, True]]
    wanted = 2 * np.log(5 / 8) + 2 * np.log(3 / 8)
    assert degree_of_association(agreeing(fine, view, 0.5), 5 / 8) == pytest.approx(wanted)


def toys(name, bodies, each, first=0):
    """Toy vehicles with their bodies and views."""
    every = list(itertools.product(bodies, VIEWS, range(first, first + each)))
    squares = [torch.from_numpy(render_toy(body, view, n, SIDE)) for body, view, n in every]
    return DomainImages(
        name,
        torch.stack(squares),
        tuple(BODIES[body] for body, _, _ in every),
        tuple(view for _, view, _ in every),
    )


def textures(name, each):
    """Waves that run down, across, slanting or in rings: nothing with wheels. Their "views" are
    how dense they are."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    ways = {"down": y, "across": x, "slanting": x + y, "rings": np.hypot(x - 16, y - 16)}
    squares, classes, views = [], [], []
    for kind, way in ways.items():
        for n in range(each):
            wave = np.sin((0.5 + 0.4 * (n % 2)) * way + random.uniform(0, 6))
            pixels = (wave[..., None] / 2 + 0.5) * random.uniform(60, 255, 3)
            noisy = (pixels + random.normal(0, 8, pixels.shape)).clip(0, 255)
            squares.append(torch.from_numpy(noisy.astype(np.uint8)))
            classes.append(kind)
            views.append(("wide", "dense")[n % 2])
    return DomainImages(name, torch.stack(squares), tuple(classes), tuple(views))


ORDER = RelatednessRequest(domains=(), seed=0, side=SIDE, networks=1, steps=80, batch=16)


@pytest.mark.parametrize("with_views", [False, True])
def test_a_target_of_toys_is_closer_to_toys_than_to_textures(with_views):
    target, near, far = toys("t", range(8, 12), 6), toys("toys", range(4), 6), textures("waves", 24)
    if not with_views:
        near = DomainImages(near.name, near.pixels, near.classes, ("",) * len(near.views))
    found = compare([target, far, near], ORDER, lambda done, total: False)
    assert found.views is with_views
    first, second = found.sources
    assert (first.name, second.name) == ("toys", "waves")
    assert first.doa > second.doa + 0.5
    assert first.agreeing > second.agreeing
    assert first.similarity > second.similarity
    assert all(0.5 <= one.coverage < 1 for one in found.sources)
    assert found.same_energy < found.different_energy
    assert {len(one.numbers) for one in found.sources} == {36 if with_views else 18}
    assert "closest" in interpretation(first, True)[0]
    assert f"{first.agreeing} of 9" in interpretation(first, True)[1]


def test_the_same_seed_gives_the_same_figures_and_a_stop_request_ends_it():
    domains = [toys("t", range(2), 2), toys("s", range(2, 4), 2)]
    request = RelatednessRequest(domains=(), seed=0, side=SIDE, networks=3, steps=4, batch=4)
    one, two = (compare(domains, request, lambda done, total: False) for _ in range(2))
    assert one.sources == two.sources
    (source,) = one.sources
    assert source.doa == pytest.approx(sum(source.doas) / 3)
    assert len({*source.doas}) > 1  # the networks differ
    cov, agree = source.coverage, source.agreeing
    of_middle = agree * np.log(cov) + (9 - agree) * np.log(1 - cov)
    assert of_middle == pytest.approx(sorted(source.doas)[1])
    seen = []
    assert (
        compare(domains, request, lambda done, total: seen.append((done, total)) or done >= 3)
        is None
    )
    assert seen == [(1, 24), (2, 24), (3, 24)]
