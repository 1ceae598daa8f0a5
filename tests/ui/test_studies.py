"""A study from the Train page's button to its table on the Results page."""

import csv
import io

import pytest

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.settings import UserSettings
from workbench.domain.runs import RunStatus
from workbench.ui.look.theme import apply_theme
from workbench.ui.window.window import MainWindow

WAIT = 180_000


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    apply_theme(qapp, "light")
    made = MainWindow(small_project(tmp_path), UserSettings(None))
    qtbot.addWidget(made)
    made.resize(1280, 720)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    yield made
    made.close()


def test_methods_are_compared_from_the_train_page_to_the_results(qtbot, window):
    window.go("train")
    train = window._pages["train"]
    for key, value in FAST.items():
        train.model.edit(key, value)
    train.study.click()
    qtbot.waitUntil(lambda: train.studies.dialog is not None, timeout=WAIT)
    dialog = train.studies.dialog
    assert not dialog.start.isEnabled()
    dialog.name.setText("Pull")
    dialog.seeds.setValue(2)
    dialog.checkboxes["l2"][0].setChecked(True)
    assert dialog.count.text() == "2 variants × 2 seeds: 4 trainings"
    dialog.make()
    qtbot.waitUntil(lambda: "results" in window._pages, timeout=WAIT)
    results = window._pages["results"]
    section = results.studies
    assert results.isVisible()
    assert section.isVisible()
    store = window.session.store
    qtbot.waitUntil(lambda: section.progress.text().startswith("1 of 4"), timeout=WAIT)
    qtbot.waitUntil(lambda: window.context.queue.current != "", timeout=WAIT)
    section.resume_button.click()  # stop: the current run is paused, none follows
    qtbot.waitUntil(lambda: window.context.queue.current == "", timeout=WAIT)
    assert RunStatus.PAUSED in {run.status for run in store.runs.all()}
    assert section.resume_button.text() == "Resume"
    section.resume_button.click()
    qtbot.waitUntil(lambda: section.progress.text().startswith("4 of 4"), timeout=WAIT)
    assert not section.resume_button.isVisible()
    lines = list(csv.DictReader(io.StringIO(section.csv())))
    assert [line["variant"] for line in lines] == ["fine-tune", "l2"]
    assert all(float(line["mean"]) >= 0 for line in lines)
    assert lines[1]["difference"] != ""
    section.table.picked.emit(1)
    assert not section.isVisible()
    assert "l2" in store.runs.get(results.table.current_run()).name
    section.switch.setChecked(True)
    assert section.isVisible()


def test_without_a_study_the_section_names_the_page_that_starts_one(qtbot, window):
    window.go("results")
    section = window._pages["results"].studies
    section.switch.setChecked(True)
    assert section.empty.isVisible()
    assert "Train page" in section.empty.text()
    assert not section.table.isVisible()


def test_no_study_or_transfer_starts_from_an_invalid_setting(qtbot, window):
    window.go("train")
    train = window._pages["train"]
    train.model.edit("batch", "many")
    train.transfers.open_dialog()
    assert train.transfers.dialog is None
    assert "many" in window.notes.texts()[-1]
    train.model.edit("batch", "some")
    train.studies.open_dialog()
    qtbot.waitUntil(lambda: "some" in window.notes.texts()[-1], timeout=WAIT)
    assert train.studies.dialog is None
    train.model.clear("batch")
    train.transfers.open_dialog()
    assert train.transfers.dialog.isVisible()


def test_a_study_that_cannot_be_trained_is_not_stored(qtbot, window):
    window.go("train")
    train = window._pages["train"]
    train.model.edit("start", "file:/no/such/weights.safetensors")
    train.studies.open_dialog()
    qtbot.waitUntil(lambda: train.studies.dialog is not None, timeout=WAIT)
    dialog = train.studies.dialog
    dialog.checkboxes["l2"][0].setChecked(True)
    dialog.make()
    assert window.session.store.studies.all() == []
    assert train.isVisible()
