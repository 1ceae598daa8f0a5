"""The main choices of a recipe, without a page: target, backbone, start and frozen stages."""

import itertools

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtWidgets import QApplication

from workbench.app.training.recipe_draft import Draft
from workbench.domain.backbones import BACKBONES, backbone
from workbench.domain.splits import Part
from workbench.ui.parts.recipe.form import RecipeForm, StageRow, StartChoice, TargetChoice

SMALL, LARGE = "simpleconv3", "squeezenet1_1"
STAGES = backbone(LARGE).stage_names


@pytest.fixture
def row(qtbot):
    """The stages of a backbone, whose row follows what is chosen."""
    made = StageRow()
    qtbot.addWidget(made)
    made.resize(900, 52)
    made.show()
    made.reported = []

    def follow(frozen):
        made.reported.append(frozen)
        made.show_backbone(backbone(LARGE), frozen)

    made.chosen.connect(follow)
    made.show_backbone(backbone(LARGE), "none")
    return made


def click(qtbot, row, at, button=Qt.MouseButton.LeftButton):
    qtbot.mouseClick(row, button, pos=row._block(at).center().toPoint())


@pytest.mark.parametrize(
    ("frozen", "count"),
    [("none", 0), (STAGES[0], 1), (STAGES[2], 3), ("all", len(STAGES)), ("no stage", 0)],
)
def test_stages_are_frozen_up_to_the_one_that_is_named(row, frozen, count):
    row.show_backbone(backbone(LARGE), frozen)
    assert row.frozen_stages() == count


def test_a_click_freezes_up_to_a_stage_and_a_second_one_thaws_it(qtbot, row):
    for at in (2, 2, 0, 0, len(STAGES) - 1):
        click(qtbot, row, at)
    assert row.reported == [STAGES[2], STAGES[1], STAGES[0], "none", "all"]
    click(qtbot, row, len(STAGES))  # the head is never frozen
    click(qtbot, row, 0, Qt.MouseButton.RightButton)
    assert len(row.reported) == 5


def test_arrows_freeze_one_more_or_one_less_between_none_and_all(qtbot, row):
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        qtbot.keyClick(row, key)
    assert row.reported == ["none", STAGES[0], STAGES[1], STAGES[0]]
    row.show_backbone(backbone(LARGE), "all")
    qtbot.keyClick(row, Qt.Key.Key_Right)
    qtbot.keyClick(row, Qt.Key.Key_Left)
    assert row.reported[-2:] == ["all", STAGES[-2]]


def test_blocks_are_side_by_side_with_decreasing_height(row):
    blocks = [row._block(at) for at in range(len(STAGES) + 1)]
    assert all(one.right() < two.left() for one, two in itertools.pairwise(blocks))
    assert all(one.height() > two.height() for one, two in itertools.pairwise(blocks))
    assert blocks[0].left() >= 0
    assert blocks[-1].right() <= row.width()
    assert len({round(block.center().y(), 3) for block in blocks}) == 1
    assert [row._at(block.center()) for block in blocks] == [*range(len(STAGES)), -1]


@pytest.mark.parametrize("width", [480, 4000])
def test_blocks_share_the_width_up_to_their_widest(row, width):
    row.resize(width, 52)
    count = len(STAGES) + 1
    wide = min(116, (width - 4 - 6 * (count - 1)) / count)
    for at in range(count):
        high = 52 - 8 - 16 * at / (count - 1)
        expected = (2 + at * (wide + 6), (52 - high) / 2, wide, high)
        assert row._block(at).getRect() == pytest.approx(expected)
    first, last = row._block(0), row._block(count - 2)
    for x, y, at in (
        (first.right() + 2.9, 26, 0),
        (first.right() + 3.1, 26, 1),
        (first.left() - 2.9, 26, 0),
        (first.left() - 3.1, 26, -1),
        (last.right() + 3.1, 26, -1),
        (last.center().x(), last.top() - 7.9, count - 2),
        (last.center().x(), last.top() - 8.1, -1),
        (last.center().x(), last.bottom() + 7.9, count - 2),
        (last.center().x(), last.bottom() + 8.1, -1),
    ):
        assert row._at(QPointF(x, y)) == at


def test_other_buttons_and_keys_freeze_nothing(qtbot, row):
    qtbot.mouseClick(row, Qt.MouseButton.RightButton, pos=row._block(1).center().toPoint())
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=row._block(len(STAGES)).center().toPoint())
    qtbot.keyClick(row, Qt.Key.Key_Up)
    assert row.reported == []


def test_the_block_under_the_pointer_and_the_focus_are_framed(qtbot, row):
    def picture():
        return row.grab().toImage()

    row.show_backbone(backbone(LARGE), "none")
    row.clearFocus()
    plain = picture()
    row.show_backbone(backbone(LARGE), STAGES[1])
    frozen = picture()
    assert frozen != plain
    qtbot.mouseMove(row, row._block(2).center().toPoint())
    assert picture() != frozen
    QApplication.sendEvent(row, QEvent(QEvent.Type.Leave))
    assert picture() == frozen


def test_the_sentence_counts_stages_that_learn(row):
    sentences = []
    for frozen in ("none", STAGES[2], "all"):
        row.show_backbone(backbone(LARGE), frozen)
        sentences.append(row.sentence())
    assert len(set(sentences)) == 3
    assert STAGES[2] in sentences[1]
    assert str(len(STAGES) - 3) in sentences[1]
    assert row.accessibleDescription() == sentences[2]


