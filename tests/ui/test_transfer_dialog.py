"""The dialog of a transfer: steps, sources, candidates and vote, on stored transfers."""

from __future__ import annotations

from dataclasses import replace as with_changes
from types import SimpleNamespace

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from tests.fixtures.finished_runs import fill, make_run
from tests.fixtures.page_host import PageHost
from workbench.app.transfer.sources import written_source
from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.app.transfer.transfer_runs import TransferStage
from workbench.app.transfer.transferring import keep, transfer_request
from workbench.domain.recipes import partial_recipe
from workbench.domain.relatedness import SourceRelatedness
from workbench.domain.reports import Progress
from workbench.domain.run_pairs import unknown_images
from workbench.domain.runs import RunStatus
from workbench.domain.transfers import CandidateRun, Transfer
from workbench.ui.dialogs.transfer import TransferDialog, TransferStages, TransferStarter
from workbench.ui.dialogs.transfer_parts import (
    NumbersDialog,
    TransferSources,
    TransferVote,
    held_out,
)

FROZEN = {4: "fire3", 5: "fire4", 6: "fire5"}


def compared(name: str, doa: float = -2.5, agreeing: int = 3, numbers: int = 36):
    return SourceRelatedness(
        name=name,
        doa=doa,
        doas=(doa,),
        similarity=0.25,
        coverage=0.5,
        agreeing=agreeing,
        pairs=9,
        numbers=tuple(at / 8 for at in range(numbers)),
        images=120,
    )


def ran(request, votes=(5, 9, 7), **more) -> Transfer:
    """A transfer after its vote, which the second candidate won."""
    candidates = tuple(
        CandidateRun(layers=layers, frozen=FROZEN[layers], run=f"run{at}", votes=n, alone=at)
        for at, (layers, n) in enumerate(zip(FROZEN, votes, strict=True))
    )
    made = Transfer(
        request=request,
        made=1.0,
        ranked=(compared("cars"),),
        source="cars",
        candidates=candidates,
        winner="fire4",
        voted=12,
        disputed=4,
    )
    return msgspec.structs.replace(made, **more)


@pytest.fixture
def host(session, tmp_path):
    images = fill(session.store, tmp_path / "photos")
    for name, wrong in (("run0", 3), ("run1", 0), ("run2", 6)):
        make_run(session.store, images, name, range(wrong))
    made = PageHost(session)
    yield made
    made.close()


@pytest.fixture
def request_(session, tmp_path):
    sources = [written_source(tmp_path / f"{name}.workbench", "category") for name in ("cars",)]
    return transfer_request(session, partial_recipe(target="category"), sources)


@pytest.fixture
def vote(qtbot, host):
    made = TransferVote(host.context.notify, unknown_images, host.context.session.runs.epochs)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def stages(qtbot):
    made = TransferStages()
    qtbot.addWidget(made)
    made.show()
    return made


def runs_of(host):
    return {run.id: run for run in host.context.session.runs.all()}


def test_steps_are_done_in_order_and_the_running_one_stands_out(stages, request_):
    whole = ran(request_)
    cut = msgspec.structs.replace
    states = [
        (None, None, ["", "", "", ""]),
        (cut(whole, candidates=(), winner=""), TransferStage.SOURCE, ["done", "running", "", ""]),
        (cut(whole, ranked=(), candidates=(), winner=""), None, ["", "", "", ""]),
        (cut(whole, winner=""), TransferStage.CANDIDATES, ["done", "done", "running", ""]),
        (whole, None, ["done"] * 4),
        (whole, TransferStage.SINGLE, ["done", "done", "done", "running"]),
        (None, TransferStage.COMPARE, ["running", "", "", ""]),
    ]
    for transfer, stage, expected in states:
        stages.show_transfer(transfer, stage, "Comparing", "nothing to do")
        assert list(stages._step_states.values()) == expected
        assert stages.bar.isVisibleTo(stages) == (stage is not None)
        assert (stages.status.text() == "nothing to do") == (stage is None)


