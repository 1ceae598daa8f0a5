"""ImageNet weights: downloaded on request from torchvision's address and checked."""

from __future__ import annotations

import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from platformdirs import user_cache_dir

from workbench.app.jobs import Task
from workbench.domain.backbones import Backbone, backbone
from workbench.domain.errors import KnownError, reason_of, remedy_of
from workbench.domain.reports import Note, Progress
from workbench.domain.text import Message, counted
from workbench.files import PART, make_folder, move_into_place

PIECE = 256 * 1024
BEAT = 0.1  # seconds between reports
TIMEOUT = 30.0  # seconds without a byte after which the network counts as gone
FILE_REMEDY = Message(
    "Check the internet connection and try again, or choose a weights file (start = file:PATH)."
)


def weights_folder() -> Path:
    """Folder of downloaded weights, shared by all projects."""
    return Path(user_cache_dir("vantage-workbench")) / "weights"


def weights_path(name: str, folder: Path | None = None) -> Path | None:
    """Path of the downloaded ImageNet weights of a backbone; None if there are none."""
    known = backbone(name)
    path = (folder or weights_folder()) / known.weights
    return path if known.weights and path.is_file() else None


_intact: set[tuple[Path, int, int]] = set()  # checked files, with modification time and size


def is_intact(name: str, folder: Path | None = None) -> bool:
    """Whether the downloaded weights of a backbone have the published SHA-256.

    The file is read once per process, and again after a change.
    """
    path = weights_path(name, folder)
    if path is None:
        return False
    try:
        found = path.stat()
        stamp = (path, found.st_mtime_ns, found.st_size)
        if stamp not in _intact and _sha256(path).startswith(backbone(name).weights_digest):
            _intact.add(stamp)
    except OSError:
        return False
    return stamp in _intact


def weights_task(name: str, address: str = "", folder: Path | None = None) -> Task[Path]:
    """A job that downloads a backbone's ImageNet weights and ends Done(path).

    An interrupted download is continued by the next one.
    """
    title = Message("Download weights of {backbone}", backbone=backbone(name).title)
    return Task(title=title, work=lambda: fetch(name, address, folder), kind="download")


def fetch(
    name: str, address: str = "", folder: Path | None = None
) -> Generator[Progress | Note | None, None, Path]:
    """Download a backbone's weights, yielding Progress in bytes; return their path.

    Existing weights are checked; if they are damaged, a Note reports it and they are downloaded
    again. `address` overrides torchvision's. Raises KnownError if the backbone has no weights, the
    download fails, or its SHA-256 is not the published one.
    """
    known = backbone(name)
    if not known.weights:
        raise KnownError(
            "There are no ImageNet weights for {backbone}.",
            "Set start to “none” or to a weights file.",
            backbone=known.title,
        )
    present = weights_path(name, folder)
    if present is not None:
        if is_intact(name, folder):
            return present
        text = Message("{path} is damaged and is downloaded again.", path=present)
        yield Note(text=text, warning=True)
    target = (folder or weights_folder()) / known.weights
    make_folder(target.parent)
    download = _Download(address or known.weights_address, target)
    try:
        while download.thread.is_alive():
            download.thread.join(BEAT)
            yield Progress(
                done=download.done,
                total=download.total,
                text=Message("Downloading {backbone}", backbone=known.title),
            )
    finally:
        download.stop.set()
    if download.error is not None:
        raise _failure(known, download, download.error) from download.error
    _check(known, download.part)
    move_into_place(download.part, target)
    return target


class _Download:
    """Download of one file in a separate thread, so that a stalled network does not block."""

    def __init__(self, address: str, target: Path) -> None:
        self.address, self.target = address, target
        self.part = target.with_name(target.name + PART)  # kept, to continue later
        self.done = self.total = 0
        self.error: Exception | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._get(self.part.stat().st_size if self.part.exists() else 0)
        except (OSError, HTTPException, ValueError) as error:
            self.error = error

    def _get(self, have: int) -> None:
        headers = {"Range": f"bytes={have}-"} if have else {}
        request = urllib.request.Request(self.address, headers=headers)  # noqa: S310
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and have:  # the part is at least as long as the file
                self.part.unlink()
                self._get(0)
                return
            raise
        with answer:
            if answer.status != 206:
                have = 0  # the server sends the whole file
            length = answer.headers.get("Content-Length")
            self.done, self.total = have, have + int(length) if length else 0
            with self.part.open("ab" if have else "wb") as file:
                self._copy(answer, file)
        if self.total and self.done < self.total and not self.stop.is_set():
            raise _Incomplete

    def _copy(self, answer: HTTPResponse, file: IO[bytes]) -> None:
        while not self.stop.is_set():
            piece = answer.read(PIECE)
            if not piece:
                break
            file.write(piece)
            self.done += len(piece)
        file.flush()
        os.fsync(file.fileno())


class _Incomplete(OSError):
    """The connection ended before the whole file was received."""


def _failure(known: Backbone, download: _Download, error: Exception) -> KnownError:
    sentence = Message(
        "The weights of {backbone} could not be downloaded: {reason}.",
        backbone=known.title,
        reason=_reason(download, error),
    )
    remedy = remedy_of(error, FILE_REMEDY)  # of the disk, or else of the network
    if not download.target.exists():
        return KnownError(sentence, remedy)
    return KnownError(
        "{path} is damaged. {sentence}", remedy, path=download.target, sentence=sentence
    )


def _reason(download: _Download, error: Exception) -> str:
    if isinstance(error, _Incomplete):
        return counted(
            download.total,
            "the connection ended after {done:,} of {n:,} byte",
            "the connection ended after {done:,} of {n:,} bytes",
            done=download.done,
        )
    if isinstance(error, urllib.error.HTTPError):
        return Message("the server answered {code} {reason}", code=error.code, reason=error.reason)
    if isinstance(error, urllib.error.URLError):
        inner = error.reason
        return Message(
            "{address} cannot be reached ({reason})",
            address=download.address,
            reason=reason_of(inner) if isinstance(inner, Exception) else inner,
        )
    return reason_of(error)


def _check(known: Backbone, path: Path) -> None:
    digest = _sha256(path)
    if digest.startswith(known.weights_digest):
        return
    path.unlink()
    raise KnownError(
        "The downloaded weights of {backbone} are damaged: their SHA-256 starts with {digest} "
        "instead of {published}.",
        FILE_REMEDY,
        backbone=known.title,
        digest=digest[:8],
        published=known.weights_digest,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
