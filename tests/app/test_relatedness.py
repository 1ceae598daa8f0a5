"""Comparisons of domains: the images that are compared, what cannot be, and what is stored."""

import dataclasses

import msgspec
import pytest

from tests.fixtures.training_projects import KINDS, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.splitting import split
from workbench.app.transfer.relatedness import KEY, SourceComparison, compare_task, domain_of
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import Relatedness, RelatednessRequest
from workbench.domain.splits import SplitPlan
from workbench.storage.project import Project

QUICK = RelatednessRequest(domains=(), seed=0)


@pytest.fixture
def small(tmp_path, qapp):
    session = small_project(tmp_path, label_sets=("category", "view"))
    yield session
    session.close()


@pytest.fixture
def other(tmp_path, qapp):
    """Folder of another project."""
    (tmp_path / "other").mkdir()
    session = small_project(tmp_path / "other")
    session.close()
    return session.store.folder


def of_several(store):
    """Images may have several labels of category."""
    known = store.labels.get("category")
    store.labels.save_set(dataclasses.replace(known, exclusive=False))


def test_labelled_images_of_all_classes_are_compared_but_not_those_of_the_test_part(small):
    ids = small.store.images.ids()
    split(small, SplitPlan(0.5, 0.25, 0.25))
    seen = domain_of(small.store, "category")
    assert (seen.name, seen.classes) == ("Small", tuple(sorted(KINDS)))
    assert {sample.part for sample in seen.samples} == {"train", "validation"}
    assert {sample.target for sample in seen.samples} == {0, 1, 2}
    split(small, SplitPlan(0.75, 0.25, 0.0))
    small.store.labels.assign(ids[:1], "category", None)
    toys = domain_of(small.store, "category", "Toys")
    assert (toys.name, sorted(one.image for one in toys.samples)) == ("Toys", ids[1:].tolist())


def test_a_set_with_several_labels_per_image_is_not_compared(small, other):
    session = Session(Project.open(other))
    of_several(session.store)
    session.close()
    outcome = run_here(compare_task(small, "category", {"other": (other, "category")}, QUICK))
    assert isinstance(outcome, Failed)
    assert "several labels of “category”" in outcome.sentence
    of_several(small.store)
    with pytest.raises(KnownError, match="several labels of “category”"):
        compare_task(small, "category", {"other": (other, "category")}, QUICK)


def test_a_target_is_not_its_own_source_and_needs_labels(small, other):
    itself = {"itself": (small.store.folder.resolve(), "category")}
    with pytest.raises(KnownError):
        compare_task(small, "category", itself, QUICK)
    with pytest.raises(KnownError, match="expression"):
        compare_task(small, "expression", {"other": (other, "category")}, QUICK)


def test_the_last_twenty_comparisons_are_stored_the_newest_first(small, other):
    task = compare_task(small, "category", {"other": (other, "category")}, QUICK)
    for seconds in range(22):
        task.finish(
            Done(
                Relatedness(
                    sources=(),
                    target="Small",
                    target_images=36,
                    views=False,
                    same_energy=0.0,
                    different_energy=0.0,
                    seconds=seconds,
                )
            )
        )
    stored = msgspec.convert(small.store.settings.get(KEY), list[SourceComparison])
    assert [one.found.seconds for one in stored] == list(range(21, 1, -1))
    assert {one.label_set for one in stored} == {"category"}
