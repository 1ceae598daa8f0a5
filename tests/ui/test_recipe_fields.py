"""Fields of a recipe and the table of its stages, without a page: read, emitted and shown."""

import pytest
from PySide6.QtCore import Qt

from workbench.app.training.recipe_draft import Draft
from workbench.domain.backbones import BACKBONES
from workbench.domain.stage_rules import StageRule
from workbench.ui.parts.recipe.fields import FieldBox, parse, value_text
from workbench.ui.parts.recipe.more import COLUMNS, MoreSettings


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("epochs", "12", 12),
        ("epochs", "1.5", 1.5),
        ("epochs", "many", "many"),
        ("learning_rate", "1", 1.0),
        ("learning_rate", " 0,01 ", 0.01),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", "", ""),
    ],
)
def test_what_is_typed_is_a_number_of_the_keys_type_where_it_is_one(key, text, value):
    found = parse(key, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "on"), (False, "off"), (0.5, "0.5"), (2.0, "2"), (7, "7"), ("sgd", "SGD")],
)
def test_a_value_is_written_as_short_as_it_can_be(value, text):
    assert value_text(value) == text


def follow(made):
    """Apply what a widget emits to a draft and show it, as the Train page does."""
    made.draft = Draft()

    def show(draft):
        made.draft = draft
        made.show_draft(draft, made.errors_of(draft))

    made.edited.connect(lambda key, value: show(made.draft.with_value(key, value)))
    made.cleared.connect(lambda key: show(made.draft.without(key)))
    show(made.draft)
    return made


@pytest.fixture
def field(qtbot):
    """Makes the field of a key whose draft follows."""

    def make(key):
        made = FieldBox(key)
        qtbot.addWidget(made)
        made.errors_of = lambda draft: draft.errors.get(key)
        made.show()
        return follow(made)

    return make


def test_an_edited_field_offers_the_way_back(qtbot, field):
    made = field("epochs")
    advised = made.draft.value("epochs")
    assert made.editor.text() == str(advised)
    assert not made.reset_button.isVisible()
    made.editor.clear()
    qtbot.keyClicks(made.editor, "7")
    assert made.draft.value("epochs") == 7
    assert made.reset_button.isVisible()
    qtbot.mouseClick(made.reset_button, Qt.MouseButton.LeftButton)
    assert made.editor.text() == str(advised)
    assert not made.reset_button.isVisible()
    assert made.draft.chosen == Draft().chosen


def test_a_refused_value_stays_to_be_corrected(qtbot, field):
    made = field("epochs")
    made.editor.clear()
    qtbot.keyClicks(made.editor, "0")
    assert made.editor.text() == "0"
    assert made.error.isVisible()
    qtbot.keyClick(made.editor, Qt.Key.Key_Home)
    qtbot.keyClicks(made.editor, "3")
    assert made.draft.value("epochs") == 30
    assert not made.error.isVisible()


def test_what_is_being_typed_is_not_rewritten_while_it_means_the_same(qtbot, field):
    made = field("learning_rate")
    made.editor.clear()
    qtbot.keyClicks(made.editor, "0.50")
    assert made.editor.text() == "0.50"
    assert made.draft.value("learning_rate") == 0.5


def test_switches_and_choices_are_reported(qtbot, field):
    tick = field("flip")
    before = tick.editor.isChecked()
    qtbot.keyClick(tick.editor, Qt.Key.Key_Space)
    assert tick.draft.value("flip") is not before
    box = field("schedule")
    box.editor.activated.emit(box.editor.findData("step"))
    assert box.draft.value("schedule") == "step"
    assert box.editor.currentData() == "step"


@pytest.fixture
def more(qtbot):
    made = MoreSettings()
    qtbot.addWidget(made)
    made.errors_of = lambda draft: draft.errors
    made.resize(700, 300)
    made.show()
    return follow(made)


@pytest.mark.parametrize(
    ("values", "keys", "enabled"),
    [
        ({"schedule": "step"}, ("step_epochs", "step_factor"), True),
        ({"schedule": "cosine"}, ("step_epochs", "step_factor"), False),
        ({"target": "category+view"}, ("view_weight", "tie"), True),
        ({"target": "view"}, ("view_weight", "tie"), False),
        ({"loss": "focal"}, ("focal_gamma",), True),
        ({"loss": "cross-entropy"}, ("focal_gamma",), False),
        ({"mix": "mixup"}, ("mix_alpha",), True),
        ({"mix": "none"}, ("mix_alpha",), False),
        ({"optimizer": "sgd"}, ("momentum", "epochs"), True),
        ({"optimizer": "adamw"}, ("momentum",), False),
    ],
)
def test_only_fields_that_matter_can_be_edited(more, values, keys, enabled):
    draft = Draft().with_values(values)
    assert not draft.refused
    more.show_draft(draft, {})
    assert {more.fields[key].isEnabled() for key in keys} == {enabled}


