"""Names and readings of the figures that compare source domains with a target."""

import pytest

from tests.fixtures.defaults import defaults_of
from workbench.domain.relatedness import (
    RelatednessRequest,
    SourceRelatedness,
    interpretation,
    number_names,
)


@pytest.mark.parametrize(("views", "count"), [(True, 36), (False, 18)])
def test_every_number_has_a_name_of_its_own(views, count):
    names = [str(name).casefold() for name in number_names(views)]
    assert len(names) == len(set(names)) == count
    assert any("view" in name for name in names) is views


def test_distances_within_come_before_pairs_and_pairs_before_matches():
    names = number_names(False)
    assert all("source" in name and "target" not in name for name in names[:3])
    assert all("target" in name and "source" not in name for name in names[3:6])
    assert all("source" in name and "target" in name for name in names[6:15])
    pairs = [[int(sign) for sign in name if sign.isdigit()] for name in names[6:15]]
    assert pairs == [[a, b] for a in (1, 2, 3) for b in (1, 2, 3)]
    numbers = [[int(sign) for sign in name if sign.isdigit()] for name in names[15:]]
    assert numbers == [[1], [2], [3]]


@pytest.mark.parametrize("best", [True, False])
def test_each_figure_is_interpreted(best):
    source = SourceRelatedness(
        name="cars",
        doa=-1.25,
        doas=(-1.25,),
        similarity=0.5,
        coverage=0.75,
        agreeing=4,
        pairs=9,
        numbers=(),
        images=7,
    )
    sentences = interpretation(source, best)
    assert len(sentences) == 4
    for sentence, figures in zip(
        sentences, (["-1.25"], ["4", "9"], ["0.50"], ["0.75"]), strict=True
    ):
        assert all(figure in sentence for figure in figures)
    assert interpretation(source, True)[0] != interpretation(source, False)[0]
    assert interpretation(source, True)[1:] == interpretation(source, False)[1:]


def test_a_comparison_of_domains_has_the_settings_of_the_paper():
    assert defaults_of(RelatednessRequest, domains=(), seed=0) == {
        "per_class": 50,
        "share": 0.0,
        "side": 32,
        "networks": 3,
        "steps": 200,
        "batch": 32,
        "threshold": 0.5,
    }
