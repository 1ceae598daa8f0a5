"""The Train page: recommendations filled in and overridden; a real training to its end."""

import statistics
import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QCheckBox, QComboBox

from tests.fixtures.finished_runs import make_run
from tests.fixtures.page_host import PageHost
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.session import Session
from workbench.app.weights import weights_path
from workbench.domain.backbones import backbone
from workbench.domain.changes import Changes
from workbench.domain.recipe_meanings import MEANINGS
from workbench.domain.recipes import JOINT, parse_toml
from workbench.domain.runs import RunStatus
from workbench.storage.project import Project
from workbench.ui.look.theme import apply_theme
from workbench.ui.pages.train.page import TrainPage
from workbench.ui.pages.train.preflight import DELAY_MS
from workbench.ui.parts.recipe.form import StageRow

WAIT = 120_000


@pytest.fixture
def session(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = small_project(tmp_path, label_sets=("category", "view"))
    yield made
    made.close()


@pytest.fixture
def page(qtbot, session, host):
    made = TrainPage(host.context)
    qtbot.addWidget(made)
    session.changed.connect(made.refresh)
    made.resize(1216, 640)
    made.preflight._timer.setInterval(10 * WAIT)  # these tests request trials themselves
    made.opened()
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.closing()


def small(page):
    """Settings that train in seconds."""
    for key, value in FAST.items():
        page.model.edit(key, value)


def test_targets_the_labels_allow_are_listed_and_the_first_is_selected(page):
    box = page.form.target
    names = [box.itemData(at) for at in range(box.count())]
    assert names == ["category", "view", JOINT, "expression"]
    assert box.currentData() == "category"
    assert "3 labels  ·  36 labelled" in box.currentText()
    model = box.model()
    assert [model.item(at).isEnabled() for at in range(4)] == [True, True, True, False]


def test_recommendations_fill_the_fields_and_give_reasons(page):
    assert page.model.draft.value("frozen") == "fire7"
    assert page.form.stages.frozen_stages() == 7
    assert "images of the rarest class, most stages are frozen" in page.form.sentence.text()
    rate = page.more.fields["learning_rate"].editor
    assert rate.text() == "0.005"
    page.model.edit("optimizer", "adamw")
    assert "AdamW's step size does not shrink" in rate.toolTip()
    assert page.train.isEnabled()


def test_an_overridden_value_is_marked_and_reset(qtbot, page):
    field = page.more.fields["epochs"]
    page.unfold.setChecked(True)
    field.editor.selectAll()
    qtbot.keyClicks(field.editor, "7")
    assert page.model.draft.value("epochs") == 7
    assert not field.reset_button.isHidden()
    assert field.reset_button.toolTip().endswith(": 20")
    qtbot.mouseClick(field.reset_button, Qt.MouseButton.LeftButton)
    assert field.editor.text() == "20"
    assert field.reset_button.isHidden()


def test_tooltips_explain_every_key_and_choices_have_titles(page):
    for key, field in page.more.fields.items():
        tip = QTextDocument()
        tip.setHtml(field.editor.toolTip())
        meaning, *_, values = tip.toPlainText().splitlines()
        assert meaning == MEANINGS[key].replace("`", "")
        assert values.partition(":")[0] == key
    box = page.more.fields["optimizer"].editor
    at = box.findData("adamw-then-sgd")
    assert box.itemText(at) == "AdamW, then SGD"
    box.activated.emit(at)
    assert page.model.draft.value("optimizer") == "adamw-then-sgd"
    assert box.currentIndex() == at


def test_a_wrong_value_is_named_beside_its_field_and_nothing_can_start(qtbot, page):
    field = page.more.fields["batch"]
    field.editor.clear()
    qtbot.keyClicks(field.editor, "-3")
    assert field.error.text() == "“-3” is not a valid value for batch. Allowed: a whole number ≥ 1."
    assert not page.train.isEnabled()
    assert page.unfold.isChecked(), "the field is shown"
    assert "red" in page.preflight.text.text()
    field.editor.clear()
    qtbot.keyClicks(field.editor, "16")
    assert field.error.isHidden()
    assert page.train.isEnabled()


def test_a_click_on_a_stage_freezes_up_to_it_and_again_unfreezes_it(qtbot):
    row = StageRow()
    qtbot.addWidget(row)
    row.resize(1000, 52)
    row.show_backbone(backbone("squeezenet1_1"), "none")
    reported = []
    row.chosen.connect(reported.append)
    third = row._block(2).center().toPoint()
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=third)
    row.show_backbone(backbone("squeezenet1_1"), reported[-1])
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=third)
    row.show_backbone(backbone("squeezenet1_1"), "fire8")
    qtbot.keyClick(row, Qt.Key.Key_Right)
    qtbot.keyClick(row, Qt.Key.Key_Left)
    assert reported == ["fire3", "fire2", "all", "fire7"]
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(999, 26))
    assert len(reported) == 4, "the head always learns"


