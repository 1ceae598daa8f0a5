"""Sources of a transfer: written as project and labels, named briefly, opened beside the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.stored_images import fill
from workbench.app.labels.labelling import assign, edit_set
from workbench.app.session import Session
from workbench.app.transfer.sources import (
    checked_source,
    listed_sources,
    named_sources,
    one_label,
    opened_beside,
    own_sources,
    written_source,
)
from workbench.domain.errors import KnownError
from workbench.domain.labels import Label, LabelSet
from workbench.storage.project import Project

LETTERS = (Label("a"), Label("b"))


def project_in(folder: Path, *label_sets: str, several: str = "") -> Path:
    """A project whose images have both labels of each set; images may have several of one."""
    session = Session(Project.create(folder))
    fill(session.store, 2)
    for name in label_sets:
        edit_set(session, LabelSet(name, LETTERS, exclusive=name != several), {})
        for image, label in enumerate("ab", start=1):
            assign(session, [image], name, label)
    session.close()
    return session.store.folder.resolve()


@pytest.fixture
def birds(tmp_path: Path, qapp: object) -> Path:
    return project_in(tmp_path / "Birds", "category")


def test_sources_get_short_names_that_tell_them_apart(birds: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = project_in(tmp_path / "other" / "Birds", "category")
    texts = [str(birds), f"{birds}#view", str(birds), str(twin), f"{birds}#category"]
    assert named_sources(texts, "category") == {
        "Birds": (birds, "category"),
        "Birds#view": (birds, "view"),
        f"{twin}#category": (twin, "category"),
    }
    with pytest.raises(KnownError, match="is not a project"):
        named_sources([str(tmp_path / "nowhere")], "category")


def test_a_source_is_named_without_its_suffix_from_anywhere(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_sources(["Birds"], "view") == {"Birds": (birds, "view")}
    assert named_sources(["Birds#category"], "view") == {"Birds#category": (birds, "category")}


def test_written_sources_are_listed_also_without_their_project(birds: Path, tmp_path: Path) -> None:
    gone = tmp_path / "Gone.workbench"
    texts = [written_source(birds, "category"), written_source(birds, "view")]
    listed = listed_sources(texts, "category")
    assert [(one.name, one.folder, one.label_set) for one in listed] == [
        ("Birds", birds, "category"),
        ("Birds#view", birds, "view"),
    ]
    assert [one.text for one in listed] == texts
    missing = [written_source(gone, "category"), written_source(gone, "view"), *texts]
    names = [(one.name, one.label_set) for one in listed_sources(missing, "category")]
    assert names[:2] == [("Gone", "category"), ("Gone#view", "view")]


def test_another_project_is_open_within_the_block_only(session: Session, birds: Path) -> None:
    with opened_beside(session, birds) as other:
        assert other is not session
        assert other.store.images.count() == 2
    again = Session(Project.open(birds))  # refused while it is open elsewhere
    again.close()
    with opened_beside(session, session.store.folder.resolve()) as same:
        assert same is session
    assert session.store.images.count() == 0  # still open


def test_labels_of_which_images_have_several_are_refused(tmp_path: Path, qapp: object) -> None:
    folder = project_in(tmp_path / "Tagged", "tags", "kind", several="tags")
    session = Session(Project.open(folder))
    try:
        with pytest.raises(KnownError, match="several labels of “tags”"):
            one_label(session.store, "tags")
        one_label(session.store, "kind")
        one_label(session.store, "missing")
        assert own_sources(session, "category") == ["kind"]
        assert own_sources(session, "kind") == []
    finally:
        session.close()


def test_a_source_has_the_same_labels_or_else_the_first_it_can_learn(
    session: Session, tmp_path: Path
) -> None:
    both = project_in(tmp_path / "Both", "category", "kind")
    other = project_in(tmp_path / "Other", "kind", "zone")
    empty = project_in(tmp_path / "Empty")
    assert checked_source(session, both, "kind") == f"{both}#kind"
    assert checked_source(session, other, "category") == f"{other}#kind"
    with pytest.raises(KnownError, match="Empty has no label set with two labels in use"):
        checked_source(session, empty, "category")
    with pytest.raises(KnownError, match="is not a project"):
        checked_source(session, tmp_path / "nowhere", "category")


def test_the_target_is_a_source_by_its_other_labels_only(session: Session) -> None:
    fill(session.store, 2)
    for name in ("category", "kind"):
        edit_set(session, LabelSet(name, LETTERS), {})
        for image, label in enumerate("ab", start=1):
            assign(session, [image], name, label)
    own = session.store.folder
    with pytest.raises(KnownError, match="Cars is the target itself"):
        checked_source(session, own, "category")
    assert checked_source(session, own, "view") == f"{own.resolve()}#category"
    assert own_sources(session, "category") == ["kind"]
