"""Reports of jobs: the estimate of the remaining time, and lines that come back as they were."""

import pytest

from workbench.domain.reports import (
    Note,
    Progress,
    decode_report,
    encode_report,
    remaining_seconds,
)
from workbench.domain.text import Message


@pytest.mark.parametrize(
    ("spent", "done", "total", "left"),
    [(10.0, 4, 10, 15.0), (10.0, 10, 10, 0.0), (3.0, 1, 4, 9.0), (5.0, 0, 4, None)],
)
def test_the_rest_takes_as_long_as_what_is_done(spent, done, total, left):
    assert remaining_seconds(spent, done, total) == left


@pytest.mark.parametrize(
    "report",
    [
        Progress(done=0),
        Progress(done=2, total=5, text=Message("Reading {n} files", n=5), eta=1.5),
        Note(text=Message("half of it"), warning=True),
    ],
)
def test_a_report_comes_back_from_its_line(report):
    line = encode_report(report)
    assert b"\n" not in line.rstrip(b"\n")
    assert decode_report(line) == report
