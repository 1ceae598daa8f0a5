"""ImageNet weights: downloaded on request from torchvision's address, checked, and kept."""

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
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, Progress
from workbench.domain.text import Message
from workbench.files import PART, make_folder, move_into_place

PIECE = 256 * 1024
BEAT = 0.1  # seconds between reports
TIMEOUT = 30.0  # seconds without a byte after which the network counts as gone
FILE_REMEDY = "Check the network and try again, or choose a weights file (start = file:PATH)."


def weights_folder() -> Path:
    """Where downloaded weights are kept, shared by all projects."""
    return Path(user_cache_dir("vantage-workbench")) / "weights"


def weights_path(name: str, folder: Path | None = None) -> Path | None:
    """The downloaded ImageNet weights of a backbone; None where there are none yet."""
    known = backbone(name)
    path = (folder or weights_folder()) / known.weights
    return path if known.weights and path.is_file() else None


_whole: set[tuple[Path, int, int]] = set()  # files with their time of change and size


def is_whole(name: str, folder: Path | None = None) -> bool:
    """Whether the downloaded weights of a backbone have the published SHA-256. The file is read
    once per process and again when it has changed."""
    path = weights_path(name, folder)
    if path is None:
        return False
    try:
        found = path.stat()
        stamp = (path, found.st_mtime_ns, found.st_size)
        if stamp not in _whole and _sha256(path).startswith(backbone(name).weights_digest):
            _whole.add(stamp)
    except OSError:
        return False
    return stamp in _whole


def weights_task(name: str, address: str = "", folder: Path | None = None) -> Task[Path]:
    """A job that downloads a backbone's ImageNet weights and ends Done(path); stopped or cut off,
    it goes on later from where it was."""
    title = Message("Download weights of {backbone}", backbone=backbone(name).title)
    return Task(title=title, work=lambda: fetch(name, address, folder), kind="download")


def fetch(
    name: str, address: str = "", folder: Path | None = None
) -> Generator[Progress | Note | None, None, Path]:
    """Download a backbone's weights, yielding Progress in bytes; gives their path.

    Weights that are there are checked and, if damaged, downloaded again, which a Note says.
    `address` overrides torchvision's. Raises KnownError when there are none, the network or the
    server refuses, or the SHA-256 of what came is not the published one.
    """
    known = backbone(name)
    if not known.weights:
        raise KnownError(
            "There are no ImageNet weights of {title}.",
            'Set start to "none", or a file.',
            title=known.title,
        )
    present = weights_path(name, folder)
    if present is not None:
        if is_whole(name, folder):
            return present
        yield Note(
            text=Message("{present} is damaged and is downloaded again.", present=present),
            warning=True,
        )
    target = (folder or weights_folder()) / known.weights
    make_folder(target.parent, FILE_REMEDY)
    download = _Download(address or known.weights_address, target)
    try:
        while download.thread.is_alive():
            download.thread.join(BEAT)
            yield Progress(
                done=download.done,
                total=download.total,
                text=Message("Downloading {title}", title=known.title),
            )
    finally:
        download.stop.set()
    if download.error is not None:
        raise _refused(known, download) from download.error
    _check(known, download.part)
    move_into_place(download.part, target)
    return target


class _Download:
    """One file on its way, in a thread of its own so that a silent network blocks nobody."""

    def __init__(self, address: str, target: Path) -> None:
        self.address, self.target = address, target
        self.part = target.with_name(target.name + PART)  # kept, to continue
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
            if error.code == 416 and have:  # the part is as long as the file, or longer
                self.part.unlink()
                self._get(0)
                return
            raise
        with answer:
            if answer.status != 206:
                have = 0  # the server begins anew
            length = answer.headers.get("Content-Length")
            self.done, self.total = have, have + int(length) if length else 0
            with self.part.open("ab" if have else "wb") as file:
                self._copy(answer, file)
        if self.total and self.done < self.total and not self.stop.is_set():
            raise OSError(f"the connection ended after {self.done:,} of {self.total:,} bytes")

    def _copy(self, answer: HTTPResponse, file: IO[bytes]) -> None:
        while not self.stop.is_set():
            piece = answer.read(PIECE)
            if not piece:
                break
            file.write(piece)
            self.done += len(piece)
        file.flush()
        os.fsync(file.fileno())


def _refused(known: Backbone, download: _Download) -> KnownError:
    error = download.error
    if isinstance(error, urllib.error.HTTPError):
        why = f"the server answered {error.code} {error.reason}"
    elif isinstance(error, urllib.error.URLError):
        why = f"{download.address} cannot be reached ({error.reason})"
    else:
        why = str(error)
    sentence = f"The weights of {known.title} could not be downloaded: {why}."
    if download.target.exists():
        sentence = f"{download.target} is damaged. {sentence}"
    return KnownError(sentence, FILE_REMEDY)


def _check(known: Backbone, path: Path) -> None:
    digest = _sha256(path)
    if digest.startswith(known.weights_digest):
        return
    path.unlink()
    raise KnownError(
        "The downloaded weights of {title} are damaged: their SHA-256 begins with {digest}, "
        "not {weights_digest}.",
        FILE_REMEDY,
        title=known.title,
        digest=digest[:8],
        weights_digest=known.weights_digest,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
