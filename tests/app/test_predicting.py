"""Tables of predictions: columns, scores, labels above their threshold, and what is left behind."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures import finished_runs
from workbench.app.results.predicting import CsvRow, PredictionCsv, predict_folder_task
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.runs import LabelList, RunLabels

BIRDS = LabelList("category", ("owl", "puffin", "swan"), (0, 1, 2))
VIEWS = LabelList("view", ("left", "right"), (1, 0))
TRAITS = LabelList("traits", ("crest", "spots"), (0, 1), exclusive=False)


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_row_has_the_best_label_and_all_scores(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.csv"
    with PredictionCsv(path, RunLabels(BIRDS), boxes=False) as sheet:
        sheet.write([CsvRow("a.png", scores(0.25, 0.5, 0.25)), CsvRow("b.png", note="gone")])
        assert not path.exists()
        assert len(table(sheet.partial)) == 3
        sheet.write([CsvRow("c.png", scores(0.75, 0.125, 0.125))])
    assert table(path) == [
        ["file", "predicted", "confidence", "owl", "puffin", "swan", "note"],
        ["a.png", "puffin", "0.500000", "0.250000", "0.500000", "0.250000", ""],
        ["b.png", "", "", "", "", "", "gone"],
        ["c.png", "owl", "0.750000", "0.750000", "0.125000", "0.125000", ""],
    ]
    assert [one.name for one in path.parent.iterdir()] == ["out.csv"]


def test_views_and_boxes_have_columns_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with PredictionCsv(path, RunLabels(BIRDS, VIEWS), boxes=True) as sheet:
        sheet.write(
            [
                CsvRow("a.png", scores(0, 0, 1), scores(0.25, 0.75), (1, 2, 3, 4)),
                CsvRow("b.png", scores(1, 0, 0)),
            ]
        )
    head, first, second = table(path)
    assert head[6:] == [
        *("view", "view confidence", "view left", "view right"),
        *("left", "top", "right", "bottom", "note"),
    ]
    assert first[6:] == ["right", "0.750000", "0.250000", "0.750000", "1", "2", "3", "4", ""]
    assert second[6:] == [""] * 9


@pytest.mark.parametrize(
    ("thresholds", "predicted"),
    [((), ["crest", "crest|spots", ""]), ((0.25, 0.75), ["crest", "crest", "crest"])],
)
def test_all_labels_that_reach_their_threshold_are_predicted(
    tmp_path: Path, thresholds: tuple[float, ...], predicted: list[str]
) -> None:
    path = tmp_path / "out.csv"
    rows = [scores(0.75, 0.25), scores(0.5, 0.5), scores(0.25, 0.375)]
    with PredictionCsv(path, RunLabels(TRAITS), False, thresholds) as sheet:
        sheet.write([CsvRow("a.png", one) for one in rows])
        sheet.write([CsvRow("b.png", note="gone")])
    _, *found, unread = table(path)
    assert [row[1] for row in found] == predicted
    assert [row[2] for row in found] == ["0.750000", "0.500000", "0.375000"]
    assert unread == ["b.png", "", "", "", "", "gone"]


def test_after_an_error_the_rows_so_far_stay_beside_the_former_table(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("former")

    def fail() -> None:
        with PredictionCsv(path, RunLabels(BIRDS), boxes=False) as sheet:
            sheet.write([CsvRow("a.png", scores(1, 0, 0))])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "former"
    assert [row[0] for row in table(tmp_path / "out.partial.csv")] == ["file", "a.png"]


def test_a_folder_must_exist_and_names_the_job(session: Session, tmp_path: Path) -> None:
    images = finished_runs.fill(session.store, tmp_path / "birds")
    run = finished_runs.make_run(session.store, images, "owls").id
    task = predict_folder_task(session, run, tmp_path / "birds", tmp_path / "out.csv")
    assert task.title == "Predict images in birds"
    with pytest.raises(KnownError, match="does not exist"):
        predict_folder_task(session, run, tmp_path / "gone", tmp_path / "out.csv")
    file = tmp_path / "birds" / "bird 00.png"
    with (
        pytest.raises(KnownError, match=r"out\.csv"),
        PredictionCsv(file / "out.csv", RunLabels(BIRDS), boxes=False),
    ):
        pass