@pytest.fixture
def start(qtbot):
    made = StartChoice()
    qtbot.addWidget(made)
    made.show()
    made.reported = []
    made.chosen.connect(made.reported.append)
    made.download_requested.connect(lambda: made.reported.append("download"))
    made.stop_requested.connect(lambda: made.reported.append("stop"))
    return made


def test_starts_are_imagenet_nothing_runs_and_a_file(start):
    start.show_start(backbone(LARGE), "run:r2", [("r1", "one"), ("r2", "two")], True)
    assert start._shown == ["imagenet", "none", "run:r1", "run:r2", "file:"]
    assert start.box.currentIndex() == 3
    start.show_start(backbone(SMALL), "file:/a/b.pth", [], True)
    assert start._shown == ["none", "file:/a/b.pth", "file:"]
    assert start.box.currentText() == "b.pth"
    assert "/a/b.pth" in start.state.text()
    start.show_start(backbone(SMALL), "run:gone", [], True)
    assert start.box.currentIndex() == -1
    start.box.activated.emit(0)
    assert start.reported == ["none"]


def test_weights_that_are_missing_can_be_downloaded_and_the_download_stopped(qtbot, start):
    known = backbone(LARGE)
    start.show_start(known, "imagenet", [], True)
    assert not start.button.isVisible()
    start.show_start(known, "none", [], False)
    assert not start.button.isVisible()
    assert start.state.text() == ""
    start.show_start(known, "imagenet", [], False)
    assert start.button.isVisible()
    assert f"{known.megabytes:g}" in start.state.text()
    assert start.state.toolTip() == known.weights_address
    qtbot.mouseClick(start.button, Qt.MouseButton.LeftButton)
    start.show_download(512 * 1024, 1024 * 1024)
    assert (start.bar.value(), start.bar.maximum()) == (512, 1024)
    assert start.bar.isVisible()
    start.show_download(512 * 1024, 0)
    assert (start.bar.minimum(), start.bar.maximum()) == (0, 0), "busy: the size is unknown"
    start.show_start(known, "imagenet", [], True)
    assert start.button.isVisible()
    qtbot.mouseClick(start.button, Qt.MouseButton.LeftButton)
    start.end_download()
    assert not start.bar.isVisible()
    start.show_start(known, "imagenet", [], True)
    assert not start.button.isVisible()
    assert start.reported == ["download", "stop"]


@pytest.fixture
def form(qtbot):
    made = RecipeForm()
    qtbot.addWidget(made)
    made.resize(900, 300)
    made.show()
    made.reported = []
    made.edited.connect(lambda *given: made.reported.append(given))
    made.cleared.connect(lambda key: made.reported.append((key,)))
    made.part_requested.connect(lambda part: made.reported.append(("part", part)))
    return made


TARGETS = [TargetChoice("category", "Category"), TargetChoice("view", "View", "no labels")]


def test_each_choice_is_reported_under_its_key(qtbot, form):
    form.set_targets(TARGETS)
    form.target.activated.emit(1)
    form.backbone.activated.emit(form.backbone.findData(SMALL))
    form.start.chosen.emit("none")
    form.stages.chosen.emit("all")
    assert form.reported == [
        ("target", "view"),
        ("backbone", SMALL),
        ("start", "none"),
        ("frozen", "all"),
    ]


def test_a_target_that_cannot_be_learned_is_shown_with_its_reason(form):
    form.set_targets(TARGETS)
    items = [form.target.model().item(at) for at in range(2)]
    assert [item.isEnabled() for item in items] == [True, False]
    assert items[1].toolTip() == "no labels"
    form.set_targets(TARGETS[:1])
    assert form.target.count() == 1


def show(form, **values):
    draft = Draft().with_values(values)
    form.show_draft(draft, draft.errors, [], True)
    return draft


def test_the_fields_show_the_draft_and_the_way_back_from_what_was_changed(qtbot, form):
    form.set_targets(TARGETS)
    assert form.backbone.count() == len(list(BACKBONES))
    show(form, target="view", backbone=SMALL, frozen="all")
    assert form.target.currentData() == "view"
    assert form.backbone.currentData() == SMALL
    assert form.stages.frozen_stages() == len(backbone(SMALL).stage_names)
    overridden = {key for key, back in form._reset_buttons.items() if back.isVisible()}
    assert overridden == {"backbone", "frozen"}
    for key in ("backbone", "frozen"):
        qtbot.mouseClick(form._reset_buttons[key], Qt.MouseButton.LeftButton)
    assert form.reported == [("backbone",), ("frozen",)]
    show(form, target="expression")
    assert form.target.currentIndex() == -1
    assert not any(back.isVisible() for back in form._reset_buttons.values())


def test_only_errors_of_these_choices_are_shown(form):
    show(form, target="view", frozen="no such stage", epochs=0)
    assert form.error.isVisible()
    assert "no such stage" in form.error.text()
    assert "epochs" not in form.error.text()
    show(form, target="view", epochs=0)
    assert not form.error.isVisible()


def test_parts_are_links_to_their_images(form):
    form.set_parts({Part.TRAIN: 1200, Part.VALIDATION: 0, Part.TEST: 7})
    text = form.parts.text()
    assert ("1,200" in text, 'href="train"' in text, 'href="test"' in text) == (True, True, True)
    assert "validation" not in text
    form.parts.linkActivated.emit("test")
    assert form.reported == [("part", "test")]
    form.set_parts({})
    assert "href" not in form.parts.text()
    assert form.parts.text()
