"""Labels that do not exclude each other, from the annotations to a cell and back."""

import csv
import dataclasses
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from blake3 import blake3

from workbench.app.jobs import Done, run_here
from workbench.app.results.evaluating import evaluate_task, protocols_task, run_protocol
from workbench.app.results.predicting import predict_folder_task
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.result_tables import classes_csv
from workbench.app.results.results import LABEL_HEAD, RunResults, Scope, load_results
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.app.transfer.assessing import assess_task, layers_task
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.images import FoundImage
from workbench.domain.labels import Label, LabelSet
from workbench.domain.recipes import JOINT
from workbench.domain.reports import Note
from workbench.domain.runs import RunStatus
from workbench.domain.splits import Part, SplitPlan
from workbench.storage.project import Project

DARK = "red, dark"  # one label, although its name has a comma
TAGS = LabelSet(
    "tags",
    (Label("left", "L", "right"), Label("right", "R", "left"), Label(DARK, "D")),
    exclusive=False,
)
RECIPE = {
    "target": "tags",
    "backbone": "simpleconv3",
    "start": "none",
    "image_size": 32,
    "test_resize": 0,
    "epochs": 16,
    "batch": 8,
    "crop_scale": 0.9,
    "rotation": 0.0,
    "precision": "fp32",
}


def draw(path: Path, tags: tuple[str, ...], seed: int) -> None:
    """Bright discs in the halves that are named; a dark ring about the middle."""
    pixels = np.random.default_rng(seed).integers(90, 120, (40, 40, 3), dtype=np.uint8)
    for tag, x in (("left", 10), ("right", 30)):
        if tag in tags:
            cv2.circle(pixels, (x, 20), 7, (240, 240, 240), -1)
    if DARK in tags:
        cv2.circle(pixels, (20, 20), 17, (10, 10, 10), 2)
    cv2.imwrite(str(path), pixels)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    tmp_path = tmp_path_factory.mktemp("tags")
    made = Session(Project.create(tmp_path / "Tags"))
    made.store.labels.save_set(TAGS)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    each = [
        ("left",),
        ("right",),
        (DARK,),
        ("left", "right"),
        ("left", DARK),
        ("right", DARK),
    ]
    found, tags = [], []
    for at in range(48):
        tags.append(each[at % len(each)])
        path = pictures / f"{at:02}.png"
        draw(path, tags[-1], at)
        digest = blake3(path.read_bytes()).hexdigest()
        size, mtime = path.stat().st_size, path.stat().st_mtime
        found.append(
            FoundImage(path.name, hash=digest, width=40, height=40, size=size, mtime=mtime)
        )
    with made.edit("Import"):
        source = made.store.images.add_source(str(pictures))
        made.store.images.add(source, found)
        for image, own in zip(sorted(made.store.images.ids().tolist()), tags, strict=True):
            for tag in own:
                made.store.labels.assign([image], "tags", tag)
    split(made, SplitPlan(0.5, 0.25, 0.25), stratify=("tags",))
    return made


@pytest.fixture(scope="module")
def results(session: Session) -> RunResults:
    record = prepare(session, RECIPE)
    assert isinstance(run_here(training_task(session, record.id)), Done)
    assert session.store.runs.get(record.id).status is RunStatus.FINISHED
    return load_results(session, record.id)


def test_a_run_learns_all_labels_of_an_image(session: Session, results: RunResults) -> None:
    assert results.marked is not None
    given = session.store.labels.of_images(results.table.images, "tags")
    names = results.record.labels.target.labels
    for row, image in enumerate(results.table.images.tolist()):
        assert [names[at] for at in np.flatnonzero(results.marked.marks[row])] == [*given[image]]
    scores = results.marked.scores(results.inside(Scope(Part.TEST)))
    assert scores.mean_ap > 0.9
    assert scores.top1 > 0.8
    assert scores.exact > 0.3  # chance: six combinations
    assert results.table.scores.sum(axis=1).max() > 1.2  # scored each alone, not one against all
    stored = results.record.metrics["test"]
    assert stored["exact"] == pytest.approx(scores.exact)
    assert stored["mean_ap"] == pytest.approx(scores.mean_ap)
    assert stored["top1"] == pytest.approx(results.scores(Scope(Part.TEST)).top1)
    table = list(csv.DictReader(io.StringIO(classes_csv(results, Scope(Part.TEST)))))
    assert "ap" in table[0]
    assert [row["class"] for row in table] == ["left", "right", DARK]