def test_each_step_has_the_icon_of_its_state(stages, request_):
    def images():
        return [label.pixmap().toImage() for label in stages._icons.values()]

    stages.show_transfer(ran(request_), TransferStage.SINGLE, "", "")
    done, *_, running = images()
    stages.show_transfer(None, None, "", "")
    assert done != running
    assert images()[0] not in (done, running)


def test_the_bar_follows_the_reports_of_one_step(stages):
    stages.show_transfer(None, TransferStage.COMPARE, "Comparing", "")
    assert stages.status.text() == "Comparing"
    assert stages.bar.maximum() == 0, "busy until a share is known"
    stages.show_report(Progress(done=1, total=4, eta=61.0))
    assert (stages.bar.minimum(), stages.bar.maximum(), stages.bar.value()) == (0, 1000, 250)
    assert stages.status.text() == "Comparing  ·  1 of 4  ·  1:01 left"
    stages.show_report(Progress(done=5, total=4))
    assert stages.bar.value() == 1000
    stages.show_transfer(None, TransferStage.COMPARE, "Comparing", "")
    assert stages.bar.value() == 1000, "the same step goes on"
    stages.show_transfer(None, TransferStage.SOURCE, "Training", "")
    assert (stages.bar.maximum(), stages.status.text()) == (0, "Training")
    stages.show_transfer(None, None, "", "idle")
    stages.show_report(Progress(done=2, total=4))
    assert stages.status.text() == "idle"


TIMES = ("0:03", "0:03")  # of three epochs, and of those until they reach the goal


def test_the_curves_of_all_runs_can_be_compared(vote, host, request_):
    asked = []
    vote.curves_requested.connect(asked.append)
    vote.show_transfer(None, {})
    assert not vote.curves.isEnabled()
    vote.show_transfer(ran(request_, single="run2"), runs_of(host))
    assert "until the validation accuracy is" in vote.rule.text()
    vote.curves.click()
    assert asked == [["run0", "run1", "run2", "run2"]]


def test_the_vote_names_every_candidate_and_the_winner(vote, host, request_):
    vote.show_transfer(ran(request_), runs_of(host))
    assert vote.table.cells() == [
        ["Layers 1–4 frozen", "fire3", "finished", "90.0 %", "5", *TIMES, "0"],
        ["Layers 1–5 frozen", "fire4", "winner", "100.0 %", "9", *TIMES, "1"],
        ["Layers 1–6 frozen", "fire5", "finished", "80.0 %", "7", *TIMES, "2"],
    ]
    rows = vote.table.selectionModel().selectedRows()
    assert [vote.table.source_row(index) for index in rows] == [1]
    assert vote.outcome.isVisibleTo(vote)
    assert vote.outcome.text() == (
        "Winner: frozen up to fire4. It agrees with the majority on 9 of 12 held-out images; "
        "the candidates disagree on 4."
    )


def test_the_outcome_reports_ties_and_the_run_without_views(vote, host, request_):
    transfer = ran(request_, drawn=True, single="run2")
    vote.show_transfer(transfer, runs_of(host))
    assert vote.outcome.text().startswith("Winner, drawn from a tie: frozen up to fire4.")
    assert vote.outcome.text().endswith(
        "Top-1 is 80.0\u00a0% without views (“run2”) and 100.0\u00a0% with them."
    )
    run = with_changes(runs_of(host)["run2"], metrics={})
    vote.show_transfer(transfer, {**runs_of(host), "run2": run})
    assert "without views" not in vote.outcome.text()
    vote.show_transfer(transfer, {})
    assert [row[2:4] for row in vote.table.cells()] == [
        ["removed", "–"],
        ["winner", "–"],
        ["removed", "–"],
    ]


