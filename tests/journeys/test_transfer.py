"""A transfer from the closest source by one button: ranked, stopped, resumed, voted on."""

from __future__ import annotations

import csv

import pytest

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.app.training.splitting import split
from workbench.app.transfer import transferring
from workbench.app.transfer.transfer_runs import TransferStage
from workbench.app.transfer.transferring import transfers
from workbench.demo.toys import BODIES, VIEWS, render_toy
from workbench.domain.relatedness import Relatedness, SourceRelatedness
from workbench.domain.runs import RunStatus
from workbench.domain.splits import SplitPlan
from workbench.storage.locks import read_lock
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.window.window import MainWindow

WAIT = 240_000
QUICK = {
    "target": "category",
    "start": "none",
    "image_size": 64,
    "epochs": 1,
    "batch": 8,
    "precision": "fp32",
}
EACH = 3


def vehicles(folder, name, bodies):
    """A project of toys with their categories and views."""
    import cv2

    pictures = folder / f"{name} pictures"
    pictures.mkdir()
    rows = []
    for body in bodies:
        for view in VIEWS:
            for seed in range(EACH):
                path = pictures / f"{BODIES[body]}-{view}-{seed}.jpg"
                cv2.imwrite(str(path), render_toy(body, view, seed, 64)[:, :, ::-1])
                rows.append((path.name, BODIES[body], view))
    with (pictures / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "category", "view"), *rows])
    session = Session(Project.create(folder / name))
    labels = {"category": "csv", "view": "csv"}
    outcome = run_here(import_task(session, [pictures / "labels.csv"], labels))
    assert isinstance(outcome, Done)
    return session


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    monkeypatch.setenv("WORKBENCH_MAPS", str(tmp_path / "maps"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    apply_theme(qapp, "light")
    vehicles(tmp_path, "Toys", (0, 1)).close()
    target = vehicles(tmp_path, "Target", (8, 9, 10))
    split(target, SplitPlan(0.5, 0.0, 0.5), ("category",))
    made = MainWindow(target, UserSettings(None))
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    qtbot.waitExposed(made)
    made.go("train")
    page = made.page("train")
    page.preflight._timer.setInterval(10 * WAIT)  # no trial steps meanwhile
    for key, value in QUICK.items():
        page.model.edit(key, value)
    yield made
    made.close()


def compared(name):
    """The result of a comparison with one source."""
    one = SourceRelatedness(
        name=name,
        doa=-5.0,
        doas=(),
        similarity=0.5,
        coverage=0.6,
        agreeing=5,
        pairs=9,
        numbers=(),
        images=10,
    )
    return Relatedness(
        sources=(one,),
        target="Target",
        target_images=10,
        views=False,
        same_energy=0.1,
        different_energy=0.2,
        seconds=1.0,
    )


@pytest.mark.slow
def test_one_button_ranks_trains_transfers_and_votes(qtbot, window, tmp_path):
    page, store = window.page("train"), window.session.store
    page.line.transfer.click()
    dialog = page.transfers.dialog
    assert not dialog.start.isEnabled()
    assert not dialog.open_winner.isEnabled()
    dialog.sources.add_folder(tmp_path / "nowhere")
    assert "not a project" in dialog.problem.text()
    dialog.sources.add_folder(store.folder)
    assert "target itself" in dialog.problem.text()
    dialog.sources.add_folder(tmp_path / "Toys.workbench")
    assert dialog.problem.text() == ""
    dialog.sources.own.menu().actions()[0].trigger()
    assert [row[0] for row in dialog.sources.table.cells()] == ["Toys", "Target#view"]
    assert not dialog.sources.numbers.isEnabled()

    dialog.start.click()
    assert dialog.start.text() == "Stop"
    queue = page.transfers.queue
    qtbot.waitUntil(lambda: queue.training != "", timeout=WAIT)
    ranked = transfers(window.session)[0].ranked
    assert {one.name for one in ranked} == {"Toys", "Target#view"}
    dialog.sources.show_numbers()
    assert dialog.sources.numbers_dialog.table.figures.rowCount() == 36
    dialog.sources.numbers_dialog.reject()

    # stopped during a training; finished steps are kept
    qtbot.waitUntil(lambda: queue.current.candidates != (), timeout=WAIT)
    dialog.start.click()
    qtbot.waitUntil(lambda: queue.current is None, timeout=WAIT)
    assert dialog.start.text() == "Resume"
    assert RunStatus.PAUSED in {run.status for run in store.runs.all()}
    assert read_lock(tmp_path / "Toys.workbench") is None

    dialog.start.click()
    dialog.reject()  # the transfer continues without its dialog
    with qtbot.waitSignal(queue.finished, timeout=WAIT) as heard:
        pass
    transfer = heard.args[0]
    runs = {run.id: run for run in store.runs.all()}
    assert [runs[c.run].status for c in transfer.candidates] == [RunStatus.FINISHED] * 3
    assert [c.layers for c in transfer.candidates] == [4, 5, 6]
    assert max(c.votes for c in transfer.candidates) * 3 >= transfer.voted == 18

    page.line.transfer.click()
    dialog = page.transfers.dialog
    assert dialog.start.text() == "Transfer"
    assert transfer.winner in dialog.vote.outcome.text()
    cells = dialog.vote.table.cells()
    winner = next(at for at, c in enumerate(transfer.candidates) if c.frozen == transfer.winner)
    assert cells[winner][2] == "winner"
    assert [int(row[4]) for row in cells] == [c.votes for c in transfer.candidates]
    dialog.open_winner.click()
    results = window.page("results")
    assert results.isVisible()
    assert results.table.current_run() == transfer.winner_run


def test_a_source_that_is_open_elsewhere_is_reported(qtbot, window, tmp_path):
    page = window.page("train")
    page.line.transfer.click()
    dialog = page.transfers.dialog
    dialog.sources.add_folder(tmp_path / "Toys.workbench")
    held = Project.open(tmp_path / "Toys.workbench")
    try:
        dialog.start.click()
        output = dialog.problem.text
        qtbot.waitUntil(lambda: "in use by another program" in output(), timeout=WAIT)
        assert page.transfers.queue.current is None
        assert dialog.start.text() == "Resume"
    finally:
        held.close()
    assert page.transfers.queue.stage is None


def test_closing_the_window_pauses_the_source_and_unlocks_its_project(qtbot, window, tmp_path):
    page = window.page("train")
    page.model.edit("epochs", 100_000)
    page.line.transfer.click()
    dialog, queue = page.transfers.dialog, page.transfers.queue
    dialog.sources.add_folder(tmp_path / "Toys.workbench")
    begun = transferring.begin(window.session, dialog.request())
    transferring.choose_source(window.session, begun, compared("Toys"))
    dialog.start.click()
    qtbot.waitUntil(lambda: queue.training != "", timeout=WAIT)
    assert queue.stage is TransferStage.SOURCE
    assert read_lock(tmp_path / "Toys.workbench") is not None
    with qtbot.waitSignal(queue.reported, timeout=WAIT):
        pass
    folder = window.session.store.folder
    window.close()
    assert read_lock(tmp_path / "Toys.workbench") is None
    source = Project.open(tmp_path / "Toys.workbench")
    assert [run.status for run in source.runs.all()] == [RunStatus.PAUSED]
    learned = source.runs.all()[0].id
    source.close()
    target = Project.open(folder)
    known = transfers(Session(target))
    assert [(one.source, one.source_run) for one in known] == [("Toys", learned)]
    target.close()
