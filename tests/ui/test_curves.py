"""Charts show every value under the pointer, mark the best epoch, and give their data away."""

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from workbench.app.results.result_tables import epochs_csv
from workbench.domain.reports import Epoch
from workbench.ui.parts.curve_group import CurveGroup, StepLosses
from workbench.ui.parts.curves import Curve, CurveChart


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
def messages():
    return []


@pytest.fixture
def group(qtbot, messages):
    made = CurveGroup(lambda text, kind: messages.append((text, kind)))
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
    with qtbot.waitSignal(group.accuracy.hovered) as reported:
        qtbot.mouseMove(view.viewport(), QPoint(view.width() // 2, view.height() // 3))
        qtbot.mouseMove(view.viewport(), QPoint(view.width() // 2 + 9, view.height() // 3))
    assert 1 <= reported.args[0] <= 20


def test_the_best_epoch_is_named(group):
    group.show_run(epochs(best=9))
    assert group.heading.text() == "Best epoch: 9  ·  87 % after 0:32"
    group.show_run(epochs(best=0, validation=False))
    assert group.heading.text() == ""
    assert group.heading.isHidden()


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


def test_charts_can_be_copied_and_saved(group, messages, tmp_path):
    group.name = "run 7"
    group.show_run(epochs(3))
    copies = group.copies[0]
    copies.copy_data()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "epoch,train,validation"
    assert lines[1] == "1.0,2.0,2.2"
    copies.copy_image()
    assert QGuiApplication.clipboard().pixmap().width() > group.loss.width()
    copies.save_image(tmp_path / "loss.png")
    copies.save_data(tmp_path / "loss.csv")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "loss.csv").read_text().startswith("epoch,train,validation\n")
    assert {kind for _, kind in messages} == {"info"}
    copies.save_data(tmp_path / "no such folder" / "loss.csv")
    assert messages[-1][1] == "bad"
    assert "loss.csv cannot be written" in messages[-1][0]


@pytest.fixture
def chart(qtbot):
    made = CurveChart("Loss", decimals=2)
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def line(name, *points, **keys):
    xs, ys = np.array(points, np.float64).T
    return Curve(name, xs, ys, **keys)


def test_a_value_is_that_of_the_nearest_point_that_has_one(chart):
    a = line("a", (1, 10), (2, np.nan), (4, 40))
    chart.set_curves([a, line("b", (3, 7)), line("noise", (1, 1), faint=True)])
    assert [chart.values_at(at)["a"] for at in (0, 1, 2, 3.9, 9, None)] == [10, 10, 10, 40, 40, 40]
    assert chart.values_at(1) == {"a": 10, "b": 7}
    chart.set_curves([line("a", (1, np.nan))])
    assert chart.values_at(1) == chart.values_at(None) == {}


def test_the_table_has_a_row_for_each_epoch_of_any_line(chart):
    chart.set_curves([line("a", (3, 30), (1, 10)), line("b", (2, 20), (3, 33))])
    assert chart.table() == (
        ["epoch", "a", "b"],
        [[1.0, 10.0, None], [2.0, None, 20.0], [3.0, 30.0, 33.0]],
    )


@pytest.mark.parametrize(
    ("span", "step"),
    [(0.5, 1), (1, 1), (8, 1), (9, 2), (16, 2), (17, 5), (40, 5), (41, 10), (80, 10), (300, 50)],
)
def test_at_most_eight_whole_epochs_are_marked_at_even_steps(chart, span, step):
    chart._space_ticks(None, (3.0, 3.0 + span))
    assert chart._plot.getAxis("bottom").tickSpacing(0, 1, 100) == [(step, 0)]


def drawn(chart):
    return [
        (line.opts["pen"].color().alpha() < 255, line.opts["pen"].style(), line.opts["symbol"])
        for line in chart._lines
        if line.xData is not None and len(line.xData)
    ]


def test_smoothed_lines_lie_over_their_raw_ones_and_noise_is_left_as_it_is(qtbot, chart):
    solid, dash = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
    few = line("few", *[(x, x) for x in range(40)], dashed=True)
    many = line("many", *[(x, x) for x in range(41)])
    noise = line("noise", (1, 1), (2, 2), faint=True)
    chart.set_curves([few, many, noise])
    qtbot.waitUntil(lambda: len(drawn(chart)) == 3)
    assert drawn(chart) == [(False, dash, "o"), (False, solid, None), (True, solid, None)]
    chart.set_smoothing(0.5)
    qtbot.waitUntil(lambda: len(drawn(chart)) == 5)
    assert [faint for faint, *_ in drawn(chart)] == [True, False, True, False, True]
    soft = chart._lines[1].getOriginalDataset()[1]
    assert soft[0] == 0
    assert 0 < soft[-1] < 39
    chart.set_smoothing(0.0)
    chart.set_curves([noise])
    qtbot.waitUntil(lambda: len(drawn(chart)) == 1)


def test_the_best_epoch_and_the_pointer_have_a_line_while_there_is_one(qtbot, chart):
    chart.set_curves([line("a", (1, 1), (5, 5))], 5)
    chart.set_best(4)
    chart.set_cross(2.5)
    qtbot.waitUntil(chart._best_line.isVisible)
    assert (chart._best_line.value(), chart._cross_line.value()) == (4, 2.5)
    assert chart._cross_line.isVisible()
    chart.set_best(None)
    chart.set_cross(None)
    assert not chart._cross_line.isVisible()
    qtbot.waitUntil(lambda: not chart._best_line.isVisible())


@pytest.mark.parametrize(
    ("percent", "value", "words"),
    [
        (False, 1.234, "1.23"),
        (False, 0.00123, "0.00123"),
        (False, 0.0, "0.00"),
        (True, 0.5, "50.0"),
    ],
)
def test_small_values_keep_three_digits(qtbot, percent, value, words):
    made = CurveChart("x", decimals=2, percent=percent)
    qtbot.addWidget(made)
    made.set_curves([line("a", (1, value))])
    made.set_cross(1.0)
    assert f"<b>{words}" in made.legend.text()


def test_the_legend_names_six_lines_at_most(chart):
    chart.set_curves([line(f"line{at}", (1, at)) for at in range(8)])
    chart.set_cross(1.0)
    assert [f"line{at}" in chart.legend.text() for at in range(8)] == [True] * 6 + [False] * 2
    dashed = line("behind", (1, 1), dashed=True)
    chart.set_curves([line("front", (1, 1)), dashed], named=False)
    chart.set_cross(1.0)
    assert chart.legend.text().count("<b>") == 1
    assert "front" not in chart.legend.text()
    chart.set_curves([line("front", (1, 1)), dashed])
    chart.set_cross(1.0)
    assert chart.legend.text().count("<b>") == 2


@pytest.mark.parametrize(("height", "shown"), [(299, 2), (300, 4)])
def test_where_there_is_little_height_loss_and_accuracy_have_it_alone(qtbot, group, height, shown):
    group.resize(900, height)
    assert sum(chart.isVisible() for chart in group.charts) == shown


def test_the_newest_best_epoch_counts(group):
    group.show_run([*epochs(5, best=2), *epochs(9, best=8)[5:]])
    assert "8" in group.heading.text()
    assert group.loss._best == group.accuracy._best == 8
    assert group.rate._best is None


def paused(seconds=(4.0, 10.0, 70.0)):
    """Three epochs, of which the last took long; a pause is not in their seconds."""
    return [
        msgspec.structs.replace(epoch, seconds=each)
        for epoch, each in zip(epochs(3, best=2), seconds, strict=True)
    ]


def test_curves_are_shown_over_the_time_of_their_epochs(qtbot, group):
    group.show_run(paused(), StepLosses(np.array([0.5, 1.5, 2.5, 3.5]), np.ones(4)))
    group.show_over_time(True)
    assert group.loss.values_at(14.0)["train"] == 1.0
    steps = next(curve for curve in group.loss._curves if curve.faint)
    assert steps.xs.tolist() == [2.0, 9.0, 49.0], "a step of an unfinished epoch has no place yet"
    assert group.loss._best == 14.0
    group.loss.hovered.emit(80.0)
    assert group.accuracy.legend.text().startswith("1:24 ")
    assert group.loss.table()[0][0] == "seconds"
    assert [row[0] for row in group.accuracy.table()[1]] == [4.0, 14.0, 84.0]
    assert group.loss._bottom.tickStrings([0.0, 60.0, 3600.0], 1, 1) == ["0:00", "1:00", "1:00:00"]
    group.loss._space_ticks(None, (0.0, 84.0))
    assert group.loss._bottom._tickSpacing == [(15, 0)]
    group.show_over_time(False)
    assert group.loss.table()[0][0] == "epoch"
    assert group.loss.values_at(2.0)["train"] == 1.0


def test_times_to_an_accuracy_stand_beside_the_names_of_runs(group):
    quick, slow = epochs(12), paused()
    group.show_runs({"quick": quick, "slow": slow})
    assert group.goal.value() == 64, "95 % of what the less accurate run reaches"
    assert "quick (64 % after 0:12)" in group.heading.text()
    assert "slow (64 % after 1:24)" in group.heading.text()
    group.goal.setValue(90)
    assert "quick (90 % after 0:40)" in group.heading.text()
    assert "slow (90 % not reached)" in group.heading.text()
    group.show_run(epochs(9))
    assert group.heading.text() == "Best epoch: 9  ·  90 % not reached", "the chosen goal stays"
    group.show_runs({"no validation": epochs(validation=False)})
    assert "%" not in group.heading.text()
    lines = epochs_csv({"slow": slow}).splitlines()
    assert [line.split(",")[-1] for line in lines] == ["elapsed_seconds", "4.0", "14.0", "84.0"]
