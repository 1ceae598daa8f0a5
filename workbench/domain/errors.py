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
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: Message("Choose a disk that can store larger files."),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: Message("Choose a location that can be written to."),
    errno.EISDIR: Message("Choose the name of a file instead of a folder."),
    errno.ENOTDIR: Message("Choose another folder: a part of this path is a file."),
    errno.ENOENT: Message("Create its folder first, or choose another one."),
    errno.EEXIST: Message("Choose another name."),
    errno.ENOTEMPTY: Message("Choose another name."),
    errno.ENAMETOOLONG: Message("Choose a shorter name."),
    errno.EINVAL: Message("Choose another name."),
    errno.ELOOP: Message("Choose a path without links that lead in a circle."),
    errno.EBUSY: Message("Close the program that uses it, and try again."),
    errno.EMFILE: Message("Close other projects or programs, and try again."),
    errno.ENFILE: Message("Close other projects or programs, and try again."),
    errno.EIO: _UNREACHABLE,
    errno.ENXIO: _UNREACHABLE,
    errno.ENODEV: _UNREACHABLE,
}


def remedy_of(error: BaseException, otherwise: str = "") -> str:
    """What to do if writing a file or folder failed with `error`, by its error number; `otherwise`
    if that is unknown, or `error` is no error of the system."""
    number = error.errno if isinstance(error, OSError) else None
    return otherwise if number is None else _REMEDIES.get(number, otherwise)


def reason_of(error: Exception) -> str:
    """The first line of an error message, without error numbers, file names and full stop; the
    message of an error that was raised with a `Message`."""
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(text, Message):
        return text
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
