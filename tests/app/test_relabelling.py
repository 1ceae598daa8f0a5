"""Relabelling from results labels what the run used: images, or mouth crops."""

import numpy as np
import pytest

from workbench.app.labels.labelling import rename_label
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import RunResults, Scope
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import Recipe, to_toml
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus

NAMES = ("none", "pouting", "smile", "open")


@pytest.fixture
def images(session: Session) -> list[int]:
    found = [FoundImage(f"{i}.png", f"hash{i}", 90, 90, 1, 1.0) for i in range(3)]
    with session.edit("Import"):
        return list(session.store.images.add(session.store.images.add_source("/faces"), found))


@pytest.fixture
def crops(session: Session, images: list[int]) -> list[int]:
    """Two faces in the first image, one in the second; the third was never searched."""
    with session.edit("Find mouths"):
        made = [
            session.store.crops.save(Crop(None, image, face, CropState.FOUND, Rect(0, 0, 30, 30)))
            for image, face in ((images[0], 0), (images[0], 1), (images[1], 0))
        ]
        ids = [int(crop.id or 0) for crop in made]
        session.store.labels.assign_crops(ids[:2], "expression", "smile")
        session.store.labels.assign([images[1], images[2]], "expression", "open")
    return ids


@pytest.fixture
def results(images: list[int], crops: list[int]) -> RunResults:
    rows = [(images[0], crops[0], 2), (images[0], crops[1], 2), (images[1], crops[2], 3)]
    rows.append((images[2], -1, 3))  # an image of a mouth, used whole
    table = PredictionTable(
        images=np.array([row[0] for row in rows]),
        crops=np.array([row[1] for row in rows]),
        parts=np.full(4, 2),
        truth=np.array([row[2] for row in rows]),
        scores=np.tile(np.array([[0.7, 0.1, 0.1, 0.1]], np.float32), (4, 1)),
        view_truth=np.full(4, -1),
        view_scores=None,
        true_view=np.array([""] * 4),
    )
    recipe = to_toml(Recipe(target="expression"))
    labels = RunLabels(LabelList("expression", NAMES, (0, 1, 2, 3)))
    return RunResults(
        RunRecord("r", "r", RunStatus.FINISHED, "expression", recipe, labels, 0.0), table
    )


def test_nothing_is_relabelled_at_first(session: Session, results: RunResults) -> None:
    assert not CurrentLabels(session, results, "target").relabelled().any()


def test_crops_and_whole_images_are_labelled_in_one_edit(
    session: Session, results: RunResults, images: list[int], crops: list[int]
) -> None:
    now = CurrentLabels(session, results, "target")
    now.assign(np.array([1, 3]), "none")
    assert session.store.labels.of_crops(crops, "expression") == {
        crops[0]: ("smile",),
        crops[1]: ("none",),
    }
    assert session.store.labels.of_images(images, "expression")[images[2]] == ("none",)
    assert now.relabelled().tolist() == [False, True, False, True]
    assert [now.name(row) for row in range(4)] == ["smile", "none", "open", "none"]
    assert now.relabelled_matrix(Scope()).tolist()[2] == [1, 0, 0, 0]
    assert session.undo() == "Label 2 images “none”"
    assert not CurrentLabels(session, results, "target").relabelled().any()


def test_a_label_that_the_run_does_not_have_counts_as_relabelled(
    session: Session, results: RunResults, images: list[int]
) -> None:
    with session.edit("Edit labels"):
        faces = session.store.labels.get("expression")
        session.store.labels.save_set(faces.with_labels(("tongue",)))
    now = CurrentLabels(session, results, "target")
    now.assign(np.array([3]), "tongue")
    assert now.relabelled().tolist() == [False, False, False, True]
    assert now.name(3) == ""


def test_results_stay_readable_after_their_label_set_is_removed(
    session: Session, results: RunResults
) -> None:
    with session.edit("Remove set"):
        session.store.labels.remove_set("expression")
    now = CurrentLabels(session, results, "target")
    assert now.label_set is None
    now.assign(np.array([0]), "smile")
    assert results.matrix(Scope()).sum() == 4


def test_a_renamed_label_is_no_other_label(session: Session, results: RunResults) -> None:
    def now() -> tuple[list[str], list[bool]]:
        labels = CurrentLabels(session, results, "target")
        return [labels.name(row) for row in range(4)], labels.relabelled().tolist()

    before = now()
    assert before == (["smile", "smile", "open", "open"], [False] * 4)
    rename_label(session, "expression", "open", "gape")
    assert now() == (["smile", "smile", "gape", "gape"], [False] * 4)
    rename_label(session, "expression", "gape", "smile", merge=True)
    assert now() == (["smile"] * 4, [False] * 4), "the crops and images have the same label still"
    session.undo()
    session.undo()
    assert now() == before