def test_before_the_vote_there_is_no_outcome(vote, host, request_):
    chosen = []
    vote.run_chosen.connect(chosen.append)
    transfer = ran(request_, winner="")
    open_ = tuple(msgspec.structs.replace(c, votes=None) for c in transfer.candidates[:2])
    transfer = msgspec.structs.replace(transfer, candidates=open_)
    vote.show_transfer(transfer, runs_of(host))
    assert [row[4] for row in vote.table.cells()] == ["–"] * 3
    assert [row[7] for row in vote.table.cells()] == ["–"] * 3
    assert vote.table.cells()[2][1:] == ["–"] * 7
    assert not vote.outcome.isVisibleTo(vote)
    assert vote.table.selectionModel().selectedRows() == []
    for row in (1, 2):
        vote.table.picked.emit(row)
    assert chosen == ["run1"]
    vote.show_transfer(None, {})
    assert vote.table.cells()[0][0] == "Layers 1–4 frozen"
    vote.table.picked.emit(0)
    assert chosen == ["run1"]


def test_held_out_is_the_test_part_or_else_validation(host):
    run = runs_of(host)["run0"]
    assert held_out(None) is None
    assert held_out(run) == pytest.approx(0.9)
    validated = with_changes(run, metrics={"validation": {"top1": 0.5}})
    assert held_out(validated) == 0.5


@pytest.fixture
def sources(qtbot, host):
    made = TransferSources(host.context, "category")
    qtbot.addWidget(made)
    made.show()
    return made


def test_ranked_sources_come_first_with_their_figures(sources, tmp_path):
    texts = [written_source(tmp_path / f"{n}.workbench", "category") for n in ("a", "b", "c")]
    ranked = [compared("c"), compared("a", -4.0, 1), compared("gone")]
    sources.show_ranked(texts, ranked)
    assert sources.table.cells() == [
        ["c", "−2.50", "3 of 9", "0.25", "0.50", "120", str(tmp_path / "c.workbench")],
        ["a", "−4.00", "1 of 9", "0.25", "0.50", "120", str(tmp_path / "a.workbench")],
        ["b", "–", "–", "–", "–", "–", str(tmp_path / "b.workbench")],
    ]
    assert "−2.50: the closest" in sources.explanation.text()
    assert sources.numbers.isEnabled()
    sources.table.selectRow(sources.table.view_row(1))
    assert "less close" in sources.explanation.text()
    sources.table.selectRow(sources.table.view_row(2))
    assert sources.explanation.text() == "Not compared yet."
    assert not sources.numbers.isEnabled()
    assert sources.remove.isEnabled()
    sources.show_ranked((), ())
    assert sources.explanation.text().startswith("Add projects")
    assert not sources.remove.isEnabled()
    assert not sources.numbers.isEnabled()


def test_sources_are_added_once_and_removed(qtbot, sources, tmp_path):
    heard = []
    sources.changed.connect(lambda: heard.append(list(sources.texts)))
    sources.set_editable(True)
    names = [action.text() for action in sources.own.menu().actions()]
    assert names == ["view"]
    sources.own.menu().actions()[0].trigger()
    [own] = sources.texts
    assert own.endswith("#view")
    sources.set_editable(True)
    assert sources.own.menu().isEmpty()
    assert not sources.own.isEnabled()
    other = written_source(tmp_path / "x.workbench", "category")
    sources._add(other)
    sources._add(other)
    assert heard == [[own], [own, other]]
    sources.show_ranked(sources.texts, [compared("x")])
    qtbot.mouseClick(sources.remove, Qt.MouseButton.LeftButton)
    assert heard[2:] == [[own]]
    sources.set_editable(False)
    assert not sources.add.isEnabled()
    assert not sources.remove.isEnabled()


def test_a_folder_that_cannot_be_a_source_is_refused(sources, tmp_path, session):
    failed = []
    sources.failed.connect(failed.append)
    sources.add_folder(tmp_path / "photos")
    sources.add_folder(session.folder)
    assert len(failed) == 2
    assert "is the target itself" in failed[1]
    assert sources.texts == []