def test_fields_are_in_four_columns_and_revealed_by_name(qtbot, more):
    tops = [more.fields[key].y() for key in list(more.fields)[: 2 * COLUMNS]]
    assert len(set(tops[:COLUMNS])) == len(set(tops[COLUMNS:])) == 1
    assert tops[0] < tops[COLUMNS]
    more.activateWindow()
    more.reveal("test_crops")
    more.reveal("no such key")
    qtbot.waitUntil(more.fields["test_crops"].editor.hasFocus)
    assert more.verticalScrollBar().value() > 0


STAGES = BACKBONES["simpleconv3"].stage_names


@pytest.fixture
def stages(more):
    more.show_draft(more.draft.with_values({"backbone": "simpleconv3", "frozen": "none"}), {})
    more.draft = more.draft.with_values({"backbone": "simpleconv3", "frozen": "none"})
    return more.stages


def retype(qtbot, line, text):
    line.window().activateWindow()
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    line.clear()
    qtbot.keyClicks(line, text)


def test_each_stage_of_the_backbone_has_a_column(more, stages):
    assert list(stages.new) == list(stages.frozen) == list(STAGES)
    assert list(stages.numbers) == [(name, key) for name in STAGES for key in ("rate", "penalty")]
    grid = stages._grid
    for at, name in enumerate(STAGES, start=1):
        assert grid.getItemPosition(grid.indexOf(stages.new[name]))[:2] == (1, at)
        assert grid.getItemPosition(grid.indexOf(stages.frozen[name]))[:2] == (2, at)
        assert grid.getItemPosition(grid.indexOf(stages.numbers[name, "rate"]))[:2] == (3, at)
        assert grid.getItemPosition(grid.indexOf(stages.numbers[name, "penalty"]))[:2] == (4, at)
    other = more.draft.with_value("backbone", "squeezenet1_1")
    more.show_draft(other, {})
    assert list(stages.new) == list(BACKBONES["squeezenet1_1"].stage_names)


def test_a_stage_that_begins_again_is_not_frozen(qtbot, more, stages):
    first = STAGES[0]
    qtbot.keyClick(stages.frozen[first], Qt.Key.Key_Space)
    assert more.draft.value("stages") == {first: StageRule(frozen=True)}
    assert stages.frozen[first].isChecked()
    qtbot.keyClick(stages.new[first], Qt.Key.Key_Space)
    assert more.draft.value("stages") == {first: StageRule(start="new", frozen=False)}
    assert not stages.frozen[first].isChecked()


def test_factors_are_numbers_from_0(qtbot, more, stages):
    rate = stages.numbers[STAGES[1], "rate"]
    retype(qtbot, rate, "0,5")
    assert more.draft.value("stages") == {STAGES[1]: StageRule(rate=0.5)}
    for text in ("-1", "x", "inf"):
        retype(qtbot, rate, text)
        assert stages.error.isVisible()
        assert f"stages.{STAGES[1]}.rate" in stages.error.text()
    retype(qtbot, rate, "0")
    assert not stages.error.isVisible()
    assert more.draft.value("stages") == {STAGES[1]: StageRule(rate=0.0)}
    qtbot.keyClick(rate, Qt.Key.Key_Backspace)
    assert "stages" not in more.draft.chosen


def test_a_preset_sets_the_stages_and_the_plain_one_clears_them(qtbot, more, stages):
    box = stages.presets
    box.activated.emit(box.findData("slower-below"))
    rates = [rule.rate for rule in more.draft.value("stages").values()]
    assert rates == sorted(rates)
    assert rates[0] < 1
    shown = [stages.numbers[name, "rate"].text() for name in STAGES]
    assert shown[0] == f"{rates[0]:g}"
    assert box.currentIndex() == -1
    box.activated.emit(box.findData("plain"))
    assert "stages" not in more.draft.chosen
    assert {stages.numbers[name, "rate"].text() for name in STAGES} == {""}


@pytest.mark.parametrize("backbone", [b.name for b in BACKBONES.values() if len(b.stage_names) > 9])
def test_the_table_of_a_deep_network_is_no_wider_than_a_small_window(qtbot, more, backbone):
    more.show_draft(more.draft.with_value("backbone", backbone), {})
    table, names = more.stages, BACKBONES[backbone].stage_names
    assert list(table.new) == list(names)
    fields = [table.numbers[name, "rate"] for name in names]
    qtbot.waitUntil(lambda: all(field.isVisible() for field in fields))  # laid out
    assert 0 < table._grid.minimumSize().width() < 620
    places = [table._grid.getItemPosition(table._grid.indexOf(table.new[n]))[:2] for n in names]
    assert places == sorted(set(places))  # in reading order, each in a place of its own
