"""Files written whole or not at all, and digests that are compared before content is used.

A digest is BLAKE3 in hexadecimal. It is kept where a file is described: in the JSON file beside it,
in `digests.json`, or, for ZIP archives (NumPy's and PyTorch's), in the archive's own comment, so
that file and digest are replaced together. Files written before there were digests have none and
are accepted as they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from blake3 import blake3

from workbench.domain.errors import KnownError

PART = ".part"  # ends the name of what is not whole yet
MOST_BYTES = 1 << 30  # of a text file that a person named


def make_folder(folder: Path, remedy: str = "Choose another folder.") -> None:
    """Make a folder and those above it; raises KnownError naming it and why it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KnownError(
            f"The folder {folder} cannot be made: {error.strerror}.", remedy
        ) from error


def read_regular(path: Path, size: int = -1, most: int = MOST_BYTES) -> bytes:
    """The first `size` bytes of a file that a person named (-1: all). Raises KnownError where it
    cannot be read, has more than `most` bytes in all, or is none: a pipe or a device may never
    end."""
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= most:
            with path.open("rb") as file:
                return file.read(size)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise KnownError(f"{path} cannot be read: {why}.") from error
    if stat.S_ISREG(found.st_mode):
        much = f"it has {found.st_size / 1e9:.1f} GB, more than the {most / 1e9:.1f} GB allowed"
        raise KnownError(f"{path} cannot be read: {much}.")
    kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
    raise KnownError(f"{path} cannot be read: it is {kind}.", "Choose a file.")


@contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """Report an OSError within the block as a KnownError: `path` cannot be written, and why."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise KnownError(f"{path} cannot be written: {reason}.", remedy) from error


@contextmanager
def replacing(path: Path, *, flush: bool = True, shared: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, to be written within the block; it replaces `path` when the
    block ends. When the block raises, it is removed and `path` stays as it was. Raises OSError.

    `flush`: as `move_into_place`. `shared`: several processes or threads may write `path` at once.
    """
    own = f".{os.getpid()}-{threading.get_ident()}" if shared else ""
    part = path.with_name(f"{path.name}{own}{PART}")
    try:
        yield part
        move_into_place(part, path, flush=flush)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_whole(path: Path, data: bytes, *, flush: bool = True, shared: bool = False) -> None:
    """Write a file, replacing the one that is there only when the new one is whole; see
    `replacing`. Raises OSError."""
    with replacing(path, flush=flush, shared=shared) as part:
        part.write_bytes(data)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty temporary folder beside `folder`, to be filled within the block; it becomes `folder`
    when the block ends. When the block raises, it is removed. Raises OSError."""
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def move_into_place(part: Path, path: Path, *, flush: bool = True) -> None:
    """Replace `path` by a finished file of the same folder. With `flush` the bytes are on the disk
    before and the new name after, so that a power cut leaves the old file or the new one; without,
    that holds for a killed process only. Raises OSError."""
    if flush:
        with part.open("r+b") as file:
            os.fsync(file.fileno())
    os.replace(part, path)
    if flush and os.name == "posix":
        _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network drives cannot
            os.fsync(handle)
    finally:
        os.close(handle)


DIGESTS_FILE = "digests.json"  # digests of files beside it, by their names
CHANGED = "it is damaged, its content is not what was written"
PIECE = 1 << 20  # bytes read at a time

# The end record of a ZIP archive: 22 bytes, the last two of which are the length of the comment
# that follows; see APPNOTE.TXT of PKWARE, 4.3.16.
_END, _END_BYTES = b"PK\x05\x06", 22
_SEAL = b"BLAKE3 "
_SEAL_BYTES = len(_SEAL) + 64


class DamagedFile(Exception):
    """The content of a file is not what was written; the text says how that is known."""


def digest_of(path: Path) -> str:
    """The digest of a file. Raises OSError."""
    with path.open("rb") as file:
        return _hashed(file).hexdigest()


def check_digest(path: Path, digest: str, size: int | None = None) -> None:
    """Raise DamagedFile where the first `size` bytes of a file (None: all) have another digest than
    was recorded ("": none was). Raises OSError."""
    if digest:
        with path.open("rb") as file:
            _check(_hashed(file, size), digest)


class GrowingFile:
    """A file that bytes are appended to, and the digest of all of them."""

    def __init__(self, path: Path, size: int, digest: str = "") -> None:
        """Keep the first `size` bytes of the file and cut off what follows; a file that is not
        there counts as empty. Raises OSError, and DamagedFile where those bytes are not there or
        have another digest than was recorded ("": none was)."""
        path.touch()
        self._path = path
        with path.open("rb") as file:
            self._hasher = _hashed(file, size)
        if digest:
            _check(self._hasher, digest)
        os.truncate(path, size)

    @property
    def digest(self) -> str:
        return self._hasher.hexdigest()

    def append(self, data: bytes) -> None:
        """Add bytes; they are in the file when this returns. Raises OSError."""
        with self._path.open("ab") as file:
            file.write(data)
        self._hasher.update(data)


def _check(hasher: blake3, digest: str) -> None:
    if hasher.hexdigest() != digest:
        raise DamagedFile(CHANGED)


def _hashed(file: IO[bytes], size: int | None = None) -> blake3:
    """A hasher that has seen the next `size` bytes of a file (None: all that follow)."""
    hasher = blake3()
    left = size
    while left is None or left > 0:
        piece = file.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            break
        hasher.update(piece)
        left = None if left is None else left - len(piece)
    if left:
        raise DamagedFile(CHANGED)
    return hasher


def record_digest(path: Path, digest: str) -> None:
    """Keep the digest of a file in `digests.json` beside it."""
    record = path.with_name(DIGESTS_FILE)
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = dict(json.loads(record.read_bytes()))
    write_whole(record, json.dumps({**known, path.name: digest}, indent=2).encode())


def check_recorded(path: Path) -> None:
    """Raise DamagedFile where a file differs from the digest that `digests.json` beside it records,
    or that cannot be read; a file that it does not list is accepted. Raises OSError."""
    try:
        known = json.loads(path.with_name(DIGESTS_FILE).read_bytes())
        digest = str(known.get(path.name, ""))
    except FileNotFoundError:
        return
    except (ValueError, AttributeError) as error:
        raise DamagedFile(f"{DIGESTS_FILE} beside it is damaged") from error
    check_digest(path, digest)


def seal_archive(file: IO[bytes]) -> None:
    """Write the digest of a ZIP archive without a comment into its comment. `file` is the whole
    archive, open for reading and writing."""
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _SEAL_BYTES))
    file.seek(0)
    digest = _hashed(file).hexdigest()
    file.seek(0, os.SEEK_END)
    file.write(_SEAL + digest.encode())


def check_archive(path: Path) -> None:
    """Raise DamagedFile unless a ZIP archive is as it was sealed; of one without a seal, unless its
    own checksums (CRC-32 of each member) are right. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_BYTES - _SEAL_BYTES))
        tail = file.read()
        plain, sealed, seal = tail[-_END_BYTES:], tail[:_END_BYTES], tail[_END_BYTES:]
        if _ends(plain, 0) and _sums_are_right(path):
            return
        if _ends(sealed, _SEAL_BYTES):
            file.seek(0)
            digest = _hashed(file, size - _SEAL_BYTES).hexdigest()
            if seal == _SEAL + digest.encode():
                return
    raise DamagedFile(CHANGED)


def _sums_are_right(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # whatever the damage makes of the archive's fields
        return False


def _ends(record: bytes, comment: int) -> bool:
    """Whether bytes are an archive's end record that announces a comment of this length."""
    return (
        len(record) == _END_BYTES
        and record.startswith(_END)
        and record.endswith(struct.pack("<H", comment))
    )
