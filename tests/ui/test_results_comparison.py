"""The comparison of two runs by itself: counts, verdicts, what is saved, and pairs of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import TARGET_HEAD, Scope, load_results
from workbench.app.results.run_comparison import PairOutcome, SinglePair, single_pairs
from workbench.domain.run_pairs import differences
from workbench.domain.splits import Part
from workbench.ui.pages.results.comparison import ComparisonSection, PairsTable
from workbench.ui.pages.results.section import RunInScope


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def section(qtbot, session):
    made = ComparisonSection(
        lambda *_: None,
        lambda run: load_results(session, run),
        lambda images: {image: f"{image}.png" for image in images},
        differences,
    )
    qtbot.addWidget(made)
    return made


@pytest.fixture
def compared(session, images, section):
    """Show the section on two runs with these errors; returns the first in its scope."""

    def show(first, second, **scope):
        one = make_run(session.store, images, "one", wrong=first)
        two = make_run(session.store, images, "two", wrong=second)
        section.set_runs([two])
        results = load_results(session, one.id)
        labels = CurrentLabels(session, results, TARGET_HEAD)
        shown = RunInScope(results, Scope(**scope), labels)
        section.show_run(shown)
        return shown

    return show


TEN = [*range(4, 10), *range(14, 18)]  # of the test part
SIX = TEN[:6]


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([], SIX, "one is significantly better (McNemar's exact test, p = 0.0313)."),
        (TEN, [], "two is significantly better (McNemar's exact test, p = 0.00195)."),
        (SIX[:5], [], "The difference is not significant (McNemar's exact test, p = 0.0625)."),
        ([], [], "The difference is not significant (McNemar's exact test, p = 1)."),
    ],
)
def test_the_better_run_is_named_if_the_difference_is_significant(
    compared, section, first, second, verdict
):
    compared(first, second, part=Part.TEST)
    same = "They have the same recipe and data."
    assert section.verdict.text() == f"{verdict} {same}"


def test_each_outcome_has_its_place_count_and_images(session, images, compared, section):
    heard = []
    section.rows_requested.connect(lambda *what: heard.append((what[0], what[1].tolist())))
    shown = compared([4, 5, 14], [4, 6], part=Part.TEST)
    make_run(session.store, images, "equal", wrong=[4, 5, 14])
    grid = section.table.layout()
    cells = [[grid.itemAtPosition(row, column).widget() for column in (0, 1, 2)] for row in (1, 2)]
    heads = [grid.itemAtPosition(0, column).widget() for column in (1, 2)]
    assert [head.text() for head in heads] == ["Right in two", "Wrong in two"]
    assert all(isinstance(head, QLabel) for head in heads)
    assert [[widget.text() for widget in row] for row in cells] == [
        ["Right in one", "14", "1"],
        ["Wrong in one", "2", "1"],
    ]
    assert [b.toolTip() for b in section.buttons.values()] == [
        "Both right",
        "Only one right",
        "Only two right",
        "Both wrong",
    ]
    assert cells[1][2].accessibleName() == "Both wrong: 1 image"
    for outcome in (PairOutcome.ONLY_FIRST, PairOutcome.ONLY_SECOND):
        section.buttons[outcome].click()
    assert heard == [("Only one right: 1 image", [6]), ("Only two right: 2 images", [5, 14])]
    assert section.caption.text() == "Click a number to see its images."
    section.set_runs([session.store.runs.get("equal")])
    section.fill(shown)
    enabled = [button.isEnabled() for button in section.buttons.values()]
    assert enabled == [True, False, False, True]


def test_images_of_one_run_alone_are_counted_as_left_out(session, images, compared, section):
    shown = compared([], [], part=Part.TEST)
    assert "left out" not in section.verdict.text()
    section.set_runs([make_run(session.store, images[:-1], "without the last")])
    section.fill(shown)
    assert (
        "1 image is left out: it is not in both runs, or has another label there."
        in section.verdict.text()
    )
    section.set_runs([make_run(session.store, images[:4], "without the test part")])
    section.fill(shown)
    assert section.verdict.text().startswith("The two runs have no images of this part in common.")
    assert "18 images are left out" in section.verdict.text()


def test_a_run_is_chosen_and_kept_while_it_can_be_compared(session, images, compared, section):
    chosen = []
    section.other_chosen.connect(chosen.append)
    compared([], [], part=Part.TEST)
    three = make_run(session.store, images, "three", wrong=[4])
    two = session.store.runs.get("two")
    section.set_runs([three, two])
    assert section.other.currentText() == "two", "as before"
    section.other.setCurrentIndex(0)
    section.other.activated.emit(0)
    assert chosen == ["three"]
    assert section.buttons[PairOutcome.ONLY_FIRST].text() == "1"
    section.set_runs([three, two], "two")
    assert section.other.currentData() == "two"
    section.set_runs([three])
    assert section.other.currentData() == "three", "the first if the chosen one is gone"
    section.set_runs([])
    assert section.other.currentIndex() == -1


def test_without_another_run_nothing_is_compared(session, compared, section):
    shown = compared([4], [5], part=Part.TEST)
    assert section.copies._name() == "one and two"
    lines = section.copies._data().splitlines()
    assert len(lines) == 1 + 18
    assert not section.table.isHidden()
    for others in ([], [shown.results.record]):
        section.set_runs(others)
        section.fill(shown)
        assert section.table.isHidden()
        assert section.verdict.isHidden()
        assert section.caption.text().startswith("To compare, train a second run")
        assert (section.copies._name(), section.copies._data()) == ("comparison", "")
        section.buttons[PairOutcome.BOTH_WRONG].click()


def test_pairs_show_the_gain_in_points_and_lead_to_their_runs(qtbot, session, images):
    table, picked = PairsTable(), []
    qtbot.addWidget(table)
    table.picked.connect(lambda *runs: picked.append(runs))
    assert table.isHidden()
    single = make_run(session.store, images, "single", wrong=range(6))
    joint = make_run(session.store, images, "joint", wrong=[4], target="category+view")
    table.show_pairs([SinglePair(single, joint), SinglePair(replace(single, metrics={}), joint)])
    assert not table.isHidden()
    assert [row[:2] for row in table.table.cells()] == [["joint", "single"]] * 2
    assert [row[4:] for row in table.table.cells()] == [
        ["80.0 %", "96.7 %", "+16.7"],
        ["–", "96.7 %", ""],
    ]
    table.table.picked.emit(1)
    assert picked == [("joint", "single")]
    table.show_pairs([])
    assert table.isHidden()


def test_the_run_that_a_pair_lacks_is_named_and_can_be_trained(qtbot, session, images):
    make_run(session.store, images, "alone", head="bilinear")  # differs in more than the target
    make_run(session.store, images, "joint", target="category+view")
    table, picked, missing = PairsTable(), [], []
    qtbot.addWidget(table)
    table.picked.connect(lambda *runs: picked.append(runs))
    table.missing.connect(missing.append)
    table.show_pairs(single_pairs(session.runs.all()))
    assert table.table.cells()[0][:2] == ["joint", "missing"]
    assert table.table.cells()[0][4:] == ["–", "100.0 %", ""]
    table.table.picked.emit(0)
    assert picked == [], "there is nothing to compare with"
    assert not table.train.isHidden()
    table.train.click()
    assert [(each.like, each.changes) for each in missing] == [("joint", {"target": "category"})]
    assert table.train.isHidden()
    make_run(session.store, images, "like joint", tie=0.5)
    make_run(session.store, images, "other split")
    session.store.runs.update("other-split", split="another")
    table.show_pairs(single_pairs(session.runs.all()))
    assert table.table.cells()[0][:2] == ["joint", "like joint"]
    assert table.train.isHidden()


def test_the_keys_in_which_two_runs_differ_are_listed(session, images, compared, section):
    shown = compared([], [4])
    other = make_run(session.store, images, "three", head="bilinear", loss="focal", epochs=5)
    section.set_runs([other])
    section.fill(shown)
    assert section.verdict.text().endswith("They differ in: head, epochs, loss.")