@pytest.mark.parametrize(("count", "last"), [(36, "View"), (18, "Fine-grained")])
def test_all_numbers_of_a_source_have_a_meaning(qtbot, host, sources, count, last, tmp_path):
    text = written_source(tmp_path / "a.workbench", "category")
    sources.show_ranked([text], [compared("a", numbers=count)])
    qtbot.mouseClick(sources.numbers, Qt.MouseButton.LeftButton)
    cells = sources.numbers_dialog.table.cells()
    assert isinstance(sources.numbers_dialog, NumbersDialog)
    assert len(cells) == count
    assert cells[1][1] == "0.125"
    assert cells[-1][0].startswith(last)


@pytest.fixture
def dialog(qtbot, host, request_):
    queue = TransferQueue(host.context.session, host.queue)

    def opened(target="category", **keys):
        keys = partial_recipe(target=target, **keys)
        made = TransferDialog(host.context, queue, keys)
        qtbot.addWidget(made)
        made.show()
        return made

    return SimpleNamespace(open=opened, queue=queue)


def test_a_dialog_without_sources_cannot_start(dialog):
    made = dialog.open()
    assert (made.start.text(), made.start.isEnabled()) == ("Transfer", False)
    assert made.views.isChecked()
    assert not made.compare.isChecked()
    assert not made.open_winner.isEnabled()
    assert made.stages.status.text().startswith("Compares the sources")
    assert made.settings.text().endswith("Default settings.")
    made.views.click()
    assert not made.compare.isEnabled()
    made.views.click()
    made.compare.click()
    assert made.request().compare_views
    made.views.click()
    assert not made.request().compare_views
    assert not made.request().views


def test_the_newest_transfer_of_the_label_set_is_shown_again(host, dialog, request_):
    asked = msgspec.structs.replace(request_, views=False, compare_views=True)
    keep(host.context.session, ran(asked, single="run2"))
    made = dialog.open(epochs=3, backbone="resnet18")
    assert made.sources.texts == list(request_.sources)
    assert not made.views.isChecked()
    assert made.compare.isChecked()
    assert (made.start.text(), made.start.isEnabled()) == ("Transfer", True)
    assert made.stages.status.text() == "Done: transferred from cars."
    assert "Network: ResNet-18." in made.settings.text()
    assert made.settings.text().endswith("Settings: epochs = 3.")
    shown = []
    made.results_requested.connect(shown.append)
    assert made.open_winner.isEnabled()
    made.open_winner.click()
    assert shown == ["run1"]
    assert made.isHidden()


def test_another_label_set_begins_without_sources(host, dialog, request_):
    keep(host.context.session, ran(request_))
    made = dialog.open("view")
    assert made.sources.texts == []


def test_an_unfinished_transfer_can_be_resumed(host, dialog, request_):
    keep(host.context.session, ran(request_, winner=""))
    made = dialog.open()
    assert (made.start.text(), made.start.isEnabled()) == ("Resume", True)
    assert made.stages.status.text().startswith("Stopped.")
    assert not made.open_winner.isEnabled()


def test_why_a_transfer_cannot_start_is_shown_until_something_changes(dialog, qtbot, tmp_path):
    made = dialog.open()
    made.sources.add_folder(tmp_path / "nothing")
    assert "nothing" in made.problem.text()
    made.views.click()
    assert made.problem.text() == ""


def test_the_starter_opens_one_dialog_and_notifies(qtbot, host, request_):
    page = QWidget()
    qtbot.addWidget(page)
    starter = TransferStarter(host.context, lambda: partial_recipe(target="category"), page)
    keep(host.context.session, ran(request_))
    starter.open_dialog()
    first = starter.dialog
    starter.open_dialog()
    assert starter.dialog is not first
    assert starter.dialog.isVisible()
    starter.dialog.vote.table.picked.emit(0)
    assert host.went == [("results", {"run": "run0"})]
    starter.queue.finished.emit(ran(request_))
    starter.queue.refused.emit("Something failed.")
    assert host.messages == [
        ("Transfer from cars finished: fire4 wins with 9 of 12 votes.", "info"),
        ("Something failed.", "bad"),
    ]
    assert runs_of(host)["run0"].status is RunStatus.FINISHED
