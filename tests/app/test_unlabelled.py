"""Which images a run gets to learn from without a label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, run_here
from workbench.app.results.results import load_results
from workbench.app.session import Session
from workbench.app.training.preparing import check, prepare, with_unlabelled
from workbench.app.training.samples import collect
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.domain.crops import Crop, CropState, CropUpdate
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.domain.predictions import NO_PART
from workbench.domain.recipes import Recipe, complete
from workbench.domain.runs import SAMPLES_FILE, RunStatus, Sample, decode_samples
from workbench.domain.splits import SplitPlan

MIX = {**FAST, "method": "mixmatch", "epochs": 1}
THIRDS = SplitPlan(0.5, 0.25, 0.25)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """36 images, the last 12 of them without a category."""
    made = small_project(tmp_path, label_sets=("category", "view"))
    with made.edit("Take labels away"):
        made.store.labels.assign(made.store.images.ids().tolist()[24:], "category", None)
    yield made
    made.close()


def recipe(**keys: object) -> Recipe:
    return complete({"start": "none", **MIX, **keys}, {})


def added(session: Session, chosen: Recipe) -> list[Sample]:
    found = collect(session.store, chosen.target)
    whole = with_unlabelled(session.store, found, chosen).samples
    assert whole[: len(found.samples)] == found.samples
    return list(whole[len(found.samples) :])


def test_unlabelled_images_are_included_without_a_part(session: Session) -> None:
    more = added(session, recipe())
    assert [sample.image for sample in more] == session.store.images.ids().tolist()[24:]
    assert {(s.target, s.view, s.part, s.crop, s.box) for s in more} == {(-1, -1, "", None, None)}
    assert [s.path for s in more] == [session.store.images.row(s.image).path for s in more]
    assert added(session, recipe(method="fine-tune")) == []


def test_what_is_kept_to_validate_and_test_stays_out(session: Session) -> None:
    split(session, THIRDS, stratify=("category",))
    parts = session.store.splits.parts()
    more = [sample.image for sample in added(session, recipe())]
    assert 0 < len(more) < 12
    assert {str(parts[image]) for image in more} == {"train"}
    record = prepare(session, {**MIX}, plan=SplitPlan(0.3, 0.0, 0.3, seed=4))
    folder = session.store.runs_folder / record.id
    samples = decode_samples((folder / SAMPLES_FILE).read_bytes())
    kept = {sample.image for sample in samples if sample.target < 0}
    assert 4 <= len(kept) <= 10  # 0.3 of them are tested


def test_an_image_with_one_of_two_labels_is_not_unlabelled(session: Session) -> None:
    ids = session.store.images.ids().tolist()
    split(session, SplitPlan(1.0, 0.0, 0.0))
    with pytest.raises(KnownError, match="have a label of category"):
        added(session, recipe(target="category+view"))
    with session.edit("No view either"):
        session.store.labels.assign(ids[30:], "view", None)
    more = added(session, recipe(target="category+view"))
    assert [sample.image for sample in more] == ids[30:]


def test_without_any_there_is_no_run(tmp_path: Path) -> None:
    made = small_project(tmp_path / "all")
    try:
        split(made, THIRDS)
        with pytest.raises(KnownError, match="needs unlabelled images"):
            prepare(made, MIX)
        with pytest.raises(KnownError, match="needs unlabelled images"):
            list(check(made.store, [MIX]))
        assert made.store.runs.all() == []
        left_out = {**MIX, "options": {"mixmatch": {"left_out": True}}}
        assert len(list(check(made.store, [left_out], SplitPlan(0.4, 0.0, 0.3)))) == 1
    finally:
        made.close()


def test_no_more_unlabelled_images_than_the_method_uses(session: Session) -> None:
    few = [
        added(session, recipe(options={"mixmatch": {"unlabelled": 5}}, seed=s)) for s in (0, 0, 1)
    ]
    assert [len(more) for more in few] == [5, 5, 5]
    assert few[0] == few[1]
    assert few[0] != few[2]


def test_mouths_without_an_expression_are_crops(tmp_path: Path) -> None:
    made = small_project(tmp_path / "mouths", 12, ("expression",))
    try:
        ids = made.store.images.ids().tolist()
        with made.edit("Detection"):
            for image in ids[:6]:
                crop = Crop(None, image, 0, CropState.FOUND, Rect(2, 2, 30, 30))
                made.store.crops.apply(image, CropUpdate((crop,), ()))
        with made.edit("Take labels away"):
            made.store.labels.assign(ids[:2], "expression", None)
            made.store.labels.assign(ids[8:], "expression", None)
        more = added(made, recipe(target="expression"))
        assert [sample.image for sample in more] == ids[:2]  # the others were met: no crop in them
        assert all(sample.box == (2, 2, 30, 30) and sample.crop is not None for sample in more)
    finally:
        made.close()


def test_a_run_learns_from_them_and_suggests_their_labels(session: Session) -> None:
    record = prepare(session, MIX)
    assert isinstance(run_here(training_task(session, record.id)), Done)
    assert session.store.runs.get(record.id).status is RunStatus.FINISHED
    table = load_results(session, record.id).table
    assert (table.parts[table.truth < 0] == NO_PART).all()
    held_out = {image for image, part in session.store.splits.parts().items() if part != "train"}
    unlabelled = set(session.store.images.ids().tolist()[24:]) - held_out
    assert set(table.images[table.truth < 0].tolist()) == unlabelled
