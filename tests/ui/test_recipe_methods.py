"""Method, head and penalties on the Train page: chosen, set, refused, and trained with."""

import pytest
from PySide6.QtCore import Qt

from tests.fixtures.page_host import PageHost
from tests.fixtures.training_projects import FAST, small_project
from workbench.domain.recipes import parse_toml
from workbench.domain.runs import RunStatus
from workbench.domain.stage_rules import StageRule
from workbench.ui.pages.train.page import TrainPage

WAIT = 120_000


@pytest.fixture
def page(qtbot, tmp_path, qapp):
    session = small_project(tmp_path, label_sets=("category",))
    host = PageHost(session)
    made = TrainPage(host.context)
    qtbot.addWidget(made)
    session.changed.connect(made.refresh)
    made.resize(1216, 640)
    made.preflight._timer.setInterval(10 * WAIT)
    made.opened()
    made.show()
    made.unfold.setChecked(True)
    qtbot.waitUntil(lambda: bool(made.more.methods.ticks), timeout=WAIT)
    yield made
    made.closing()
    host.close()
    session.close()


def choose(page, key, name):
    box = page.more.methods.boxes[key]
    at = box.findData(name)
    assert at >= 0
    box.setCurrentIndex(at)
    box.activated.emit(at)


def test_all_there_are_can_be_chosen_and_report_what_they_do(page):
    section = page.more.methods
    methods = {section.boxes["method"].itemData(i) for i in range(section.boxes["method"].count())}
    assert {"fine-tune", "stochastic-norm", "co-tuning", "multitune", "spottune"} <= methods
    assert {"l2", "l2-sp", "delta", "bss", "same-class"} <= set(section.ticks)
    assert set(section.cards) == {"compact-bilinear"}  # what is advised
    choose(page, "method", "spottune")
    card = section.cards["spottune"]
    assert "Guo et al. 2019" in card.spec.source
    assert card.editors["heat"].placeholderText() == "5"


def test_the_plain_head_can_be_chosen_though_another_is_advised(page):
    section = page.more.methods
    choose(page, "head", "linear")
    assert page.model.draft.partial()["head"] == "linear"
    assert not section.cards
    choose(page, "head", "compact-bilinear")  # as advised: nothing is chosen any more
    assert "head" not in page.model.draft.partial()
    assert set(section.cards) == {"compact-bilinear"}


def test_parameters_are_kept_while_what_they_belong_to_is(qtbot, page):
    section = page.more.methods
    qtbot.mouseClick(section.ticks["l2-sp"], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(section.ticks["bss"], Qt.MouseButton.LeftButton)
    assert page.model.draft.value("penalty") == "bss+l2-sp"
    alpha = section.cards["l2-sp"].editors["alpha"]
    alpha.setFocus()
    qtbot.keyClicks(alpha, "0.2")
    assert page.model.draft.value("options") == {"l2-sp": {"alpha": 0.2}}
    qtbot.keyClicks(alpha, "x")
    assert "options.l2-sp.alpha" in section.cards["l2-sp"].error.text()
    assert page.model.draft.value("options") == {"l2-sp": {"alpha": 0.2}}
    qtbot.mouseClick(section.ticks["l2-sp"], Qt.MouseButton.LeftButton)
    assert page.model.draft.value("penalty") == "bss"
    assert page.model.draft.value("options") == {}
    assert "l2-sp" not in section.cards
    qtbot.mouseClick(section.ticks["bss"], Qt.MouseButton.LeftButton)
    assert not page.model.draft.overridden("penalty")


def test_a_training_runs_with_what_was_chosen(qtbot, page):
    for key, value in FAST.items():
        page.model.edit(key, value)
    choose(page, "method", "stochastic-norm")
    qtbot.mouseClick(page.more.methods.ticks["bss"], Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(page.model.prepared):
        page.start_training()
    store = page.context.session.store
    run = store.runs.all()[0]
    recipe = parse_toml(run.recipe_toml, "run")
    assert recipe["method"] == "stochastic-norm"
    assert recipe["penalty"] == "bss"
    qtbot.waitUntil(
        lambda: store.runs.get(run.id).status in (RunStatus.FINISHED, RunStatus.FAILED),
        timeout=WAIT,
    )
    assert store.runs.get(run.id).status is RunStatus.FINISHED, store.runs.get(run.id).message


def test_single_stages_are_set_in_the_table_and_by_presets(qtbot, page):
    table, model = page.more.stages, page.model
    stages = list(table.new)
    assert stages[0] == "conv1"
    assert table.frozen["fire5"].isChecked()
    table.frozen["fire5"].click()
    assert model.draft.recipe.stages == {"fire5": StageRule(frozen=False)}
    table.new["fire9"].click()
    assert model.draft.recipe.stages["fire9"] == StageRule(start="new", frozen=False)
    rate = table.numbers["fire8", "rate"]
    rate.setFocus()
    qtbot.keyClicks(rate, "0,5")
    assert model.draft.recipe.stages["fire8"] == StageRule(rate=0.5)
    rate.clear()
    qtbot.keyClicks(rate, "-1")
    assert "stages.fire8.rate" in table.error.text()
    table.presets.activated.emit(table.presets.findData("slower-below"))
    assert model.draft.recipe.stages["fire8"].rate == 0.7
    table.presets.activated.emit(table.presets.findData("plain"))
    assert not model.draft.overridden("stages")
    model.edit("stages", {"fire9": {"rate": 2.0}})
    model.edit("backbone", "resnet18")
    assert model.draft.value("stages") == {}
    assert list(table.new) == ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert not model.errors()
