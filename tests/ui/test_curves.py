"""Charts show every value under the pointer, mark the best epoch, and give their data away."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication

from workbench.domain.reports import Epoch
from workbench.ui.parts.curve_group import CurveGroup, StepLosses


def epochs(count=12, best=9, validation=True):
    return [
        Epoch(
            epoch=i,
            epochs=20,
            train_loss=2.0 / i,
            train_accuracy=1 - 0.9 / i,
            validation_loss=2.2 / i if validation else None,
            validation_accuracy=1 - 0.95 / i if validation else None,
            learning_rate=0.005 * (20 - i) / 20,
            images_per_second=300.0,
            seconds=4.0,
            eta=4.0 * (20 - i),
            best=i == best,
        )
        for i in range(1, count + 1)
    ]


@pytest.fixture
def said():
    return []


@pytest.fixture
def group(qtbot, said):
    made = CurveGroup(lambda text, kind: said.append((text, kind)))
    qtbot.addWidget(made)
    made.resize(900, 420)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_pointer_in_one_chart_shows_values_in_all(qtbot, group):
    group.show_run(epochs())
    group.loss.hovered.emit(4.2)
    assert group.loss.values_at(4.2) == {"train": 0.5, "validation": pytest.approx(0.55)}
    qtbot.waitUntil(lambda: "epoch 4" in group.accuracy.legend.text())
    assert "77.5 %" in group.accuracy.legend.text()
    assert "0.004" in group.rate.legend.text()
    group.loss.hovered.emit(None)
    assert "epoch" not in group.accuracy.legend.text()
    assert "92.5 %" in group.accuracy.legend.text(), "the last value stands otherwise"


def test_moving_the_mouse_over_a_chart_points_at_an_epoch(qtbot, group):
    group.show_run(epochs())
    view = group.accuracy._view
    qtbot.waitUntil(lambda: "train" in group.accuracy.legend.text())
    with qtbot.waitSignal(group.accuracy.hovered) as told:
        qtbot.mouseMove(view.viewport(), QPoint(view.width() // 2, view.height() // 3))
        qtbot.mouseMove(view.viewport(), QPoint(view.width() // 2 + 9, view.height() // 3))
    assert 1 <= told.args[0] <= 20


def test_the_best_epoch_is_named(group):
    group.show_run(epochs(best=9))
    assert group.heading.text() == "Best epoch: 9"
    group.show_run(epochs(best=0))
    assert group.heading.text() == ""


def test_without_validation_only_training_is_drawn(group):
    group.show_run(epochs(validation=False))
    assert list(group.loss.values_at(None)) == ["train"]
    assert list(group.accuracy.values_at(None)) == ["train"]


def test_steps_are_drawn_behind_and_not_in_the_legend(group):
    group.show_run(epochs(), StepLosses(np.linspace(0, 12, 300), np.linspace(2, 0.2, 300)))
    assert "steps" not in group.loss.values_at(None)
    assert group.loss.table()[0] == ["epoch", "steps", "train", "validation"]


def test_smoothing_and_the_log_axis_keep_the_values(qtbot, group):
    group.show_run(epochs())
    group.smoothing.setValue(80)
    group.log.setChecked(True)
    qtbot.waitUntil(lambda: not group.loss._timer.isActive())
    assert group.loss.values_at(2)["train"] == 1.0


def test_several_runs_lie_over_each_other(group):
    group.show_runs({"A": epochs(5), "B <b>": epochs(9)})
    assert set(group.accuracy.values_at(3)) == {"A", "A train", "B &lt;b&gt;", "B &lt;b&gt; train"}
    assert group.rate.values_at(None)["A"] == pytest.approx(0.005 * 15 / 20)


def test_charts_can_be_copied_and_saved(group, said, tmp_path):
    group.name = "run 7"
    group.show_run(epochs(3))
    copies = group.copies[0]
    copies.copy_data()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "epoch,train,validation"
    assert lines[1] == "1.0,2.0,2.2"
    copies.copy_picture()
    assert QGuiApplication.clipboard().pixmap().width() > group.loss.width()
    copies.save_picture(tmp_path / "loss.png")
    copies.save_data(tmp_path / "loss.csv")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loss.csv").read_text().startswith("epoch,train,validation\n")
    assert {kind for _, kind in said} == {"info"}
    copies.save_data(tmp_path / "no such folder" / "loss.csv")
    assert said[-1][1] == "bad"
    assert "loss.csv could not be written" in said[-1][0]