def test_another_backbone_has_its_own_recommendations(page):
    page.form.stages.chosen.emit("fire2")
    page.form.backbone.activated.emit(page.form.backbone.findData("resnet18"))
    assert page.model.draft.value("frozen") == "layer2"
    assert page.form.stages.frozen_stages() == 3
    page.form.backbone.activated.emit(page.form.backbone.findData("simpleconv3"))
    assert page.form.start.box.currentText() == "Random (from scratch)"
    assert page.form.start.button.isHidden()


def test_imagenet_weights_report_their_size_and_where_they_come_from(page):
    assert page.form.start.state.text() == "5 MB, to be downloaded from download.pytorch.org"
    assert not page.form.start.button.isHidden()
    assert page.form.start.state.toolTip() == backbone("squeezenet1_1").weights_address
    assert weights_path("squeezenet1_1") is None


def test_a_failed_download_is_reported_and_can_be_repeated(qtbot, page, host, monkeypatch):
    monkeypatch.setattr("workbench.domain.backbones.WEIGHTS_ADDRESS", "http://127.0.0.1:9/")
    with qtbot.waitSignal(page.model.download_ended, timeout=WAIT):
        page.form.start.button.click()
        assert page.form.start.button.text() == "Stop"
        assert not page.form.start.bar.isHidden()
    assert host.messages[-1][1] == "bad"
    assert "could not be downloaded" in host.messages[-1][0]
    assert page.form.start.button.text() == "Download"
    assert page.form.start.bar.isHidden()


def test_runs_with_fitting_weights_can_be_started_from(session, page):
    make_run(
        session.store, list(session.store.images.ids())[:30], "earlier", backbone="squeezenet1_1"
    )
    page._update_targets()
    box = page.form.start.box
    assert [box.itemText(at) for at in range(box.count())] == [
        "ImageNet",
        "Random (from scratch)",
        "Run earlier",
        "From file…",
    ]
    box.activated.emit(2)
    assert page.model.draft.value("start") == "run:earlier"


def test_a_trial_step_shows_device_batch_and_disk_space(qtbot, page):
    small(page)
    page.preflight.button.click()
    assert page.preflight._job is not None
    qtbot.waitUntil(lambda: page.preflight.trial is not None, timeout=WAIT)
    text = page.preflight.text.text()
    assert "CPU" in text
    assert "batch 8" in text
    assert "disk" in text


def test_a_trial_is_dropped_when_a_setting_changes(qtbot, page):
    small(page)
    page.preflight.button.click()
    page.model.edit("epochs", 3)
    assert page.preflight._job is None
    assert page.preflight.trial is None
    assert page.preflight._timer.isActive(), "and scheduled again"
    assert DELAY_MS >= 1000


def test_a_training_is_followed_to_its_end(qtbot, session, page, host):
    small(page)
    page.model.edit("epochs", 3)
    with qtbot.waitSignal(host.queue.ended, timeout=WAIT):
        with qtbot.waitSignal(page.model.prepared):
            page.train.click()
            assert not page.train.isEnabled(), "until the run is frozen"
        assert page.train.isEnabled()
        run = page.live.run_id
        assert page.queue.row(run) is not None
        assert not page.queue.row(run).buttons["pause"].isHidden()
    record = session.store.runs.get(run)
    assert record.status is RunStatus.FINISHED
    assert parse_toml(record.recipe_toml, "")["epochs"] == 3
    qtbot.waitUntil(lambda: len(page.live.curves.loss.table()[1]) >= 3)
    assert set(page.live.curves.accuracy.values_at(2)) == {"train", "validation"}
    assert "test top-1" in page.live.status.text()
    assert page.form.parts.text().startswith('<a href="train">train')
    page.live.results.click()
    assert host.went[-1] == ("results", {"run": run})


def test_a_run_is_paused_resumed_and_stopped_from_the_queue(qtbot, session, page, host):
    small(page)
    page.model.edit("epochs", 100_000)
    with qtbot.waitSignal(page.model.prepared):
        page.start_training()
    run = page.live.run_id
    qtbot.waitUntil(lambda: session.store.runs.get(run).epochs_done > 0, timeout=WAIT)
    qtbot.waitUntil(lambda: "images/s" in page.live.status.text(), timeout=WAIT)
    row = page.queue.row(run)
    with qtbot.waitSignal(host.queue.ended, timeout=WAIT):
        row.buttons["pause"].click()
    assert session.store.runs.get(run).status is RunStatus.PAUSED
    assert not row.buttons["resume"].isHidden()
    with qtbot.waitSignal(host.queue.ended, timeout=WAIT):
        row.buttons["resume"].click()
        qtbot.waitUntil(
            lambda: session.store.runs.get(run).status is RunStatus.RUNNING, timeout=WAIT
        )
        row.buttons["stop"].click()
    assert session.store.runs.get(run).status is RunStatus.STOPPED
    row.buttons["remove"].click()
    assert session.store.runs.all() == []
    assert page.queue.row(run) is None


