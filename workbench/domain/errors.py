"""Exceptions: expected errors with a remedy; everything else is a bug and gets a report."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from workbench.domain.text import Message, mark


class KnownError(Exception):
    """An expected error: something outside the program is wrong.

    `sentence` names the file, folder or value and the reason; `remedy` is what to do. Both are
    templates of the `values`, so that they can be translated where they are shown. Any other
    exception is a bug and is shown as a report with its traceback.
    """

    def __init__(self, sentence: str, remedy: str = "", /, **values: object) -> None:
        self.sentence = Message(sentence, **values)
        self.remedy = Message(remedy, **values)
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
    """A value given by the user is invalid; the message has its key and the allowed values."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(
            mark("{key} = {value!r} is not allowed."),
            mark("Allowed: {allowed}."),
            key=key,
            value=value,
            allowed=allowed,
        )
        self.key = key
        self.value = value
        self.allowed = allowed


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
            "{path} cannot be read: {reason}.", remedy, path=path, reason=_reason(error)
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error message, without its full stop."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
