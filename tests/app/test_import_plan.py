"""How an import goes through a list file: where it can stop, and what it makes of its lines."""

import pytest

from workbench.app.images.import_plan import LabelOrigins, plan_source
from workbench.domain.formats import Origin


def planned(path, **origins):
    """The plan of a place, and how often the job could have stopped on the way."""
    steps, pauses = plan_source(path, LabelOrigins(origins)), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


@pytest.mark.parametrize(("lines", "more"), [(512, 0), (513, 1), (1024, 1), (1025, 2)])
def test_a_job_can_stop_at_every_512th_line_of_a_list(tmp_path, lines, more):
    file = tmp_path / "list.txt"
    file.write_text("none.jpg 0\n")
    _, least = planned(file)
    file.write_text("".join(f"none{at}.jpg 0\n" for at in range(lines)))
    place, pauses = planned(file)
    assert pauses == least + more
    assert place.files == []
    assert len(place.skipped) == lines


def test_each_file_is_imported_once_and_a_contradicting_line_is_skipped(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(b"")
    table = tmp_path / "labels.csv"
    table.write_text("path,category\na.jpg,owl\na.jpg,owl\nb.jpg,owl\nb.jpg,swan\nc.jpg,owl\n")
    place, _ = planned(table, category=Origin.TABLE)
    assert [(one.path, dict(one.labels)) for one in place.files] == [
        ("a.jpg", {"category": "owl"}),
        ("b.jpg", {"category": "owl"}),
    ]
    assert [one.path for one in place.skipped] == ["b.jpg", "c.jpg"]
    assert ["line 5" in one.reason for one in place.skipped] == [True, False]
    assert "line 6" in place.skipped[1].reason
