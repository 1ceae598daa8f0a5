"""The side of the Explain page: which label and layer are requested, and what is shown of a map."""

import pytest
from PySide6.QtCore import Qt

from workbench.app.explain.explanations import HeatmapQuery
from workbench.app.results.run_images import RowScores
from workbench.domain.requests import PREDICTED, Check, Description, Heat
from workbench.domain.runs import LabelList, RunLabels
from workbench.ui.pages.explain.side import ExplainSide

BIRDS = LabelList("category", ("owl", "puffin", "toucan"), (0, 1, 2))
VIEWS = LabelList("view", ("left", "right"), (1, 0))
MANY = LabelList("kind", tuple(f"kind {at}" for at in range(15)), tuple(range(15)))


def heat(**changes):
    given = {
        "height": 1,
        "width": 2,
        "values": (0.0, 1.0),
        "seen": (0.0, 0.0, 1.0, 1.0),
        "label": "owl",
        "score": 0.7,
        "scores": (0.7, 0.2, 0.1),
        "view_scores": (0.6, 0.4),
    }
    return Heat(**{**given, **changes})


@pytest.fixture
def side(qtbot):
    made = ExplainSide()
    qtbot.addWidget(made)
    made.show()
    made.queries = []
    made.query_changed.connect(made.queries.append)
    made.show_run(RunLabels(BIRDS, VIEWS))
    return made


def describe(side, *layers, masks=()):
    description = Description(
        labels=RunLabels(BIRDS, VIEWS),
        layers=layers,
        backbone="simpleconv3",
        image_size=48,
        device="cpu",
        masks=masks,
    )
    side.show_layers(description)


def items(box):
    return [box.itemData(at) for at in range(box.count())]


def test_labels_are_offered_by_set_behind_the_predicted_ones(side):
    predicted = [("category", PREDICTED), ("view", PREDICTED)]
    birds = [("category", name) for name in BIRDS.labels]
    views = [("view", name) for name in VIEWS.labels]
    assert items(side.label) == [*predicted, None, *birds, None, *views]
    assert side.label.currentIndex() == 0
    side.show_run(RunLabels(BIRDS))
    assert items(side.label) == [predicted[0], None, *birds]


def test_digits_request_labels_of_the_target(side):
    for key in (2, 2, 3, 4, 9, 0):
        side.select_label_by_key(key)
    labels = [("puffin", "category"), ("toucan", "category"), (PREDICTED, "category")]
    assert [(one.label, one.label_set) for one in side.queries] == labels
    assert side.label.currentData() == ("category", PREDICTED)
    side.select_label("view", "right")
    assert side.query == HeatmapQuery("right", "view", "")
    side.select_label("view", "above")
    assert side.query == HeatmapQuery("right", "view", "")
    side.show_run(RunLabels(BIRDS))
    assert side.query == HeatmapQuery()


def test_a_bar_requests_its_label(side):
    side.show_scores(RowScores(), None)
    side.bars.chosen.emit("view", "left")
    assert side.queries == [HeatmapQuery("left", "view", "")]


def test_layers_are_offered_from_the_deepest_with_masks_below(side):
    assert not side.layer.isEnabled()
    describe(side, "conv1", "conv2", "conv3", masks=("attention",))
    assert items(side.layer) == ["conv3", "conv2", "conv1", None, "attention"]
    assert side.layer.isEnabled()
    assert side.queries == []
    steps = [1, 1, 1, 1, -1, -1, -1, -1]
    for step in steps:
        side.step_layer(step)
    asked = [one.layer for one in side.queries]
    assert asked == ["conv2", "conv1", "attention", "conv1", "conv2", "conv3"]
    side.select_layer("conv1")
    side.select_layer("conv9")
    assert side.query.layer == "conv1"
    side.select_label_by_key(1)
    assert side.query == HeatmapQuery("owl", "category", "conv1")
    describe(side)
    assert not side.layer.isEnabled()


def test_scores_come_from_the_run_and_from_the_map_where_there_is_one(side):
    known = RowScores((0.1, 0.8, 0.1), (0.3, 0.7), "owl", "right")
    side.show_scores(known, None)
    shown = [(bar.label, bar.score, bar.true, bar.key) for bar in side.bars.bars()]
    assert shown == [
        ("owl", 0.1, True, "1"),
        ("puffin", 0.8, False, "2"),
        ("toucan", 0.1, False, "3"),
        ("left", 0.3, False, ""),
        ("right", 0.7, True, ""),
    ]
    side.show_scores(known, heat())
    assert [bar.score for bar in side.bars.bars()] == [0.7, 0.2, 0.1, 0.6, 0.4]
    side.show_scores(RowScores(), None)
    assert {bar.score for bar in side.bars.bars()} == {None}


def test_of_many_labels_the_ten_highest_scores_and_the_true_one_are_shown(side):
    side.show_run(RunLabels(MANY))
    scores = tuple(float(at) for at in range(15))
    side.show_scores(RowScores(scores, None, "kind 2"), None)
    assert [bar.label for bar in side.bars.bars()] == [
        *[f"kind {at}" for at in range(14, 4, -1)],
        "kind 2",
    ]
    side.show_scores(RowScores(scores, None, "kind 9"), None)
    assert len(side.bars.bars()) == 10
    twelve = LabelList("kind", MANY.labels[:12], tuple(range(12)))
    side.show_run(RunLabels(twelve))
    side.show_scores(RowScores(scores[:12]), None)
    assert [bar.label for bar in side.bars.bars()] == list(twelve.labels)
    assert [bar.key for bar in side.bars.bars()] == [*"123456789", "", "", ""]


@pytest.mark.parametrize(
    ("shown", "tone"),
    [
        (heat(), "muted"),
        (heat(check=Check(0.39)), "good"),
        (heat(check=Check(0.4)), "warn"),
        (heat(check=Check(0.69)), "warn"),
        (heat(check=Check(0.7)), "bad"),
        (heat(values=(0.0, 0.0)), "warn"),
        (heat(values=(0.0, 0.0), check=Check(0.1)), "warn"),
        (None, "muted"),
    ],
)
def test_the_tone_reports_how_far_a_map_can_be_trusted(side, shown, tone):
    side.show_trust(shown)
    assert side.trust.property("role") == tone
    assert bool(side.trust.text()) is (shown is not None)


def test_opacity_steps_by_ten_percent_between_none_and_all(qtbot, side):
    reported = []
    side.opacity_changed.connect(reported.append)
    side.opacity.setValue(85)
    for step in (1, 1, -1):
        side.step_opacity(step)
    assert reported == [0.85, 0.95, 1.0, 0.9]
    assert "90" in side.percent.text()


def test_the_heatmap_is_hidden_while_the_button_is_held(qtbot, side):
    reported = []
    side.heat_hidden_changed.connect(reported.append)
    qtbot.mousePress(side.hide_heat, Qt.MouseButton.LeftButton)
    assert reported == [True]
    qtbot.mouseRelease(side.hide_heat, Qt.MouseButton.LeftButton)
    assert reported == [True, False]


def test_what_is_of_one_image_is_hidden_beside_a_wall(side):
    for single in (False, True):
        side.show_single(single)
        assert side.bars.isVisible() is single
        assert side.trust.isVisible() is single
