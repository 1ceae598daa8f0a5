"""Downloads of start weights from a local server: whole, cut off, stopped, wrong and refused."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.fixtures.damage import DAMAGES, flipped
from workbench.app import weights
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.starts import whole_start
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError, remedy_of
from workbench.domain.recipes import Recipe
from workbench.domain.reports import Note, Progress

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `cut` ends answers after so many bytes, `ranges` are those requested."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cut: int | None = None
        self.status = 200
        self.with_ranges = True
        self.ranges: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if not self.server.with_ranges:
            start = 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    fake = dataclasses.replace(
        BACKBONES["resnet18"], megabytes=1.0, weights=f"resnet18-{DIGEST}.pth"
    )
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    with BACKBONES.temporarily("resnet18", fake):
        yield made
    made.shutdown()
    made.server_close()
    thread.join()


def download(server: Server, folder: Path, heard: list[object] | None = None) -> object:
    task = weights.weights_task("resnet18", server.address, folder)
    return run_here(task, heard.append if heard is not None else None)


def test_weights_come_whole_and_are_kept(server: Server, tmp_path: Path) -> None:
    assert weights.weights_path("resnet18", tmp_path) is None
    heard: list[object] = []
    outcome = download(server, tmp_path, heard)
    path = tmp_path / f"resnet18-{DIGEST}.pth"
    assert outcome == Done(path)
    assert path.read_bytes() == CONTENT
    assert weights.weights_path("resnet18", tmp_path) == path
    assert all(isinstance(report, Progress) for report in heard)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    download(server, tmp_path)
    assert len(server.ranges) == 1


def test_an_interrupted_download_resumes(server: Server, tmp_path: Path) -> None:
    server.cut = 400_000
    outcome = download(server, tmp_path)
    assert isinstance(outcome, Failed)
    assert "could not be downloaded" in outcome.sentence
    assert "choose a weights file" in outcome.remedy
    server.cut = None
    assert isinstance(download(server, tmp_path), Done)
    assert server.ranges == ["", "bytes=400000-"]
    assert (tmp_path / f"resnet18-{DIGEST}.pth").read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"resnet18-{DIGEST}.pth.part").write_bytes(b"xyz")
    server.with_ranges = False
    assert isinstance(download(server, tmp_path), Done)
    assert (tmp_path / f"resnet18-{DIGEST}.pth").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"resnet18-{DIGEST}.pth.part").write_bytes(CONTENT + b"more")
    assert isinstance(download(server, tmp_path), Done)


def test_a_wrong_hash_is_thrown_away_and_reported(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    outcome = download(server, tmp_path)
    assert isinstance(outcome, Failed)
    assert "SHA-256" in outcome.sentence
    assert DIGEST in outcome.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_server_is_reported(server: Server, tmp_path: Path) -> None:
    server.status = 404
    outcome = download(server, tmp_path)
    assert isinstance(outcome, Failed)
    assert "404" in outcome.sentence


def test_no_network_is_reported_with_what_to_do(tmp_path: Path) -> None:
    task = weights.weights_task("resnet18", "http://127.0.0.1:9/weights.pth", tmp_path)
    outcome = run_here(task)
    assert isinstance(outcome, Failed)
    assert "127.0.0.1:9" in outcome.sentence
    assert "file:PATH" in outcome.remedy


def test_stopping_keeps_what_has_come(server: Server, tmp_path: Path) -> None:
    fetching = weights.fetch("resnet18", server.address, tmp_path)
    next(fetching)
    fetching.close()
    assert weights.weights_path("resnet18", tmp_path) is None


def test_a_backbone_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="no ImageNet weights for Simpleconv3"):
        next(weights.fetch("simpleconv3", folder=tmp_path))


def test_damaged_weights_are_downloaded_again_and_that_is_reported(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / f"resnet18-{DIGEST}.pth"
    for damage in DAMAGES.values():
        path.write_bytes(damage(CONTENT))
        heard: list[object] = []
        assert not weights.is_intact("resnet18", tmp_path)
        assert download(server, tmp_path, heard) == Done(path)
        assert path.read_bytes() == CONTENT
        assert [report.text for report in heard if isinstance(report, Note)] == [
            f"{path} is damaged and is downloaded again."
        ]
        assert weights.is_intact("resnet18", tmp_path)
    assert len(server.ranges) == len(DAMAGES)


def test_damaged_weights_without_a_network_are_named_and_stay(tmp_path: Path) -> None:
    known = BACKBONES["resnet18"]
    path = tmp_path / known.weights
    path.write_bytes(CONTENT)
    outcome = run_here(weights.weights_task("resnet18", "http://127.0.0.1:9/w.pth", tmp_path))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith(f"{path} is damaged. The weights of ResNet-18 could not")
    assert path.read_bytes() == CONTENT


def test_a_run_does_not_start_from_damaged_weights(
    server: Server, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recipe = Recipe(target="category", backbone="resnet18", start="imagenet")
    assert whole_start(session.store, recipe) is None  # none are there yet
    path = weights.weights_folder() / f"resnet18-{DIGEST}.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert whole_start(session.store, recipe) == path
    path.write_bytes(flipped(CONTENT, len(CONTENT) // 2))
    assert whole_start(session.store, recipe) is None
    assert path.exists()


def test_weights_are_read_once_until_they_change(server: Server, tmp_path: Path) -> None:
    path = tmp_path / f"resnet18-{DIGEST}.pth"
    path.write_bytes(CONTENT)
    assert weights.is_intact("resnet18", tmp_path)
    stat = path.stat()
    path.write_bytes(flipped(CONTENT, 7))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert weights.is_intact("resnet18", tmp_path)
    os.utime(path)
    assert not weights.is_intact("resnet18", tmp_path)


def test_there_are_no_intact_weights_where_there_are_none(tmp_path: Path) -> None:
    assert not weights.is_intact("resnet18", tmp_path)


def test_the_folder_is_made_and_a_refusal_keeps_what_has_come(
    server: Server, tmp_path: Path
) -> None:
    part = tmp_path / "weights" / f"resnet18-{DIGEST}.pth.part"
    server.cut = 400_000
    assert isinstance(download(server, part.parent), Failed)
    server.status = 404
    assert isinstance(download(server, part.parent), Failed)
    assert part.read_bytes() == CONTENT[:400_000]
    server.status, server.cut = 200, None
    heard: list[object] = []
    assert isinstance(download(server, part.parent, heard), Done)
    assert server.ranges == ["", "bytes=400000-", "bytes=400000-"]
    assert {one.total for one in heard if isinstance(one, Progress)} <= {0, len(CONTENT)}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is simulated by /dev/full")
def test_a_full_disk_is_reported_with_its_own_remedy(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"resnet18-{DIGEST}.pth.part").symlink_to("/dev/full")
    outcome = download(server, tmp_path)
    assert isinstance(outcome, Failed)
    assert "no space left on the disk" in outcome.sentence
    assert outcome.remedy == remedy_of(OSError(errno.ENOSPC, ""))