def test_a_failed_run_shows_its_reason(session, page):
    make_run(session.store, list(session.store.images.ids())[:30], "broken", status="failed")
    page._show_queue()
    assert "The memory of the device is full." in page.live.status.text()
    assert page.live.status.property("role") == "bad"
    assert not page.queue.row("broken").buttons["resume"].isHidden()


def test_a_run_that_cannot_be_prepared_is_reported(page, host, tmp_path):
    page.model.edit("start", f"file:{tmp_path / 'gone.safetensors'}")
    page.start_training()
    assert host.messages[-1][1] == "bad"
    assert "gone.safetensors does not exist" in host.messages[-1][0]


def test_settings_are_restored_after_a_restart(qtbot, page, host):
    page.model.edit("target", "view")
    page.model.edit("epochs", 9)
    state = page.save_state()
    again = TrainPage(host.context)
    qtbot.addWidget(again)
    again.restore_state({**state, "chosen": {**state["chosen"], "from_the_future": 1}})
    again.opened()
    assert again.form.target.currentData() == "view"
    assert again.model.draft.value("epochs") == 9
    assert again.model.errors() == {}
    again.closing()


def test_without_labels_the_page_shows_what_to_do(qtbot, tmp_path, qapp):
    session = Session(Project.create(tmp_path / "empty"))
    host = PageHost(session)
    made = TrainPage(host.context)
    qtbot.addWidget(made)
    made.opened()
    assert made._stack.currentWidget() is made.empty
    assert made.empty.button.text() == "Import images"
    made.empty.button.click()
    assert host.went == [("images", {})]
    made.closing()
    host.close()
    session.close()


def type_or_choose(qtbot, field, turn):
    """Edit a field as a person does: with a key, a click or a choice, alternating by `turn`."""
    if isinstance(field.editor, QCheckBox):
        field.editor.click()
    elif isinstance(field.editor, QComboBox):
        field.editor.setCurrentIndex(turn % 2)
        field.editor.activated.emit(turn % 2)
    else:
        field.editor.setFocus()
        field.editor.selectAll()
        qtbot.keyClicks(field.editor, "78"[turn % 2])


KEYS = ("epochs", "batch", "learning_rate", "image_size", "optimizer", "sampling", "flip")


def test_an_edit_of_a_field_costs_less_than_20_ms_of_cpu(qtbot, qapp, page):
    apply_theme(qapp, "light")
    page.unfold.setChecked(True)
    qtbot.waitUntil(lambda: bool(page.more.methods.ticks), timeout=WAIT)
    spent = {key: [] for key in KEYS}
    for turn in range(14):
        for key in KEYS:
            before = time.process_time()
            type_or_choose(qtbot, page.more.fields[key], turn)
            qapp.processEvents()  # layout and painting
            spent[key].append(time.process_time() - before)
    medians = {key: 1000 * statistics.median(times[4:]) for key, times in spent.items()}
    assert max(medians.values()) < 20, medians
    assert page.model.draft.value("batch") == 8
    assert page.model.draft.value("learning_rate") == 8.0
    assert "image_size" in page.model.errors()
    assert page.more.fields["learning_rate"].reset_button.toolTip().endswith(": 0.0005")


def test_advice_follows_labels_that_change_while_the_page_is_open(page, session):
    assert "The largest class" not in page.more.fields["class_weights"].editor.toolTip()
    ids = session.store.images.ids()
    with session.edit("Fewer labels"):
        session.store.labels.assign(ids[ids % 3 == 0][2:], "category", None)
    page.model.edit("epochs", 3)
    assert page.model.draft.value("class_weights") == "balanced"
    assert "The largest class" in page.more.fields["class_weights"].editor.toolTip()


def test_runs_that_come_and_train_are_followed_while_the_page_is_open(page, session):
    assert page.model.start_runs() == []
    assert page.model.can_try()
    images = list(session.store.images.ids())[:30]
    for name, status in (("done", "finished"), ("busy", "running")):
        make_run(session.store, images, name, status=status, backbone="squeezenet1_1")
        session.announce(Changes(runs=frozenset({name})))
    assert page.model.start_runs() == [("done", "done")]
    assert not page.model.can_try()


def test_curves_of_a_stopped_run_stay_and_those_of_a_removed_one_go(page, session):
    run = make_run(session.store, range(30), "rests", status="paused").id
    session.announce(Changes(runs=frozenset({run})))
    page.watch(run)
    assert page.live.run_id == run
    page.queue.row(run).buttons["stop"].click()
    assert session.runs.get(run).status is RunStatus.STOPPED
    assert page.live.run_id == run
    page.queue.row(run).buttons["remove"].click()
    assert session.runs.all() == []
    assert page.live.run_id == ""
    assert page.queue.row(run) is None
