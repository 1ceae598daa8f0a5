"""Fields of a method's parameters, and what is offered, ticked and forgotten, without a page."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from workbench.app.training.recipe_draft import Draft
from workbench.domain.methods import Parameter, Spec
from workbench.ui.parts.recipe.methods import MethodSection, SpecCard


def spec(name, kind, *parameters):
    return Spec(
        name=name,
        kind=kind,
        title=name.title(),
        description="What it does.",
        source="Somebody 2020",
        parameters=parameters,
    )


STEPS = Parameter(name="steps", default=5, description="number of steps", low=1, high=9)
SHARE = Parameter(name="share", default=0.5, description="share of them", low=0.0, high=1.0)
WAY = Parameter(name="way", default="up", description="the way", choices=("up", "down"))
SOFT = Parameter(name="soft", default=False, description="softly")
LAYER = Parameter(name="layer", default="", description="layer")
SPECS = [
    spec("fine-tune", "method"),
    spec("spottune", "method", STEPS),
    spec("linear", "head"),
    spec("compact-bilinear", "head", SHARE),
    spec("l2-sp", "penalty", SHARE),
    spec("bss", "penalty", STEPS),
    spec("l2", "penalty"),
    spec("delta", "penalty"),
]


@pytest.fixture
def card(qtbot):
    made = SpecCard(spec("spottune", "method", STEPS, SHARE, WAY, SOFT, LAYER))
    qtbot.addWidget(made)
    made.show()
    made.reported = []
    made.edited.connect(lambda *given: made.reported.append(given))
    return made


def retype(qtbot, line, text):
    line.window().activateWindow()
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    line.clear()
    qtbot.keyClicks(line, text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("steps", "7", 7),
        ("steps", "5", None),  # the default needs no key
        ("share", "0.2", 0.2),
        ("share", "0,2", 0.2),
        ("layer", "conv3", "conv3"),
    ],
)
def test_what_is_typed_is_read_in_the_parameters_type(qtbot, card, name, text, value):
    retype(qtbot, card.editors[name], text)
    assert card.reported[-1] == ("spottune", name, value)
    assert type(card.reported[-1][2]) is type(value)
    assert not card.error.isVisible()


@pytest.mark.parametrize(("name", "text"), [("steps", "0"), ("steps", "x"), ("share", "1.5")])
def test_a_value_that_is_not_allowed_is_shown_and_not_reported(qtbot, card, name, text):
    retype(qtbot, card.editors[name], text)
    assert card.error.isVisible()
    assert f"options.spottune.{name}" in card.error.text()
    assert all(value != text for *_, value in card.reported)
    retype(qtbot, card.editors[name], "1")
    assert not card.error.isVisible()
    qtbot.keyClick(card.editors[name], Qt.Key.Key_Backspace)
    assert card.reported[-1] == ("spottune", name, None)


def test_ticks_and_choices_are_reported_unless_they_are_the_default(qtbot, card):
    for _ in range(2):
        qtbot.keyClick(card.editors["soft"], Qt.Key.Key_Space)
    for way in ("down", "up"):
        card.editors["way"].activated.emit(card.editors["way"].findData(way))
    assert card.reported == [
        ("spottune", "soft", True),
        ("spottune", "soft", None),
        ("spottune", "way", "down"),
        ("spottune", "way", None),
    ]


def test_a_field_shows_a_value_that_was_set_and_else_its_default_faintly(card):
    card.editors["layer"].setFocus()
    card.show_options(
        {"spottune": {"steps": 7, "soft": True, "way": "down"}, "other": {"share": 1}}
    )
    editors = card.editors
    assert (editors["steps"].text(), editors["share"].text()) == ("7", "")
    assert editors["share"].placeholderText() == "0.5"
    assert editors["soft"].isChecked()
    assert editors["way"].currentText() == "down"
    card.show_options({})
    assert editors["steps"].text() == ""
    assert not editors["soft"].isChecked()
    assert editors["way"].currentText() == "up"


def test_the_field_being_typed_in_is_left_alone(qtbot, card):
    steps = card.editors["steps"]
    card.activateWindow()
    steps.setFocus()
    qtbot.waitUntil(steps.hasFocus)
    steps.setText("7.")
    card.show_options({"spottune": {"steps": 7}})
    assert steps.text() == "7."


@pytest.fixture
def section(qtbot):
    """A section whose draft follows what it emits, as on the Train page."""
    made = MethodSection()
    qtbot.addWidget(made)
    made.show()
    made.draft = Draft()

    def follow(draft):
        made.draft = draft
        made.show_draft(draft, draft.errors)

    made.edited.connect(lambda key, value: follow(made.draft.with_value(key, value)))
    made.cleared.connect(lambda key: follow(made.draft.without(key)))
    made.set_specs(SPECS)
    return made


def choose(section, key, name):
    box = section.boxes[key]
    box.activated.emit(box.findData(name))


def tick(qtbot, section, *names):
    for name in names:
        qtbot.mouseClick(section.ticks[name], Qt.MouseButton.LeftButton)


def test_methods_heads_and_penalties_are_offered_in_order(section):
    offered = {
        key: [box.itemData(at) for at in range(box.count())] for key, box in section.boxes.items()
    }
    assert offered == {
        "method": ["fine-tune", "spottune"],
        "head": ["linear", "compact-bilinear"],
    }
    assert list(section.ticks) == ["l2-sp", "bss", "l2", "delta"]
    grid = section._penalties
    places = [grid.getItemPosition(grid.indexOf(one))[:2] for one in section.ticks.values()]
    assert places == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert grid.getItemPosition(grid.indexOf(section.projection))[:2] == (1, 0)
    section.set_specs(SPECS[:5])
    assert list(section.ticks) == ["l2-sp"]


def test_penalties_are_joined_and_show_the_projection(qtbot, section):
    assert not section.projection.isVisible()
    tick(qtbot, section, "bss", "l2-sp")
    assert section.draft.value("penalty") in ("bss+l2-sp", "l2-sp+bss")
    assert section.projection.isVisible()
    qtbot.mouseClick(section.projection, Qt.MouseButton.LeftButton)
    assert section.draft.value("projection") is True
    tick(qtbot, section, "bss", "l2-sp")
    assert "penalty" not in section.draft.chosen
    assert not section.projection.isVisible()


def test_cards_are_of_what_is_chosen_but_not_plain(qtbot, section):
    assert section.cards == {}
    choose(section, "method", "spottune")
    tick(qtbot, section, "l2-sp")
    assert list(section.cards) == ["spottune", "l2-sp"]
    kept = section.cards["spottune"]
    tick(qtbot, section, "bss")
    assert section.cards["spottune"] is kept
    choose(section, "method", "fine-tune")
    assert set(section.cards) == {"l2-sp", "bss"}
    assert "method" not in section.draft.chosen


def test_parameters_go_with_what_they_belong_to(qtbot, section):
    tick(qtbot, section, "l2-sp", "bss")
    retype(qtbot, section.cards["l2-sp"].editors["share"], "0.2")
    retype(qtbot, section.cards["bss"].editors["steps"], "3")
    options = {"l2-sp": {"share": 0.2}, "bss": {"steps": 3}}
    assert section.draft.value("options") == options
    choose(section, "method", "spottune")
    assert section.draft.value("options") == options
    tick(qtbot, section, "bss")
    assert section.draft.value("options") == {"l2-sp": {"share": 0.2}}
    retype(qtbot, section.cards["l2-sp"].editors["share"], "0.5")
    assert "options" not in section.draft.chosen


def test_a_name_that_is_not_known_here_stays_chosen(section):
    section.show_draft(section.draft.with_value("head", "compact-bilinear"), {})
    assert section.boxes["head"].currentData() == "compact-bilinear"
    section.set_specs([one for one in SPECS if one.kind != "head"])
    assert section.boxes["head"].currentData() == "compact-bilinear"
    assert section.boxes["head"].count() == 1


def test_only_errors_of_what_is_chosen_here_are_shown(section):
    refused = section.draft.with_values({"epochs": -1, "method": 3})
    section.show_draft(refused, refused.errors)
    assert section.error.isVisible()
    assert "method" in section.error.text()
    assert "epochs" not in section.error.text()
    section.show_draft(Draft(), {})
    assert not section.error.isVisible()


def test_fields_have_titles_and_stand_four_in_a_row(qtbot, card):
    assert [editor.accessibleName() for editor in card.editors.values()] == [
        "number of steps",
        "share of them",
        "the way",
        "softly",
        "layer",
    ]
    titles = {label.buddy(): label.text() for label in card.findChildren(QLabel) if label.buddy()}
    assert [titles[editor] for editor in card.editors.values()] == [
        "Number of steps",
        "Share of them",
        "The way",
        "Softly",
        "Layer",
    ]
    assert "options.spottune.steps" in card.editors["steps"].toolTip()
    steps, share, way, soft, layer = card.editors.values()
    tops = {editor.geometry().center().y() // 8 for editor in (steps, share, way, soft)}
    assert len(tops) <= 2
    assert steps.x() < share.x() < way.x() < soft.x()
    assert layer.x() == steps.x()
    assert layer.y() > steps.y()
