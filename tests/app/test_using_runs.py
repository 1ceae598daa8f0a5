"""Uses of a finished run: explanations, predictions, ONNX export, evaluation."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.systems import posix
from tests.fixtures.trained import SIZE, Trained, draw_disc, import_discs, train
from workbench.app import learner as serving
from workbench.app.explain.explaining import ExplainedFiles, explanation_task
from workbench.app.jobs import Cancelled, Done, Failed, run_here
from workbench.app.results.evaluating import Evaluation, evaluate_task
from workbench.app.results.exporting import OnnxFile, export_task
from workbench.app.results.predicting import (
    Predicted,
    PredictedFolder,
    predict_folder_task,
    predict_task,
)
from workbench.app.results.run_images import RunImages, ShownImages, usable_runs
from workbench.app.session import Session
from workbench.app.similar.suggesting import (
    SuggestionUpdater,
    accept,
    by_uncertainty,
    suggest_task,
    suggestions,
    unseen,
)
from workbench.demo.faces import draw_scene
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.labels import Author
from workbench.domain.predictions import NO_PART
from workbench.domain.recipes import JOINT
from workbench.domain.runs import LabelList, RunLabels
from workbench.domain.splits import Part


@pytest.fixture
def view_run(session: Session, tmp_path: Path) -> Trained:
    return train(session, import_discs(session, tmp_path / "discs", 30), "view")


def done(task):
    outcome = run_here(task)
    assert isinstance(outcome, Done), outcome
    return outcome.value


def test_predictions_of_unlabelled_images_become_suggestions(
    session: Session, view_run: Trained
) -> None:
    announced = []
    session.changed.connect(announced.append)
    before = session.store.runs.predictions(view_run.id)
    assert unseen(session, "view").tolist() == list(view_run.unseen)
    assert suggestions(session, "view", view_run.unseen) == {}
    result = done(predict_task(session, view_run.id, view_run.images))
    assert isinstance(result, Predicted)
    assert result.images == 6  # the others were trained or tested on
    assert announced[-1].runs == {view_run.id}
    after = session.store.runs.predictions(view_run.id)
    assert (after.parts == NO_PART).sum() == 6
    old = after.where(after.parts != NO_PART)
    np.testing.assert_array_equal(old.scores, before.scores)
    found = suggestions(session, "view", view_run.unseen)
    assert set(found) == set(view_run.unseen)
    rows = {row.id: row for row in session.store.images.rows(view_run.unseen)}
    truth = {i: "left" if int(r.name[4:6]) // 3 % 2 == 0 else "right" for i, r in rows.items()}
    right = sum(found[image].label == truth[image] for image in view_run.unseen)
    assert right >= 4
    assert unseen(session, "view").tolist() == []


def test_an_accepted_suggestion_is_a_label_by_hand_and_can_be_undone(
    session: Session, view_run: Trained
) -> None:
    done(predict_task(session, view_run.id, view_run.unseen))
    found = suggestions(session, "view", view_run.unseen)
    order = by_uncertainty(session, "view", [999, *view_run.unseen]).tolist()
    assert order[-1] == 999  # never seen
    sure = [found[image].confidence for image in order[:-1]]
    assert sure == sorted(sure)
    assert accept(session, [*view_run.unseen, 999], "view") == 6
    assert session.store.labels.of_images(view_run.unseen, "view") == {
        image: (found[image].label,) for image in view_run.unseen
    }
    newest = session.store.labels.history(view_run.unseen[0])[-1]
    assert newest.author is Author.HUMAN
    assert newest.confidence == pytest.approx(found[view_run.unseen[0]].confidence, abs=2e-6)
    assert session.undo() == "Accept view of 6 images"
    assert session.store.labels.of_images(view_run.unseen, "view") == {}
    assert accept(session, [999], "view") == 0


def test_evaluating_again_agrees_with_the_stored_predictions(
    session: Session, view_run: Trained
) -> None:
    result = done(evaluate_task(session, view_run.id, Part.TEST))
    assert isinstance(result, Evaluation)
    assert (result.images, result.changed) == (12, 0)
    assert result.largest_difference < 1e-5
    assert result.top1 == result.stored_top1 >= 0.75
    with pytest.raises(KnownError, match="validation"):
        evaluate_task(session, view_run.id, Part.VALIDATION)
    missing = Path(
        session.store.images.path(int(session.store.runs.predictions(view_run.id).images[1]))
    )
    missing.rename(missing.with_suffix(".away"))
    again = done(evaluate_task(session, view_run.id, Part.TEST))
    assert again.images == 11
    assert missing.name in again.unread[0].path


def test_a_folder_becomes_a_table(session: Session, tmp_path: Path) -> None:
    run = train(session, import_discs(session, tmp_path / "discs", 30), JOINT)
    folder = tmp_path / "new" / "deeper"
    folder.mkdir(parents=True)
    for i, colour in enumerate(("red", "blue", "green")):
        draw_disc(folder / f"{colour}.png", colour, i % 2 == 0, 100 + i)
    (folder / "broken.jpg").write_bytes(b"nothing")
    (folder / "raw.cr2").write_bytes(b"")
    path = tmp_path / "out" / "table.csv"
    result = done(predict_folder_task(session, run.id, tmp_path / "new", path))
    assert isinstance(result, PredictedFolder)
    assert (result.images, result.mouths) == (3, None)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert set(rows) == {f"deeper/{n}" for n in ("red.png", "blue.png", "green.png")} | {
        "deeper/broken.jpg",
        "deeper/raw.cr2",
    }
    for colour in ("red", "blue", "green"):
        row = rows[f"deeper/{colour}.png"]
        assert row["predicted"] == colour
        assert float(row["confidence"]) == float(row[colour])
        assert sum(float(row[name]) for name in ("blue", "green", "red")) == pytest.approx(
            1, abs=1e-4
        )
        assert row["view"] in ("left", "right")
        assert row["view confidence"] == row[f"view {row['view']}"]
        assert row["note"] == ""
    assert "broken.jpg" in rows["deeper/broken.jpg"]["note"]
    assert "CR2" in rows["deeper/raw.cr2"]["note"]
    assert {Path(lost.path).name for lost in result.skipped} == {"broken.jpg", "raw.cr2"}
    assert os.listdir(path.parent) == ["table.csv"]


def test_errors_of_predictions_are_reported(session: Session, view_run: Trained, tmp_path) -> None:
    with pytest.raises(KnownError, match="does not exist"):
        predict_folder_task(session, view_run.id, tmp_path / "nowhere", tmp_path / "t.csv")
    (tmp_path / "empty").mkdir()
    empty = run_here(
        predict_folder_task(session, view_run.id, tmp_path / "empty", tmp_path / "t.csv")
    )
    assert isinstance(empty, Failed)
    assert "no images" in empty.sentence
    (session.store.runs_folder / view_run.id / "weights.safetensors").unlink()
    lost = run_here(predict_task(session, view_run.id, view_run.unseen))
    assert isinstance(lost, Failed)
    assert "weights.safetensors is missing" in lost.sentence
    assert lost.report == ""


def test_an_export_agrees_with_the_network(
    session: Session, view_run: Trained, tmp_path: Path
) -> None:
    result = done(export_task(session, view_run.id, tmp_path / "views"))
    assert isinstance(result, OnnxFile)
    assert result.path == tmp_path / "views.onnx"
    assert result.path.stat().st_size == result.bytes
    assert result.images == 12
    assert result.same_predictions
    assert result.largest_difference < 1e-4


def test_explanations_are_written_as_images(
    session: Session, view_run: Trained, tmp_path: Path
) -> None:
    wanted = [view_run.images[1], view_run.unseen[0]]
    missing = session.store.images.path(view_run.images[2])
    missing.rename(missing.with_suffix(".away"))
    task = explanation_task(
        session, view_run.id, [*wanted, view_run.images[2]], tmp_path / "maps", check=True
    )
    result = done(task)
    assert isinstance(result, ExplainedFiles)
    assert len(result.written) == 2
    assert missing.name in result.skipped[0].path
    with Image.open(result.written[0]) as picture:
        width, height = picture.size
        assert width > 2 * SIZE
        colours = picture.convert("RGB").getcolors(width * height)
        assert colours is not None
        assert len(colours) > 100


@posix
def test_a_stopped_job_leaves_no_process(
    session: Session, view_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []
    entered = serving.ServingProcess.__enter__

    def remember(self):
        made = entered(self)
        pids.append(self.pid)
        return made

    monkeypatch.setattr(serving.ServingProcess, "__enter__", remember)

    class Stop:
        """Set as soon as the program runs."""

        def is_set(self) -> bool:
            return bool(pids)

    outcome = run_here(predict_task(session, view_run.id, view_run.unseen), stop=Stop())
    assert isinstance(outcome, Cancelled)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_images_of_a_run_by_outcome_and_beyond(session: Session, view_run: Trained) -> None:
    run_images = RunImages(session, view_run.id)
    assert run_images.parts() == [Part.TEST, Part.TRAIN]
    every = run_images.rows(Part.TEST)
    right, wrong = (
        run_images.rows(Part.TEST, ShownImages.RIGHT),
        run_images.rows(Part.TEST, ShownImages.WRONG),
    )
    assert sorted([*right, *wrong]) == every.tolist()
    assert all(image.wrong for image in run_images.images(wrong.tolist()))
    rows = run_images.rows_of([view_run.unseen[0], view_run.images[3]])
    new, known = run_images.images(rows.tolist())
    assert (new.truth, new.predicted, new.score) == ("", "", None)
    assert known.truth in ("left", "right")
    assert known.score is not None
    assert run_images.rows_of([view_run.unseen[0]]).tolist() == rows[:1].tolist()  # added once
    assert usable_runs(session)[0].id == view_run.id
    (session.store.runs_folder / view_run.id / "model.json").unlink()
    assert usable_runs(session) == []


def test_a_run_that_ends_leaves_suggestions_behind(qtbot, session: Session, tmp_path: Path) -> None:
    images = import_discs(session, tmp_path / "discs", 30)
    keeper = SuggestionUpdater(session)
    assert suggest_task(session, "view") is None  # no run yet
    run = train(session, images, "view")
    with qtbot.waitSignal(session.jobs.ended, timeout=60_000):
        session.announce(Changes(runs=frozenset({run.id})))
    assert set(suggestions(session, "view", run.unseen)) == set(run.unseen)
    session.announce(Changes(runs=frozenset({run.id})))
    assert session.jobs.jobs() == ()  # once per run
    assert suggest_task(session, "view") is None  # every image has one now
    keeper.deleteLater()


def test_mouths_are_found_before_they_are_predicted(session: Session, tmp_path: Path) -> None:
    run = train(session, import_discs(session, tmp_path / "discs", 30))
    runs = session.store.runs
    record = runs.get(run.id)
    labels = RunLabels(LabelList("expression", record.labels.target.labels, (0, 1, 2)))
    runs.update(run.id, target="expression", labels=labels)
    folder = tmp_path / "faces"
    folder.mkdir()
    draw_disc(folder / "crop.png", "red", True, 1)  # 60 × 60: a crop already
    two = draw_scene(640, 320, ((40, 40, 220), (360, 30, 240)))
    Image.fromarray(two).save(folder / "two.png")
    Image.fromarray(draw_scene(320, 240, ())).save(folder / "nobody.png")
    path = tmp_path / "mouths.csv"
    result = done(predict_folder_task(session, run.id, folder, path))
    assert (result.images, result.mouths) == (2, 3)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    boxes = [(row["file"], row["left"] != "") for row in rows if row["predicted"]]
    assert boxes == [("crop.png", False), ("two.png", True), ("two.png", True)]
    (nobody,) = (row for row in rows if row["file"] == "nobody.png")
    assert "no face" in nobody["note"]
