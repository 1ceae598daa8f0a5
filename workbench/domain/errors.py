"""Exceptions: expected errors with a remedy; everything else is a bug and gets a report."""

from __future__ import annotations

import errno
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workbench.domain.text import Message, mark


class KnownError(Exception):
    """An expected error: something outside the program is wrong.

    `sentence` names the file, folder or value and the reason; `remedy` is what to do. Both are
    templates of the `values`, so that they can be translated where they are shown; a `Message`
    has its own values already. Any other exception is a bug and is shown as a report with its
    traceback.
    """

    def __init__(self, sentence: str, remedy: str = "", /, **values: object) -> None:
        self.sentence = _message(sentence, values)
        self.remedy = _message(remedy, values)
        super().__init__(self.sentence)

    @property
    def message(self) -> Message:
        """The sentence, and the remedy if there is one."""
        if not self.remedy:
            return self.sentence
        return Message("{sentence} {remedy}", sentence=self.sentence, remedy=self.remedy)

    def __str__(self) -> str:
        return self.message


class ValueRefused(KnownError):
    """A value given by the user is invalid; the message has its key and the allowed values.

    `key` and `allowed` are messages where they have words rather than names. `sentence` replaces
    the usual one where that would not be clear; it has its values already.
    """

    def __init__(
        self, key: str, value: object, allowed: str, sentence: Message | None = None
    ) -> None:
        shown = shown_value(value)
        usual = (
            mark("“{value}” is not a valid value for {key}.")
            if shown
            else mark("No {key} is given.")
        )
        super().__init__(
            Message(usual, value=shown, key=key) if sentence is None else sentence,
            Message("Allowed: {allowed}.", allowed=allowed),
        )
        self.key = key
        self.value = value
        self.allowed = allowed


def shown_value(value: object) -> str:
    """A value as a user writes it: true or false, lists with commas, everything else as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {shown_value(one)}" for key, one in value.items())
    return "" if value is None else str(value)


def _message(template: str, values: Mapping[str, object]) -> Message:
    return template if isinstance(template, Message) else Message(template, **values)


@contextmanager
def parsing(path: Path, remedy: str = "") -> Generator[None, None, None]:
    """Report any exception within the block as a KnownError that names the file.

    Only wrap the parsing of file content: parsers of damaged files raise almost anything (KeyError,
    EOFError, struct.error, …), so no list of exceptions would be complete.
    """
    try:
        yield
    except KnownError:
        raise
    except Exception as error:
        raise KnownError(
            "{path} cannot be read: {reason}.", remedy, path=path, reason=reason_of(error)
        ) from error


_FULL = Message("Free up disk space, or choose a location on another disk.")
_DENIED = Message("Choose another location, or change the permissions of this one.")
_UNREACHABLE = Message("Check that the disk or network drive is connected.")
_OTHER_NAME = Message("Choose another name.")
_CLOSE_OTHERS = Message("Close other projects or programs, and try again.")
_CAUSES: dict[int, tuple[Message, str]] = {  # by error number: the reason, and what to do
    errno.ENOSPC: (Message("no space left on the disk"), _FULL),
    errno.EDQUOT: (Message("the disk quota is used up"), _FULL),
    errno.EFBIG: (
        Message("the file is too large"),
        Message("Choose a disk that can store larger files."),
    ),
    errno.EACCES: (Message("permission denied"), _DENIED),
    errno.EPERM: (Message("not permitted"), _DENIED),
    errno.EROFS: (
        Message("the disk is read-only"),
        Message("Choose a location that can be written to."),
    ),
    errno.EISDIR: (
        Message("it is a folder"),
        Message("Choose the name of a file instead of a folder."),
    ),
    errno.ENOTDIR: (
        Message("a part of its path is not a folder"),
        Message("Choose another folder: a part of this path is a file."),
    ),
    errno.ENOENT: (
        Message("no such file or folder"),
        Message("Create its folder first, or choose another one."),
    ),
    errno.EEXIST: (Message("it exists already"), _OTHER_NAME),
    errno.EXDEV: (Message("it is on another drive"), Message("Choose a folder on its drive.")),
    errno.ENOTEMPTY: (Message("the folder is not empty"), _OTHER_NAME),
    errno.ENAMETOOLONG: (Message("the name is too long"), Message("Choose a shorter name.")),
    errno.EINVAL: (Message("the name or the request is not valid"), _OTHER_NAME),
    errno.ELOOP: (
        Message("its links lead in a circle"),
        Message("Choose a path without links that lead in a circle."),
    ),
    errno.EBUSY: (
        Message("it is in use"),
        Message("Close the program that uses it, and try again."),
    ),
    errno.EMFILE: (Message("too many files are open"), _CLOSE_OTHERS),
    errno.ENFILE: (Message("too many files are open"), _CLOSE_OTHERS),
    errno.EIO: (Message("the disk reports an error"), _UNREACHABLE),
    errno.ENXIO: (Message("the device is not connected"), _UNREACHABLE),
    errno.ENODEV: (Message("the device is not connected"), _UNREACHABLE),
    errno.ECONNREFUSED: (Message("the connection was refused"), ""),
    errno.ECONNRESET: (Message("the connection was closed"), ""),
    errno.ETIMEDOUT: (Message("there was no answer in time"), ""),
    errno.ENETUNREACH: (Message("the network cannot be reached"), ""),
    errno.EHOSTUNREACH: (Message("the server cannot be reached"), ""),
}


def remedy_of(error: BaseException, otherwise: str = "") -> str:
    """What to do if writing a file or folder failed with `error`, by its error number; `otherwise`
    if that is unknown, or `error` is no error of the system."""
    cause = _CAUSES.get(error.errno or 0) if isinstance(error, OSError) else None
    return (cause and cause[1]) or otherwise


def reason_of(error: Exception) -> str:
    """Why it failed, to go on a sentence: the reason of a `KnownError` that has one, the `Message`
    that the error was raised with, the reason of an error of the system by its number, or else the
    first line of its text, without error numbers, file names and full stop."""
    known = error.sentence.values.get("reason") if isinstance(error, KnownError) else None
    if isinstance(known, str):
        return known
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    if isinstance(error, OSError):
        if isinstance(error.strerror, Message):
            return error.strerror
        if error.errno in _CAUSES:
            return _CAUSES[error.errno][0]
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
