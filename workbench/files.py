"""Atomic file writes, and digests that are verified before content is used.

A digest is BLAKE3 in hexadecimal. It is stored in the JSON file that describes a file, in
`digests.json`, or, for ZIP archives (NumPy's and PyTorch's), in the archive comment, so that file
and digest are replaced together. Files written before digests were introduced have none and are
accepted.
"""

from __future__ import annotations

import contextlib
import errno
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

from workbench.domain.errors import KnownError, reason_of, remedy_of
from workbench.domain.text import Message, mark

PART = ".part"  # suffix of incomplete files
MOST_BYTES = 1 << 30  # size limit of a file chosen by the user
MOST_WEIGHTS = 8 << 30  # of weights, which are copied; those of known networks have 0.6 GB


def make_folder(folder: Path) -> None:
    """Create a folder and its parents. Raises KnownError with the folder and the reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise unusable(folder, mark("Choose another folder.")) from error
    except OSError as error:
        raise KnownError(
            "The folder {path} cannot be created: {reason}.",
            remedy_of(error, mark("Choose another folder.")),
            path=folder,
            reason=reason_of(error),
        ) from error


def regular_bytes(path: Path, size: int = -1, most: int | None = None) -> bytes:
    """Read the first `size` bytes of a regular file (-1: all).

    Raises OSError or ValueError with the reason, also if the file is larger than `most` bytes, or
    is not a regular file: reading a pipe or a device may never end.
    """
    with _opened_regular(path, most) as file:
        there = os.fstat(file.fileno()).st_size  # what is appended meanwhile is not read
        return file.read(there if size < 0 else size)


def hash_regular(path: Path, most: int | None = None) -> str:
    """Digest of a regular file, read in pieces. Raises OSError or ValueError as `regular_bytes`."""
    with _opened_regular(path, most) as file:
        return _hashed(file).hexdigest()


def check_regular(path: Path, most: int, remedy: str) -> None:
    """Raise KnownError, with the remedy, unless it is a regular file of at most `most` bytes."""
    if not path.is_file():
        raise unusable(path, remedy)
    try:
        _check_regular(path, path.stat(), most)
    except OSError as error:
        raise KnownError(
            "{path} cannot be used: {reason}.", remedy, path=path, reason=reason_of(error)
        ) from error


@contextmanager
def _opened_regular(path: Path, most: int | None) -> Iterator[IO[bytes]]:
    """Open a regular file. It is checked before, since opening a device may have effects, and
    afterwards, since it may have been replaced; opening a pipe must not wait for a writer."""
    _check_regular(path, path.stat(), most)
    with open(path, "rb", opener=_open_at_once) as file:
        _check_regular(path, os.fstat(file.fileno()), most)
        yield file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_regular(path: Path, found: os.stat_result, most: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _NotRegular(errno.EINVAL, kind_of(found.st_mode), str(path))
    if most is not None and found.st_size > most:
        reason = Message(
            "its size is {size:.1f} GB, the limit is {limit:.1f} GB",
            size=found.st_size / 1e9,
            limit=most / 1e9,
        )
        raise OSError(errno.EFBIG, reason, str(path))


class _NotRegular(OSError):
    """What is read is a folder, a pipe, a socket or a device."""


_KINDS = {
    stat.S_IFREG: mark("it is a file"),
    stat.S_IFDIR: mark("it is a folder"),
    stat.S_IFIFO: mark("it is a named pipe"),
    stat.S_IFSOCK: mark("it is a socket"),
}


def kind_of(mode: int) -> Message:
    """What a path is, as the reason why it cannot be used."""
    return Message(_KINDS.get(stat.S_IFMT(mode), mark("it is a device")))


def unusable(path: Path, remedy: str) -> KnownError:
    """Error for a path that is not the file or folder that is needed: it does not exist, or is
    something else, which is named."""
    try:
        reason: str = kind_of(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return KnownError("{path} does not exist.", remedy, path=path)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
    return KnownError("{path} cannot be used: {reason}.", remedy, path=path, reason=reason)


def read_regular(path: Path, size: int = -1, most: int = MOST_BYTES) -> bytes:
    """Read a file chosen by the user as `regular_bytes`, with errors as KnownError."""
    try:
        return regular_bytes(path, size, most)
    except (OSError, ValueError) as error:
        remedy = mark("Choose a file.") if isinstance(error, _NotRegular) else ""
        raise KnownError(
            "{path} cannot be read: {reason}.", remedy, path=path, reason=reason_of(error)
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report an OSError within the block as a KnownError: `path` cannot be written, with the
    reason and what to do about it."""
    try:
        yield
    except OSError as error:
        raise KnownError(
            "{path} cannot be written: {reason}.",
            remedy_of(error, mark("Choose another location.")),
            path=path,
            reason=reason_of(error),
        ) from error


