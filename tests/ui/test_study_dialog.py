"""The dialog of a new study: variants, seeds and splits become a plan."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from workbench.domain.methods import Spec
from workbench.domain.recipes import partial_recipe
from workbench.ui.dialogs.study import StudyDialog

SPECS = [
    Spec(name=name, kind=kind, title=name.title(), description=f"about {name}", source="")
    for kind, name in (
        ("method", "fine-tune"),
        ("method", "spot-tune"),
        ("head", "linear"),
        ("head", "bilinear"),
        ("penalty", "l2-sp"),
        ("penalty", "bss"),
    )
]


@pytest.fixture
def dialog(qtbot):
    def opened(**base):
        made = StudyDialog(partial_recipe(**base), SPECS)
        qtbot.addWidget(made)
        return made

    return opened


def test_only_what_differs_from_the_page_is_a_variant(dialog):
    others = ["Mixup", "CutMix", "Focal loss"]
    assert list(dialog().checkboxes) == ["spot-tune", "bilinear", "l2-sp", "bss", *others]
    made = dialog(method="spot-tune", head="bilinear", penalty="l2-sp+bss")
    assert list(made.checkboxes) == ["fine-tune", "linear", *others]
    box, keys = made.checkboxes["linear"]
    assert (box.text(), box.toolTip(), keys) == ("Linear", "about linear", {"head": "linear"})


def test_trainings_are_counted_and_one_variant_is_too_few(dialog):
    made = dialog()
    assert made.seeds.value() == 5
    assert (made.seeds.minimum(), made.seeds.maximum()) == (1, 100)
    assert made.count.text() == "1 variant × 5 seeds: 5 trainings"
    assert not made.start.isEnabled()
    for name in ("bss", "Mixup"):
        made.checkboxes[name][0].click()
    assert made.count.text() == "3 variants × 5 seeds: 15 trainings"
    assert made.start.isEnabled()
    made.seeds.setValue(1)
    assert made.count.text() == "3 variants × 1 seed: 3 trainings"
    assert made.variants() == {
        "fine-tune": {},
        "bss": {"penalty": "bss"},
        "Mixup": {"mix": "mixup"},
    }


def test_a_plan_has_the_keys_of_the_page_without_its_seed(dialog, qtbot):
    made = dialog(method="spot-tune", seed=4, epochs=3)
    made.checkboxes["Focal loss"][0].click()
    made.seeds.setValue(2)
    made.name.setText("  Losses ")
    with qtbot.waitSignal(made.accepted):
        made.start.click()
    plan = made.plan
    assert (plan.name, tuple(plan.seeds)) == ("Losses", (0, 1))
    assert plan.base == {"method": "spot-tune", "epochs": 3}
    assert plan.variants == {"spot-tune": {}, "Focal loss": {"loss": "focal"}}
    assert (plan.split.train, plan.split.validation, plan.split.test) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize(("row", "train"), [(1, 0.8), (2, None)])
def test_the_split_is_drawn_for_each_seed_or_kept(dialog, row, train):
    made = dialog()
    made.checkboxes["Mixup"][0].click()
    made.split.setCurrentIndex(row)
    made.name.setText(" ")
    made.make()
    assert made.plan.name == "Study"
    assert (made.plan.split.train if made.plan.split else None) == train


def test_why_a_plan_is_refused_is_shown(dialog, qtbot):
    made = dialog()
    made.show()
    assert made.problem.isHidden()
    made.make()
    assert made.plan is None
    assert made.problem.isVisible()
    assert "two or more" in made.problem.text()
    assert made.isVisible()
    boxes = [box for box, _ in made.checkboxes.values()]
    assert boxes[1].y() == boxes[0].y() == boxes[2].y()
    assert boxes[3].y() > boxes[0].y()
    assert boxes[3].x() == boxes[0].x()


def test_one_variant_suffices_for_folds(qtbot):
    made = StudyDialog(partial_recipe(), SPECS, {"cv": 3, "old": 10})
    qtbot.addWidget(made)
    texts = [made.split.itemText(at) for at in range(made.split.count())]
    assert texts[-4:-1] == [
        "Each of the 3 folds cv",
        "Each of the 10 folds old",
        "Each of 5 new folds: 65 / 15 / 20",
    ]
    made.use_folds()
    assert made.split.currentText() == "Each of the 3 folds cv"
    assert made.count.text() == "1 variant × 3 folds: 3 trainings"
    assert not made.seeds.isEnabled()
    made.start.click()
    assert made.plan is not None
    assert (made.plan.folds, made.plan.split) == ("cv", None)
    made.split.setCurrentIndex(0)
    assert made.count.text() == "1 variant × 5 seeds: 5 trainings"
    assert not made.start.isEnabled()


def test_new_folds_are_offered_where_there_are_none(dialog):
    made = dialog()
    made.use_folds()
    assert made.folds() == ("5", 5)


def test_named_protocols_become_keys_of_the_plan(qtbot):
    made = StudyDialog(partial_recipe(), SPECS, published=["official"])
    qtbot.addWidget(made)
    made.show()
    made.split.setFocus()
    assert not made.per_class.isEnabled()
    QTest.keyClick(made.split, Qt.Key.Key_End)
    assert made.per_class.isEnabled()
    made.per_class.setFocus()
    made.per_class.selectAll()
    QTest.keyClicks(made.per_class, "7")
    made.start.click()
    assert (made.plan.per_class, made.plan.published, made.plan.split) == (7, "", None)
    QTest.keyClick(made.split, Qt.Key.Key_Up)
    assert made.split.currentText() == "Split official, from files"
    made.make()
    assert (made.plan.per_class, made.plan.published) == (None, "official")
