"""Test protocols of a run on the Results page: scored by keys, stored, and shown again."""

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.fixtures.page_host import PageHost
from tests.fixtures.trained import import_discs, train
from workbench.app.results.evaluating import protocol_scores
from workbench.domain.protocols import ProtocolScore, ScoringProtocol
from workbench.domain.runs import PROTOCOLS_FILE
from workbench.domain.splits import Part
from workbench.files import write_recorded
from workbench.ui.pages.results.page import ResultsPage


@pytest.fixture
def page(qtbot, session, tmp_path):
    train(session, import_discs(session, tmp_path / "discs", 18))
    host = PageHost(session)
    made = ResultsPage(host.context)
    qtbot.addWidget(made)
    session.changed.connect(made.refresh)
    made.resize(1216, 640)
    made.opened()
    made.show()
    qtbot.waitExposed(made)
    made.tabs.setCurrentWidget(made.protocols)
    yield made
    host.close()


def cells(table):
    model = table.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def test_a_protocol_is_chosen_and_scored_by_keys(qtbot, session, page):
    section = page.protocols
    assert cells(section.table) == []
    assert "without training" in section.caption.text()
    section.crops.setFocus()
    QTest.keyClick(section.crops, Qt.Key.Key_End)
    assert section.crops.currentData() == "windows"
    assert not section.resize_box.isEnabled()  # windows have scales of their own
    section.mirror.setFocus()
    QTest.keyClick(section.mirror, Qt.Key.Key_Space)
    section.score.setFocus()
    QTest.keyClick(section.score, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not section.job.running, timeout=60_000)
    rows = cells(section.table)
    assert [row[:2] for row in rows] == [
        ["Centre  ·  mirrored  ·  of this run", "test"],
        ["Windows, highest score", "test"],
    ]
    stored = protocol_scores(session, page.table.current_run())
    assert [row[2] for row in rows] == [f"{100 * score.top1:.1f} %" for score in stored]
    assert [row[3] for row in rows] == ["6", "6"]
    assert (section.score.text(), section.status.text()) == ("Score", "")
    assert "validation part" in section.caption.text()
    assert section.table.csv().count("\n") == 3


def test_what_a_protocol_cannot_mean_is_shown_beside_the_button(page):
    section = page.protocols
    QTest.keyClick(section.crops, Qt.Key.Key_Home)
    section.resize_box.setFocus()
    section.resize_box.selectAll()
    QTest.keyClicks(section.resize_box, "40\t")
    section.score.setFocus()
    QTest.keyClick(section.score, Qt.Key.Key_Space)
    assert "40" in section.status.text()
    assert "at least 48" in section.status.text()
    assert not section.job.running


def test_stored_scores_are_shown_again_and_a_damaged_file_is_named(session, page):
    run = page.table.current_run()
    path = session.store.runs_folder / run / PROTOCOLS_FILE
    weights = msgspec.json.decode((path.parent / "model.json").read_bytes())["weights_digest"]
    score = ProtocolScore(
        protocol=ScoringProtocol(test_resize=60, test_crops="five", test_mirror=False),
        part=Part.VALIDATION,
        top1=0.75,
        images=4,
        images_per_second=12.34,
        weights=weights,
    )
    write_recorded(path, msgspec.json.encode([score]))
    page.show_run(run)
    assert cells(page.protocols.table) == [["Five  ·  60 px", "validation", "75.0 %", "4", "12.3"]]
    path.write_bytes(b"[")
    page.show_run(run)
    assert cells(page.protocols.table) == []
    assert PROTOCOLS_FILE in page.protocols.status.text()
