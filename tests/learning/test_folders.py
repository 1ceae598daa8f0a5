"""Folders of requests: what is read, what is damaged, progress and cancelling."""

import msgspec
import pytest

from workbench.domain.errors import KnownError
from workbench.domain.relatedness import DomainRequest
from workbench.domain.reports import Progress, decode_report
from workbench.domain.runs import REPORTS_FILE, Sample, encode_samples
from workbench.domain.text import Message
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted
from workbench.learning.protocol.reporting import Reporter


@pytest.fixture
def request_folder(tmp_path):
    """A request folder whose reports are written to its file alone."""
    control = Control()
    report = Reporter(tmp_path, stdout=False)
    yield FolderRequest(tmp_path, report, control), control
    report.close()


def reports(folder):
    return [decode_report(line) for line in (folder / REPORTS_FILE).read_bytes().splitlines()]


def test_it_is_cancelled_by_a_request_or_the_end_of_the_requester(request_folder):
    folder, control = request_folder
    folder.raise_if_interrupted()
    assert not folder.interrupted()
    folder.report.parent_gone = True
    assert folder.interrupted()
    folder.report.parent_gone = False
    control.request(ControlRequest.STOP)
    with pytest.raises(RequestInterrupted):
        folder.raise_if_interrupted()


def test_progress_is_reported_at_once_and_then_at_a_limited_rate(request_folder, tmp_path):
    folder, _ = request_folder
    for done in range(3):
        folder.progress(done, 3, Message("Reading"))
    assert reports(tmp_path) == [Progress(done=0, total=3, text="Reading")]


def test_requests_and_samples_are_read_and_damaged_ones_named(request_folder, tmp_path):
    folder, _ = request_folder
    request = DomainRequest(name="birds", samples="birds.jsonl", classes=("owl",))
    (tmp_path / "request.json").write_bytes(msgspec.json.encode(request))
    samples = [Sample(image=n, hash=f"h{n}", path=f"{n}.jpg", target=n) for n in range(2)]
    (tmp_path / "samples").write_bytes(encode_samples(samples))
    assert folder.read("request.json", DomainRequest) == request
    assert list(folder.samples("samples")) == samples
    (tmp_path / "request.json").write_bytes(b"{}")
    (tmp_path / "samples").write_bytes(b"{")
    for name, read in (
        ("request.json", lambda: folder.read("request.json", DomainRequest)),
        ("samples", lambda: folder.samples("samples")),
    ):
        with pytest.raises(KnownError, match=f"{name} is damaged"):
            read()
        (tmp_path / name).unlink()
        with pytest.raises(KnownError, match=f"{name} cannot be read"):
            read()