def test_each_label_has_a_matrix_whose_cells_lead_to_images(results: RunResults) -> None:
    titles = [title for title, _ in results.heads]
    assert titles == ["tags", "left", "right", DARK]
    scope = Scope(Part.TEST, head=f"{LABEL_HEAD}2")
    matrix = results.matrix(scope)
    assert results.label_list(scope.head).labels == (f"not {DARK}", DARK)
    assert matrix.sum() == 12
    rows = results.rows(scope, truth=1)
    assert len(rows) == matrix[1].sum()
    marked = results.marked
    assert marked is not None
    assert marked.marks[rows, 2].all()


def test_relabelling_from_a_cell_toggles_and_can_be_undone(
    session: Session, results: RunResults
) -> None:
    head = f"{LABEL_HEAD}2"
    labels = CurrentLabels(session, results, head)
    assert not labels.relabelled().any()
    rows = results.rows(Scope(Part.TEST, head=head), truth=1)[:1]
    labels.assign(rows, DARK)  # clears the label it had
    assert labels.relabelled()[rows].all()
    assert labels.relabelled().sum() == 1
    session.undo()
    assert not CurrentLabels(session, results, head).relabelled().any()


def test_predictions_of_a_folder_name_all_predicted_labels(
    session: Session, results: RunResults, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    draw(tmp_path / "new" / "both.png", ("left", "right"), 900)
    sheet = tmp_path / "predictions.csv"
    run, reports = results.record.id, []
    protocol = run_protocol(session, run, "test_mirror=false")
    task = predict_folder_task(session, run, tmp_path / "new", sheet, protocol)
    assert isinstance(run_here(task, reports.append), Done)
    notes = [report.text for report in reports if isinstance(report, Note) and report.warning]
    assert len(notes) == 1
    assert "thresholds of the run's own test protocol" in notes[0]
    with sheet.open(encoding="utf-8-sig") as file:
        row = next(csv.DictReader(file))
    scores = np.array([float(row[name]) for name in ("left", "right", DARK)])
    marked = results.marked
    assert marked is not None
    claimed = [TAGS.names[at] for at in np.flatnonzero(scores >= marked.thresholds)]
    assert row["predicted"] == "|".join(claimed)
    assert scores[:2].min() > scores[2]


def test_scoring_again_gives_the_same(session: Session, results: RunResults) -> None:
    outcome = run_here(evaluate_task(session, results.record.id))
    assert isinstance(outcome, Done)
    assert outcome.value.top1 == pytest.approx(outcome.value.stored_top1)
    assert outcome.value.top1 == pytest.approx(results.scores(Scope(Part.TEST)).top1)


def test_protocols_have_the_mean_average_precision(session: Session, results: RunResults) -> None:
    run, runs = results.record.id, session.store.runs
    windows = run_protocol(session, run, "test_crops=windows")
    mixed = np.roll(results.table.marks, 1, axis=0)  # labels that the run has not learned
    runs.save_predictions(run, dataclasses.replace(results.table, marks=mixed))
    try:
        task = protocols_task(session, run, [windows], [Part.TEST])
        own, by_windows = run_here(task).value
    finally:
        runs.save_predictions(run, results.table)
    inside = results.inside(Scope(Part.TEST))
    scores, marks = results.table.scores[inside], mixed[inside]
    precisions = []
    for column in range(marks.shape[1]):  # the mean precision at each image that has the label
        order = np.argsort(-scores[:, column], kind="stable")
        right = marks[order, column]
        found = np.cumsum(right) / np.arange(1, len(right) + 1)
        precisions.append(found[right].mean())
    assert own.mean_ap == pytest.approx(np.mean(precisions))
    assert own.mean_ap < 0.9
    top = marks[np.arange(len(scores)), scores.argmax(axis=1)]
    assert own.top1 == pytest.approx(top.mean())
    assert own.images == by_windows.images == len(scores)
    assert 0 < by_windows.mean_ap <= 1


def test_starts_and_depths_are_judged_by_one_label_an_image(session: Session) -> None:
    with pytest.raises(KnownError, match="several labels"):
        assess_task(session, "tags", ["none"])
    with pytest.raises(KnownError, match="several labels"):
        layers_task(session, "tags", "none", "lenet5")


def test_what_needs_one_label_is_refused(session: Session) -> None:
    with pytest.raises(ValueRefused, match="do not exclude each other"):
        prepare(session, RECIPE | {"penalty": "delta"})


def test_the_joint_head_needs_exclusive_labels(session: Session) -> None:
    labels = session.store.labels
    category = labels.get("category").with_labels(("a", "b"))
    labels.save_set(LabelSet("category", category.labels, exclusive=False))
    with pytest.raises(KnownError, match="Category"):
        prepare(session, RECIPE | {"target": JOINT})
