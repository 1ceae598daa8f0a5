"""A trained run used from the Results page: on new photographs, as ONNX, evaluated and adopted."""

from __future__ import annotations

import csv

import pytest
from PySide6.QtWidgets import QFileDialog, QMenu

from tests.app.test_adopting import epoch, started, write_folder
from tests.fixtures.page_host import PageHost
from tests.fixtures.trained import draw_disc, import_discs, train
from workbench.app.training.adopting import adopt_task
from workbench.domain.reports import Progress
from workbench.domain.runs import Sample
from workbench.ui.pages.results.page import ResultsPage

WAIT = 60_000


@pytest.fixture
def run(session, tmp_path):
    return train(session, import_discs(session, tmp_path / "discs", 30), "view")


@pytest.fixture
def host(session):
    made = PageHost(session)
    yield made
    made.close()


@pytest.fixture
def page(qtbot, session, run, host):
    made = ResultsPage(host.context)
    qtbot.addWidget(made)
    session.changed.connect(made.refresh)
    made.resize(1216, 640)
    made.opened()
    made.show()
    yield made
    made.closing()


@pytest.fixture
def answer(monkeypatch):
    """Answers the next file dialogs: a folder, and a file."""

    def set_answers(folder="", file=""):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(file), ""))

    return set_answers


def messages(qtbot, host, count=1):
    qtbot.waitUntil(lambda: len(host.messages) >= count, timeout=WAIT)
    return host.messages


def test_new_photographs_are_predicted_to_a_file(qtbot, page, host, answer, tmp_path):
    photos = tmp_path / "new"
    photos.mkdir()
    draw_disc(photos / "left.png", "red", True, 900)
    (photos / "broken.png").write_bytes(b"nothing")
    answer()
    page.predict_folder()
    answer(photos)
    page.predict_folder()
    assert host.messages == [], "nothing is done without a folder and a file"
    answer(photos, tmp_path / "out.csv")
    page.predict_folder()
    [(text, kind)] = messages(qtbot, host)
    assert text.startswith("1 image predicted and written to out.csv. 1 file has no prediction")
    assert kind == "warn"
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert rows["left.png"]["predicted"] == "left"
    assert rows["broken.png"]["note"]


def test_the_network_is_exported_and_evaluated_again(qtbot, page, host, answer, tmp_path):
    answer(file=tmp_path / "discs.onnx")
    page.export_onnx()
    [(text, kind)] = messages(qtbot, host)
    assert text.startswith("discs.onnx: Checked on ")
    assert kind == "info"
    assert (tmp_path / "discs.onnx").stat().st_size > 10_000
    page.evaluate_again()
    text, kind = messages(qtbot, host, 2)[1]
    assert text.startswith("Scored again on ")
    assert "predictions changed: 0" in text
    assert kind == "info"


@pytest.mark.qt_log_ignore("does not support grabbing the keyboard", extend=True)
def test_the_menu_of_a_run_has_its_uses_and_commands_need_results(qtbot, page, session):
    assert page.has_results()
    at = page.table.visualRect(page.table.currentIndex()).center()
    page.table.customContextMenuRequested.emit(at)
    [menu] = page.table.findChildren(QMenu)
    texts = [action.text() for action in menu.actions()]
    menu.close()
    assert {"Predict images of a folder…", "Export as ONNX…", "Evaluate again"} <= {*texts}
    for record in session.runs.all():
        session.remove_run(record.id)
    page.catch_up()
    assert not page.has_results()


def test_a_run_trained_elsewhere_is_adopted(qtbot, page, host, answer, session, run, tmp_path):
    answer(tmp_path / "no such run")
    page.adopt_run()
    qtbot.waitUntil(lambda: not session.jobs.jobs(), timeout=WAIT)
    assert host.messages == [], "the window shows the failure"
    rows = session.images.rows(list(run.images[:2]))
    samples = [Sample(image=row.id, hash=row.hash, path=row.path, target=0) for row in rows]
    answer(write_folder(tmp_path / "away", samples, [started(0), epoch(1)]))
    page.adopt_run()
    assert messages(qtbot, host) == [("Adopted: category: adopted from away.", "info")]
    assert [row[0] for row in page.table.cells()] == ["category: adopted from away", "view run"]
    assert session.runs.get("away").seconds > 0


def test_an_adoption_that_is_stopped_leaves_nothing(session, run, tmp_path):
    rows = session.images.rows(list(run.images[:2]))
    samples = [Sample(image=row.id, hash=row.hash, path=row.path, target=0) for row in rows]
    folder = write_folder(tmp_path / "away", samples, [started(0), epoch(1)])
    before = sorted(session.runs_folder.iterdir())
    steps = adopt_task(session, folder).work()
    while not isinstance(next(steps), Progress):
        pass
    assert len(list(session.runs_folder.iterdir())) == len(before) + 1, "it is being copied"
    steps.close()
    assert sorted(session.runs_folder.iterdir()) == before
    assert [record.id for record in session.runs.all()] == [run.id]
