"""A source that moved is found again by the bytes of its images, and only by them."""

from pathlib import Path

import pytest
from PIL import Image

from workbench.app.images.importing import import_task
from workbench.app.images.relinking import moved_sources, relink_task
from workbench.app.jobs import Done, Failed, run_here
from workbench.domain.errors import KnownError
from workbench.domain.reports import Progress


@pytest.fixture
def moved(session, tmp_path):
    """A source of ten images whose folder has gone elsewhere; the new folder."""
    root = tmp_path / "birds"
    for i in range(10):
        path = root / f"c{i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + i, 20), (i, 0, 0)).save(path)
    run_here(import_task(session, [root], {"category": "folder"}))
    (tmp_path / "disk").mkdir()
    return root.rename(tmp_path / "disk" / "birds")


def test_it_is_found_in_its_new_folder_or_the_one_around_it(session, moved):
    (source,) = moved_sources(session)
    for place in (moved.parent, moved):
        outcome = run_here(relink_task(session, source.id, place))
        assert isinstance(outcome, Done)
        match = outcome.value
        assert (match.images, match.checked, match.same) == (10, 10, 10)
        assert match.path == moved
    assert moved_sources(session) == []
    assert all(
        Path(row.path).is_file() for row in session.store.images.rows(session.store.images.ids())
    )
    session.undo()
    assert len(moved_sources(session)) == 1


def test_some_may_have_changed(session, moved):
    (moved / "c0" / "0.png").unlink()
    (moved / "c1" / "1.png").write_bytes(b"changed")
    reports = []
    outcome = run_here(relink_task(session, 1, moved, sample=None), reports.append)
    assert isinstance(outcome, Done)
    checked = [(one.done, one.total) for one in reports if isinstance(one, Progress) and one.done]
    assert checked == [(10, 10)]
    assert (outcome.value.same, outcome.value.other, outcome.value.absent) == (8, 1, 1)


def test_another_folder_with_the_same_names_is_refused(session, moved, tmp_path):
    for path in moved.rglob("*.png"):
        other = tmp_path / "other" / path.relative_to(moved)
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(path.read_bytes() + b"x")
    outcome = run_here(relink_task(session, 1, tmp_path / "other"))
    assert isinstance(outcome, Failed)
    assert "0 of 10 images match" in outcome.sentence
    assert len(moved_sources(session)) == 1
    assert isinstance(run_here(relink_task(session, 1, tmp_path / "nowhere")), Failed)
    with pytest.raises(KnownError):
        relink_task(session, 99, moved)


def test_a_list_file(session, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "img").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(here / "img" / "a.png")
    (here / "list.txt").write_text("img/a.png owl\n")
    run_here(import_task(session, [here / "list.txt"], {"category": "list"}))
    here.rename(there)
    assert isinstance(run_here(relink_task(session, 1, there)), Done)
    assert session.store.images.path(1) == there / "img" / "a.png"
    assert isinstance(run_here(relink_task(session, 1, tmp_path)), Failed)


def test_a_sample_is_spread_over_the_source(session, moved):
    outcome = run_here(relink_task(session, 1, moved, sample=3))
    assert outcome.value.checked == 4