def check_replaceable(path: Path) -> None:
    """Raise OSError unless a file can be written to `path`, as far as what is there now tells:
    nothing, or a regular file. A folder could not be replaced, a device or a pipe would be lost."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, kind_of(mode), str(path))
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, kind_of(mode), str(path))


@contextmanager
def replacing(path: Path, *, flush: bool = True, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` when the block ends.

    If the block raises, the temporary file is removed and `path` is unchanged. Raises OSError, at
    once if `path` is a folder or a device.
    `flush`: as in `move_into_place`. `shared`: several processes or threads may write `path` at
    once.
    """
    check_replaceable(path)
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
    """Write a file atomically; see `replacing`. Raises OSError."""
    with replacing(path, flush=flush, shared=shared) as part:
        part.write_bytes(data)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `folder`, renamed to `folder` when the block ends.

    If the block raises, it is removed. Raises OSError.
    """
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
    """Replace `path` by a finished file of the same folder.

    With `flush`, the bytes are on disk before the rename, and the rename afterwards, so a power
    failure leaves the old or the new file. Without it, this holds only if the process is killed.
    Raises OSError.
    """
    if flush:
        with part.open("r+b") as file:
            os.fsync(file.fileno())
    os.replace(part, path)
    if flush and os.name == "posix":
        _flush_names(path.parent)


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not supported by some network drives
            os.fsync(handle)
    finally:
        os.close(handle)


DIGESTS_FILE = "digests.json"  # digests of the files in the same folder, by name
CHANGED = Message("its content has changed since it was saved")
PIECE = 1 << 20  # bytes read at a time

# The end record of a ZIP archive: 22 bytes, the last two of which are the length of the comment
# that follows; see APPNOTE.TXT of PKWARE, 4.3.16.
_END, _END_BYTES = b"PK\x05\x06", 22
_SEAL = b"BLAKE3 "
_SEAL_BYTES = len(_SEAL) + 64


class DamagedFile(Exception):
    """The content of a file is not what was written; the message says how this was detected."""


def digest_of(path: Path) -> str:
    """Digest of a file. Raises OSError."""
    with path.open("rb") as file:
        return _hashed(file).hexdigest()


def check_digest(path: Path, digest: str, size: int | None = None) -> None:
    """Raise DamagedFile if the digest of the first `size` bytes of a file (None: all) differs.

    `digest` is the recorded one ("": none). Raises OSError.
    """
    if digest:
        with path.open("rb") as file:
            _check(_hashed(file, size), digest)


class GrowingFile:
    """An append-only file and the digest of its content."""

    def __init__(self, path: Path, size: int, digest: str = "") -> None:
        """Open the file and truncate it to `size` bytes; a missing file counts as empty.

        Raises OSError, and DamagedFile if the file is shorter or its digest differs from the
        recorded one ("": none).
        """
        path.touch()
        self._path = path
        with path.open("rb") as file:
            self._hasher = _hashed(file, size)
        if digest:
            _check(self._hasher, digest)
        os.truncate(path, size)

    @property
    def digest(self) -> str:
        """BLAKE3 of all bytes so far, in hexadecimal."""
        return self._hasher.hexdigest()

    def append(self, data: bytes) -> None:
        """Append bytes; they are written when this returns. Raises OSError."""
        with self._path.open("ab") as file:
            file.write(data)
        self._hasher.update(data)


def _check(hasher: blake3, digest: str) -> None:
    if hasher.hexdigest() != digest:
        raise DamagedFile(CHANGED)


def _hashed(file: IO[bytes], size: int | None = None) -> blake3:
    """Hasher over the next `size` bytes of a file (None: all remaining)."""
    hasher = blake3()
    left = size
    while piece := file.read(PIECE if left is None else min(PIECE, left)):
        hasher.update(piece)
        left = None if left is None else left - len(piece)
    if left:
        raise DamagedFile(CHANGED)
    return hasher


def record_digest(path: Path, digest: str) -> None:
    """Record the digest of a file in `digests.json` beside it; "" removes it from there."""
    record = path.with_name(DIGESTS_FILE)
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = dict(json.loads(record.read_bytes()))
    if digest or path.name in known:
        known = {name: one for name, one in known.items() if name != path.name}
        known |= {path.name: digest} if digest else {}
        write_whole(record, json.dumps(known, indent=2).encode())


def write_recorded(path: Path, data: bytes) -> None:
    """Write a file atomically and record its digest. Raises OSError.

    If the process is killed in between, the file has no digest: it never has that of another
    content.
    """
    record_digest(path, "")
    write_whole(path, data)
    record_digest(path, blake3(data).hexdigest())


def read_recorded(path: Path) -> bytes:
    """Read a file and check its digest as `check_recorded`, which see for the errors."""
    data = regular_bytes(path)
    digest = _recorded(path)
    if digest and blake3(data).hexdigest() != digest:
        raise DamagedFile(CHANGED)
    return data


def check_recorded(path: Path) -> None:
    """Raise DamagedFile if a file differs from its digest in `digests.json`.

    Also if `digests.json` cannot be parsed. Files that it does not list are accepted. Raises
    OSError.
    """
    check_digest(path, _recorded(path))


def _recorded(path: Path) -> str:
    """The digest of a file in `digests.json`; "" if there is none."""
    try:
        known = json.loads(path.with_name(DIGESTS_FILE).read_bytes())
        return str(known.get(path.name, ""))
    except FileNotFoundError:
        return ""
    except (ValueError, AttributeError) as error:
        raise DamagedFile(Message("{file} beside it is damaged", file=DIGESTS_FILE)) from error


def seal_archive(file: IO[bytes]) -> None:
    """Write the digest of a ZIP archive without a comment into its comment.

    `file` is the whole archive, open for reading and writing.
    """
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _SEAL_BYTES))
    file.seek(0)
    digest = _hashed(file).hexdigest()
    file.seek(0, os.SEEK_END)
    file.write(_SEAL + digest.encode())


def check_archive(path: Path) -> None:
    """Raise DamagedFile unless a ZIP archive matches its recorded digest.

    Without a recorded digest, the CRC-32 of each member is checked. Raises OSError.
    """
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
    except Exception:  # damaged fields can raise anything
        return False


def _ends(record: bytes, comment: int) -> bool:
    """Whether `record` is the end record of an archive with a comment of this length."""
    return (
        len(record) == _END_BYTES
        and record.startswith(_END)
        and record.endswith(struct.pack("<H", comment))
    )
